"""Requests that are slow to arrive: gRPC gives a call a thread before its request is there."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from time import monotonic
from typing import TypeVar

import grpc

from server.rounds import Rounds
from server.threads import RequestThreads

_LOOK_S = 0.25

T = TypeVar("T")


class Arrivals:
    """Ends calls whose request never comes; till then other `threads` work in place of those that wait for one."""

    def __init__(self, threads: RequestThreads | None, timeout_s: float) -> None:
        self._threads = threads
        self._timeout_s = timeout_s
        self._awaited: dict[int, tuple[float, grpc.ServicerContext]] = {}
        self._rounds = Rounds("matinee-arrivals", self._look)

    def start(self) -> None:
        """Begin to look after them."""
        self._rounds.start()

    def stop(self) -> None:
        """End that."""
        self._rounds.stop()

    def request(self, requests: Iterator[T], context: grpc.ServicerContext) -> T:
        """The one request of a call, waited for. Raises what gRPC raises in a call that was cancelled."""
        thread = get_ident()
        self._awaited[thread] = monotonic(), context
        try:
            return next(requests)
        except StopIteration:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "the method takes exactly one request, and none came")
        finally:
            del self._awaited[thread]

    @contextmanager
    def sending(self, context: grpc.ServicerContext) -> Iterator[None]:
        """While a call is sent to, which lasts as long as its client does not read: it has the same time for that."""
        thread = get_ident()
        self._awaited[thread] = monotonic(), context
        try:
            yield
        finally:
            self._awaited.pop(thread, None)

    def _look(self, _: bool) -> float:
        now = monotonic()
        late = [(since, context) for since, context in tuple(self._awaited.values()) if now - since >= _LOOK_S]
        if self._threads:
            # What waits for a thread may be as slow.
            self._threads.make_up_for(len(late) + self._threads.waiting if late else 0)
        for since, context in late:
            if now - since > self._timeout_s:
                context.cancel()
        return _LOOK_S
