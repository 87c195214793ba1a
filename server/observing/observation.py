"""All that observes one server process, made from the flags and ended as one thing."""

from collections.abc import Callable, Sequence

import grpc

from server import request_ids, retriever, watcher
from server.limits import Limits
from server.observing import tracing
from server.observing.logs import log_call
from server.observing.options import Observed
from server.observing.recorder import Recorder
from server.observing.shadow import Shadow
from server.rpc import Caller, Ended, unobserved
from server.service import SERVICE, Observers, Server
from server.watcher import Tried

# That count beside the requests' own: those that refuse, the watcher's, the shadow's, and some to spare.
_MORE_THREADS = 8
_MOST_REQUEST_THREADS = 1024

_Named = Callable[[str, grpc.StatusCode, float, Caller | None, str], None]
"""As an `Ended`, of a call that has an id in any case."""


class Observation:
    """What tells of one server process. Raises UsageError, StartError where what is asked for can't be had.

    `tried` is told too of every attempt to serve another version.
    """

    def __init__(self, observed: Observed, limits: Limits, tried: Tried = watcher.unobserved) -> None:
        seen, counts = observed.seen, observed.counts
        wanted = tracing.is_wanted(seen.trace_endpoint)
        self._tracing = tracing.Tracing(SERVICE.full_name, seen.trace_endpoint) if wanted else None
        # As many threads for requests there may be at most, while others wait for requests that are slow to arrive.
        n_threads = min(max(limits.threads, limits.max_concurrent), _MOST_REQUEST_THREADS)
        n_threads += limits.stream_threads + _MORE_THREADS
        self._recorder = Recorder(counts, n_threads) if counts else None
        self._shadow = Shadow(seen.shadow_rate, self._recorder) if self._recorder and seen.shadow_rate else None
        self._server: Server | None = None
        self.observers = Observers(
            ended=self._ended(seen.log_requests),
            tried=self._counted(self._recorder, tried) if self._recorder else tried,
            answered=self._shadow.answered if self._shadow else retriever.unobserved,
        )

    def watch(self, server: Server) -> None:
        """Tell of this server, which was made with `observers` and is not yet started."""
        self._server = server
        if self._recorder:
            self._recorder.watch_load(lambda: (server.here - server.waiting, server.waiting))

    def close(self) -> None:
        """End it, once the server has stopped."""
        for part in (self._shadow, self._tracing, self._recorder):
            if part:
                part.close()

    def _ended(self, log_requests: bool) -> Ended:
        told: list[_Named] = [log_call] if log_requests else []
        told += [self._tracing.ended] if self._tracing else []
        return all_told(self._recorder.ended if self._recorder else unobserved, told)

    def _counted(self, recorder: Recorder, then: Tried) -> Tried:
        def tried(version: str | None, reason: str | None, seconds: float) -> None:
            if reason is not None:
                recorder.refused()
            elif self._server:
                recorder.swapped(self._server.live.retriever(), seconds)
            then(version, reason, seconds)

        return tried


def all_told(first: Ended, more: Sequence[_Named]) -> Ended:
    """One `Ended` that tells `first` and then `more`; where there are no more, nothing else is done at a call's end."""
    if not more:
        return first

    def ended(
        method: str, code: grpc.StatusCode, seconds: float, caller: Caller | None, request_id: str | None
    ) -> None:
        first(method, code, seconds, caller, request_id)
        # The same for all of them, though the caller knows of none.
        request_id = request_id or request_ids.sent(caller) or request_ids.new()
        for tell in more:
            tell(method, code, seconds, caller, request_id)

    return ended
