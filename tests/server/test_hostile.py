"""Whatever arrives as a message, the server says what is wrong with it, never INTERNAL, and goes on."""

import random
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import grpc
import pytest
from google.protobuf.message import DecodeError, Message
from hypothesis import given, settings
from hypothesis import strategies as st

from matinee.v1 import recommender_pb2 as pb
from server.service import Server
from tests.fuzz.handlers import FAIR
from tests.fuzz.messages import messages
from tests.fuzz.schema import METHODS, request_class
from tests.fuzz.worlds import WORLDS
from tests.server.running import asking, channel_to, publish, running

methods = st.sampled_from(sorted(METHODS))
requests = methods.flatmap(lambda name: st.tuples(st.just(name), messages(request_class(name))))


@pytest.fixture(scope="module", params=WORLDS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, transport: str
) -> Iterator[Server]:
    store = tmp_path_factory.mktemp("store")
    publish(store, WORLDS[request.param])
    with running(store) as server:
        yield server


@pytest.fixture(scope="module")
def channel(server: Server) -> Iterator[grpc.Channel]:
    with channel_to(server) as channel:
        yield channel


@pytest.fixture(autouse=True)
def still_answers(server: Server) -> Iterator[None]:
    yield
    with asking(server) as client:
        assert len(client.recommend("1").items) == 10


def status_of(channel: grpc.Channel, method: str, message: bytes) -> grpc.StatusCode:
    is_stream = METHODS[method].server_streaming
    call_method: Any = (channel.unary_stream if is_stream else channel.unary_unary)(f"/matinee.v1.Recommender/{method}")
    try:
        answer = call_method(message, timeout=30)
        for _ in answer if is_stream else ():
            pass
    except grpc.RpcError as error:
        call: Any = error
        code: grpc.StatusCode = call.code()
        return code
    return grpc.StatusCode.OK


@settings(max_examples=100, deadline=None)
@given(method=methods, message=st.binary(max_size=300))
def test_any_bytes_are_answered_or_refused(channel: grpc.Channel, method: str, message: bytes) -> None:
    try:
        request_class(method).FromString(message)
    except DecodeError:
        assert status_of(channel, method, message) is grpc.StatusCode.INVALID_ARGUMENT
    else:
        assert status_of(channel, method, message) in FAIR | {grpc.StatusCode.OK}


def test_long_random_bytes_and_torn_messages_are_refused(channel: grpc.Channel) -> None:
    noise = random.Random(5)
    whole = pb.RecommendRequest(user_id="1", k=3, exclude_item_ids=["i1", "i2"]).SerializeToString()
    torn = [whole[:end] for end in range(1, len(whole))]
    bits = [(at, 1 << bit) for at in range(len(whole)) for bit in range(8)]
    flipped = [bytes([*whole[:at], whole[at] ^ bit, *whole[at + 1 :]]) for at, bit in bits]
    for message in [noise.randbytes(size) for size in (1_000, 100_000, 4_000_000)] + torn + flipped:
        for method in METHODS:
            assert status_of(channel, method, message) in FAIR | {grpc.StatusCode.OK}


@settings(max_examples=100, deadline=None)
@given(asked=requests)
def test_any_message_is_answered_or_refused(channel: grpc.Channel, asked: tuple[str, Message]) -> None:
    method, request = asked
    assert status_of(channel, method, request.SerializeToString()) in FAIR | {grpc.StatusCode.OK}


def test_a_message_larger_than_any_request_is_refused(channel: grpc.Channel) -> None:
    assert status_of(channel, "Recommend", bytes(41 << 20)) is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_bytes_that_are_not_http2_do_not_matter(server: Server) -> None:
    random_bytes = random.Random(6).randbytes(100_000)
    for noise in (b"GET / HTTP/1.1\r\n\r\n", random_bytes, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff"):
        with socket.create_connection(("127.0.0.1", server.address.port)) as stranger, suppress(ConnectionError):
            stranger.sendall(noise)
