"""Every method over a real socket: what it answers, and with which status it refuses, field by field."""

from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from matinee.v1 import recommender_pb2 as pb
from matinee.v1 import recommender_pb2_grpc as pb_grpc
from server.service import Server
from tests.server.running import asking, channel_to, every_share_seen, publish, running
from tests.world import oracle, predicted_ratings

WORLD = every_share_seen()
LONG = "7" * 1025
MANY = ["i1"] * 10_001


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, transport: str) -> Iterator[Server]:
    store = tmp_path_factory.mktemp("store")
    publish(store, WORLD)
    with running(store) as server:
        yield server


@pytest.fixture(scope="module")
def stub(server: Server) -> Iterator[pb_grpc.RecommenderStub]:
    with channel_to(server) as channel:
        yield pb_grpc.RecommenderStub(channel)


def refusal(method: Any, request: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        method(request, timeout=30)
    call: Any = caught.value
    return call.code(), call.details()


@pytest.mark.parametrize(
    ("method", "request_", "field", "expected"),
    [
        ("Recommend", pb.RecommendRequest(), "user_id is empty", "an id"),
        ("Recommend", pb.RecommendRequest(user_id=LONG), "user_id is '777", "at most 1024 bytes"),
        ("Recommend", pb.RecommendRequest(user_id="é" * 513), "user_id is 'é", "at most 1024 bytes"),
        ("Recommend", pb.RecommendRequest(user_id="1", k=0), "k is 0", "1 to 1000"),
        ("Recommend", pb.RecommendRequest(user_id="1", k=-1), "k is -1", "1 to 1000"),
        ("Recommend", pb.RecommendRequest(user_id="1", k=1001), "k is 1001", "1 to 1000"),
        ("Recommend", pb.RecommendRequest(user_id="1", k=-(2**31)), "k is -2147483648", "1 to 1000"),
        ("Recommend", pb.RecommendRequest(user_id="1", exclude_item_ids=MANY), "exclude_item_ids", "0 to 10000 ids"),
        ("Recommend", pb.RecommendRequest(user_id="1", exclude_item_ids=["i1", ""]), "exclude_item_ids[1]", "an id"),
        ("Recommend", pb.RecommendRequest(user_id="1", exclude_item_ids=[LONG]), "exclude_item_ids[0]", "1024 bytes"),
        ("SimilarItems", pb.SimilarItemsRequest(), "item_id is empty", "an id"),
        ("SimilarItems", pb.SimilarItemsRequest(item_id=LONG), "item_id is '777", "at most 1024 bytes"),
        ("SimilarItems", pb.SimilarItemsRequest(item_id="i1", k=0), "k is 0", "1 to 1000"),
        ("SimilarItems", pb.SimilarItemsRequest(item_id="i1", exclude_item_ids=MANY), "exclude_item_ids", "0 to 10000"),
        ("SimilarItems", pb.SimilarItemsRequest(item_id="i1", exclude_item_ids=[""]), "exclude_item_ids[0]", "an id"),
        ("PredictRatings", pb.PredictRatingsRequest(item_ids=["i1"]), "user_id is empty", "an id"),
        ("PredictRatings", pb.PredictRatingsRequest(user_id="1"), "item_ids is a list of 0", "1 to 10000 ids"),
        ("PredictRatings", pb.PredictRatingsRequest(user_id="1", item_ids=MANY), "a list of 10001", "1 to 10000 ids"),
        ("PredictRatings", pb.PredictRatingsRequest(user_id="1", item_ids=[""]), "item_ids[0] is empty", "an id"),
        ("GetItems", pb.GetItemsRequest(), "item_ids is a list of 0", "1 to 10000 ids"),
        ("GetItems", pb.GetItemsRequest(item_ids=MANY), "item_ids is a list of 10001", "1 to 10000 ids"),
        ("GetItems", pb.GetItemsRequest(item_ids=["i1", LONG]), "item_ids[1]", "at most 1024 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_field_out_of_range_is_named_with_its_range(
    stub: pb_grpc.RecommenderStub, method: str, request_: Any, field: str, expected: str
) -> None:
    code, details = refusal(getattr(stub, method), request_)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert field in details
    assert expected in details


@pytest.mark.parametrize(
    ("method", "request_", "named"),
    [
        ("Recommend", pb.RecommendRequest(user_id="nobody"), "user_id 'nobody'"),
        ("Recommend", pb.RecommendRequest(user_id="01"), "user_id '01'"),
        ("Recommend", pb.RecommendRequest(user_id="9" * 1024), "user_id '999"),
        ("SimilarItems", pb.SimilarItemsRequest(item_id="nothing"), "item_id 'nothing'"),
        ("PredictRatings", pb.PredictRatingsRequest(user_id="nobody", item_ids=["i1"]), "user_id 'nobody'"),
        ("PredictRatings", pb.PredictRatingsRequest(user_id="1", item_ids=["i1", "x"]), "item_ids[1] 'x'"),
        ("GetItems", pb.GetItemsRequest(item_ids=["x"]), "item_ids[0] 'x'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_unknown_id_is_not_found_by_name(
    stub: pb_grpc.RecommenderStub, method: str, request_: Any, named: str
) -> None:
    code, details = refusal(getattr(stub, method), request_)
    assert code is grpc.StatusCode.NOT_FOUND
    assert named in details
    assert len(details) < 250


def test_ten_unseen_items_are_the_default(stub: pb_grpc.RecommenderStub) -> None:
    for user_row in range(WORLD.n_users):
        answer = stub.Recommend(pb.RecommendRequest(user_id=WORLD.catalogue.user_ids[user_row]))
        expected = oracle(WORLD, user_row, 10, WORLD.catalogue.seen[user_row])
        assert [item.item_id for item in answer.items] == [WORLD.catalogue.item_ids[row] for row in expected]
        np.testing.assert_allclose(
            [item.score for item in answer.items], predicted_ratings(WORLD, user_row)[expected], atol=1e-5, rtol=0
        )


def test_the_longest_lists_that_the_schema_allows_are_taken(server: Server) -> None:
    with asking(server) as client:
        longest = "x" * 1024
        assert len(client.recommend(1, exclude_item_ids=[longest] * 10_000).items) == 10
        assert len(client.recommend(1, k=1000, include_seen=True).items) == WORLD.n_items
        assert len(client.predict_ratings(1, ["i5"] * 10_000).ratings) == 10_000
        assert {item.title for item in client.get_items(["i5"] * 10_000).items} == {"Title of i5"}


def test_every_method_of_the_schema_is_answered(server: Server) -> None:
    with channel_to(server) as channel:
        for method in pb.DESCRIPTOR.services_by_name["Recommender"].methods:
            code, _ = refusal(channel.unary_unary(f"/matinee.v1.Recommender/{method.name}"), b"")
            assert code is grpc.StatusCode.INVALID_ARGUMENT


def test_a_method_that_does_not_exist_is_unimplemented(server: Server) -> None:
    with channel_to(server) as channel:
        code, _ = refusal(channel.unary_unary("/matinee.v1.Recommender/Dance"), b"")
        assert code is grpc.StatusCode.UNIMPLEMENTED
