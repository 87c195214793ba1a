"""More calls than a server can answer, calls that nobody waits for any more, and streams beside them."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from matinee.errors import ResourceExhaustedError
from matinee.v1 import recommender_pb2 as pb
from matinee.v1 import recommender_pb2_grpc as pb_grpc
from server import turns
from server.errors import OutOfRangeError
from server.servicer import Recommender
from tests.server.hammer import wait_until
from tests.server.running import asking, channel_to, publish, pushback_ms, running
from tests.world import random_embeddings

pytestmark = pytest.mark.usefixtures("transport")

TIMEOUT_S = 60
ONE = pb.GetItemsRequest(item_ids=["i0"])
BATCH = pb.BatchRecommendRequest(user_ids=["1", "2", "3"])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("store")
    publish(store, random_embeddings())
    return store


@dataclass
class Slow:
    """Answers when it is let: `begun` counts the calls that are worked on."""

    begun: int = 0
    ended: int = 0
    go_on: threading.Event = field(default_factory=threading.Event)

    def get_items(self, _: Recommender, _request: pb.GetItemsRequest) -> pb.GetItemsResponse:
        self.begun += 1
        self.go_on.wait(TIMEOUT_S)
        return pb.GetItemsResponse()

    def batch(self, _: Recommender, request: pb.BatchRecommendRequest) -> Iterator[pb.BatchRecommendResponse]:
        self.begun += 1
        try:
            for user_id in request.user_ids:
                yield pb.BatchRecommendResponse(users=[pb.UserRecommendations(user_id=user_id)])
                self.go_on.wait(TIMEOUT_S)
        finally:
            self.ended += 1


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    slow = Slow()
    monkeypatch.setattr(Recommender, "GetItems", lambda *call: slow.get_items(*call))
    monkeypatch.setattr(Recommender, "BatchRecommend", lambda *call: slow.batch(*call))
    yield slow
    slow.go_on.set()


def is_healthy(channel: grpc.Channel) -> bool:
    response = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
    return bool(response.status == health_pb2.HealthCheckResponse.SERVING)


def test_more_requests_than_fit_are_refused_at_once(store: Path, slow: Slow) -> None:
    with running(store, threads=1, max_concurrent=2) as server, channel_to(server) as channel:
        get_items = pb_grpc.RecommenderStub(channel).GetItems
        here = [get_items.future(ONE) for _ in range(2)]
        wait_until(lambda: slow.begun == 1)
        refused = get_items.future(ONE)
        assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        # Whoever asks for the health learns that it is well.
        health = health_pb2_grpc.HealthStub(channel)
        assert (
            health.Check(health_pb2.HealthCheckRequest(), timeout=30).status == health_pb2.HealthCheckResponse.SERVING
        )
        slow.go_on.set()
        assert [call.result(TIMEOUT_S) for call in here] == [pb.GetItemsResponse()] * 2
        with asking(server) as client:
            wait_until(lambda: is_answered(client))


def test_who_waited_too_long_in_a_line_that_is_held_short_is_refused_but_for_the_last(
    store: Path, slow: Slow, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each call is judged by the one before it, and whoever waits at all waits too long.
    monkeypatch.setattr(turns, "_PERIOD_S", 0.0)
    monkeypatch.setattr(turns, "_FRESH_S", float("inf"))
    bounds = {"threads": 1, "max_concurrent": 4, "max_wait_ms": 1e-6}
    with running(store, **bounds) as server, channel_to(server) as channel:
        get_items = pb_grpc.RecommenderStub(channel).GetItems
        here = [get_items.future(ONE) for _ in range(4)]
        wait_until(lambda: server.here == 4)
        for _ in range(2):
            assert get_items.future(ONE).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        slow.go_on.set()
        refused = [call for call in here if call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED]
        assert (len(refused), slow.begun) == (2, 2)
        assert [call.code() for call in here].count(grpc.StatusCode.OK) == 2
        if transport == "grpcio":
            assert all(pushback_ms(call) > 0 for call in refused)


def is_answered(client: Any) -> bool:
    try:
        return bool(client.recommend("1").items)
    except ResourceExhaustedError:
        return False


def test_calls_that_take_long_hold_up_nobody_as_long_as_there_are_threads(store: Path, slow: Slow) -> None:
    with running(store, threads=3) as server, channel_to(server) as channel, asking(server) as client:
        get_items = pb_grpc.RecommenderStub(channel).GetItems
        long = []
        for _ in range(2):
            long.append(get_items.future(ONE))
            wait_until(lambda: slow.begun == len(long))
            assert all(client.recommend("1").items for _ in range(20))
        # What came together is worked on at a time too.
        long += [get_items.future(ONE) for _ in range(3)]
        wait_until(lambda: slow.begun == 3 and server.waiting == 2)
        slow.go_on.set()
        assert [call.result(TIMEOUT_S) for call in long] == [pb.GetItemsResponse()] * 5
        assert all(client.recommend("1").items for _ in range(20))
        wait_until(lambda: server.here == 0)


def test_a_request_whose_caller_is_gone_when_its_turn_comes_is_not_worked_on(
    store: Path, slow: Slow, transport: str
) -> None:
    with running(store, threads=1) as server, channel_to(server) as channel:
        get_items = pb_grpc.RecommenderStub(channel).GetItems
        first = get_items.future(ONE)
        wait_until(lambda: slow.begun == 1)
        expired, cancelled = get_items.future(ONE, timeout=0.1), get_items.future(ONE)
        assert expired.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        cancelled.cancel()
        # On the same connection, and so after the cancellation.
        assert is_healthy(channel)
        # grpcio lets calls that were cancelled wait with the others, and drops them when it is their turn.
        wait_until(lambda: server.waiting == 0 or transport == "grpcio")
        slow.go_on.set()
        assert first.result(TIMEOUT_S) == pb.GetItemsResponse()
        assert get_items(ONE, timeout=TIMEOUT_S) == pb.GetItemsResponse()
        assert slow.begun == 2


def test_a_cancelled_request_makes_room_for_another(store: Path, slow: Slow) -> None:
    with running(store, threads=1, max_concurrent=2) as server, channel_to(server) as channel, asking(server) as client:
        get_items = pb_grpc.RecommenderStub(channel).GetItems
        here = [get_items.future(ONE) for _ in range(2)]
        wait_until(lambda: slow.begun == 1)
        for call in here:
            call.cancel()
        slow.go_on.set()
        wait_until(lambda: is_answered(client))


def test_streams_take_no_thread_from_requests_and_too_many_are_refused_at_once(store: Path, slow: Slow) -> None:
    bounds = {"threads": 1, "stream_threads": 2, "max_streams": 3}
    with running(store, **bounds) as server, channel_to(server) as channel, asking(server) as client:
        stub = pb_grpc.RecommenderStub(channel)
        streams = [stub.BatchRecommend(BATCH) for _ in range(3)]
        wait_until(lambda: slow.begun == 2)
        assert client.recommend("1").items
        refused = stub.BatchRecommend(BATCH)
        with pytest.raises(grpc.RpcError):
            next(refused)
        assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert pushback_ms(refused) > 0
        slow.go_on.set()
        assert [[answer.users[0].user_id for answer in stream] for stream in streams] == [["1", "2", "3"]] * 3


def test_a_stream_that_its_caller_leaves_is_worked_on_no_longer(store: Path, slow: Slow) -> None:
    with running(store) as server, channel_to(server) as channel:
        stream = pb_grpc.RecommenderStub(channel).BatchRecommend(BATCH)
        next(stream)
        stream.cancel()
        slow.go_on.set()
        wait_until(lambda: slow.ended == 1)


def torn(_: Recommender, request: pb.BatchRecommendRequest) -> Iterator[pb.BatchRecommendResponse]:
    yield pb.BatchRecommendResponse()
    if request.user_ids:
        raise OutOfRangeError("user_ids[0]", "'1'", "nobody")
    raise ZeroDivisionError("a bug")


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        (BATCH, grpc.StatusCode.INVALID_ARGUMENT, "user_ids[0] is '1'; it must be nobody"),
        (pb.BatchRecommendRequest(), grpc.StatusCode.INTERNAL, "the server failed at this request; its log says how"),
    ],
)
def test_an_error_between_two_answers_of_a_stream_is_its_status(
    store: Path, monkeypatch: pytest.MonkeyPatch, request_: pb.BatchRecommendRequest, code: grpc.StatusCode, text: str
) -> None:
    monkeypatch.setattr(Recommender, "BatchRecommend", torn)
    with running(store) as server, channel_to(server) as channel:
        stream = pb_grpc.RecommenderStub(channel).BatchRecommend(request_)
        assert next(stream) == pb.BatchRecommendResponse()
        with pytest.raises(grpc.RpcError):
            next(stream)
        assert (stream.code(), stream.details()) == (code, text)
