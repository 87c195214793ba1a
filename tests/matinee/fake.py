"""A real gRPC server of the real schema that answers what a test says, and both clients to ask it with."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from matinee import AsyncClient, Client
from matinee.v1 import recommender_pb2 as pb

SERVICE = pb.DESCRIPTOR.services_by_name["Recommender"]

Answer = Callable[[Any, grpc.ServicerContext], Any]
"""From a request to a response, or to an iterator of them."""


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    request: Any
    metadata: Mapping[str, str | bytes]
    context: grpc.ServicerContext


@dataclass
class Fake:
    """A server; `asked` is what it was asked, in that order."""

    address: str = ""
    asked: list[Asked] = field(default_factory=list)
    stop: Callable[[], object] = lambda: None

    @property
    def n_asked(self) -> int:
        """How often it was asked."""
        return len(self.asked)

    def handlers(self, answers: Mapping[str, Answer]) -> grpc.GenericRpcHandler:
        """gRPC's handlers of the methods that have an answer."""
        methods = [method for method in SERVICE.methods if method.name in answers]
        return grpc.method_handlers_generic_handler(
            SERVICE.full_name, {method.name: self._handler(method, answers[method.name]) for method in methods}
        )

    def _handler(self, method: Any, answer: Answer) -> "grpc.RpcMethodHandler[Any, Any]":
        def handle(request: Message, context: grpc.ServicerContext) -> Any:
            self.asked.append(Asked(request, dict(context.invocation_metadata()), context))
            return answer(request, context)

        kind = grpc.unary_stream_rpc_method_handler if method.server_streaming else grpc.unary_unary_rpc_method_handler
        return kind(
            handle,
            request_deserializer=GetMessageClass(method.input_type).FromString,
            response_serializer=GetMessageClass(method.output_type).SerializeToString,
        )


@contextmanager
def serving(answers: Mapping[str, Answer], credentials: grpc.ServerCredentials | None = None) -> Iterator[Fake]:
    """A started fake on a free port of 127.0.0.1."""
    fake = Fake()
    with ThreadPoolExecutor(8) as pool:
        server = grpc.server(pool, handlers=[fake.handlers(answers)])
        bind = "127.0.0.1:0"
        port = server.add_secure_port(bind, credentials) if credentials else server.add_insecure_port(bind)
        fake.address = f"127.0.0.1:{port}"
        fake.stop = lambda: server.stop(grace=None).wait()
        server.start()
        try:
            yield fake
        finally:
            fake.stop()


def refusing(code: grpc.StatusCode, times: int, pushback_ms: int | None = None) -> Answer:
    """Refuses so many times, and then answers with an empty list."""
    left = iter(range(times))

    def answer(_: Any, context: grpc.ServicerContext) -> pb.RecommendResponse:
        if next(left, None) is not None:
            if pushback_ms is not None:
                context.set_trailing_metadata((("grpc-retry-pushback-ms", str(pushback_ms)),))
            context.abort(code, "as told")
        return pb.RecommendResponse(model_version="v")

    return answer


class Blocking:
    """An AsyncClient, asked as a Client is: by one thread, each call to its end."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._runner = asyncio.Runner()
        try:
            self._client = self._runner.run(_made(*arguments, **options))
        except BaseException:
            self._runner.close()
            raise

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._client, name)
        return (lambda *a, **o: self._runner.run(_awaited(value, *a, **o))) if callable(value) else value

    def batch_recommend(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        """One answer after the other; closed where it is."""
        answers: Any = self._client.batch_recommend(*arguments, **options)
        try:
            while (answer := self._runner.run(_awaited(anext, answers, None))) is not None:
                yield answer
        finally:
            self._runner.run(_awaited(answers.aclose))

    def __enter__(self) -> "Blocking":
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._client.close())
        self._runner.close()


async def _made(*arguments: Any, **options: Any) -> AsyncClient:
    return AsyncClient(*arguments, **options)


async def _awaited(function: Any, *arguments: Any, **options: Any) -> Any:
    return await function(*arguments, **options)


CLIENTS: dict[str, Callable[..., Any]] = {"sync": Client, "asyncio": Blocking}
