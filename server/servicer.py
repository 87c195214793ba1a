"""The methods of `matinee.v1.Recommender`: each checks its request, asks one retriever once, and responds.

A method is a function from its request to its response that raises RequestError; `server/rpc.py` makes it a handler.
"""

from collections.abc import Iterable

from matinee.v1 import recommender_pb2 as pb
from server.checks import checked_id, checked_ids, checked_k
from server.live import Live
from server.retriever import ScoredItem


class Recommender:
    """Answers from the bundle that is live when the request comes."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def Recommend(self, request: pb.RecommendRequest) -> pb.RecommendResponse:  # noqa: N802  the schema's name
        """The k unseen items with the highest score for one user."""
        user_id = checked_id("user_id", request.user_id)
        k = checked_k(request.k if request.HasField("k") else None)
        excluded = checked_ids("exclude_item_ids", request.exclude_item_ids, least=0)
        retriever = self._live.retriever()
        items = retriever.recommend(user_id, k, include_seen=request.include_seen, exclude_item_ids=excluded)
        kind = pb.SCORE_KIND_RATING if retriever.scores_are_ratings else pb.SCORE_KIND_PREFERENCE
        return pb.RecommendResponse(items=_messages(items), model_version=retriever.version, score_kind=kind)

    def SimilarItems(self, request: pb.SimilarItemsRequest) -> pb.SimilarItemsResponse:  # noqa: N802  the schema's name
        """The k items most like one item."""
        item_id = checked_id("item_id", request.item_id)
        k = checked_k(request.k if request.HasField("k") else None)
        excluded = checked_ids("exclude_item_ids", request.exclude_item_ids, least=0)
        retriever = self._live.retriever()
        items = retriever.similar(item_id, k, exclude_item_ids=excluded)
        return pb.SimilarItemsResponse(items=_messages(items), model_version=retriever.version)

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


def _messages(items: Iterable[ScoredItem]) -> list[pb.ScoredItem]:
    return [pb.ScoredItem(item_id=item_id, score=score, title=title) for item_id, score, title in items]
