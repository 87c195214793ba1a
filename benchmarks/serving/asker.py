"""Asks at moments that were drawn beforehand, whatever the server does, and keeps what came of each call.

One thread, several connections, calls overlapping on each: no call waits for another to end. Times are taken when the
call is written and when its end was read, so they hold this process's own waiting for a core too.
"""

import gc
import select
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.serving.calls import Answer, Request
from benchmarks.serving.http2 import Connection

_PATIENCE_S = 30.0


@dataclass
class Asked:
    """What came of each call, in the order in which they ended."""

    questions: list[int] = field(default_factory=list)
    """Which of the requests it was."""
    starts_us: list[int] = field(default_factory=list)
    """Since the epoch."""
    times_us: list[int] = field(default_factory=list)
    """From the call to its end."""
    statuses: list[int] = field(default_factory=list)
    """gRPC's codes."""
    judgements: list[int] = field(default_factory=list)
    """What `judge` said of each."""

    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Starts, times and statuses, each (n,)."""
        return np.array(self.starts_us, np.int64), np.array(self.times_us, np.int64), np.array(self.statuses, np.int64)


def no_judgement(_question: int, _answer: Answer) -> int:
    """Nothing is said."""
    return 0


class Asker:
    """Asks `requests` of the server at `address`; `judge` is told the request's place and the answer."""

    def __init__(
        self,
        address: str,
        requests: Sequence[Request],
        judge: Callable[[int, Answer], int] = no_judgement,
        *,
        connections: int = 4,
        renew_every_s: float = float("inf"),
        cancelled_share: float = 0.0,
    ) -> None:
        """A connection is replaced by a new one every `renew_every_s`; of all calls a share is given up at once."""
        self.asked = Asked()
        self.n_cancelled = 0
        self._address, self._requests, self._judge = address, requests, judge
        self._renew_every_s, self._cancelled_share = renew_every_s, cancelled_share
        self._rng = np.random.default_rng(0)
        self._pending: dict[Connection, dict[int, tuple[int, int]]] = {}
        self._current = [self._connect() for _ in range(connections)]
        self._renewed = time.monotonic()
        self._turn = 0

    def ask(self, moments_s: NDArray[np.float64], questions: NDArray[np.int64]) -> Asked:
        """Ask the request at each of `questions` at its moment from now; returns when all have ended."""
        # Looking for garbage among a million times takes longer than many an answer.
        gc.disable()
        began = time.perf_counter()
        for moment, question in zip(moments_s.tolist(), questions.tolist(), strict=True):
            self._read_until(began + moment)
            self._send(question)
        self._read_to_the_end()
        gc.enable()
        return self.asked

    def __enter__(self) -> "Asker":
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._pending:
            connection.close()

    def _send(self, question: int) -> None:
        self._turn += 1
        place = self._turn % len(self._current)
        connection = self._current[place]
        if connection.is_closing or time.monotonic() - self._renewed > self._renew_every_s:
            self._renewed = time.monotonic()
            self._leave(connection)
            connection = self._current[place] = self._connect()
        start_us = time.time_ns() // 1000
        stream = connection.send(self._requests[question])
        if self._rng.random() < self._cancelled_share:
            connection.cancel(stream)
            self.n_cancelled += 1
        else:
            self._pending[connection][stream] = question, start_us

    def _read_until(self, moment: float) -> None:
        """Take what comes until `moment`, and what is there now even where that is past."""
        while True:
            left_s = max(0.0, moment - time.perf_counter())
            ready, _, _ = select.select(list(self._pending), [], [], left_s)
            for connection in ready:
                self._take(connection)
            if not ready or left_s == 0:
                return

    def _read_to_the_end(self) -> None:
        give_up = time.perf_counter() + _PATIENCE_S
        while any(self._pending.values()):
            if time.perf_counter() > give_up:
                n_open = sum(map(len, self._pending.values()))
                raise SystemExit(f"{n_open} calls have not ended after {_PATIENCE_S:.0f} s")
            self._read_until(time.perf_counter() + 0.01)

    def _take(self, connection: Connection) -> None:
        answers = connection.receive()
        now_us = time.time_ns() // 1000
        for answer in answers:
            question, start_us = self._pending[connection].pop(answer.stream)
            self.asked.questions.append(question)
            self.asked.starts_us.append(start_us)
            self.asked.times_us.append(now_us - start_us)
            self.asked.statuses.append(answer.status)
            self.asked.judgements.append(self._judge(question, answer))
        if connection.is_closing:
            self._leave(connection)

    def _connect(self) -> Connection:
        try:
            connection = Connection(self._address)
        except ConnectionRefusedError as error:
            raise SystemExit(f"nobody listens at {self._address} any more") from error
        self._pending[connection] = {}
        return connection

    def _leave(self, connection: Connection) -> None:
        """Hang up as soon as no call is under way."""
        connection.is_closing = True
        if not self._pending.get(connection, True):
            connection.close()
            del self._pending[connection]
