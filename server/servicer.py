"""The methods of `matinee.v1.Recommender`: each checks its request, asks one retriever once, and responds.

A method is a function from its request to its response, or to a stream of them, that raises RequestError;
`server/rpc.py` makes it a handler.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from matinee.v1 import recommender_pb2 as pb
from server.checks import (
    MAX_USERS,
    checked_filters,
    checked_id,
    checked_ids,
    checked_k,
    checked_ratings,
    checked_weight,
)
from server.errors import RequestError, UnknownUserError
from server.filters import EVERYTHING
from server.live import Live
from server.retriever import Options, Recommendations, Retriever
from server.wire import Encoded, delimited, tag

_SCORE_KINDS = {
    "rating": pb.SCORE_KIND_RATING,
    "preference": pb.SCORE_KIND_PREFERENCE,
    "popularity": pb.SCORE_KIND_POPULARITY,
    "weighted": pb.SCORE_KIND_WEIGHTED,
}
_USERS = tag(pb.BatchRecommendResponse, "users")
_ITEMS = tag(pb.RecommendResponse, "items")
_ALIKE = tag(pb.SimilarItemsResponse, "items")
_FOR_STRANGER = tag(pb.RecommendFromRatingsResponse, "items")
_FOR_ONE_OF_MANY = tag(pb.UserRecommendations, "items")


class Recommender:
    """Answers from the bundle that is live when the request comes."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def Recommend(self, request: pb.RecommendRequest) -> Encoded:  # noqa: N802  the schema's name
        """The k unseen items with the highest score for one user."""
        user_id, options = checked_id("user_id", request.user_id), _options(request, request.popular_if_unknown)
        retriever = self._live.retriever()
        return _recommended(retriever, retriever.recommend(user_id, options))

    def RecommendTogether(  # noqa: N802  as the method that it stands for
        self, requests: Sequence[pb.RecommendRequest]
    ) -> list[Encoded | RequestError]:
        """`Recommend` for a few requests that came together; users who are asked for alike are searched as one."""
        retriever = self._live.retriever()
        answers: list[Encoded | RequestError] = []
        alike: dict[Options, list[int]] = defaultdict(list)
        for place, request in enumerate(requests):
            try:
                checked_id("user_id", request.user_id)
                options = _options(request, request.popular_if_unknown)
                if options.filters is EVERYTHING:
                    alike[options].append(place)
                    answers.append(UnknownUserError("user_id", request.user_id))
                else:
                    answers.append(_recommended(retriever, retriever.recommend(request.user_id, options)))
            except RequestError as error:
                answers.append(error)
        for options, places in alike.items():
            together = retriever.recommend_together([requests[place].user_id for place in places], options)
            for place, found in zip(places, together, strict=True):
                if found is not None:
                    answers[place] = _recommended(retriever, found)
        return answers

    def SimilarItems(self, request: pb.SimilarItemsRequest) -> Encoded:  # noqa: N802  the schema's name
        """The k items most like one item."""
        item_id = checked_id("item_id", request.item_id)
        k = checked_k(request.k if request.HasField("k") else None)
        filters = checked_filters(request)
        retriever = self._live.retriever()
        items = retriever.similar(item_id, k, filters)
        rest = pb.SimilarItemsResponse(model_version=retriever.version)
        return Encoded(items.encoded(_ALIKE) + rest.SerializeToString())

    def PredictRatings(  # noqa: N802  the schema's name
        self, request: pb.PredictRatingsRequest
    ) -> pb.PredictRatingsResponse:
        """What one user would rate each of the given items."""
        user_id = checked_id("user_id", request.user_id)
        item_ids = checked_ids("item_ids", request.item_ids, least=1)
        retriever = self._live.retriever()
        ratings = zip(item_ids, retriever.predict(user_id, item_ids), strict=True)
        return pb.PredictRatingsResponse(
            ratings=[pb.PredictedRating(item_id=item_id, rating=rating) for item_id, rating in ratings],
            model_version=retriever.version,
        )

    def GetItems(self, request: pb.GetItemsRequest) -> pb.GetItemsResponse:  # noqa: N802  the schema's name
        """Titles and tags of the given items."""
        item_ids = checked_ids("item_ids", request.item_ids, least=1)
        retriever = self._live.retriever()
        items = [pb.Item(item_id=item.item_id, title=item.title, tags=item.tags) for item in retriever.items(item_ids)]
        return pb.GetItemsResponse(items=items, model_version=retriever.version)

    def RecommendFromRatings(  # noqa: N802  the schema's name
        self, request: pb.RecommendFromRatingsRequest
    ) -> Encoded:
        """The k items that suit somebody with the given ratings."""
        ratings, options = checked_ratings(request.ratings), _options(request)
        retriever = self._live.retriever()
        found, ignored = retriever.recommend_from_ratings(ratings, options)
        rest = pb.RecommendFromRatingsResponse(
            model_version=retriever.version, score_kind=_SCORE_KINDS[found.score_kind], ignored_item_ids=ignored
        )
        return Encoded(found.items.encoded(_FOR_STRANGER) + rest.SerializeToString())

    def BatchRecommend(self, request: pb.BatchRecommendRequest) -> Iterator[Encoded]:  # noqa: N802  the schema's name
        """The k unseen items with the highest score for each of many users, all from one version."""
        user_ids = checked_ids("user_ids", request.user_ids, least=1, most=MAX_USERS)
        options = _options(request, request.popular_if_unknown)
        return _batch(self._live.retriever(), user_ids, options)


def _options(
    request: pb.RecommendRequest | pb.RecommendFromRatingsRequest | pb.BatchRecommendRequest,
    popular_if_unknown: bool = False,
) -> Options:
    """What every request for recommendations has."""
    return Options(
        k=checked_k(request.k if request.HasField("k") else None),
        include_seen=request.include_seen,
        filters=checked_filters(request),
        item_bias_weight=checked_weight(request.item_bias_weight if request.HasField("item_bias_weight") else None),
        popular_if_unknown=popular_if_unknown,
    )


def _recommended(retriever: Retriever, found: Recommendations) -> Encoded:
    rest = pb.RecommendResponse(model_version=retriever.version, score_kind=_SCORE_KINDS[found.score_kind])
    return Encoded(found.items.encoded(_ITEMS) + rest.SerializeToString())


def _batch(retriever: Retriever, user_ids: Sequence[str], options: Options) -> Iterator[Encoded]:
    rest = pb.BatchRecommendResponse(model_version=retriever.version).SerializeToString()
    for block in retriever.recommend_to_many(user_ids, options):
        yield Encoded(b"".join([_USERS + delimited(_of_user(user_id, found)) for user_id, found in block]) + rest)


def _of_user(user_id: str, found: Recommendations | None) -> bytes:
    if found is None:
        return pb.UserRecommendations(user_id=user_id, is_unknown=True).SerializeToString()
    rest = pb.UserRecommendations(
        user_id=user_id, is_unknown=found.score_kind == "popularity", score_kind=_SCORE_KINDS[found.score_kind]
    )
    return found.items.encoded(_FOR_ONE_OF_MANY) + rest.SerializeToString()
