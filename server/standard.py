"""The standard services beside ours: health (grpc.health.v1) and reflection.

Their streams stay open for as long as a client likes, so each service has threads of its own and takes none from the
requests, and both end their streams when the server stops, which would otherwise wait for them.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVING = health_pb2.HealthCheckResponse.SERVING

_REFLECTION_THREADS = 2
# As many clients may be slow to send what they ask about before a check waits for one.
_CHECK_THREADS = 16

_Send = Callable[[health_pb2.HealthCheckResponse | None], None]


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # it ships no types
    """The health of `services`: NOT_SERVING until `set_all` says otherwise.

    grpcio-health-checking's own servicer holds a lock while it sends, and a client that goes away in that moment locks
    up the whole server. Here one thread does all the sending, so that there is nothing to lock.
    """

    def __init__(self, services: Sequence[str]) -> None:
        self._status = dict.fromkeys(services, NOT_SERVING)
        self._watches: dict[_Send, str] = {}
        self._ending = False
        self._sender = ThreadPoolExecutor(1, "matinee-health")
        self._checkers = ThreadPoolExecutor(_CHECK_THREADS, "matinee-check")
        self.Check = in_threads(self._check, self._checkers)
        self.Watch = in_threads(self._watch, self._sender)
        # Where gRPC looks whether a stream's responses come by a callback; without it each watch would hold a thread.
        self.Watch.experimental_non_blocking = True  # type: ignore[attr-defined]  # an attribute by agreement

    def set_all(self, status: int) -> "Future[None]":
        """Let every service have this status; done when all who watch were told."""
        self._status = dict.fromkeys(self._status, status)
        return self._sender.submit(self._tell)

    def end_streams(self) -> None:
        """End every watch, status OK, and those that still come as soon as they were answered."""
        self._ending = True
        self._sender.submit(self._end_watches)

    def close(self) -> None:
        """End the threads; to be called once gRPC hands in no more calls."""
        self._sender.shutdown(wait=False)
        self._checkers.shutdown(wait=False)

    def _check(self, request: Any, context: grpc.ServicerContext) -> Any:
        if request.service not in self._status:
            context.abort(grpc.StatusCode.NOT_FOUND, "this server has no such service")
        return health_pb2.HealthCheckResponse(status=self._status[request.service])

    def _watch(self, request: Any, context: grpc.ServicerContext, send: _Send) -> None:
        self._watches[send] = request.service
        if not context.add_callback(lambda: self._forget(send)):
            self._forget(send)
        send(self._response(request.service))
        if self._ending:
            send(None)

    def _forget(self, send: _Send) -> None:
        self._watches.pop(send, None)

    def _tell(self) -> None:
        for send, service in tuple(self._watches.items()):
            send(self._response(service))

    def _end_watches(self) -> None:
        for send in tuple(self._watches):
            send(None)

    def _response(self, service: str) -> Any:
        unknown = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        return health_pb2.HealthCheckResponse(status=self._status.get(service, unknown))


class Reflection(reflection.ReflectionServicer):  # type: ignore[misc]  # it ships no types
    """Tells clients which of `services` there are and what their messages look like."""

    def __init__(self, services: Iterable[str]) -> None:
        super().__init__(services)
        self._open: set[grpc.ServicerContext] = set()
        self._ending = False
        self._threads = ThreadPoolExecutor(_REFLECTION_THREADS, "matinee-reflection")
        self.ServerReflectionInfo = in_threads(self._answer, self._threads)

    def end_streams(self) -> None:
        """Cancel every stream, and let those that still wait for a thread end without an answer."""
        self._ending = True
        for context in tuple(self._open):
            context.cancel()

    def close(self) -> None:
        """End the threads; to be called once gRPC hands in no more calls."""
        self._threads.shutdown(wait=False)

    def _answer(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        self._open.add(context)
        if not context.add_callback(lambda: self._open.discard(context)) or self._ending:
            self._open.discard(context)
            return iter(())
        return super().ServerReflectionInfo(requests, context)  # type: ignore[no-any-return]  # it ships no types


def in_threads(handler: Callable[..., Any], pool: ThreadPoolExecutor) -> "functools.partial[Any]":
    """`handler`, marked where gRPC looks for threads that a method is to run in."""
    marked = functools.partial(handler)
    marked.experimental_thread_pool = pool  # type: ignore[attr-defined]  # an attribute by agreement
    return marked
