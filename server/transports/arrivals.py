"""Requests that are slow to arrive: gRPC gives a call a thread before its request is there."""

from collections.abc import Iterator
from threading import get_ident
from time import monotonic

import grpc

from server.rounds import Rounds
from server.threads import RequestThreads

_LOOK_S = 0.25


class Arrivals:
    """Lets another thread work in place of each that waits for a request, and ends calls whose request never comes."""

    def __init__(self, threads: RequestThreads, timeout_s: float) -> None:
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

    def request(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        """The one request of a call, waited for. Raises what gRPC raises in a call that was cancelled."""
        thread = get_ident()
        self._awaited[thread] = monotonic(), context
        try:
            return next(requests)
        except StopIteration:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "the method takes exactly one request, and none came")
        finally:
            del self._awaited[thread]

    def _look(self, _: bool) -> float:
        now = monotonic()
        late = [(since, context) for since, context in tuple(self._awaited.values()) if now - since >= _LOOK_S]
        # What waits for a thread may be as slow.
        self._threads.make_up_for(len(late) + self._threads.waiting if late else 0)
        for since, context in late:
            if now - since > self._timeout_s:
                context.cancel()
        return _LOOK_S
