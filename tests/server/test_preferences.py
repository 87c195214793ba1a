"""A model that was fit to rank, over a real socket: what is ranked is right, and nothing of it is called a rating."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.store import Store
from matinee.client import Client
from matinee.v1 import recommender_pb2 as pb
from matinee.v1 import recommender_pb2_grpc as pb_grpc
from server.service import Server
from tests.indexer.small import resealed
from tests.server.hammer import wait_for_version
from tests.server.running import asking, building, channel_to, cosines, every_share_seen, publish, running
from tests.world import fit_to_rank, oracle, predicted_ratings, random_embeddings, with_zeros

N_USERS, N_ITEMS = 25, 1200
WORLD = with_zeros(fit_to_rank(every_share_seen(N_USERS, N_ITEMS)))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, transport: str) -> Iterator[Server]:
    store = tmp_path_factory.mktemp("store")
    publish(store, WORLD)
    with running(store) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Client]:
    with asking(server) as client:
        yield client


@pytest.fixture(scope="module")
def stub(server: Server) -> Iterator[pb_grpc.RecommenderStub]:
    with channel_to(server) as channel:
        yield pb_grpc.RecommenderStub(channel)


def rows_of(items: Any) -> list[int]:
    rows = [WORLD.catalogue.item_ids.row(item.item_id) for item in items]
    return [row for row in rows if row is not None]


@settings(max_examples=100, deadline=None)
@given(user_row=st.integers(0, N_USERS - 1), k=st.integers(1, 12) | st.integers(1, 1000), include_seen=st.booleans())
def test_recommendations_are_the_oracles_with_vectors_of_zeros_among_them(
    client: Client, user_row: int, k: int, include_seen: bool
) -> None:
    seen = [] if include_seen else WORLD.catalogue.seen[user_row].tolist()
    answer = client.recommend(WORLD.catalogue.user_ids[user_row], k=k, include_seen=include_seen)
    expected = oracle(WORLD, user_row, k, seen)
    assert rows_of(answer.items) == expected
    scores = [item.score for item in answer.items]
    np.testing.assert_allclose(scores, predicted_ratings(WORLD, user_row)[expected], atol=1e-5)


def test_a_user_of_zeros_gets_unseen_items_in_the_order_of_the_rows(client: Client) -> None:
    answer = client.recommend(WORLD.catalogue.user_ids[4], k=1000)
    unseen = np.setdiff1d(np.arange(N_ITEMS), WORLD.catalogue.seen[4])
    assert rows_of(answer.items) == unseen[:1000].tolist()
    assert {item.score for item in answer.items} == {0.0}


@pytest.mark.parametrize("item_row", [0, 5, 7])
def test_no_cosine_is_nan_and_that_with_an_item_of_zeros_is_0(client: Client, item_row: int) -> None:
    answer = client.similar_items(WORLD.catalogue.item_ids[item_row], k=1000)
    rows = rows_of(answer.items)
    assert len(set(rows)) == 1000
    assert item_row not in rows
    scores = [item.score for item in answer.items]
    np.testing.assert_allclose(scores, cosines(WORLD, item_row)[rows], atol=1e-6)
    assert answer.score_kind == "cosine"


def test_the_answer_says_that_its_scores_are_preferences(stub: pb_grpc.RecommenderStub) -> None:
    assert stub.Recommend(pb.RecommendRequest(user_id="1")).score_kind == pb.SCORE_KIND_PREFERENCE
    # An answer without items says so too.
    everything_seen = WORLD.catalogue.user_ids[N_USERS - 1]
    answer = stub.Recommend(pb.RecommendRequest(user_id=everything_seen))
    assert (len(answer.items), answer.score_kind) == (0, pb.SCORE_KIND_PREFERENCE)


@pytest.mark.parametrize(("user_id", "item_id"), [("1", "i1"), ("nobody", "i1"), ("1", "nothing")])
def test_ratings_are_refused_with_why_and_what_to_do(stub: pb_grpc.RecommenderStub, user_id: str, item_id: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stub.PredictRatings(pb.PredictRatingsRequest(user_id=user_id, item_ids=[item_id]))
    call: Any = caught.value
    assert call.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert call.details() == (
        "this model was trained to rank, so its scores are preferences and it predicts no ratings;"
        " ask Recommend, or publish a model of: matinee train --objective rating"
    )


def test_a_request_that_is_wrong_for_every_model_is_told_so_first(stub: pb_grpc.RecommenderStub) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stub.PredictRatings(pb.PredictRatingsRequest(user_id="1"))
    call: Any = caught.value
    assert call.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_each_answer_says_what_the_scores_of_its_own_version_are(tmp_path: Path) -> None:
    rating = random_embeddings()
    publish(tmp_path, rating)
    with running(tmp_path) as server, asking(server) as client:
        assert client.recommend("1").score_kind == "rating"
        for world, kind in ((fit_to_rank(rating), "preference"), (rating, "rating")):
            version = publish(tmp_path, world)
            wait_for_version(server, version)
            answer = client.recommend("1")
            assert (answer.model_version, answer.score_kind) == (version, kind)
        assert client.predict_ratings("1", ["i1"]).ratings


def test_a_bundle_from_before_there_were_preferences_is_served_with_ratings(tmp_path: Path) -> None:
    def as_before(draft: Path) -> None:
        building(random_embeddings())(draft)
        resealed(draft, lambda _, description: description.pop("scores"))

    Store(tmp_path).publish(as_before)
    with running(tmp_path) as server, asking(server) as client:
        assert client.recommend("1").score_kind == "rating"
        assert client.predict_ratings("1", ["i1"]).ratings
