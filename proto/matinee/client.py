"""The client: one channel, kept; typed answers; a deadline on every call; errors as exceptions of `matinee.errors`."""

import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import NoReturn, Protocol, Self, TypeVar, cast

import grpc

from matinee.answers import Item, Items, PredictedRating, PredictedRatings, Recommendations, ScoredItem, ScoreKind
from matinee.errors import (
    DeadlineExceededError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    ResourceExhaustedError,
    ServiceError,
    UnavailableError,
)
from matinee.v1 import recommender_pb2 as pb
from matinee.v1 import recommender_pb2_grpc as pb_grpc

ERRORS: dict[grpc.StatusCode, type[ServiceError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgumentError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPreconditionError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceededError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhaustedError,
}
"""Any other code is a plain ServiceError."""

_SCORE_KINDS: dict[int, ScoreKind] = {
    # A server from before there were preferences.
    pb.SCORE_KIND_UNSPECIFIED: "rating",
    pb.SCORE_KIND_RATING: "rating",
    pb.SCORE_KIND_PREFERENCE: "preference",
}

_OPTIONS = [
    # The answers to 10,000 ids may be longer than gRPC's default of 4 MiB.
    ("grpc.max_receive_message_length", 64 << 20),
    # A server that was just started is found soon, and one that is gone is not hammered.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5_000),
]
# grpc.health.v1 by its bytes, so that the client needs no further package: an empty request asks for the whole server.
_HEALTH_CHECK = "/grpc.health.v1.Health/Check"
_SERVING = b"\x08\x01"
_READY_POLL_S = 0.05

_Request = TypeVar("_Request", contravariant=True)
_Response = TypeVar("_Response", covariant=True)


class _Method(Protocol[_Request, _Response]):
    def __call__(self, request: _Request, *, timeout: float) -> _Response: ...


class Client:
    """Asks one server; safe to share between threads, and to be made once and kept.

    >>> with Client("127.0.0.1:50051") as client:
    ...     for item in client.recommend("42", k=5).items:
    ...         print(item.title, item.score)

    Ids are strings; an int is written in decimal. Every method raises a ServiceError: InvalidArgumentError,
    NotFoundError, UnavailableError, DeadlineExceededError after `timeout_s` seconds, ResourceExhaustedError;
    `predict_ratings` also FailedPreconditionError.
    """

    def __init__(self, address: str = "127.0.0.1:50051", timeout_s: float = 1.0) -> None:
        self.address = address
        self.timeout_s = timeout_s
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._stub = pb_grpc.RecommenderStub(self._channel)
        self._check: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(_HEALTH_CHECK)

    def recommend(
        self,
        user_id: str | int,
        k: int = 10,
        *,
        include_seen: bool = False,
        exclude_item_ids: Iterable[str | int] = (),
    ) -> Recommendations:
        """The `k` items with the highest score, best first; without those the user has seen by default.

        Scores are predicted ratings, or preferences of a model that was trained to rank: the answer's `score_kind`.
        `k`: 1 to 1,000. Fewer come back only where fewer exist. Unknown `exclude_item_ids` are ignored.
        """
        request = _valid(
            lambda: pb.RecommendRequest(
                user_id=str(user_id), k=k, include_seen=include_seen, exclude_item_ids=map(str, exclude_item_ids)
            )
        )
        response = self._call(self._stub.Recommend, request)
        kind = _SCORE_KINDS.get(response.score_kind, "unknown")
        return Recommendations(_scored(response.items), response.model_version, kind)

    def similar_items(
        self, item_id: str | int, k: int = 10, *, exclude_item_ids: Iterable[str | int] = ()
    ) -> Recommendations:
        """The `k` items most like one item, most alike first, never the item itself. `k`: 1 to 1,000."""
        request = _valid(
            lambda: pb.SimilarItemsRequest(item_id=str(item_id), k=k, exclude_item_ids=map(str, exclude_item_ids))
        )
        response = self._call(self._stub.SimilarItems, request)
        return Recommendations(_scored(response.items), response.model_version, "cosine")

    def predict_ratings(self, user_id: str | int, item_ids: Iterable[str | int]) -> PredictedRatings:
        """What the model predicts that the user would rate each of 1 to 10,000 items, in their order.

        Raises FailedPreconditionError where the model was trained to rank: its scores are preferences, not ratings.
        """
        request = _valid(lambda: pb.PredictRatingsRequest(user_id=str(user_id), item_ids=map(str, item_ids)))
        response = self._call(self._stub.PredictRatings, request)
        ratings = tuple(PredictedRating(rating.item_id, rating.rating) for rating in response.ratings)
        return PredictedRatings(ratings, response.model_version)

    def get_items(self, item_ids: Iterable[str | int]) -> Items:
        """Title and tags of each of 1 to 10,000 items, in their order."""
        response = self._call(self._stub.GetItems, _valid(lambda: pb.GetItemsRequest(item_ids=map(str, item_ids))))
        items = tuple(Item(item.item_id, item.title, tuple(item.tags)) for item in response.items)
        return Items(items, response.model_version)

    def wait_until_ready(self, timeout_s: float = 30.0) -> None:
        """Return once the server is there and has a model. Raises UnavailableError after `timeout_s` seconds."""
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                if self._check(b"", timeout=left_s, wait_for_ready=True) == _SERVING:
                    return
            except grpc.RpcError as error:
                if cast("grpc.Call", error).code() not in _NOT_YET:
                    self._raise(error, timeout_s)
            time.sleep(min(_READY_POLL_S, max(0.0, deadline - time.monotonic())))
        raise UnavailableError(f"the server at {self.address} is not ready after {timeout_s:g} s", "UNAVAILABLE")

    def is_reachable(self) -> bool:
        """Whether a server answers there, be it without a model."""
        try:
            self._check(b"", timeout=self.timeout_s)
        except grpc.RpcError:
            return False
        return True

    def close(self) -> None:
        """Close the channel; the client can't be used any more."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, method: _Method[_Request, _Response], request: _Request) -> _Response:
        try:
            return method(request, timeout=self.timeout_s)
        except grpc.RpcError as error:
            self._raise(error, self.timeout_s)

    def _raise(self, error: grpc.RpcError, timeout_s: float) -> NoReturn:
        # What a blocking call raises is a Call too; the stubs do not say so.
        call = cast("grpc.Call", error)
        code, details = call.code(), call.details() or ""
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            details = f"no answer within {timeout_s:g} s"
        raise ERRORS.get(code, ServiceError)(f"{self.address}: {details}", code.name) from error


_NOT_YET = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


def _valid(make: Callable[[], _Response]) -> _Response:
    """The request that `make` makes. Raises InvalidArgumentError where a value is none that the wire can carry."""
    try:
        return make()
    except ValueError as error:
        raise InvalidArgumentError(str(error), grpc.StatusCode.INVALID_ARGUMENT.name) from error


def _scored(items: Iterable[pb.ScoredItem]) -> tuple[ScoredItem, ...]:
    return tuple(ScoredItem(item.item_id, item.score, item.title) for item in items)
