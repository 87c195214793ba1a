"""A server that is observed: what its metrics, its log and its trailers say of real calls."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from matinee.exposition import buckets_of, quantile, total
from matinee.v1 import recommender_pb2 as pb
from matinee.v1 import recommender_pb2_grpc as pb_grpc
from server.limits import Limits
from server.observing.options import Observed, Seen
from server.observing.pages import Board
from server.observing.server import ObservedServer
from server.service import Server
from server.trust.config import OPEN, Trust
from server.trust.tokens import fresh_token
from tests.server.hammer import wait_until
from tests.server.running import channel_to, configured, publish
from tests.server.test_metrics import metrics
from tests.world import random_embeddings

pytestmark = pytest.mark.usefixtures("transport")

TIMEOUT_S = 60
ONE = pb.RecommendRequest(user_id="1")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("store")
    publish(store, random_embeddings())
    return store


@contextmanager
def observed(
    store: Path, limits: Limits | None = None, trust: Trust = OPEN, **seen: Any
) -> Iterator[tuple[Server, Board]]:
    """A server in this process, and where it counts."""
    board, limits = Board(), limits or Limits(threads=4)
    config = configured(store, trust=trust, **limits.model_dump())
    server = ObservedServer(config, Observed(Seen(**seen), board.path(0)))
    server.start()
    try:
        yield server, board
    finally:
        server.stop(grace_s=5.0)
        board.close()


def called(
    server: Server, method: str, request: Any, *metadata: tuple[str, str]
) -> tuple[grpc.StatusCode, dict[str, Any]]:
    """What a call came to, and its trailing metadata."""
    with channel_to(server) as channel:
        call = getattr(pb_grpc.RecommenderStub(channel), method).with_call
        try:
            _, ended = call(request, timeout=TIMEOUT_S, metadata=metadata)
        except grpc.RpcError as error:
            ended = error
        return ended.code(), dict(ended.trailing_metadata() or ())


def test_calls_latency_version_and_swaps_are_told(tmp_path: Path) -> None:
    first = publish(tmp_path, random_embeddings())
    with observed(tmp_path) as (server, board):
        for _ in range(5):
            called(server, "Recommend", ONE)
        called(server, "SimilarItems", pb.SimilarItemsRequest(item_id="nobody's"))
        called(server, "GetItems", pb.GetItemsRequest())
        wait_until(lambda: total(metrics(board), "matinee_requests_total") == 7)
        seen = metrics(board)
        assert total(seen, "matinee_requests_total", method="Recommend", code="OK") == 5
        assert total(seen, "matinee_requests_total", method="SimilarItems", code="NOT_FOUND") == 1
        assert total(seen, "matinee_requests_total", method="GetItems", code="INVALID_ARGUMENT") == 1
        took = quantile(buckets_of(seen, "matinee_request_seconds", method="Recommend"), 0.5)
        assert took is not None
        assert 0 < took < TIMEOUT_S
        assert total(seen, "matinee_version_info", version=first) == 1
        assert (total(seen, "matinee_version_items"), total(seen, "matinee_version_users")) == (50, 30)
        second = publish(tmp_path, random_embeddings(n_items=60, seed=1))
        wait_until(lambda: total(metrics(board), "matinee_version_info", version=second) == 1)
        seen = metrics(board)
        assert total(seen, "matinee_version_info") == 1
        assert total(seen, "matinee_version_items", version=second) == 60
        assert total(seen, "matinee_swaps_total", result="loaded") == 2
        assert total(seen, "matinee_swap_seconds_count") == 2
        (tmp_path / "CURRENT").write_text("20200101T000000Z-00000000\n")
        wait_until(lambda: total(metrics(board), "matinee_swaps_total", result="refused") > 0)
        assert total(metrics(board), "matinee_version_info", version=second) == 1


def test_the_live_recall_of_an_exact_index_is_1(store: Path) -> None:
    with observed(store, shadow_rate=1.0) as (server, board):
        called(server, "Recommend", ONE)
        called(server, "Recommend", pb.RecommendRequest(user_id="2", k=3, only_item_ids=["i1", "i2", "i3", "i4"]))
        called(server, "SimilarItems", pb.SimilarItemsRequest(item_id="i1"))

        def compared(method: str) -> float:
            return total(metrics(board), "matinee_shadow_expected_total", method=method)

        # The warm-up asks too.
        wait_until(lambda: compared("Recommend") >= 13 and compared("SimilarItems") >= 10)
        seen = metrics(board)
        for method in ("Recommend", "SimilarItems"):
            found = total(seen, "matinee_shadow_found_total", method=method)
            assert found == total(seen, "matinee_shadow_expected_total", method=method)


def test_an_id_that_was_sent_comes_back_and_none_otherwise(store: Path) -> None:
    with observed(store) as (server, _):
        assert called(server, "Recommend", ONE, ("x-request-id", "abc-1"))[1]["x-request-id"] == "abc-1"
        assert "x-request-id" not in called(server, "Recommend", ONE)[1]
        assert "x-request-id" not in called(server, "Recommend", ONE, ("x-request-id", "not sane"))[1]


def test_every_error_has_an_id(store: Path) -> None:
    unknown = pb.RecommendRequest(user_id="nobody")
    with observed(store) as (server, _):
        code, trailers = called(server, "Recommend", unknown, ("x-request-id", "abc-1"))
        assert (code, trailers["x-request-id"]) == (grpc.StatusCode.NOT_FOUND, "abc-1")
        ids = {called(server, "Recommend", unknown)[1]["x-request-id"] for _ in range(3)}
        assert len(ids) == 3


def test_a_call_without_a_token_has_an_id_and_is_counted_and_is_not_shed(store: Path, tmp_path: Path) -> None:
    token, hashed = fresh_token()
    (tmp_path / "tokens").write_text(hashed)
    with observed(store, trust=Trust(token_file=tmp_path / "tokens")) as (server, board):
        code, trailers = called(server, "Recommend", ONE, ("x-request-id", "abc-1"))
        assert (code, trailers["x-request-id"]) == (grpc.StatusCode.UNAUTHENTICATED, "abc-1")
        assert called(server, "Recommend", ONE, ("authorization", f"Bearer {token}"))[0] is grpc.StatusCode.OK
        wait_until(lambda: total(metrics(board), "matinee_requests_total") == 2)
        assert total(metrics(board), "matinee_requests_total", code="UNAUTHENTICATED") == 1
        assert total(metrics(board), "matinee_shed_total") == 0


def test_a_bug_is_logged_with_the_id_that_its_caller_got(
    store: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("server.servicer.Recommender.GetItems", broken)
    with observed(store) as (server, _):
        code, trailers = called(server, "GetItems", pb.GetItemsRequest(item_ids=["i0"]))
    assert code is grpc.StatusCode.INTERNAL
    (bug,) = [record for record in caplog.records if record.exc_info]
    assert vars(bug)["request_id"] == trailers["x-request-id"]


def test_calls_are_logged_where_that_is_asked_for_and_say_nothing_of_what_was_asked(
    store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = ("authorization", "Bearer s3cret")
    with caplog.at_level(logging.INFO):
        with observed(store) as (server, _):
            called(server, "Recommend", ONE)
        assert "call ended" not in caplog.messages
        with observed(store, log_requests=True) as (server, _):
            called(server, "Recommend", ONE, ("x-request-id", "abc-1"), secret)
            _, trailers = called(server, "Recommend", pb.RecommendRequest(user_id="s3cret"), secret)
    calls = [vars(record) for record in caplog.records if record.message == "call ended"]
    assert [(call["method"], call["code"]) for call in calls] == [("Recommend", "OK"), ("Recommend", "NOT_FOUND")]
    assert [call["request_id"] for call in calls] == ["abc-1", trailers["x-request-id"]]
    assert "s3cret" not in caplog.text + "".join(map(str, calls))


def test_what_is_worked_on_and_what_is_shed_is_told(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    def slow(*_: object) -> pb.GetItemsResponse:
        go_on.wait(TIMEOUT_S)
        return pb.GetItemsResponse()

    monkeypatch.setattr("server.servicer.Recommender.GetItems", slow)
    limits = Limits(threads=1, max_concurrent=2)
    with observed(store, limits) as (server, board), channel_to(server) as channel:
        get_items = pb_grpc.RecommenderStub(channel).GetItems
        calls = [get_items.future(pb.GetItemsRequest(item_ids=["i0"])) for _ in range(2)]
        wait_until(lambda: total(metrics(board), "matinee_requests_waiting") == 1)
        assert total(metrics(board), "matinee_requests_working") == 1
        code, trailers = called(server, "GetItems", pb.GetItemsRequest(item_ids=["i0"]), ("x-request-id", "abc-1"))
        assert (code, trailers["x-request-id"]) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "abc-1")
        assert total(metrics(board), "matinee_shed_total", method="GetItems") == 1
        go_on.set()
        assert [call.code() for call in calls] == [grpc.StatusCode.OK] * 2
        wait_until(lambda: total(metrics(board), "matinee_requests_working") == 0)
        # What was shed has no latency.
        assert total(metrics(board), "matinee_request_seconds_count", method="GetItems") == 2
