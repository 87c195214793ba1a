"""What a transport costs by itself: python -m benchmarks.serving.empty TRANSPORT ANSWER REQUEST_BYTES.

A server that answers every request with the bytes of the file ANSWER. TRANSPORT is grpcio or native, each with the
handler, the threads and the options of `matinee serve`; or socket, which reads REQUEST_BYTES and writes the answer
back, without HTTP/2. The first line of standard output is its port; SIGTERM ends it.
"""

import argparse
import os
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pygrpc_native

from matinee.v1 import recommender_pb2 as pb

TRANSPORTS: dict[str, Callable[..., grpc.Server]] = {"grpcio": grpc.server, "native": pygrpc_native.server}
_HOST = "127.0.0.1"
_ENDING = {signal.SIGTERM, signal.SIGINT}
_SERVICE = pb.DESCRIPTOR.services_by_name["Recommender"].full_name


def serve(create: Callable[..., grpc.Server], answer: bytes) -> tuple[grpc.Server, int]:
    """A started server that answers Recommend with `answer`, and its port."""
    threads = ThreadPoolExecutor(max(4, os.cpu_count() or 1))
    server = create(threads, options=[("grpc.so_reuseport", 0)])
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Recommend": grpc.unary_unary_rpc_method_handler(lambda _request, _context: answer)
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
    server.add_registered_method_handlers(_SERVICE, handlers)
    port = server.add_insecure_port(f"{_HOST}:0")
    server.start()
    return server, port


def echo(answer: bytes, request_bytes: int) -> int:
    """Answer every `request_bytes` with `answer`, on one connection after the other; the port."""
    listener = socket.create_server((_HOST, 0))
    threading.Thread(target=_echo, args=(listener, answer, request_bytes), daemon=True).start()
    return int(listener.getsockname()[1])


def _echo(listener: socket.socket, answer: bytes, request_bytes: int) -> None:
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection:
            while read := connection.recv(request_bytes):
                assert len(read) == request_bytes, "on the loopback, small writes come whole"
                connection.sendall(answer)


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("transport", choices=[*TRANSPORTS, "socket"])
    parser.add_argument("answer", type=Path)
    parser.add_argument("request_bytes", type=int)
    options = parser.parse_args()
    answer = options.answer.read_bytes()
    # Before there are threads, which would be ended by it.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    if options.transport == "socket":
        server, port = None, echo(answer, options.request_bytes)
    else:
        server, port = serve(TRANSPORTS[options.transport], answer)
    print(port, flush=True)
    signal.sigwait(_ENDING)
    if server:
        server.stop(0).wait()


if __name__ == "__main__":
    main()
