"""The standard services beside ours: health (grpc.health.v1) and reflection.

Their streams stay open for as long as a client likes, so each service has threads of its own and takes none from the
requests, and both end their streams when the server stops, which would otherwise wait for them.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection

from server.transports.arrivals import Arrivals

NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVING = health_pb2.HealthCheckResponse.SERVING

_REFLECTION_THREADS = 2
# As many clients may be slow to send what they ask about before the next waits for one of them.
_ASK_THREADS = 64
# How long a client may take to say what it asks about, and to read what it is told.
_PATIENCE_S = 1.0

_Send = Callable[[health_pb2.HealthCheckResponse | None], None]


class Health:
    """The health of `services`: NOT_SERVING until `set_all` says otherwise.

    grpcio-health-checking's own servicer holds a lock while it sends, and a client that goes away in that moment locks
    up the whole server. Here one thread does all the sending, so that there is nothing to lock. It also waits for slow
    clients as long as they like, so that whoever sends no request or reads no answer, for which nobody needs a token,
    keeps the health from all others.
    """

    def __init__(self, services: Sequence[str]) -> None:
        self._status = dict.fromkeys(services, NOT_SERVING)
        self._watches: dict[_Send, tuple[str, grpc.ServicerContext]] = {}
        self._ending = False
        self._sender = ThreadPoolExecutor(1, "matinee-health")
        self._askers = ThreadPoolExecutor(_ASK_THREADS, "matinee-asked")
        self._arrivals = Arrivals(None, _PATIENCE_S)

    def add_to(self, server: grpc.Server) -> None:
        """Let `server` answer with it."""
        check, watch = in_threads(self._check, self._askers), in_threads(self._watch, self._askers)
        # Where gRPC looks whether a stream's responses come by a callback; without it each watch would hold a thread.
        watch.experimental_non_blocking = True  # type: ignore[attr-defined]  # an attribute by agreement
        # As in `server/transports/grpcio.py`: gRPC leaves the waiting for the one request to us.
        read, write = health_pb2.HealthCheckRequest.FromString, health_pb2.HealthCheckResponse.SerializeToString
        handlers = {
            "Check": grpc.stream_unary_rpc_method_handler(check, read, write),
            "Watch": grpc.stream_stream_rpc_method_handler(watch, read, write),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(health.SERVICE_NAME, handlers),))
        server.add_registered_method_handlers(health.SERVICE_NAME, handlers)

    def start(self) -> None:
        """Begin to look after those who ask and don't say about what."""
        self._arrivals.start()

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
        self._arrivals.stop()
        self._sender.shutdown(wait=False)
        self._askers.shutdown(wait=False)

    def _check(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Any:
        request = self._arrivals.request(requests, context)
        if request.service not in self._status:
            context.abort(grpc.StatusCode.NOT_FOUND, "this server has no such service")
        return health_pb2.HealthCheckResponse(status=self._status[request.service])

    def _watch(self, requests: Iterator[Any], context: grpc.ServicerContext, send: _Send) -> None:
        request = self._arrivals.request(requests, context)
        self._sender.submit(self._begin_watch, request.service, context, send)

    def _begin_watch(self, service: str, context: grpc.ServicerContext, send: _Send) -> None:
        self._watches[send] = service, context
        if not context.add_callback(lambda: self._forget(send)):
            self._forget(send)
        self._tell_one(send, service, context)
        if self._ending:
            send(None)

    def _forget(self, send: _Send) -> None:
        self._watches.pop(send, None)

    def _tell(self) -> None:
        for send, (service, context) in tuple(self._watches.items()):
            self._tell_one(send, service, context)

    def _tell_one(self, send: _Send, service: str, context: grpc.ServicerContext) -> None:
        with self._arrivals.sending(context):
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
