"""The transport that does everything: grpcio's own server."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, NoReturn, TypeAlias

import grpc
from grpc_health.v1 import health

from server import request_ids
from server.address import Address
from server.errors import AddressError, OverloadedError, UnauthenticatedError
from server.limits import Limits
from server.rpc import Caller, Method, Refusal, refusal_of
from server.standard import in_threads
from server.threads import AtOnce, RequestThreads, StreamThreads
from server.transports.arrivals import Arrivals
from server.trust.config import OPEN, Trust
from server.trust.tokens import Tokens

_CONNECTION_AGE_S = 3600.0
# Whoever asks for the health need not be known.
_HEALTH = f"/{health.SERVICE_NAME}/"

_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class GrpcioTransport:
    """A grpcio server with `methods`."""

    def __init__(
        self, methods: Sequence[Method], limits: Limits, trust: Trust = OPEN, *, is_shared: bool = False
    ) -> None:
        n_threads = 0 if all(method.is_stream for method in methods) else limits.threads
        self._requests = RequestThreads(n_threads, limits.max_concurrent, limits.max_wait_ms / 1000)
        self._streams = StreamThreads(limits.stream_threads, limits.max_streams)
        self._arrivals = Arrivals(self._requests, limits.request_timeout_s)
        self._stream_arrivals = Arrivals(None, limits.request_timeout_s)
        self._readers = Arrivals(None, limits.reading_timeout_s)
        self._refusals = AtOnce()
        self._credentials = trust.credentials()
        gate = self._gate(methods, trust.tokens())
        # gRPC asks nothing of its threads but `submit`.
        pool: Any = self._requests
        self._grpc = grpc.server(pool, options=_options(limits, is_shared), interceptors=[gate])
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
            port = self._port(str(wanted))
        except RuntimeError as error:
            raise AddressError(f"can't listen at {wanted}: {error}; choose another with --address") from error
        return wanted if wanted.path else replace(wanted, port=port)

    def start(self) -> None:
        """Listen."""
        for watch in self._watches():
            watch.start()
        self._grpc.start()

    def stop(self, grace_s: float) -> threading.Event:
        """Take no more calls, let those that run end within `grace_s` seconds; set when they have."""
        return self._grpc.stop(grace_s)

    def close(self) -> None:
        """End the threads; to be called once stopped."""
        for watch in self._watches():
            watch.stop()
        for threads in (self._requests, self._streams, self._refusals):
            threads.shutdown(wait=False, cancel_futures=True)

    def _register(self, method: Method) -> None:
        service = method.path.split("/")[1]
        handlers = {method.name: self._stream_handler(method) if method.is_stream else self._unary_handler(method)}
        self._grpc.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self._grpc.add_registered_method_handlers(service, handlers)

    def _watches(self) -> tuple[Arrivals, ...]:
        return self._arrivals, self._stream_arrivals, self._readers

    def _port(self, address: str) -> int:
        if self._credentials:
            return self._grpc.add_secure_port(address, self._credentials)
        return self._grpc.add_insecure_port(address)

    # Both are as if a stream of requests were to come, which is the same on the wire: gRPC then leaves the waiting for
    # the one that comes to us.

    def _unary_handler(self, method: Method) -> _Handler:
        def handle(requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
            _echo_id(context)
            try:
                if self._requests.is_refusing():
                    raise method.refuse(OverloadedError(), context)
                return method.unary(self._arrivals.request(requests, context), context)
            except Refusal as refusal:
                _abort(context, refusal)

        return grpc.stream_unary_rpc_method_handler(handle)

    def _stream_handler(self, method: Method) -> _Handler:
        def handle(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            _echo_id(context)
            try:
                for answer in method.stream(self._stream_arrivals.request(requests, context), context):
                    # gRPC comes back for the next one when there is room for it.
                    with self._readers.sending(context):
                        yield answer
            except Refusal as refusal:
                _abort(context, refusal)

        return grpc.stream_stream_rpc_method_handler(in_threads(handle, self._streams))

    def _gate(self, methods: Sequence[Method], tokens: Tokens | None) -> "_Gate":
        entrances = {
            method.path: _Entrance(
                self._streams if method.is_stream else self._requests,
                _refusing_handler(partial(method.refuse, OverloadedError()), self._refusals),
                _refusing_handler(partial(method.refuse, UnauthenticatedError()), self._refusals),
            )
            for method in methods
        }
        return _Gate(entrances, tokens, _refusing_handler(partial(refusal_of, UnauthenticatedError()), self._refusals))


class _Entrance(NamedTuple):
    """What a method's calls meet."""

    threads: RequestThreads | StreamThreads
    overloaded: _Handler
    unauthenticated: _Handler


class _Gate(grpc.ServerInterceptor):
    """Decides whether a call gets its turn, in gRPC's own thread, before it has one and before its request is read."""

    def __init__(self, entrances: dict[str, _Entrance], tokens: Tokens | None, unauthenticated: _Handler) -> None:
        self._entrances = entrances
        self._tokens = tokens
        self._unauthenticated = unauthenticated

    def intercept_service(self, continuation: Callable[..., Any], details: grpc.HandlerCallDetails) -> Any:
        """What handles the call: its method, or what refuses it."""
        entrance = self._entrances.get(details.method)
        if self._tokens and not self._is_open(details) and not self._tokens.allow(details.invocation_metadata):
            return entrance.unauthenticated if entrance else self._unauthenticated
        if entrance and entrance.threads.is_full():
            return entrance.overloaded
        return continuation(details)

    def _is_open(self, details: grpc.HandlerCallDetails) -> bool:
        return details.method.startswith(_HEALTH)


def _refusing_handler(refuse: Callable[[Caller], Refusal], threads: AtOnce) -> _Handler:
    def handle(_: object, context: grpc.ServicerContext) -> bytes:
        _abort(context, refuse(context))

    # It does not wait for a request either.
    return grpc.stream_unary_rpc_method_handler(in_threads(handle, threads))


def _echo_id(context: grpc.ServicerContext) -> None:
    if trailers := request_ids.echo(context):
        context.set_trailing_metadata(trailers)


def _abort(context: grpc.ServicerContext, refusal: Refusal) -> NoReturn:
    context.set_trailing_metadata(refusal.trailers)
    context.abort(refusal.code, refusal.text)


def _options(limits: Limits, is_shared: bool) -> list[tuple[str, int]]:
    age_s = limits.max_connection_age_s or _CONNECTION_AGE_S
    return [
        # gRPC shares ports by default: a second server would take half of the first one's connections, unnoticed.
        ("grpc.so_reuseport", int(is_shared)),
        ("grpc.max_receive_message_length", limits.max_request_bytes),
        # What gRPC holds back before it asks us would wait unseen, for a second under a flood. It can refuse it only as
        # CANCELLED. Between the two bounds it refuses at random: were they apart, a flood would hold back more than a
        # burst needs.
        ("grpc.server.max_pending_requests", limits.max_concurrent),
        ("grpc.server.max_pending_requests_hard_limit", limits.max_concurrent),
        ("grpc.max_concurrent_streams", limits.max_calls_per_connection),
        ("grpc.max_connection_age_ms", int(age_s * 1000)),
        ("grpc.max_connection_age_grace_ms", int(limits.connection_grace_s * 1000)),
        ("grpc.keepalive_time_ms", int(limits.keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", int(limits.keepalive_timeout_s * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", int(limits.min_ping_interval_s * 1000)),
    ]
