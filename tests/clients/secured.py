"""The real methods, with reflection, behind TLS."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from server.retriever import Retriever
from server.rpc import Method, Refusal
from server.service import SERVICE
from server.standard import Reflection
from tests.fuzz.handlers import methods
from tests.server.running import opened
from training.embeddings import Embeddings


def _handler(method: Method) -> "grpc.RpcMethodHandler[bytes, bytes]":
    def unary(request: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            return method.unary(request, context)
        except Refusal as refusal:
            context.abort(refusal.code, refusal.text)

    def stream(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        try:
            yield from method.stream(request, context)
        except Refusal as refusal:
            context.abort(refusal.code, refusal.text)

    if method.is_stream:
        return grpc.unary_stream_rpc_method_handler(stream)
    return grpc.unary_unary_rpc_method_handler(unary)


@contextmanager
def serving_securely(folder: Path, world: Embeddings, credentials: grpc.ServerCredentials) -> Iterator[str]:
    """Answers from `world`; the address."""
    handlers = {name: _handler(method) for name, method in methods(Retriever(opened(folder, world))).items()}
    learning = Reflection((SERVICE.full_name, health.SERVICE_NAME, reflection.SERVICE_NAME))
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, handlers=[grpc.method_handlers_generic_handler(SERVICE.full_name, handlers)])
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(learning, server)
        port = server.add_secure_port("127.0.0.1:0", credentials)
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            stopped = server.stop(grace=5.0)
            learning.end_streams()
            stopped.wait()
            learning.close()
