"""The client: one channel, kept; typed answers; a deadline on every call; errors as exceptions of `matinee.errors`."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import grpc
from google.protobuf.message import Message

from matinee import calls, health
from matinee.answers import Items, PredictedRatings, Recommendations, RecommendationsFromRatings, UserRecommendations
from matinee.calls import Call
from matinee.connection import RETRY, Connection, Keywords, Retry, Tls
from matinee.failures import service_errors
from matinee.hedging import Ended, Hedging, Throttle, attempts
from matinee.options import CallOptions, Filters, Id, KnownUserFilters, UserFilters
from matinee.v1 import recommender_pb2_grpc as pb_grpc

_Answer = TypeVar("_Answer")


class Client:
    """Asks one server, or several by turns; safe to share between threads, and to be made once and kept.

    >>> with Client("127.0.0.1:50051") as client:
    ...     for item in client.recommend("42", k=5).items:
    ...         print(item.title, item.score)

    `Connection` says what it is made with, and `matinee.options` what each call takes by keyword: filters, `timeout_s`
    and `request_id`. Ids are strings; an int is written in decimal. Every method raises a ServiceError:
    InvalidArgumentError, NotFoundError, UnavailableError, DeadlineExceededError, ResourceExhaustedError,
    UnauthenticatedError; `predict_ratings` also FailedPreconditionError.
    """

    def __init__(
        self,
        address: str | Sequence[str] = "127.0.0.1:50051",
        timeout_s: float = 1.0,
        *,
        tls: Tls | None = None,
        token: str | Callable[[], str] | None = None,
        retry: Retry | Hedging = RETRY,
    ) -> None:
        self._connection = Connection(address, timeout_s, tls, token, retry)
        self._channel = self._connection.open(grpc.insecure_channel, grpc.secure_channel)
        self._stub = pb_grpc.RecommenderStub(self._channel)
        self._check: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(health.CHECK)
        self._throttle = Throttle()

    @property
    def address(self) -> str:
        """The server's address; of several, with commas between."""
        return str(self._connection)

    def recommend(self, user_id: Id, k: int = 10, **options: Unpack[KnownUserFilters]) -> Recommendations:
        """The `k` items with the highest score, best first; without those the user has rated by default.

        The answer's `score_kind` says what scores are: predicted ratings, or preferences of a model that was trained to
        rank; another kind where the options ask for it. `k`: 1 to 1,000. Fewer come back only where fewer are allowed.
        """
        return self._answer(calls.recommend(user_id, k, options))

    def similar_items(self, item_id: Id, k: int = 10, **options: Unpack[Filters]) -> Recommendations:
        """The `k` items most like one item, most alike first, never the item itself. `k`: 1 to 1,000."""
        return self._answer(calls.similar_items(item_id, k, options))

    def predict_ratings(self, user_id: Id, item_ids: Iterable[Id], **options: Unpack[CallOptions]) -> PredictedRatings:
        """What the model predicts that the user would rate each of 1 to 10,000 items, in their order.

        Raises FailedPreconditionError where the model was trained to rank: its scores are preferences, not ratings.
        """
        return self._answer(calls.predict_ratings(user_id, item_ids, options))

    def get_items(self, item_ids: Iterable[Id], **options: Unpack[CallOptions]) -> Items:
        """Title and tags of each of 1 to 10,000 items, in their order."""
        return self._answer(calls.get_items(item_ids, options))

    def recommend_from_ratings(
        self, ratings: Mapping[str, float] | Mapping[int, float], k: int = 10, **options: Unpack[UserFilters]
    ) -> RecommendationsFromRatings:
        """The `k` items that suit somebody who was not in training, from 1 to 10,000 ratings by item id.

        Ratings are on the scale of the training ratings. Raises NotFoundError where the model knows none of the items.
        """
        return self._answer(calls.recommend_from_ratings(ratings, k, options))

    def batch_recommend(
        self, user_ids: Iterable[Id], k: int = 10, **options: Unpack[KnownUserFilters]
    ) -> Iterator[UserRecommendations]:
        """Recommend for 1 to 1,000,000 users in one request: their answers, in its order, as they come.

        All are of one model version. The request is sent when iterating begins, and the deadline of the whole stream is
        600 s unless `timeout_s` says otherwise. Errors come while iterating, perhaps after some of the answers. An
        iterator that is closed or dropped cancels the rest.
        """
        return self._answers(calls.batch_recommend(user_ids, k, options))

    def wait_until_ready(self, timeout_s: float = 30.0) -> None:
        """Return once a server is there and has a model. Raises UnavailableError after `timeout_s` seconds."""
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            with service_errors(self.address, timeout_s):
                if self._health(left_s, wait_for_ready=True) == health.SERVING:
                    return
            time.sleep(min(health.POLL_S, max(0.0, deadline - time.monotonic())))
        raise health.not_ready(self.address, timeout_s)

    def is_reachable(self) -> bool:
        """Whether a server answers there, be it without a model."""
        try:
            return self._health(self._connection.timeout_s, wait_for_ready=False) is not None
        except grpc.RpcError:
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

    def _answer(self, call: Call[_Answer]) -> _Answer:
        method, keywords = getattr(self._stub, call.method), self._connection.keywords(call)
        with service_errors(self.address, keywords["timeout"], call.request_id):
            if isinstance(self._connection.retry, Hedging):
                response = _first_of(method, call.request, keywords, self._connection.retry, self._throttle)
            else:
                response = method(call.request, **keywords)
        return call.read(response)

    def _answers(self, call: Call[Iterator[_Answer]]) -> Iterator[_Answer]:
        method, keywords = getattr(self._stub, call.method), self._connection.keywords(call)
        stream = method(call.request, **keywords)
        try:
            with service_errors(self.address, keywords["timeout"], call.request_id):
                for response in stream:
                    yield from call.read(response)
        finally:
            stream.cancel()

    def _health(self, timeout_s: float, *, wait_for_ready: bool) -> bytes | None:
        """What a health check answers, None where there is no server. Raises gRPC's errors of one that is."""
        try:
            return self._check(health.WHOLE_SERVER, timeout=timeout_s, wait_for_ready=wait_for_ready)
        except grpc.RpcError as error:
            if health.is_absence(error):
                return None
            raise


def _first_of(method: Any, request: Message, keywords: Keywords, hedging: Hedging, throttle: Throttle) -> Any:
    """The response of the attempt that decides. Raises gRPC's error where it failed."""
    started: list[Any] = []
    ended: SimpleQueue[Any] = SimpleQueue()

    def start(timeout_s: float) -> None:
        started.append(method.future(request, **{**keywords, "timeout": timeout_s}))
        started[-1].add_done_callback(ended.put)

    deciding = attempts(start, keywords["timeout"], hedging, throttle)
    try:
        wait_s = next(deciding)
        while True:
            wait_s = deciding.send(_next_of(ended, wait_s))
    except StopIteration as decided:
        return decided.value.call.result()
    finally:
        for call in started:
            call.cancel()


def _next_of(ended: "SimpleQueue[Any]", wait_s: float) -> Ended | None:
    try:
        call = ended.get(timeout=wait_s)
    except Empty:
        return None
    return Ended(call, call.code(), tuple(call.trailing_metadata() or ()))
