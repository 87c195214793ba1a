import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any, get_args

import grpc
import pytest

import matinee
from matinee.answers import Item, PredictedRating, ScoredItem, ScoreKind
from matinee.client import Client
from matinee.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    ResourceExhaustedError,
    ServiceError,
)
from matinee.failures import ERRORS
from matinee.reading import SCORE_KINDS
from matinee.table import SCORE_TITLES
from matinee.v1 import recommender_pb2 as pb
from server.service import Server
from tests.matinee.fake import serving
from tests.server.running import asking, publish, running
from tests.world import checker_board, fit_to_rank


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    store = tmp_path_factory.mktemp("store")
    publish(store, checker_board())
    with running(store) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Client]:
    with asking(server) as client:
        yield client


def test_answers_are_plain_typed_values(client: Client, server: Server) -> None:
    answer = client.recommend("0", k=2)
    assert answer.items == (ScoredItem("4", 4.0, "even"), ScoredItem("6", 4.0, "even"))
    assert answer.model_version == server.live.version
    assert answer.score_kind == "rating"
    assert client.similar_items("0").score_kind == "cosine"
    assert client.similar_items("0", k=1).items[0].item_id == "2"
    assert client.predict_ratings("0", ["1", "0"]).ratings == (PredictedRating("1", 2.0), PredictedRating("0", 4.0))
    assert client.get_items(["1"]).items == (Item("1", "odd", ()),)
    with pytest.raises(FrozenInstanceError):
        answer.items[0].score = 5.0  # type: ignore[misc]  # that is the point


def test_an_int_is_an_id_in_decimal(client: Client) -> None:
    assert client.recommend(0, exclude_item_ids=[4, 6]) == client.recommend("0", exclude_item_ids=["4", "6"])
    assert client.similar_items(3) == client.similar_items("3")
    assert client.predict_ratings(0, [1]) == client.predict_ratings("0", ["1"])
    assert client.get_items([1]) == client.get_items(["1"])


def test_what_is_asked_for_is_what_comes(client: Client) -> None:
    assert [item.item_id for item in client.recommend(0, k=2, include_seen=True).items] == ["0", "2"]
    assert [item.item_id for item in client.recommend(0, k=2, exclude_item_ids=["4"]).items] == ["6", "8"]
    assert [item.item_id for item in client.similar_items(0, k=2, exclude_item_ids=["2"]).items] == ["4", "6"]


@pytest.mark.parametrize(
    ("ask", "kind", "status", "words"),
    [
        (lambda client: client.recommend("x"), NotFoundError, "NOT_FOUND", "user_id 'x'"),
        (lambda client: client.recommend(0, k=0), InvalidArgumentError, "INVALID_ARGUMENT", "k is 0; it must be 1 to"),
        (lambda client: client.recommend(0, k=2**40), InvalidArgumentError, "INVALID_ARGUMENT", "1099511627776"),
        (lambda client: client.recommend("\ud800"), InvalidArgumentError, "INVALID_ARGUMENT", "surrogates"),
        (lambda client: client.similar_items("x"), NotFoundError, "NOT_FOUND", "item_id 'x'"),
        (lambda client: client.predict_ratings(0, []), InvalidArgumentError, "INVALID_ARGUMENT", "item_ids"),
        (lambda client: client.get_items(["1"] * 10_001), InvalidArgumentError, "INVALID_ARGUMENT", "10001"),
    ],
)
def test_a_refusal_is_an_exception_with_the_servers_words(
    client: Client, ask: Any, kind: type[ServiceError], status: str, words: str
) -> None:
    with pytest.raises(kind) as caught:
        ask(client)
    assert caught.value.status == status
    assert words in str(caught.value)
    assert caught.value.__cause__ is not None


def test_waiting_ends_when_the_first_version_is_there(tmp_path: Path) -> None:
    with running(tmp_path) as server, asking(server) as client:
        publishing = threading.Timer(0.2, publish, (tmp_path, checker_board()))
        publishing.start()
        client.wait_until_ready(timeout_s=60.0)
        assert client.recommend(0).items
        publishing.join()


def test_a_model_fit_to_rank_predicts_no_ratings(tmp_path: Path) -> None:
    publish(tmp_path, fit_to_rank(checker_board()))
    with running(tmp_path) as server, asking(server) as client:
        assert client.recommend(0).score_kind == "preference"
        assert client.similar_items(0).score_kind == "cosine"
        with pytest.raises(FailedPreconditionError, match=r"trained to rank, .* --objective rating") as caught:
            client.predict_ratings(0, [1])
    assert caught.value.status == "FAILED_PRECONDITION"


@pytest.mark.parametrize(("on_the_wire", "told"), [({}, "rating"), ({"score_kind": 9}, "unknown")])
def test_servers_of_other_releases_are_understood(on_the_wire: dict[str, Any], told: str) -> None:
    # An older server does not say what scores are, and its are ratings; of a newer one's kinds nothing is claimed.
    response = pb.RecommendResponse(items=[pb.ScoredItem(item_id="1", score=0.5)], **on_the_wire)
    with serving({"Recommend": lambda *_: response}) as fake, Client(fake.address, timeout_s=30.0) as client:
        assert client.recommend(1).score_kind == told


def test_every_kind_of_score_has_a_word_and_a_heading() -> None:
    assert set(SCORE_KINDS) == set(pb.ScoreKind.values())
    assert set(SCORE_TITLES) == set(get_args(ScoreKind))
    assert set(SCORE_KINDS.values()) | {"cosine", "unknown"} == set(get_args(ScoreKind))


def test_every_kind_of_service_error_comes_from_a_status() -> None:
    assert set(ERRORS.values()) == set(ServiceError.__subclasses__())
    assert ERRORS[grpc.StatusCode.RESOURCE_EXHAUSTED] is ResourceExhaustedError


def test_threads_share_a_client(client: Client) -> None:
    answers: list[object] = []
    threads = [threading.Thread(target=lambda: answers.append(client.recommend(0))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [client.recommend(0)] * 8


def test_the_client_is_there_by_its_short_name() -> None:
    assert matinee.Client is Client
    assert {name for name in matinee.__all__ if getattr(matinee, name).__name__ == name} == set(matinee.__all__)


def test_the_client_needs_grpc_and_protobuf_alone() -> None:
    code = "import sys; from matinee import Client; print(' '.join({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"grpc", "google"} <= loaded
    assert not loaded & {"numpy", "faiss", "tensorflow", "pydantic", "rich", "server", "indexer", "training"}
