"""Whose turn it is: which call is worked on, which one waits, and which one is too many."""

import itertools
import threading
from collections.abc import Callable, Hashable
from time import monotonic
from typing import Generic, TypeVar

_PERIOD_S = 0.1
# What was longer ago than this says nothing.
_FRESH_S = 0.2
# This part of those who come must be refused in a period for the line to be held short in the next one.
_TOO_MANY = 1 / 3
# For so long a line is held short before it may show whether it would be full again.
_REMEMBERED_S = 60.0

T = TypeVar("T")


class Turns(Generic[T]):
    """Turns of at most `workers` calls at a time, in a line of which so many wait that `limit` are here at most.

    A burst, or what gathers while the server stands still for a moment, makes a line that is soon empty; it loses
    nobody who fits. But where a third of all who come are refused for a tenth of a second, more come than can be
    served: a long line loses as many as a short one would, and makes all others wait. Then it is held short: who comes
    when the first in line has waited longer than `max_wait_s` is refused, and so is who has waited longer when the turn
    comes, but for the last one: a worker that is free finds work. It ends with the first tenth of a second in which
    fewer are refused; and after a minute, since callers who come back at once, and would all fit, look the same as too
    many.

    First come, first served: the bound is far below any caller's patience, so to serve the last first would be unfair
    and no use. Lines that stand and lines that pass are told apart as in Nichols and Jacobson 2012, "Controlling Queue
    Delay", and Maurer 2015, "Fail at Scale"; by what is refused, since a busy line is seldom empty.

    `refuse` is called, in a thread that works, with each call that is refused at its turn. `clock` tells seconds; it is
    not asked of calls that find a worker free.
    """

    def __init__(
        self,
        workers: int,
        limit: int,
        max_wait_s: float,
        refuse: Callable[[T], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.workers = workers
        """How many calls may be worked on at a time."""
        self._limit = limit
        self._max_wait_s = max_wait_s
        self._refuse = refuse
        self._clock = clock
        self._busy = self._beside = 0
        self._line: dict[Hashable, tuple[float, T]] = {}
        # Since when the line is held short; None where it is not.
        self._short_since: float | None = None
        # When this period began, how many have come in it, and how many were refused.
        self._period = float("-inf")
        self._came = self._lost = 0
        # Guards all of these. A call waits only while all work, and who stops working takes it.
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._line)

    @property
    def here(self) -> int:
        """How many calls wait or are worked on."""
        return self._busy + self._beside + len(self._line)

    def is_full(self) -> bool:
        """Whether one call more would be refused."""
        with self._lock:
            return self._busy >= self.workers and self._is_too_many()

    def begin(self, key: Hashable, call: T) -> bool:
        """Whether `call` is worked on now; else it waits, as `key`. It is here from now on, however many are."""
        with self._lock:
            if self._busy < self.workers:
                self._busy += 1
                self._came += 1
                return True
            self._wait(key, call)
            return False

    def ask(self, key: Hashable, call: T) -> bool | None:
        """As `begin`, but for one that is too many: None, and it is not here."""
        with self._lock:
            if self._busy < self.workers and not self._line:
                self._busy += 1
                self._came += 1
                return True
            if self._is_too_many():
                return None
            self._wait(key, call)
            return False

    def join(self, key: Hashable, call: T) -> bool:
        """As `ask` by who is at work: the call waits in any case, but for one that is too many: False."""
        with self._lock:
            if self._is_too_many():
                return False
            self._wait(key, call)
            return True

    def step_in(self) -> T | None:
        """What who has not worked works on now: the first in line, where one more may work."""
        with self._lock:
            if not self._line or self._busy >= self.workers:
                return None
            self._busy += 1
            return self._first()[1]

    def beside(self, most: int, suits: Callable[[T], bool]) -> list[T]:
        """At most so many of the next in line that suit, to be worked on together with the call that has its turn."""
        with self._lock:
            now = self._clock()
            keys = []
            for key, (joined, call) in itertools.islice(self._line.items(), most):
                if not suits(call) or self._is_late(joined, now):
                    break
                keys.append(key)
            self._beside += len(keys)
            return [self._line.pop(key)[1] for key in keys]

    def next(self, n_beside: int = 0) -> T | None:
        """What who has worked on a call, and on `n_beside`, works on now.

        None where nothing waits, and it stops working.
        """
        while True:
            with self._lock:
                self._beside -= n_beside
                n_beside = 0
                if not self._line or self._busy > self.workers:
                    self._busy -= 1
                    return None
                joined, call = self._first()
                if not self._line or not self._is_late(joined, self._clock()):
                    return call
                self._lost += 1
            self._refuse(call)

    def leave(self, key: Hashable) -> None:
        """Let no call wait as `key`."""
        with self._lock:
            self._line.pop(key, None)

    def let_work(self, workers: int) -> list[T]:
        """Let as many calls be worked on at a time; those that are worked on now because of that."""
        with self._lock:
            self.workers = workers
            calls = [self._first()[1] for _ in range(min(workers - self._busy, len(self._line)))]
            self._busy += len(calls)
            return calls

    def clear(self) -> None:
        """Let no call wait."""
        with self._lock:
            self._line.clear()

    def _wait(self, key: Hashable, call: T) -> None:
        self._line[key] = self._clock(), call

    def _first(self) -> tuple[float, T]:
        return self._line.pop(next(iter(self._line)))

    def _is_too_many(self) -> bool:
        now = self._clock()
        if now - self._period > _PERIOD_S:
            self._begin_period(now)
        self._came += 1
        first_joined = next(iter(self._line.values()))[0] if self._line else now
        is_too_many = self.here >= self._limit or self._is_late(first_joined, now)
        self._lost += is_too_many
        return is_too_many

    def _is_late(self, joined: float, now: float) -> bool:
        return self._short_since is not None and now - joined > self._max_wait_s

    def _begin_period(self, now: float) -> None:
        are_too_many = self._lost > _TOO_MANY * self._came and now - self._period < _FRESH_S
        since = now if self._short_since is None else self._short_since
        self._short_since = since if are_too_many and now - since < _REMEMBERED_S else None
        self._period, self._came, self._lost = now, 0, 0
