"""Calls that come together are answered as each would be alone."""

from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matinee.v1 import recommender_pb2 as pb
from matinee.v1 import recommender_pb2_grpc as pb_grpc
from server import rpc
from server.retriever import Retriever
from server.rpc import Method, Refusal
from tests.fuzz.handlers import Nobody, methods
from tests.fuzz.messages import messages
from tests.server.running import channel_to, every_share_seen, opened, publish, running
from tests.world import oracle

WORLD = every_share_seen()
USERS = [str(row + 1) for row in range(WORLD.n_users)]


class Late(Nobody):
    """A caller whose deadline has passed."""

    def time_remaining(self) -> float | None:
        return -1.0


usual = st.builds(pb.RecommendRequest, user_id=st.sampled_from([*USERS, "nobody"]), k=st.sampled_from([1, 10, 1000]))
odd = messages(pb.RecommendRequest)
requests = st.one_of(usual, usual, odd).map(lambda message: message.SerializeToString())
calls = st.lists(
    st.tuples(st.one_of(requests, requests, requests, st.binary(max_size=20)), st.sampled_from([Nobody(), Late()])),
    max_size=20,
)


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Retriever:
    return Retriever(opened(tmp_path_factory.mktemp("store"), WORLD))


def told(outcome: bytes | Refusal) -> object:
    if isinstance(outcome, Refusal):
        return outcome.code, outcome.text
    return pb.RecommendResponse.FromString(outcome)


def alone(method: Method, request: bytes, caller: Nobody) -> bytes | Refusal:
    try:
        return method.unary(request, caller)
    except Refusal as refusal:
        return refusal


@settings(max_examples=200, deadline=None)
@given(calls=calls)
def test_each_gets_what_it_would_get_alone(retriever: Retriever, calls: Sequence[tuple[bytes, Nobody]]) -> None:
    method = methods(retriever)["Recommend"]
    with patch.object(rpc, "_logger") as logger:
        assert list(map(told, method.together(calls))) == [told(alone(method, *call)) for call in calls]
    # Else they would have been answered one by one after all.
    logger.exception.assert_not_called()


def test_a_bug_that_one_brings_out_costs_no_other_its_answer(
    retriever: Retriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    row_of = type(retriever._catalogue.user_ids).row

    def row(ids: object, text: str) -> int | None:
        if text == "3":
            raise ZeroDivisionError
        return row_of(ids, text)  # type: ignore[arg-type]

    monkeypatch.setattr(type(retriever._catalogue.user_ids), "row", row)
    method = methods(retriever)["Recommend"]
    calls = [(pb.RecommendRequest(user_id=user_id).SerializeToString(), Nobody()) for user_id in "12345"]
    outcomes = method.together(calls)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    assert [refusal.code.name for refusal in refused] == ["INTERNAL"]
    assert [told(outcome) for outcome in outcomes] == [told(alone(method, *call)) for call in calls]


def test_every_one_of_many_at_once_gets_its_own_answer(tmp_path: Path, transport: str) -> None:
    publish(tmp_path, WORLD)
    with running(tmp_path, max_concurrent=1000) as server, channel_to(server) as channel:
        ask = pb_grpc.RecommenderStub(channel).Recommend
        rows = [row % WORLD.n_users for row in range(200)]
        ks = [1 + row % 3 for row in range(200)]
        asked = [ask.future(pb.RecommendRequest(user_id=USERS[row], k=k)) for row, k in zip(rows, ks, strict=True)]
        for row, k, answer in zip(rows, ks, asked, strict=True):
            expected = oracle(WORLD, row, k, WORLD.catalogue.seen[row].tolist())
            found = [item.item_id for item in answer.result(60).items]
            assert found == [WORLD.catalogue.item_ids[item] for item in expected]
