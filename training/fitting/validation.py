"""How good a model is on the part of the training ratings that it was not fit to."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.columns import Ragged
from training.data.ratings import Ratings
from training.data.split import Positions
from training.embeddings import Floats
from training.errors import RatingsError
from training.evaluation.metrics import rank, rmse
from training.evaluation.predictors import Rows
from training.fitting.interactions import Interactions
from training.fitting.least_squares import Side
from training.fitting.objectives import Objective, Rating

_MOST_USERS = 5_000
"""Whose rankings are looked at: the mean over so many is known to about 0.004."""
_K = 10


class Validation(Protocol):
    """A figure of a model in the making."""

    name: str
    """What the figure is called in the manifest."""
    better: int
    """1 where more is better, -1 where less is."""
    least_gain: float
    """Less than this is no progress, as a part of the figure."""

    def measure(self, users: Side, items: Side) -> float:
        """The figure."""


@dataclass(frozen=True)
class RatingError:
    """The RMSE of predicted ratings, clipped to the scale."""

    user_rows: NDArray[np.int32]
    item_rows: NDArray[np.int32]
    values: Floats
    objective: Rating
    scale: tuple[float, float]

    name = "val_rmse"
    better = -1
    least_gain = 2e-4

    def measure(self, users: Side, items: Side) -> float:
        """In rating units."""
        products = users.products(items, self.user_rows, self.item_rows)
        predicted = products * np.float32(self.objective.deviation) + np.float32(self.objective.mean)
        return rmse(np.clip(predicted, *self.scale) - self.values)


@dataclass(frozen=True)
class _Scorer:
    """Products of rows, as what ranks."""

    users: Floats
    items: Floats

    def predict(self, user_rows: Rows, item_rows: Rows) -> Floats:
        products: Floats = np.einsum("nd,nd->n", self.users[user_rows], self.items[item_rows])
        return products

    def scores(self, user_rows: Rows) -> Floats:
        scores: Floats = self.users[user_rows] @ self.items.T
        return scores


@dataclass(frozen=True)
class RankingGain:
    """NDCG@10 of the liked items among all that the user has no rating of in the part fitted to."""

    user_rows: NDArray[np.int64]
    """(n,) whose rankings are looked at."""
    relevant: Ragged
    """For each of them the items that were held out and liked."""
    seen: Ragged
    """For each of them the items that were fitted to."""

    name = f"val_ndcg@{_K}"
    better = 1
    least_gain = 1e-3

    def measure(self, users: Side, items: Side) -> float:
        """The mean over the users."""
        scorer = _Scorer(users.rows[self.user_rows], items.rows)
        ranks = rank(scorer, np.arange(len(self.user_rows)), self.relevant, self.seen, depth=_K)
        return float(ranks.ndcg(_K).mean())


def validation_of(
    ratings: Ratings, fitted: Positions, held_out: Positions, objective: Objective, seed: int
) -> RatingError | RankingGain:
    """The figure that `objective` is judged by, on the ratings at `held_out`, where those at `fitted` are fitted to.

    Raises RatingsError where nobody likes anything of them, under an objective to rank.
    """
    users, items, values = ratings.user_rows[held_out], ratings.item_rows[held_out], ratings.values[held_out]
    if isinstance(objective, Rating):
        scale = float(ratings.values.min()), float(ratings.values.max())
        return RatingError(users, items, values, objective, scale)
    liked = values >= objective.liked_from
    if not liked.any():
        raise RatingsError(
            f"none of the {len(values):,} ratings held out to choose by is {objective.liked_from:g} or more, so there "
            "is nothing that should rank first; give a lower --liked-from, or a larger --validation-fraction"
        )
    chosen = np.unique(users[liked]).astype(np.int64)
    if len(chosen) > _MOST_USERS:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, _MOST_USERS, replace=False))
    return RankingGain(
        chosen,
        _items_of(chosen, users[liked], items[liked], ratings.n_users),
        _items_of(chosen, ratings.user_rows[fitted], ratings.item_rows[fitted], ratings.n_users),
    )


def _items_of(chosen: NDArray[np.int64], users: NDArray[np.int32], items: NDArray[np.int32], n_users: int) -> Ragged:
    """For each of the `chosen` users the items of their pairs."""
    position = np.full(n_users, -1, np.int32)
    position[chosen] = np.arange(len(chosen))
    owners = position[users]
    theirs = owners >= 0
    lists = Interactions.of(owners[theirs], items[theirs], items[theirs].astype(np.float32), len(chosen))
    return Ragged(lists.offsets, lists.columns)
