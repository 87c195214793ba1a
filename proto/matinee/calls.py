"""Every method as a request and a reader of its answer: what the clients with and without asyncio share."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from matinee import reading
from matinee.answers import Items, PredictedRatings, Recommendations, RecommendationsFromRatings, UserRecommendations
from matinee.errors import InvalidArgumentError
from matinee.options import CallOptions, Filters, Id, KnownUserFilters, UserFilters
from matinee.v1 import recommender_pb2 as pb

Answer = TypeVar("Answer", covariant=True)
_Request = TypeVar("_Request", bound=Message)

_BATCH_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """One call of one method."""

    method: str
    """The schema's name of it."""
    request: Message
    """What is sent."""
    read: Callable[[Any], Answer]
    """Makes the answer of the method's response; of a stream, of each of its messages."""
    timeout_s: float | None
    """The deadline, in seconds from when it is sent; the client's own where None."""
    request_id: str
    """What the server's log calls the request."""


def recommend(user_id: Id, k: int, options: KnownUserFilters) -> Call[Recommendations]:
    """Raises InvalidArgumentError, as all of these do, where a value is none that the wire can carry."""
    request = _request(pb.RecommendRequest, options, user_id=str(user_id), k=k)
    return _call("Recommend", request, reading.recommendations, options)


def similar_items(item_id: Id, k: int, options: Filters) -> Call[Recommendations]:
    """The call of SimilarItems."""
    request = _request(pb.SimilarItemsRequest, options, item_id=str(item_id), k=k)
    return _call("SimilarItems", request, reading.similar_items, options)


def predict_ratings(user_id: Id, item_ids: Iterable[Id], options: CallOptions) -> Call[PredictedRatings]:
    """The call of PredictRatings."""
    request = _request(pb.PredictRatingsRequest, options, user_id=str(user_id), item_ids=_texts("item_ids", item_ids))
    return _call("PredictRatings", request, reading.predicted_ratings, options)


def get_items(item_ids: Iterable[Id], options: CallOptions) -> Call[Items]:
    """The call of GetItems."""
    request = _request(pb.GetItemsRequest, options, item_ids=_texts("item_ids", item_ids))
    return _call("GetItems", request, reading.items, options)


def recommend_from_ratings(
    ratings: Mapping[str, float] | Mapping[int, float], k: int, options: UserFilters
) -> Call[RecommendationsFromRatings]:
    """The call of RecommendFromRatings."""
    rated = [{"item_id": str(item_id), "rating": rating} for item_id, rating in ratings.items()]
    request = _request(pb.RecommendFromRatingsRequest, options, ratings=rated, k=k)
    return _call("RecommendFromRatings", request, reading.recommendations_from_ratings, options)


def batch_recommend(user_ids: Iterable[Id], k: int, options: KnownUserFilters) -> Call[Iterator[UserRecommendations]]:
    """The call of BatchRecommend. It may take minutes, and so may its deadline."""
    request = _request(pb.BatchRecommendRequest, options, user_ids=_texts("user_ids", user_ids), k=k)
    return _call("BatchRecommend", request, reading.user_recommendations, {"timeout_s": _BATCH_TIMEOUT_S, **options})


def _call(method: str, request: Message, read: Callable[[Any], Answer], options: Mapping[str, Any]) -> Call[Answer]:
    request_id = options.get("request_id") or uuid.uuid4().hex
    return Call(method, request, read, options.get("timeout_s"), request_id)


def _request(kind: type[_Request], options: Mapping[str, object], **fields: object) -> _Request:
    """A request of `fields` and those of the `options` that are fields too."""
    given = {name: value for name, value in options.items() if name not in CallOptions.__annotations__}
    if given and (unknown := given.keys() - kind.DESCRIPTOR.fields_by_name.keys()):
        raise TypeError(f"{min(unknown)} is no field of {kind.DESCRIPTOR.name} and no option of a call")
    try:
        return kind(**fields, **{name: _value(name, value) for name, value in given.items()})
    except ValueError as error:
        raise InvalidArgumentError(str(error), "INVALID_ARGUMENT") from error


def _value(name: str, value: object) -> object:
    return _texts(name, value) if isinstance(value, Iterable) else value


def _texts(name: str, values: Iterable[object]) -> list[str]:
    # Its characters would be taken for ids.
    if isinstance(values, str | bytes):
        raise TypeError(f"{name} is one string, {values!r}, and must be several, such as a list")
    return [str(value) for value in values]
