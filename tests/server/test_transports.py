"""Which transport a server gets, and what one of them can do and the other can't."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from matinee.errors import UsageError
from matinee.v1 import recommender_pb2 as pb
from matinee.v1 import recommender_pb2_grpc as pb_grpc
from server.errors import StartError
from server.limits import Limits
from server.transports import choose
from server.transports.choose import make_transport
from server.transports.grpcio import GrpcioTransport
from server.transports.native import NativeTransport
from tests.server.hammer import TIMEOUT_S, wait_until
from tests.server.running import asking, channel_to, publish, pushback_ms, running
from tests.server.test_serve import serve
from tests.world import random_embeddings

AGEING = Limits(max_connection_age_s=60)


def test_auto_takes_the_fast_one_where_it_can_do_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(make_transport("auto", [], Limits()), NativeTransport)
    assert isinstance(make_transport("grpcio", [], Limits()), GrpcioTransport)
    assert isinstance(make_transport("auto", [], AGEING), GrpcioTransport)
    monkeypatch.setattr(choose, "find_spec", lambda _: None)
    assert isinstance(make_transport("auto", [], Limits()), GrpcioTransport)


def test_the_fast_one_that_is_not_installed_is_refused_with_what_repairs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choose, "find_spec", lambda _: None)
    with pytest.raises(StartError, match=r"pip install 'matinee\[fast\]'"):
        make_transport("native", [], Limits())


def test_the_fast_one_is_refused_what_it_can_not_do() -> None:
    with pytest.raises(UsageError, match="--max-connection-age-s"):
        make_transport("native", [], AGEING)


def test_grpcio_tells_whoever_is_refused_when_to_come_back(tmp_path: Path) -> None:
    with running(tmp_path, transport="grpcio", threads=1, max_concurrent=1) as server, channel_to(server) as channel:
        # It does not read what it refuses, so the calls of one moment are refused whatever they hold.
        calls = [pb_grpc.RecommenderStub(channel).GetItems.future(pb.GetItemsRequest()) for _ in range(200)]
        refused = [call for call in calls if call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED]
        assert refused
        for call in refused:
            assert 50 <= pushback_ms(call) <= 150


def test_grpcio_changes_connections_that_grow_old_without_an_error(tmp_path: Path) -> None:
    publish(tmp_path, random_embeddings())
    with running(tmp_path, transport="grpcio", max_connection_age_s=0.05) as server, asking(server) as client:
        for _ in range(300):
            assert client.recommend("1").items


@pytest.mark.parametrize("flag", ["--address", "--admin-address"])
def test_the_fast_one_that_can_not_start_leaves_nothing_behind(
    tmp_path: Path, flag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        flags = {"--address": "127.0.0.1:0", flag: f"127.0.0.1:{taken.getsockname()[1]}"}
        store, transport = tmp_path / "store", ("--transport", "native")
        process = serve(store, *transport, *(word for pair in flags.items() for word in pair))
        assert f"choose another with {flag}" in process.communicate(timeout=TIMEOUT_S)[1]
    assert process.returncode == 1
    assert list(tmp_path.iterdir()) == []


def slow_calls(channel: grpc.Channel, over: threading.Event) -> list[Any]:
    """Twenty calls that began and whose request does not come."""
    recommend: grpc.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary("/matinee.v1.Recommender/Recommend")
    return [recommend.future(nothing_until(over)) for _ in range(20)]


def test_requests_that_do_not_arrive_keep_no_thread_from_the_others(tmp_path: Path) -> None:
    publish(tmp_path, random_embeddings())
    over = threading.Event()
    with running(tmp_path, transport="grpcio", threads=2, request_timeout_s=3600) as server:
        with channel_to(server) as channel, asking(server) as client:
            calls = slow_calls(channel, over)
            wait_until(lambda: server.here == 20)
            assert client.recommend("1").items
            over.set()
            assert {call.code() for call in calls} == {grpc.StatusCode.UNIMPLEMENTED}
        wait_until(lambda: server.here == 0)


def test_a_call_whose_request_never_comes_is_cancelled(tmp_path: Path) -> None:
    over = threading.Event()
    bounds = {"threads": 2, "request_timeout_s": 0.3}
    with running(tmp_path, transport="grpcio", **bounds) as server, channel_to(server) as channel:
        calls = slow_calls(channel, over)
        assert {call.code() for call in calls} == {grpc.StatusCode.CANCELLED}
        over.set()
        wait_until(lambda: server.here == 0)


def test_who_does_not_read_a_stream_keeps_it_from_the_others_for_a_while_alone(tmp_path: Path) -> None:
    publish(tmp_path, random_embeddings())
    many = pb.BatchRecommendRequest(user_ids=["1"] * 20_000)
    bounds = {"stream_threads": 1, "reading_timeout_s": 0.3}
    with running(tmp_path, transport="grpcio", **bounds) as server, channel_to(server) as channel:
        batch = pb_grpc.RecommenderStub(channel).BatchRecommend
        unread = batch(many)
        assert len(next(unread).users) > 0
        assert len(next(batch(pb.BatchRecommendRequest(user_ids=["1"]), timeout=TIMEOUT_S)).users) == 1
        with pytest.raises(grpc.RpcError):
            list(unread)
        assert unread.code() is grpc.StatusCode.CANCELLED


def nothing_until(over: threading.Event) -> Iterator[bytes]:
    over.wait(TIMEOUT_S)
    yield from ()


class Deaf:
    """The fast one's front, which fails to send the first answers."""

    def __init__(self, front: Any, n_failures: int) -> None:
        self._front, self._left = front, n_failures

    def respond(self, *arguments: Any, **named: Any) -> None:
        self._left -= 1
        if self._left >= 0:
            raise RuntimeError("the call is gone")
        self._front.respond(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._front, name)


def test_an_answer_that_the_fast_one_can_not_send_costs_no_thread(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish(tmp_path, random_embeddings())
    with running(tmp_path, transport="native", threads=1) as server, channel_to(server) as channel:
        transport: Any = server._transport
        transport._front = Deaf(transport._front, n_failures=4)
        stub = pb_grpc.RecommenderStub(channel)
        for _ in range(4):
            with pytest.raises(grpc.RpcError):
                stub.Recommend(pb.RecommendRequest(user_id="1"), timeout=0.3)
        assert stub.Recommend(pb.RecommendRequest(user_id="1"), timeout=TIMEOUT_S).items
    assert "the call is gone" in caplog.text
