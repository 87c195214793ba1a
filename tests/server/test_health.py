"""The health, which needs no token, is told to everybody, whatever others who ask for it do or don't."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.serving.calls import frame, request
from server.service import Server
from tests.server.hammer import TIMEOUT_S
from tests.server.running import channel_to, publish, running
from tests.server.test_transports import nothing_until
from tests.world import random_embeddings

pytestmark = pytest.mark.usefixtures("transport")

SERVING = health_pb2.HealthCheckResponse.SERVING
ASKING = health_pb2.HealthCheckRequest()
N_SILENT = 100
SETTINGS, INITIAL_WINDOW = 4, 4


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, transport: str) -> Iterator[Server]:
    store = tmp_path_factory.mktemp("store")
    publish(store, random_embeddings())
    with running(store) as server:
        yield server


def is_told(server: Server) -> bool:
    """Whether who checks and who watches learn that the server is well."""
    with channel_to(server) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        watched = health.Watch(ASKING, timeout=TIMEOUT_S)
        told = {health.Check(ASKING, timeout=TIMEOUT_S).status, next(watched).status}
        watched.cancel()
        return told == {SERVING}


def test_calls_whose_request_never_comes_are_ended_and_keep_it_from_nobody(server: Server) -> None:
    over = threading.Event()
    with channel_to(server) as channel:
        check: grpc.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary("/grpc.health.v1.Health/Check")
        watch: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream("/grpc.health.v1.Health/Watch")
        checks = [check.future(nothing_until(over)) for _ in range(N_SILENT)]
        watches = [watch(nothing_until(over)) for _ in range(N_SILENT)]
        assert is_told(server)
        assert {call.code() for call in (*checks, *watches)} == {grpc.StatusCode.CANCELLED}
        over.set()


@contextmanager
def watching_without_reading(server: Server) -> Iterator[socket.socket]:
    """A connection that leaves no room for answers."""
    watch = request("/grpc.health.v1.Health/Watch", b"")
    with socket.create_connection((server.address.host, server.address.port), TIMEOUT_S) as connection:
        no_window = frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW, 0))
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + no_window + watch.on(1))
        yield connection


def test_who_watches_and_does_not_read_keeps_it_from_nobody(server: Server) -> None:
    with watching_without_reading(server) as connection:
        # The server is there, and has begun to answer or is about to.
        assert connection.recv(1 << 16)
        assert is_told(server)
