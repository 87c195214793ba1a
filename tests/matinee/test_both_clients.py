"""What both clients do alike, over real sockets: each test runs with and without asyncio."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from matinee.answers import (
    Item,
    PredictedRating,
    Recommendations,
    RecommendationsFromRatings,
    ScoredItem,
    UserRecommendations,
)
from matinee.connection import Retry
from matinee.errors import (
    DeadlineExceededError,
    InvalidArgumentError,
    NotFoundError,
    ResourceExhaustedError,
    ServiceError,
    UnavailableError,
    UsageError,
)
from matinee.failures import ERRORS
from matinee.hedging import Hedging
from matinee.v1 import recommender_pb2 as pb
from server import request_ids
from tests.fuzz.worlds import WORLDS
from tests.matinee.fake import CLIENTS, Answer, refusing, serving
from tests.server.running import publish, running
from tests.world import checker_board, oracle

PATIENT_S = 30.0
SCORED = pb.ScoredItem(item_id="i", score=0.5, title="I")
SCORED_ITEM = ScoredItem("i", 0.5, "I")

Make = Callable[..., Any]


@pytest.fixture(params=CLIENTS)
def make(request: pytest.FixtureRequest) -> Make:
    """Makes the client of one kind."""
    kind: Make = CLIENTS[request.param]
    return lambda address, **options: kind(address, **{"timeout_s": PATIENT_S, **options})


def answering(response: Any) -> Answer:
    return lambda *_: iter(response) if isinstance(response, list) else response


EVERY_METHOD: dict[str, tuple[Callable[[Any], Any], Any, Any, Any]] = {
    "Recommend": (
        lambda client: client.recommend(
            7,
            3,
            include_seen=True,
            exclude_item_ids=[1, "2"],
            only_item_ids=iter(["3"]),
            any_tags={"Drama"},
            no_tags=("War",),
            item_bias_weight=-0.5,
            popular_if_unknown=True,
        ),
        pb.RecommendRequest(
            user_id="7",
            k=3,
            include_seen=True,
            exclude_item_ids=["1", "2"],
            only_item_ids=["3"],
            any_tags=["Drama"],
            no_tags=["War"],
            item_bias_weight=-0.5,
            popular_if_unknown=True,
        ),
        pb.RecommendResponse(items=[SCORED], model_version="v", score_kind=pb.SCORE_KIND_WEIGHTED),
        Recommendations((SCORED_ITEM,), "v", "weighted"),
    ),
    "SimilarItems": (
        lambda client: client.similar_items(
            "i", exclude_item_ids=["1"], only_item_ids=["2"], any_tags=["a"], no_tags=["b"]
        ),
        pb.SimilarItemsRequest(
            item_id="i", k=10, exclude_item_ids=["1"], only_item_ids=["2"], any_tags=["a"], no_tags=["b"]
        ),
        pb.SimilarItemsResponse(items=[SCORED], model_version="v"),
        Recommendations((SCORED_ITEM,), "v", "cosine"),
    ),
    "PredictRatings": (
        lambda client: client.predict_ratings(7, ["i"]).ratings,
        pb.PredictRatingsRequest(user_id="7", item_ids=["i"]),
        pb.PredictRatingsResponse(ratings=[pb.PredictedRating(item_id="i", rating=4.5)]),
        (PredictedRating("i", 4.5),),
    ),
    "GetItems": (
        lambda client: client.get_items([1]).items,
        pb.GetItemsRequest(item_ids=["1"]),
        pb.GetItemsResponse(items=[pb.Item(item_id="1", title="I", tags=["a", "b"])]),
        (Item("1", "I", ("a", "b")),),
    ),
    "RecommendFromRatings": (
        lambda client: client.recommend_from_ratings(
            {1: 4.5, 2: 3}, 5, include_seen=True, no_tags=["a"], item_bias_weight=None
        ),
        pb.RecommendFromRatingsRequest(
            ratings=[pb.Rating(item_id="1", rating=4.5), pb.Rating(item_id="2", rating=3)],
            k=5,
            include_seen=True,
            no_tags=["a"],
        ),
        pb.RecommendFromRatingsResponse(
            items=[SCORED], model_version="v", score_kind=pb.SCORE_KIND_PREFERENCE, ignored_item_ids=["2"]
        ),
        RecommendationsFromRatings((SCORED_ITEM,), "v", "preference", ("2",)),
    ),
    "BatchRecommend": (
        lambda client: list(client.batch_recommend([1, "2", 1], 5, any_tags=["a"], popular_if_unknown=True)),
        pb.BatchRecommendRequest(user_ids=["1", "2", "1"], k=5, any_tags=["a"], popular_if_unknown=True),
        [
            pb.BatchRecommendResponse(
                model_version="v",
                users=[
                    pb.UserRecommendations(user_id="1", items=[SCORED], score_kind=pb.SCORE_KIND_RATING),
                    pb.UserRecommendations(
                        user_id="2", items=[SCORED], is_unknown=True, score_kind=pb.SCORE_KIND_POPULARITY
                    ),
                ],
            ),
            pb.BatchRecommendResponse(
                model_version="v", users=[pb.UserRecommendations(user_id="1", score_kind=pb.SCORE_KIND_RATING)]
            ),
        ],
        [
            UserRecommendations((SCORED_ITEM,), "v", "rating", "1", False),
            UserRecommendations((SCORED_ITEM,), "v", "popularity", "2", True),
            UserRecommendations((), "v", "rating", "1", False),
        ],
    ),
}


def test_every_method_of_the_schema_is_asked_and_read() -> None:
    assert list(EVERY_METHOD) == [method.name for method in pb.DESCRIPTOR.services_by_name["Recommender"].methods]


@pytest.mark.parametrize("method", EVERY_METHOD)
def test_what_is_asked_goes_out_and_what_comes_back_is_typed(make: Make, method: str) -> None:
    ask, request, response, answer = EVERY_METHOD[method]
    with serving({method: answering(response)}) as fake, make(fake.address) as client:
        assert ask(client) == answer
    assert [asked.request for asked in fake.asked] == [request]


@pytest.mark.parametrize("method", EVERY_METHOD)
def test_every_method_tells_its_refusals_with_the_request_id(make: Make, method: str) -> None:
    def refuse(_: Any, context: grpc.ServicerContext) -> Any:
        context.abort(grpc.StatusCode.NOT_FOUND, "who is that?")

    ask, *_ = EVERY_METHOD[method]
    with serving({method: refuse}) as fake, make(fake.address) as client:
        with pytest.raises(NotFoundError, match=r"127\.0\.0\.1:\d+: who is that\?") as caught:
            ask(client)
        assert caught.value.request_id == fake.asked[0].metadata["x-request-id"] != ""


def test_every_status_is_a_service_error_that_carries_it(make: Make) -> None:
    codes = iter([code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
    with (
        serving({"Recommend": lambda _, context: context.abort(code, "as told")}) as fake,
        make(fake.address, retry=Retry(max_attempts=1)) as client,
    ):
        for code in codes:
            with pytest.raises(ServiceError) as caught:
                client.recommend(1)
            assert type(caught.value) is ERRORS.get(code, ServiceError)
            assert caught.value.status == code.name


def test_a_request_has_the_callers_id_or_one_of_its_own(make: Make) -> None:
    with serving({"Recommend": answering(pb.RecommendResponse())}) as fake, make(fake.address) as client:
        client.recommend(1, request_id="order-17")
        client.recommend(1)
        client.recommend(1)
        for wrong in ("a\nb", "é", "-a", "a b", "a" * 129):
            with pytest.raises(UsageError, match=r"request_id is .* 1 to 128 letters, digits"):
                client.recommend(1, request_id=wrong)
    ids = [asked.metadata["x-request-id"] for asked in fake.asked]
    assert ids[0] == "order-17"
    assert len(set(ids)) == 3


def test_the_server_takes_every_id_that_the_client_sends(make: Make) -> None:
    sent = ["order-17", "a" * 128, "0/a.b_c:d@e+f=g"]
    with serving({"Recommend": answering(pb.RecommendResponse())}) as fake, make(fake.address) as client:
        for request_id in sent:
            client.recommend(1, request_id=request_id)
        client.recommend(1)
        assert [request_ids.sent(asked.context) for asked in fake.asked[:3]] == sent
        assert request_ids.sent(fake.asked[3].context) == fake.asked[3].metadata["x-request-id"]


def test_what_no_message_can_carry_is_refused_before_it_is_sent(make: Make) -> None:
    with make("127.0.0.1:1") as client:
        with pytest.raises(InvalidArgumentError, match="1099511627776"):
            client.recommend(1, k=2**40)
        with pytest.raises(TypeError, match="any_tags is one string, 'Drama', and must be several"):
            client.recommend(1, any_tags="Drama")
        with pytest.raises(TypeError, match="item_ids is one string"):
            client.get_items("12")
        with pytest.raises(TypeError, match="exclude is no field of RecommendRequest"):
            client.recommend(1, exclude=["2"])
        with pytest.raises(TypeError, match="include_seen is no field of SimilarItemsRequest"):
            client.similar_items(1, include_seen=True)


def test_a_call_may_have_a_deadline_of_its_own(make: Make) -> None:
    released = threading.Event()
    with (
        serving({"Recommend": lambda *_: released.wait(PATIENT_S), "BatchRecommend": never(released)}) as fake,
        make(fake.address) as client,
    ):
        with pytest.raises(DeadlineExceededError, match=r"no answer within 0\.2 s"):
            client.recommend(1, timeout_s=0.2)
        with pytest.raises(DeadlineExceededError, match=r"no answer within 0\.3 s"):
            list(client.batch_recommend([1], timeout_s=0.3))
        released.set()


def never(released: threading.Event) -> Answer:
    def answers(*_: Any) -> Iterator[pb.BatchRecommendResponse]:
        released.wait(PATIENT_S)
        yield from ()

    return answers


def test_every_call_has_a_deadline(make: Make) -> None:
    # It takes connections and never says a word.
    with (
        socket.create_server(("127.0.0.1", 0)) as mute,
        make(f"127.0.0.1:{mute.getsockname()[1]}", timeout_s=0.3) as client,
        pytest.raises(DeadlineExceededError, match=r"no answer within 0\.3 s"),
    ):
        client.recommend(1)


def test_nobody_there_is_unavailable_with_the_address(make: Make) -> None:
    with make("127.0.0.1:1") as client:
        with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1: .*refused"):
            client.recommend(1)
        assert not client.is_reachable()
        with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1 is not ready after 0\.2 s"):
            client.wait_until_ready(timeout_s=0.2)


def test_a_server_without_a_model_is_reachable_and_ready_once_it_has_one(make: Make, tmp_path: Path) -> None:
    with running(tmp_path) as server, make(str(server.address)) as client:
        assert client.is_reachable()
        with pytest.raises(UnavailableError, match="not ready after"):
            client.wait_until_ready(timeout_s=0.2)
        publish(tmp_path, checker_board())
        client.wait_until_ready(timeout_s=60.0)
        assert client.recommend(0).items


def test_the_server_answers_every_method(make: Make, tmp_path: Path) -> None:
    world = WORLDS["rating"]
    publish(tmp_path, world)
    ids, seen = world.catalogue.item_ids, world.catalogue.seen
    with running(tmp_path) as server, make(str(server.address)) as client:
        odd = client.recommend(7, k=50, any_tags=["odd"], exclude_item_ids=["i3"])
        taste = client.recommend(7, k=3, item_bias_weight=0)
        popular = client.recommend("nobody", k=3, popular_if_unknown=True)
        alike = client.similar_items("i3", only_item_ids=["i3", "i5"])
        new = client.recommend_from_ratings({"i3": 5, "x": 1}, k=3)
        batch = list(client.batch_recommend([7, "nobody", 7], k=3))
        assert client.get_items(["i3"]).items[0].title == "Title of i3"
        assert client.predict_ratings(7, ["i3", "i3"]).ratings[0].item_id == "i3"
    rows = [row for row in range(world.n_items) if row % 2 and ids[row] != "i3" and row not in seen[6]]
    assert {item.item_id for item in odd.items} == {ids[row] for row in rows}
    assert (odd.score_kind, taste.score_kind, popular.score_kind) == ("rating", "weighted", "popularity")
    assert [item.item_id for item in alike.items] == ["i5"]
    assert (new.ignored_item_ids, len(new.items)) == (("x",), 3)
    best = [ids[row] for row in oracle(world, 6, 3, seen[6])]
    assert [[item.item_id for item in answer.items] for answer in batch] == [best, [], best]
    assert [(answer.user_id, answer.is_unknown) for answer in batch] == [("7", False), ("nobody", True), ("7", False)]


def test_a_server_without_health_is_reachable_and_never_ready(make: Make) -> None:
    with serving({}) as fake, make(fake.address) as client:
        assert client.is_reachable()
        with pytest.raises(ServiceError) as caught:
            client.wait_until_ready(timeout_s=PATIENT_S)
        assert caught.value.status == "UNIMPLEMENTED"


# Streams.


def users(*ids: str) -> pb.BatchRecommendResponse:
    return pb.BatchRecommendResponse(users=[pb.UserRecommendations(user_id=user_id) for user_id in ids])


def test_a_batch_is_answered_while_the_rest_is_worked_on(make: Make) -> None:
    released = threading.Event()

    def answers(*_: Any) -> Iterator[pb.BatchRecommendResponse]:
        yield users("1", "2")
        assert released.wait(PATIENT_S)
        yield users("3")

    with serving({"BatchRecommend": answers}) as fake, make(fake.address) as client:
        batch = client.batch_recommend([1, 2, 3])
        assert [next(batch).user_id, next(batch).user_id] == ["1", "2"]
        released.set()
        assert [answer.user_id for answer in batch] == ["3"]


def test_a_batch_that_fails_half_way_says_so_after_what_came(make: Make) -> None:
    def answers(_: Any, context: grpc.ServicerContext) -> Iterator[pb.BatchRecommendResponse]:
        yield users("1")
        context.abort(grpc.StatusCode.UNAVAILABLE, "the server stops")

    with serving({"BatchRecommend": answers}) as fake, make(fake.address) as client:
        batch = client.batch_recommend([1, 2])
        assert next(batch).user_id == "1"
        with pytest.raises(UnavailableError, match="the server stops"):
            next(batch)
        assert fake.n_asked == 1


def test_a_batch_that_is_not_read_to_its_end_is_cancelled(make: Make) -> None:
    ended = threading.Event()

    def answers(_: Any, context: grpc.ServicerContext) -> Iterator[pb.BatchRecommendResponse]:
        context.add_callback(ended.set)
        while context.is_active():
            yield users("1")

    with serving({"BatchRecommend": answers}) as fake, make(fake.address) as client:
        batch = client.batch_recommend(range(1_000))
        assert next(batch).user_id == "1"
        batch.close()
        assert ended.wait(PATIENT_S)


# Retries.


def test_an_unavailable_server_is_asked_again(make: Make) -> None:
    with (
        serving({"Recommend": refusing(grpc.StatusCode.UNAVAILABLE, 2)}) as fake,
        make(fake.address) as client,
    ):
        assert client.recommend(1, request_id="r").model_version == "v"
    assert [asked.metadata["x-request-id"] for asked in fake.asked] == ["r"] * 3
    assert [asked.metadata.get("grpc-previous-rpc-attempts") for asked in fake.asked] == [None, "1", "2"]


def test_a_long_batch_is_sent_again_too(make: Make) -> None:
    failing = iter([True, False])

    def answers(_: Any, context: grpc.ServicerContext) -> Iterator[pb.BatchRecommendResponse]:
        if next(failing):
            context.abort(grpc.StatusCode.UNAVAILABLE, "as told")
        yield users("1")

    with serving({"BatchRecommend": answers}) as fake, make(fake.address) as client:
        assert [answer.user_id for answer in client.batch_recommend(["1" * 1_000] * 1_000)] == ["1"]
        assert fake.n_asked == 2


def test_attempts_end_and_the_last_refusal_is_told(make: Make) -> None:
    with (
        serving({"Recommend": refusing(grpc.StatusCode.UNAVAILABLE, 9)}) as fake,
        make(fake.address, retry=Retry(max_attempts=2)) as client,
    ):
        with pytest.raises(UnavailableError, match="as told"):
            client.recommend(1)
        assert fake.n_asked == 2


@pytest.mark.parametrize("code", [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INTERNAL])
def test_other_failures_are_told_at_once(make: Make, code: grpc.StatusCode) -> None:
    with serving({"Recommend": refusing(code, 1)}) as fake, make(fake.address) as client:
        with pytest.raises(ServiceError):
            client.recommend(1)
        assert fake.n_asked == 1


HEDGING = Hedging(delay_ms=PATIENT_S * 1000, max_attempts=3)


@pytest.mark.parametrize("retry", [Retry(), HEDGING], ids=["retry", "hedging"])
def test_a_server_that_sheds_load_is_left_alone_for_as_long_as_it_says(make: Make, retry: Any) -> None:
    came: list[float] = []
    shed = refusing(grpc.StatusCode.RESOURCE_EXHAUSTED, 1, pushback_ms=700)

    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        came.append(time.monotonic())
        return shed(request, context)

    with serving({"Recommend": answer}) as fake, make(fake.address, retry=retry) as client:
        assert client.recommend(1).model_version == "v"
    # Longer than any back-off of ours, and no upper limit: the machine may be busy.
    assert came[1] - came[0] > 0.6


@pytest.mark.parametrize("retry", [Retry(), HEDGING], ids=["retry", "hedging"])
def test_a_server_that_says_never_is_not_asked_again(make: Make, retry: Any) -> None:
    shed = refusing(grpc.StatusCode.RESOURCE_EXHAUSTED, 1, pushback_ms=-1)
    with serving({"Recommend": shed}) as fake, make(fake.address, retry=retry) as client:
        with pytest.raises(ResourceExhaustedError, match="as told"):
            client.recommend(1)
        assert fake.n_asked == 1


@pytest.mark.parametrize("retry", [Retry(initial_backoff_ms=10), HEDGING], ids=["retry", "hedging"])
def test_where_everything_fails_nobody_is_asked_twice(make: Make, retry: Any) -> None:
    with (
        serving({"Recommend": refusing(grpc.StatusCode.UNAVAILABLE, 99)}) as fake,
        make(fake.address, retry=retry) as client,
    ):
        for _ in range(20):
            with pytest.raises(UnavailableError):
                client.recommend(1)
    # Ten tokens, one for each failure; no further attempts from the fifth on.
    assert 20 < fake.n_asked <= 25


# Several servers.


def test_servers_are_asked_by_turns_and_one_that_stops_is_not_missed(make: Make) -> None:
    with ExitStack() as stack:
        fakes = [stack.enter_context(serving({"Recommend": refusing(grpc.StatusCode.OK, 0)})) for _ in range(2)]
        client = stack.enter_context(make([fake.address for fake in fakes]))
        assert client.address == ",".join(fake.address for fake in fakes)
        # Until both connections are there.
        for _ in range(10_000):
            client.recommend(1)
            if all(fake.n_asked for fake in fakes):
                break
        before = [fake.n_asked for fake in fakes]
        for _ in range(10):
            client.recommend(1)
        assert [fake.n_asked - n for fake, n in zip(fakes, before, strict=True)] == [5, 5]
        fakes[0].stop()
        for _ in range(10):
            assert client.recommend(1).model_version == "v"
        assert fakes[0].n_asked == before[0] + 5


# Hedging.


def test_a_slow_attempt_is_overtaken_and_cancelled(make: Make) -> None:
    cancelled = threading.Event()
    first = iter([True])

    def answer(_: Any, context: grpc.ServicerContext) -> pb.RecommendResponse:
        if next(first, False):
            context.add_callback(cancelled.set)
            assert cancelled.wait(PATIENT_S)
        return pb.RecommendResponse(model_version="v")

    with serving({"Recommend": answer}) as fake, make(fake.address, retry=Hedging(delay_ms=20)) as client:
        assert client.recommend(1, request_id="r").model_version == "v"
        assert cancelled.wait(PATIENT_S)
    assert [asked.metadata["x-request-id"] for asked in fake.asked] == ["r"] * 2


def test_an_attempt_that_fails_is_followed_by_the_next_without_a_wait(make: Make) -> None:
    with (
        serving({"Recommend": refusing(grpc.StatusCode.UNAVAILABLE, 2)}) as fake,
        make(fake.address, retry=HEDGING) as client,
    ):
        assert client.recommend(1).model_version == "v"
        assert fake.n_asked == 3


def test_hedging_tells_a_refusal_at_once_and_the_last_failure_at_last(make: Make) -> None:
    with (
        serving({"Recommend": refusing(grpc.StatusCode.NOT_FOUND, 1)}) as fake,
        make(fake.address, retry=HEDGING) as client,
    ):
        with pytest.raises(NotFoundError):
            client.recommend(1)
        assert fake.n_asked == 1
    with (
        serving({"Recommend": refusing(grpc.StatusCode.UNAVAILABLE, 9)}) as fake,
        make(fake.address, retry=HEDGING) as client,
    ):
        with pytest.raises(UnavailableError, match="as told"):
            client.recommend(1)
        assert fake.n_asked == 3


def test_hedged_calls_have_one_deadline(make: Make) -> None:
    released = threading.Event()
    with (
        serving({"Recommend": lambda *_: released.wait(PATIENT_S)}) as fake,
        make(fake.address, retry=Hedging(delay_ms=50, max_attempts=3)) as client,
    ):
        with pytest.raises(DeadlineExceededError, match=r"no answer within 0\.3 s"):
            client.recommend(1, timeout_s=0.3)
        released.set()


@pytest.mark.parametrize("retry", [Retry(), HEDGING], ids=["retry", "hedging"])
def test_a_server_that_is_to_be_left_alone_beyond_the_deadline_is(make: Make, retry: Any) -> None:
    shed = refusing(grpc.StatusCode.RESOURCE_EXHAUSTED, 1, pushback_ms=int(PATIENT_S * 2000))
    with serving({"Recommend": shed}) as fake, make(fake.address, retry=retry) as client:
        with pytest.raises((DeadlineExceededError, ResourceExhaustedError)):
            client.recommend(1, timeout_s=0.3)
        assert fake.n_asked == 1
