"""The transport that does everything: grpcio's own server."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NoReturn, TypeAlias

import grpc

from server.address import Address
from server.errors import AddressError, OverloadedError
from server.limits import Limits
from server.rpc import Method, Refusal
from server.standard import in_threads
from server.threads import RequestThreads, StreamThreads

_CONNECTION_AGE_S = 3600.0

_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class GrpcioTransport:
    """A grpcio server with `methods`."""

    def __init__(self, methods: Sequence[Method], limits: Limits, *, is_shared: bool = False) -> None:
        n_threads = 0 if all(method.is_stream for method in methods) else limits.threads
        self._requests = RequestThreads(n_threads, limits.max_concurrent)
        self._streams = StreamThreads(limits.stream_threads, limits.max_streams)
        self._refusals = ThreadPoolExecutor(1, "matinee-refusal")
        # gRPC asks nothing of its threads but `submit`.
        pool: Any = self._requests
        self._grpc = grpc.server(pool, options=_options(limits, is_shared), interceptors=[self._gate(methods)])
        for method in methods:
            self._register(method)

    @property
    def waiting(self) -> int:
        """How many requests wait for a thread."""
        return self._requests.waiting

    @property
    def here(self) -> int:
        """How many requests wait or are worked on."""
        return self._requests.here

    def add(self, add_to_server: Callable[[grpc.Server], None]) -> None:
        """Let `add_to_server` add a service that brings threads of its own and is never refused for load."""
        add_to_server(self._grpc)

    def bind(self, wanted: Address) -> Address:
        """Take the address; as it is, with its port. Raises AddressError."""
        try:
            port = self._grpc.add_insecure_port(str(wanted))
        except RuntimeError as error:
            raise AddressError(f"can't listen at {wanted}: {error}; choose another with --address") from error
        return wanted if wanted.path else replace(wanted, port=port)

    def start(self) -> None:
        """Listen."""
        self._grpc.start()

    def stop(self, grace_s: float) -> threading.Event:
        """Take no more calls, let those that run end within `grace_s` seconds; set when they have."""
        return self._grpc.stop(grace_s)

    def close(self) -> None:
        """End the threads; to be called once stopped."""
        for threads in (self._requests, self._streams, self._refusals):
            threads.shutdown(wait=False, cancel_futures=True)

    def _register(self, method: Method) -> None:
        service = method.path.split("/")[1]
        handlers = {method.name: _stream_handler(method, self._streams) if method.is_stream else _unary_handler(method)}
        self._grpc.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self._grpc.add_registered_method_handlers(service, handlers)

    def _gate(self, methods: Sequence[Method]) -> "_Gate":
        return _Gate(
            {
                method.path: (
                    self._streams if method.is_stream else self._requests,
                    _overloaded_handler(method, self._refusals),
                )
                for method in methods
            }
        )


class _Gate(grpc.ServerInterceptor):
    """Decides whether a call gets its turn, in gRPC's own thread, before it has one and before its request is read."""

    def __init__(self, bounds: dict[str, tuple[RequestThreads | StreamThreads, _Handler]]) -> None:
        self._bounds = bounds

    def intercept_service(self, continuation: Callable[..., Any], details: grpc.HandlerCallDetails) -> Any:
        """What handles the call: its method, or what refuses it."""
        bound = self._bounds.get(details.method)
        if bound and bound[0].is_full():
            return bound[1]
        return continuation(details)


def _unary_handler(method: Method) -> _Handler:
    def handle(request: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            return method.unary(request, context)
        except Refusal as refusal:
            _abort(context, refusal)

    return grpc.unary_unary_rpc_method_handler(handle)


def _stream_handler(method: Method, threads: StreamThreads) -> _Handler:
    def handle(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        try:
            yield from method.stream(request, context)
        except Refusal as refusal:
            _abort(context, refusal)

    return grpc.unary_stream_rpc_method_handler(in_threads(handle, threads))


def _overloaded_handler(method: Method, threads: ThreadPoolExecutor) -> _Handler:
    def handle(_: object, context: grpc.ServicerContext) -> bytes:
        _abort(context, method.refuse(OverloadedError()))

    # As if a stream of requests were to come: gRPC then does not wait for the first.
    return grpc.stream_unary_rpc_method_handler(in_threads(handle, threads))


def _abort(context: grpc.ServicerContext, refusal: Refusal) -> NoReturn:
    if refusal.trailers:
        context.set_trailing_metadata(tuple(refusal.trailers))
    context.abort(refusal.code, refusal.text)


def _options(limits: Limits, is_shared: bool) -> list[tuple[str, int]]:
    age_s = limits.max_connection_age_s or _CONNECTION_AGE_S
    return [
        # gRPC shares ports by default: a second server would take half of the first one's connections, unnoticed.
        ("grpc.so_reuseport", int(is_shared)),
        ("grpc.max_receive_message_length", limits.max_request_bytes),
        ("grpc.max_concurrent_streams", limits.max_calls_per_connection),
        ("grpc.max_connection_age_ms", int(age_s * 1000)),
        ("grpc.max_connection_age_grace_ms", int(limits.connection_grace_s * 1000)),
        ("grpc.keepalive_time_ms", int(limits.keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", int(limits.keepalive_timeout_s * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", int(limits.min_ping_interval_s * 1000)),
    ]
