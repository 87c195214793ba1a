"""What a server answers, as the client returns it: frozen, typed, of plain Python values."""

from dataclasses import dataclass
from typing import Literal

ScoreKind = Literal["rating", "preference", "popularity", "weighted", "cosine", "unknown"]
"""What scores are; higher is better in each.

"rating": the predicted rating, on the scale of the ratings, not clipped to it. "preference": no rating, but how much
the item is to the user's taste, about 0 to 1, of a model that was trained to rank. "popularity": how many users have
rated the item, for a user whom the model does not know. "weighted": as the predicted rating, with the item bias
weighted as the request asked. "cosine": of similar items, -1 to 1. "unknown": something that only a newer client has a
word for.
"""


@dataclass(frozen=True, slots=True)
class ScoredItem:
    """One item of a ranked list."""

    item_id: str
    """The id that the ratings used."""
    score: float
    """What the list's `score_kind` says. Higher is better."""
    title: str
    """Empty where the data had none."""


@dataclass(frozen=True, slots=True)
class Recommendations:
    """A ranked list, best first."""

    items: tuple[ScoredItem, ...]
    """As many as were asked for, or all that exist."""
    model_version: str
    """The version that answered."""
    score_kind: ScoreKind
    """What every item's score is."""


@dataclass(frozen=True, slots=True)
class RecommendationsFromRatings(Recommendations):
    """A ranked list for somebody who was not in training, from ratings."""

    ignored_item_ids: tuple[str, ...]
    """The rated items that the model was not trained on, in the order of the request."""


@dataclass(frozen=True, slots=True)
class UserRecommendations(Recommendations):
    """What one user of many gets."""

    user_id: str
    """As it was asked for."""
    is_unknown: bool
    """Whether the model was not trained on this user; then `items` are the popular ones, where they were asked for."""


@dataclass(frozen=True, slots=True)
class PredictedRating:
    """What the model predicts that the user would rate one item."""

    item_id: str
    """As it was asked for."""
    rating: float
    """On the scale of the ratings, not clipped to it."""


@dataclass(frozen=True, slots=True)
class PredictedRatings:
    """One user's predicted ratings."""

    ratings: tuple[PredictedRating, ...]
    """In the order of the request."""
    model_version: str
    """The version that answered."""


@dataclass(frozen=True, slots=True)
class Item:
    """What is known of one item."""

    item_id: str
    """The id that the ratings used."""
    title: str
    """Empty where the data had none."""
    tags: tuple[str, ...]
    """Such as genres, in the data's order."""


@dataclass(frozen=True, slots=True)
class Items:
    """What is known of some items."""

    items: tuple[Item, ...]
    """In the order of the request."""
    model_version: str
    """The version that answered."""
