"""What is put on the wire by hand is what protobuf would have put there."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from matinee.v1 import recommender_pb2 as pb
from server.ranked import Labels, Ranked
from server.wire import delimited, tag, varint
from training.columns import Ids, Strings

texts = st.one_of(st.text(max_size=20), st.integers(0, 20_000).map("é".__mul__))
scores = st.floats(allow_nan=False)


def ranked(titles: list[str], rows_scores: list[float]) -> Ranked:
    ids, _ = Ids.of([f"item {place}" for place in range(len(titles))])
    return Ranked(np.arange(len(titles))[::-1], np.array(rows_scores, np.float64), Labels(ids, Strings.of(titles)))


@given(st.lists(st.tuples(texts, scores), max_size=30))
def test_a_ranked_list_is_encoded_as_protobuf_encodes_its_items(items: list[tuple[str, float]]) -> None:
    found = ranked([title for title, _ in items], [score for _, score in items])
    expected = pb.RecommendResponse(
        items=[pb.ScoredItem(item_id=item.item_id, score=item.score, title=item.title) for item in found]
    )
    assert pb.RecommendResponse.FromString(found.encoded(tag(pb.RecommendResponse, "items"))) == expected
    # The second time its labels are at hand.
    assert pb.RecommendResponse.FromString(found.encoded(tag(pb.RecommendResponse, "items"))) == expected


@given(st.lists(scores, min_size=3, max_size=9), st.integers(0, 9), st.integers(0, 9))
def test_a_ranked_list_is_a_sequence_of_its_items(values: list[float], start: int, stop: int) -> None:
    found = ranked(["title"] * len(values), values)
    items = list(found)
    assert [item.score for item in items] == values
    assert [found[at] for at in range(len(found))] == items
    assert found[start:stop] == items[start:stop]
    assert found != items[:-1]


@given(st.integers(0, (1 << 31) - 1))
def test_numbers_are_encoded_as_protobuf_encodes_them(number: int) -> None:
    k = pb.RecommendRequest.DESCRIPTOR.fields_by_name["k"].number
    assert varint(k << 3) + varint(number) == pb.RecommendRequest(k=number).SerializeToString()


def test_messages_within_messages_are_encoded_as_protobuf_encodes_them() -> None:
    user = pb.UserRecommendations(user_id="u" * 300, is_unknown=True)
    answer = pb.BatchRecommendResponse(users=[user, user], model_version="v")
    by_hand = (tag(pb.BatchRecommendResponse, "users") + delimited(user.SerializeToString())) * 2
    assert by_hand + pb.BatchRecommendResponse(model_version="v").SerializeToString() == answer.SerializeToString()
