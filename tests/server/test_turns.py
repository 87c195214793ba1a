"""A short line for what lasts and a long one for what passes, against a model that keeps every moment."""

import itertools
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.turns import Turns

MAX_WAIT_S = 0.002
# In binary fractions of a second, so that sums are exact: nothing is just short of a bound.
TICK_S = 1 / 4096


@dataclass
class Bench:
    """Turns with a clock that is set by hand."""

    workers: int = 2
    limit: int = 128
    now: float = 1000.0
    refused: list[int] = field(default_factory=list)
    n_asked: int = 0
    joined: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.turns = Turns[int](self.workers, self.limit, MAX_WAIT_S, self.refused.append, lambda: self.now)

    def ask(self) -> bool | None:
        """What the next call is told; calls are numbered as they come."""
        self.n_asked += 1
        self.joined[self.n_asked] = self.now
        return self.turns.ask(self.n_asked, self.n_asked)

    def flood(self, seconds: float, per_s: int, served_per_s: int) -> tuple[list[float], int]:
        """How long each call waited that had its turn at a steady rate, and how many were refused."""
        began, came, done = self.now, 0, 0
        waits: list[float] = []
        n_lost, n_refused = 0, len(self.refused)
        while self.now - began < seconds:
            self.now += TICK_S
            while came < (self.now - began) * per_s:
                came += 1
                n_lost += self.ask() is None
            while done < (self.now - began) * served_per_s:
                done += 1
                if self.turns.here > self.turns.waiting and (call := self.turns.next()) is not None:
                    waits.append(self.now - self.joined[call])
        return waits, n_lost + len(self.refused) - n_refused


def test_a_burst_that_fits_loses_nobody_and_is_served_in_its_order() -> None:
    bench = Bench()
    assert [bench.ask() for _ in range(128)] == [True] * 2 + [False] * 126
    served = []
    for _ in range(126):
        bench.now += 0.04
        served.append(bench.turns.next())
    assert served == list(range(3, 129))
    assert [bench.turns.next(), bench.turns.next()] == [None, None]
    assert bench.turns.here == 0
    assert bench.refused == []


def test_one_more_than_fits_is_refused_and_has_no_place() -> None:
    bench = Bench(workers=1, limit=2)
    assert [bench.ask(), bench.ask(), bench.ask()] == [True, False, None]
    assert bench.turns.here == 2


def test_callers_who_fit_lose_nobody_however_long_they_ask_again_and_again() -> None:
    bench = Bench()
    told = [bench.ask() for _ in range(100)]
    for _ in range(10_000):
        bench.now += 0.001
        assert bench.turns.next() is not None
        told.append(bench.ask())
    assert None not in told
    assert bench.refused == []


def test_lasting_overload_holds_the_line_short_from_a_tenth_of_a_second_on() -> None:
    bench = Bench()
    bench.flood(0.25, per_s=12_000, served_per_s=4_000)
    waits, n_lost = bench.flood(5.0, per_s=12_000, served_per_s=4_000)
    # Two ticks more at most: the last in line is served in any case.
    assert max(waits) <= MAX_WAIT_S + 2 * TICK_S
    # Nobody is refused for whom there was time.
    assert len(waits) == pytest.approx(20_000, rel=0.01)
    assert n_lost == pytest.approx(40_000, rel=0.01)


def test_a_little_more_than_can_be_served_is_not_held_short() -> None:
    bench = Bench()
    waits, n_lost = bench.flood(5.0, per_s=5_000, served_per_s=4_000)
    assert max(waits) > 0.02
    assert n_lost == pytest.approx(5_000, rel=0.05)


def test_once_fewer_come_the_line_is_held_short_no_more() -> None:
    bench = Bench()
    bench.flood(1.0, per_s=12_000, served_per_s=4_000)
    bench.flood(0.2, per_s=2_000, served_per_s=4_000)
    bench.refused.clear()
    # A stall, and all who fit are served after it.
    told = [bench.ask() for _ in range(100)]
    bench.now += 0.05
    _, n_lost = bench.flood(1.0, per_s=2_000, served_per_s=4_000)
    assert None not in told
    assert n_lost == 0
    assert bench.refused == []


def test_a_burst_long_after_a_flood_loses_nobody() -> None:
    bench = Bench()
    bench.flood(1.0, per_s=12_000, served_per_s=4_000)
    while bench.turns.here:
        bench.turns.next()
    bench.refused.clear()
    bench.now += 10
    assert None not in [bench.ask() for _ in range(128)]
    bench.now += 0.05
    while bench.turns.here:
        bench.turns.next()
    assert bench.refused == []


def test_a_line_held_short_shows_after_a_minute_whether_it_would_be_full() -> None:
    bench = Bench()
    bench.flood(1.0, per_s=12_000, served_per_s=4_000)
    lost = []
    # As many ask as fit, and those who are refused at once again.
    for _ in range(62_000):
        bench.now += 0.001
        bench.turns.next()
        n_refused = 0
        while bench.turns.here < 16 and n_refused < 16:
            n_refused += bench.ask() is None
        lost.append(n_refused + len(bench.refused))
    assert sum(lost[30_000:31_000]) > sum(lost[29_000:30_000]) / 2 > 0
    assert lost[-1] == lost[-500]


def test_a_worker_that_is_free_finds_work_however_long_it_waited() -> None:
    bench = Bench(workers=1, limit=3)
    bench.flood(0.2, per_s=400, served_per_s=40)
    while bench.turns.waiting:
        bench.turns.next()
    bench.refused.clear()
    assert [bench.ask(), bench.ask()] == [False, False]
    bench.now += 0.04
    assert bench.turns.next() == bench.n_asked
    assert bench.refused == [bench.n_asked - 1]


def test_who_leaves_has_no_turn() -> None:
    bench = Bench(workers=1)
    assert [bench.ask() for _ in range(3)] == [True, False, False]
    bench.turns.leave(2)
    bench.turns.leave(99)
    assert bench.turns.next() == 3


def test_more_who_work_take_from_the_line_and_fewer_leave_it() -> None:
    bench = Bench(workers=1)
    assert [bench.ask() for _ in range(4)] == [True, False, False, False]
    assert bench.turns.let_work(3) == [2, 3]
    assert bench.turns.let_work(1) == []
    assert [bench.turns.next(), bench.turns.next()] == [None, None]
    assert bench.turns.next() == 4


def test_among_threads_each_call_is_served_or_refused_once() -> None:
    # Time flies, so that every rule may apply.
    lock, ended = threading.Lock(), Counter[tuple[str, int]]()

    def end(how: str, call: int) -> None:
        with lock:
            ended[how, call] += 1

    turns = Turns[int](2, 8, MAX_WAIT_S, lambda call: end("refused", call), lambda: 5 * time.monotonic())
    numbers = itertools.count()

    def take_and_work() -> None:
        while (number := next(numbers)) < 20_000:
            told = turns.ask(number, number)
            call = number if told else None
            if told is None:
                end("too many", number)
            while call is not None:
                time.sleep(0)
                end("served", call)
                call = turns.next()

    threads = [threading.Thread(target=take_and_work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (turns.here, turns.waiting) == (0, 0)
    assert sorted(call for _, call in ended) == list(range(20_000))
    assert set(ended.values()) == {1}


@dataclass
class Model:
    """The rules once more, read off a list of all that happened."""

    workers: int
    limit: int
    busy: int = 0
    line: deque[tuple[int, float]] = field(default_factory=deque)
    refused: list[int] = field(default_factory=list)
    moments: list[tuple[str, float]] = field(default_factory=list)
    """Who came, and who was refused, since the period began."""
    period: float = float("-inf")
    short_since: float | None = None

    def is_late(self, now: float) -> bool:
        return self.short_since is not None and bool(self.line) and now - self.line[0][1] > MAX_WAIT_S

    def begin_period(self, now: float) -> None:
        n_came, n_lost = (sum(kind == counted for kind, _ in self.moments) for counted in ("came", "lost"))
        if 3 * n_lost <= n_came or now - self.period >= 0.2:
            self.short_since = None
        elif self.short_since is None:
            self.short_since = now
        elif now - self.short_since >= 60:
            self.short_since = None
        self.period = now
        self.moments.clear()

    def ask(self, call: int, now: float) -> bool | None:
        if self.busy < self.workers and not self.line:
            self.busy += 1
            self.moments.append(("came", now))
            return True
        if now - self.period > 0.1:
            self.begin_period(now)
        self.moments.append(("came", now))
        if self.busy + len(self.line) >= self.limit or self.is_late(now):
            self.moments.append(("lost", now))
            return None
        self.line.append((call, now))
        return False

    def next(self, now: float) -> int | None:
        while self.line:
            is_late = self.is_late(now)
            call, _ = self.line.popleft()
            if not is_late or not self.line:
                return call
            self.moments.append(("lost", now))
            self.refused.append(call)
        self.busy -= 1
        return None


EVENTS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 5, 20, 150, 250, 500, 50_000]),
        st.integers(0, 6),
        st.integers(0, 4),
        st.booleans(),
        st.sampled_from([1, 3, 30]),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(workers=st.integers(0, 3), limit=st.integers(1, 8), events=EVENTS)
def test_it_does_as_the_model_does(workers: int, limit: int, events: Sequence[tuple[int, int, int, bool, int]]) -> None:
    bench, model = Bench(workers, limit), Model(workers, limit)
    steps = (step for *step, n_times in events for _ in range(n_times))
    for ticks, n_asked, n_done, somebody_leaves in steps:
        bench.now += ticks * TICK_S
        for _ in range(n_asked):
            assert bench.ask() == model.ask(bench.n_asked, bench.now)
        if somebody_leaves and model.line:
            bench.turns.leave(model.line.pop()[0])
        for _ in range(min(n_done, model.busy)):
            assert bench.turns.next() == model.next(bench.now)
        assert (bench.turns.here, bench.turns.waiting) == (model.busy + len(model.line), len(model.line))
        assert bench.refused == model.refused


def test_who_is_at_work_lets_what_comes_wait_and_who_steps_in_takes_the_first() -> None:
    bench = Bench(workers=1, limit=3)
    assert bench.ask() is True
    assert [bench.turns.join(key, key) for key in (2, 3, 4)] == [True, True, False]
    assert bench.turns.step_in() is None
    bench.turns.workers = 2
    assert (bench.turns.step_in(), bench.turns.step_in()) == (2, None)
    bench.turns.workers = 1
    assert (bench.turns.here, bench.turns.waiting) == (3, 1)
    assert (bench.turns.next(), bench.turns.next(), bench.turns.next()) == (None, 3, None)
    assert bench.turns.here == 0


def test_those_next_in_line_that_suit_are_worked_on_beside_the_first_and_count_as_here() -> None:
    bench = Bench(workers=1, limit=8)
    for _ in range(7):
        bench.ask()
    assert bench.turns.beside(3, lambda key: key < 4) == [2, 3]
    assert (bench.turns.here, bench.turns.waiting) == (7, 4)
    assert bench.ask() is False
    assert bench.ask() is None
    assert bench.turns.next(2) == 4
    assert bench.turns.beside(2, lambda _: True) == [5, 6]
    assert (bench.turns.next(2), bench.turns.next(), bench.turns.next()) == (7, 8, None)
    assert bench.turns.here == 0


def test_nobody_who_has_waited_too_long_is_worked_on_beside_another() -> None:
    bench = Bench(workers=1, limit=4)
    bench.flood(1.0, per_s=2_000, served_per_s=1_000)
    late = bench.turns.waiting
    assert late > 0
    bench.now += 2 * MAX_WAIT_S
    assert bench.turns.beside(10, lambda _: True) == []
    assert bench.turns.waiting == late
