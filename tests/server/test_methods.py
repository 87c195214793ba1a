"""Every method over a real socket: what it answers, and with which status it refuses, field by field."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import grpc
import numpy as np
import pytest

from matinee.v1 import recommender_pb2 as pb
from matinee.v1 import recommender_pb2_grpc as pb_grpc
from server.service import Server
from tests.server.running import asking, channel_to, every_share_seen, publish, running
from tests.world import oracle, predicted_ratings

WORLD = replace(
    every_share_seen(),
    description={"rating_scale": [0.5, 5.0], "fold_in": {"penalty": 0.7, "bias_penalty": 0.3}},
)
LONG = "7" * 1025
MANY = ["i1"] * 10_001
NAN = float("nan")


def rated(*ratings: tuple[str, float]) -> pb.RecommendFromRatingsRequest:
    return pb.RecommendFromRatingsRequest(ratings=[pb.Rating(item_id=item, rating=rating) for item, rating in ratings])


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
        # A stream is refused where its first answer would come.
        next(method(request, timeout=30))
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
        ("Recommend", pb.RecommendRequest(user_id="1", only_item_ids=MANY), "only_item_ids", "0 to 10000 ids"),
        ("Recommend", pb.RecommendRequest(user_id="1", only_item_ids=[""]), "only_item_ids[0]", "an id"),
        ("Recommend", pb.RecommendRequest(user_id="1", any_tags=["x"] * 101), "any_tags is a list of 101", "100 tags"),
        ("Recommend", pb.RecommendRequest(user_id="1", no_tags=["x", ""]), "no_tags[1] is empty", "a tag"),
        ("Recommend", pb.RecommendRequest(user_id="1", item_bias_weight=2.5), "item_bias_weight is 2.5", "-1 to 2"),
        ("Recommend", pb.RecommendRequest(user_id="1", item_bias_weight=NAN), "item_bias_weight is nan", "-1 to 2"),
        ("SimilarItems", pb.SimilarItemsRequest(item_id="i1", any_tags=[""]), "any_tags[0] is empty", "a tag"),
        ("SimilarItems", pb.SimilarItemsRequest(item_id="i1", only_item_ids=[LONG]), "only_item_ids[0]", "1024 bytes"),
        ("RecommendFromRatings", pb.RecommendFromRatingsRequest(), "ratings is a list of 0", "1 to 10000 ratings"),
        ("RecommendFromRatings", rated(("", 3.0)), "ratings[0].item_id is empty", "an id"),
        ("RecommendFromRatings", rated(("i1", 3.0), ("i1", 3.0)), "ratings[1].item_id is 'i1' again", "once"),
        ("RecommendFromRatings", rated(("i1", NAN)), "ratings[0].rating is nan", "a number"),
        ("RecommendFromRatings", rated(("i1", 6.0)), "ratings[0].rating is 6", "0.5 to 5"),
        ("BatchRecommend", pb.BatchRecommendRequest(), "user_ids is a list of 0", "1 to 1000000 ids"),
        ("BatchRecommend", pb.BatchRecommendRequest(user_ids=["1", ""]), "user_ids[1] is empty", "an id"),
        ("BatchRecommend", pb.BatchRecommendRequest(user_ids=["1"], k=1001), "k is 1001", "1 to 1000"),
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
        ("RecommendFromRatings", rated(("x", 3.0), ("y", 3.0)), "none of the 2 rated items"),
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


def test_all_filters_go_together(stub: pb_grpc.RecommenderStub) -> None:
    request = pb.RecommendRequest(
        user_id="1",
        k=100,
        only_item_ids=["i1", "i2", "i3", "i4", "i10", "i11", "unheard of"],
        exclude_item_ids=["i3"],
        any_tags=["odd", "unheard of"],
        no_tags=["also unheard of"],
    )
    items = WORLD.catalogue.item_ids
    odd = {items[row] for row in range(WORLD.n_items) if WORLD.catalogue.item_tags[row].tolist() == [1]}
    left = {"i1", "i2", "i4", "i10", "i11"} & odd
    assert {item.item_id for item in stub.Recommend(request).items} == left
    similar = pb.SimilarItemsRequest(item_id="i5", k=100, only_item_ids=request.only_item_ids, any_tags=["odd"])
    assert {item.item_id for item in stub.SimilarItems(similar).items} == (left | ({"i3"} & odd))


def test_scores_say_what_they_are(stub: pb_grpc.RecommenderStub) -> None:
    answers: list[Any] = [
        stub.Recommend(pb.RecommendRequest(user_id="1")),
        stub.Recommend(pb.RecommendRequest(user_id="1", item_bias_weight=0.0)),
        stub.Recommend(pb.RecommendRequest(user_id="nobody", popular_if_unknown=True)),
        stub.RecommendFromRatings(rated(("i1", 5.0))),
    ]
    assert [answer.score_kind for answer in answers] == [
        pb.SCORE_KIND_RATING,
        pb.SCORE_KIND_WEIGHTED,
        pb.SCORE_KIND_POPULARITY,
        pb.SCORE_KIND_RATING,
    ]
    assert all(len(answer.items) == 10 for answer in answers)


def test_a_strangers_unknown_items_are_named(stub: pb_grpc.RecommenderStub) -> None:
    answer = stub.RecommendFromRatings(rated(("x", 1.0), ("i1", 5.0), ("y", 2.0)))
    assert list(answer.ignored_item_ids) == ["x", "y"]
    assert "i1" not in {item.item_id for item in answer.items}


def test_a_batch_is_what_each_user_would_get(stub: pb_grpc.RecommenderStub) -> None:
    user_ids = [str(user % 30 + 1) for user in range(700)]
    messages = list(stub.BatchRecommend(pb.BatchRecommendRequest(user_ids=user_ids, k=50)))
    assert len(messages) > 1
    users = [user for message in messages for user in message.users]
    assert [user.user_id for user in users] == user_ids
    for user in users[:30]:
        if int(user.user_id) > WORLD.n_users:
            assert user.is_unknown
            assert not user.items
            continue
        alone = stub.Recommend(pb.RecommendRequest(user_id=user.user_id, k=50))
        assert list(user.items) == list(alone.items)
        assert user.score_kind == alone.score_kind
        assert {message.model_version for message in messages} == {alone.model_version}


def test_a_batch_gives_unknown_users_the_popular_items_where_asked_for(stub: pb_grpc.RecommenderStub) -> None:
    request = pb.BatchRecommendRequest(user_ids=["nobody", "1"], popular_if_unknown=True)
    nobody, known = next(stub.BatchRecommend(request)).users
    assert nobody.is_unknown
    assert nobody.score_kind == pb.SCORE_KIND_POPULARITY
    assert len(nobody.items) == 10
    assert not known.is_unknown
    assert known.score_kind == pb.SCORE_KIND_RATING


def test_every_method_of_the_schema_is_answered(server: Server) -> None:
    with channel_to(server) as channel:
        for method in pb.DESCRIPTOR.services_by_name["Recommender"].methods:
            call = channel.unary_stream if method.server_streaming else channel.unary_unary
            code, _ = refusal(call(f"/matinee.v1.Recommender/{method.name}"), b"")
            assert code is grpc.StatusCode.INVALID_ARGUMENT


def test_a_method_that_does_not_exist_is_unimplemented(server: Server) -> None:
    with channel_to(server) as channel:
        code, _ = refusal(channel.unary_unary("/matinee.v1.Recommender/Dance"), b"")
        assert code is grpc.StatusCode.UNIMPLEMENTED
