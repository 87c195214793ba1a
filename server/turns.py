"""Whose turn it is: which call is worked on, which one waits, and which one is too many."""

import itertools
import threading
from collections.abc import Callable, Hashable
from time import monotonic
from typing import Generic, TypeVar

_STANDS_S = 0.1
# Slower than any answer: nobody is taken from the line because of a stall, and not because there are too many.
_STUCK_S = 0.05
# For so long a line that was full is held short before it may show whether it would be full again.
_REMEMBERED_S = 10.0

T = TypeVar("T")


class Turns(Generic[T]):
    """Turns of at most `workers` calls at a time, in a line of which so many wait that `limit` are here at most.

    A burst makes a line that is soon empty, and as many callers as fit who ask again and again one that is never full:
    they lose nobody. But a line that has not been empty for 100 ms, and was full meanwhile, stands: it loses as many as
    it would if it were short, and makes all others wait. So it is held short. Who comes when the first in line has
    waited longer than `max_wait_s` is refused, and so is who has waited longer when the turn comes, but for the last
    one: a worker that is free finds work. It stands until it is empty and has lost nobody for 100 ms; and every 10 s it
    may be full again, since callers who come back at once, and would all fit, look the same as too many. First come,
    first served: the bound is far below any caller's patience, so to serve the last first would be unfair and no use.

    `refuse` is called, in a thread that works, with each call that is refused at its turn. `clock` tells seconds; it is
    asked of calls that wait, and not of those that find a worker free.
    """

    def __init__(
        self,
        workers: int,
        limit: int,
        max_wait_s: float,
        refuse: Callable[[T], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._workers = workers
        self._limit = limit
        self._max_wait_s = max_wait_s
        self._refuse = refuse
        self._clock = clock
        self._busy = self._beside = 0
        self._line: dict[Hashable, tuple[float, T]] = {}
        # When the line began, somebody was last taken from it, it was last full, and last lost somebody by being short.
        self._began = self._moved = self._full = self._lost = float("-inf")
        # Guards all of these. A call waits only while all work, and who stops working takes it.
        self._lock = threading.Lock()

    @property
    def workers(self) -> int:
        """How many calls may be worked on at a time."""
        return self._workers

    @workers.setter
    def workers(self, workers: int) -> None:
        self._workers = workers

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
            return self._busy >= self._workers and self._is_too_many()

    def begin(self, key: Hashable, call: T) -> bool:
        """Whether `call` is worked on now; else it waits, as `key`. It is here from now on, however many are."""
        with self._lock:
            if self._busy < self._workers:
                self._busy += 1
                return True
            self._wait(key, call)
            return False

    def ask(self, key: Hashable, call: T) -> bool | None:
        """As `begin`, but for one that is too many: None, and it is not here."""
        with self._lock:
            if self._busy < self._workers:
                self._busy += 1
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
            if not self._line or self._busy >= self._workers:
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
        self._beside -= n_beside
        while True:
            with self._lock:
                if not self._line or self._busy > self._workers:
                    self._busy -= 1
                    return None
                now = self._clock()
                joined, call = self._first()
                is_late = self._is_late(joined, now)
                self._moved = now
                if not is_late or not self._line:
                    return call
                self._lost = now
            self._refuse(call)

    def leave(self, key: Hashable) -> None:
        """Let no call wait as `key`."""
        with self._lock:
            self._line.pop(key, None)

    def let_work(self, workers: int) -> list[T]:
        """Let as many calls be worked on at a time; those that are worked on now because of that."""
        with self._lock:
            self._workers = workers
            calls = [self._first()[1] for _ in range(min(workers - self._busy, len(self._line)))]
            self._busy += len(calls)
            return calls

    def clear(self) -> None:
        """Let no call wait."""
        with self._lock:
            self._line.clear()

    def _wait(self, key: Hashable, call: T) -> None:
        now = self._clock()
        if not self._line:
            self._moved = now
            if now - self._lost > _STANDS_S:
                self._begin_anew(now)
        self._line[key] = now, call

    def _first(self) -> tuple[float, T]:
        return self._line.pop(next(iter(self._line)))

    def _is_too_many(self) -> bool:
        if not self._line:
            return self.here >= self._limit
        now = self._clock()
        if self.here >= self._limit:
            self._full = now
            return True
        is_late = self._is_late(next(iter(self._line.values()))[0], now)
        if is_late:
            self._lost = now
        return is_late

    def _is_late(self, joined: float, now: float) -> bool:
        if now - self._moved > _STUCK_S:
            self._moved = now
            self._begin_anew(now)
        stands = now - self._began > _STANDS_S and now - self._full < _REMEMBERED_S
        return stands and now - joined > self._max_wait_s

    def _begin_anew(self, now: float) -> None:
        self._began, self._full = now, float("-inf")
