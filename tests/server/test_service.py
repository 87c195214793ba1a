"""The life of a server in this process: listening, health, reflection, limits, stopping."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from matinee.client import Client
from matinee.errors import UnavailableError, UsageError
from server.address import parse_address
from server.errors import AddressError
from server.service import Server, ServerConfig, create_server
from tests.server.running import asking, channel_to, made, publish, running
from tests.world import random_embeddings

pytestmark = pytest.mark.usefixtures("transport")

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("store")
    publish(store, random_embeddings())
    return store


@pytest.fixture(scope="module")
def server(store: Path, transport: str) -> Iterator[Server]:
    with running(store) as server:
        yield server


def health_of(server: Server, service: str) -> Any:
    with channel_to(server) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        return health_pb2_grpc.HealthStub(channel).Check(request, timeout=30).status


def test_health_is_serving_once_a_version_answers(server: Server) -> None:
    assert [health_of(server, service) for service in ("", "matinee.v1.Recommender")] == [SERVING, SERVING]


def test_health_is_not_serving_before_there_is_a_version(tmp_path: Path) -> None:
    with running(tmp_path / "nothing yet") as server, asking(server) as client:
        assert [health_of(server, service) for service in ("", "matinee.v1.Recommender")] == [NOT_SERVING, NOT_SERVING]
        with pytest.raises(UnavailableError, match="matinee index EMBEDDINGS STORE"):
            client.recommend("1")


def test_the_first_version_that_is_published_is_answered(tmp_path: Path) -> None:
    store = tmp_path / "not made yet"
    with running(store) as server, asking(server) as client:
        version = publish(store, random_embeddings())
        client.wait_until_ready()
        assert client.recommend("1").model_version == version


def test_health_says_not_serving_before_the_server_takes_no_more_calls(store: Path) -> None:
    server = made(store)
    server.start()
    with channel_to(server) as channel:
        told = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(told).status == SERVING
        server.stop(grace_s=600.0)
        assert [response.status for response in told] == [NOT_SERVING]


def test_the_schema_can_be_read_by_reflection(server: Server) -> None:
    with channel_to(server) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert set(database.get_services()) == {
            "grpc.health.v1.Health",
            "grpc.reflection.v1alpha.ServerReflection",
            "matinee.v1.Recommender",
        }
        file = database.FindFileContainingSymbol("matinee.v1.Recommender")
    assert [method.name for method in file.service[0].method] == [
        "Recommend",
        "SimilarItems",
        "PredictRatings",
        "GetItems",
        "RecommendFromRatings",
        "BatchRecommend",
    ]


def open_until(done: threading.Event) -> Iterator[Any]:
    yield reflection_pb2.ServerReflectionRequest(list_services="")
    done.wait()


def test_streams_left_open_take_no_thread_from_the_answers(store: Path) -> None:
    done = threading.Event()
    server = made(store, threads=2)
    server.start()
    with channel_to(server) as channel, asking(server) as client:
        reflect = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
        watch = health_pb2_grpc.HealthStub(channel).Watch
        streams = [reflect(open_until(done)) for _ in range(8)]
        streams += [watch(health_pb2.HealthCheckRequest()) for _ in range(8)]
        assert len(client.recommend("1").items) == 10
        assert health_of(server, "") == SERVING
        # The server stops with all of them open, long before its grace is over.
        server.stop(grace_s=600.0)
        done.set()


def test_watches_that_come_and_go_lock_nothing_up(store: Path) -> None:
    with running(store, threads=2) as server, channel_to(server) as channel, asking(server) as client:
        for _ in range(300):
            health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest()).cancel()
        assert client.recommend("1").items
        assert health_of(server, "") == SERVING


def test_a_second_server_on_the_same_port_fails_and_the_first_goes_on(server: Server, store: Path) -> None:
    with pytest.raises(AddressError, match=rf"{server.address}: Address already in use"):
        create_server(ServerConfig(store=store, address=str(server.address)))
    with asking(server) as client:
        assert client.recommend("1").items


def test_a_unix_socket_answers_and_is_not_taken_over(store: Path, tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/socket"
    with running(store, address=address) as server, asking(server) as client:
        assert str(server.address) == address
        assert client.recommend("1").items
        with pytest.raises(AddressError, match="a server listens there already"):
            create_server(ServerConfig(store=store, address=address))
        assert client.recommend("1").items


def test_a_unix_socket_that_a_dead_server_left_is_used_again(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with running(store, address=f"unix:{path}") as server, asking(server) as client:
        assert client.recommend("1").items


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("unix:{folder}/none/socket", "there is no folder"),
        ("unix:{folder}/file", "a file that is no socket is there"),
        ("192.0.2.1:0", "Cannot assign requested address"),
        ("no-such-host.invalid:0", "not known|failure in name resolution"),
    ],
)
def test_an_address_that_can_not_be_had_is_told_in_one_sentence(tmp_path: Path, address: str, reason: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AddressError, match=reason) as caught:
        create_server(ServerConfig(store=tmp_path, address=address.format(folder=tmp_path)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "localhost", ":", ":50051", "1.2.3.4:", "1.2.3.4:65536", "a:b", "::1:5", "unix:"])
def test_what_is_no_address_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="--address is"):
        parse_address(text)


@pytest.mark.parametrize("text", ["127.0.0.1:50051", "localhost:0", "[::1]:50051", "unix:/run/socket", "unix:socket"])
def test_an_address_reads_back_as_it_was_written(text: str) -> None:
    assert str(parse_address(text)) == text


def test_a_stopped_server_leaves_its_port_and_its_threads(store: Path) -> None:
    before = set(threading.enumerate())
    with running(store) as server:
        address = str(server.address)
        with asking(server) as client:
            client.recommend("1")
    with running(store, address=address) as again, Client(address, timeout_s=30.0) as client:
        assert client.recommend("1").items
        assert str(again.address) == address
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=10)
        assert not thread.is_alive()
