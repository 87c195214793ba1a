"""From the messages of the schema to the answers of `matinee.answers`."""

from collections.abc import Iterable, Iterator

from matinee.answers import (
    Item,
    Items,
    PredictedRating,
    PredictedRatings,
    Recommendations,
    RecommendationsFromRatings,
    ScoredItem,
    ScoreKind,
    UserRecommendations,
)
from matinee.v1 import recommender_pb2 as pb

SCORE_KINDS: dict[int, ScoreKind] = {
    # A server from before there were preferences.
    pb.SCORE_KIND_UNSPECIFIED: "rating",
    pb.SCORE_KIND_RATING: "rating",
    pb.SCORE_KIND_PREFERENCE: "preference",
    pb.SCORE_KIND_POPULARITY: "popularity",
    pb.SCORE_KIND_WEIGHTED: "weighted",
}
"""Any other is of a newer server, and "unknown"."""


def recommendations(response: pb.RecommendResponse) -> Recommendations:
    """The ranked list of one user."""
    return Recommendations(_scored(response.items), response.model_version, _kind(response.score_kind))


def similar_items(response: pb.SimilarItemsResponse) -> Recommendations:
    """The ranked list of one item."""
    return Recommendations(_scored(response.items), response.model_version, "cosine")


def recommendations_from_ratings(response: pb.RecommendFromRatingsResponse) -> RecommendationsFromRatings:
    """The ranked list of somebody's ratings."""
    return RecommendationsFromRatings(
        _scored(response.items),
        response.model_version,
        _kind(response.score_kind),
        tuple(response.ignored_item_ids),
    )


def user_recommendations(response: pb.BatchRecommendResponse) -> Iterator[UserRecommendations]:
    """The ranked lists of the users in one message of a stream."""
    for user in response.users:
        kind = _kind(user.score_kind)
        yield UserRecommendations(_scored(user.items), response.model_version, kind, user.user_id, user.is_unknown)


def predicted_ratings(response: pb.PredictRatingsResponse) -> PredictedRatings:
    """One user's predicted ratings."""
    ratings = tuple(PredictedRating(rating.item_id, rating.rating) for rating in response.ratings)
    return PredictedRatings(ratings, response.model_version)


def items(response: pb.GetItemsResponse) -> Items:
    """What is known of some items."""
    known = tuple(Item(item.item_id, item.title, tuple(item.tags)) for item in response.items)
    return Items(known, response.model_version)


def _kind(score_kind: int) -> ScoreKind:
    return SCORE_KINDS.get(score_kind, "unknown")


def _scored(items: Iterable[pb.ScoredItem]) -> tuple[ScoredItem, ...]:
    return tuple(ScoredItem(item.item_id, item.score, item.title) for item in items)
