"""What a model has to beat: biases alone, and the most popular items for everybody."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.by_user import count_rows, pieces
from training.data.ratings import Ratings
from training.embeddings import Baseline, Floats
from training.evaluation.predictors import Rows, SameForAll

_SWEEPS = 10
_DAMPING = 10.0


def fit_biases(ratings: Ratings) -> Baseline:
    """The biases that minimise  Σ (r − global_bias − b_u − b_i)² + damping · (Σ b_u² + Σ b_i²).

    Solved by alternation: each side in turn is the damped mean of what the other leaves unexplained,
    b_i = Σ_u (r − global_bias − b_u) / (n_i + damping). After Koren, "Factor in the neighbors", 2010, section 2.1.
    """
    users = _Side(ratings.user_rows, count_rows(ratings.user_rows, ratings.n_users))
    items = _Side(ratings.item_rows, count_rows(ratings.item_rows, ratings.n_items))
    global_bias = float(ratings.values.mean(dtype=np.float64))
    user_biases, item_biases = np.zeros(ratings.n_users), np.zeros(ratings.n_items)
    for _ in range(_SWEEPS):
        item_biases = _damped_means(ratings.values, items, users, global_bias + user_biases)
        user_biases = _damped_means(ratings.values, users, items, global_bias + item_biases)
    return Baseline(user_biases.astype(np.float32), item_biases.astype(np.float32), global_bias)


@dataclass(frozen=True)
class _Side:
    """The users or the items of some ratings."""

    rows: NDArray[np.int32]
    """(n,) of each rating."""
    counts: NDArray[np.int64]
    """(n_rows,) how many ratings each row has."""


def _damped_means(values: Floats, side: _Side, other: _Side, explained: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each row of `side` the damped mean of what the rows of `other` leave unexplained: float64 (n_rows,)."""
    sums = np.zeros(len(side.counts))
    for piece in pieces(len(values)):
        rest = values[piece] - explained[other.rows[piece]]
        sums += np.bincount(side.rows[piece], rest, len(sums))
    return np.asarray(sums / (side.counts + _DAMPING))


@dataclass(frozen=True)
class BiasOnly(SameForAll):
    """Ranks by item bias, the same for everybody, and predicts the sum of the biases."""

    baseline: Baseline

    def predict(self, user_rows: Rows, item_rows: Rows) -> Floats:
        """global_bias + b_u + b_i."""
        baseline = self.baseline
        return baseline.user_biases[user_rows] + baseline.item_biases[item_rows] + np.float32(baseline.global_bias)

    @property
    def item_scores(self) -> Floats:
        """b_i."""
        return self.baseline.item_biases


@dataclass(frozen=True)
class MostPopular(SameForAll):
    """Ranks by how many users have rated an item, the same for everybody, and predicts the mean rating."""

    n_ratings: Floats
    """(n_items,) how many users have rated each item."""
    global_bias: float
    """The mean rating."""

    def predict(self, user_rows: Rows, item_rows: Rows) -> Floats:  # noqa: ARG002  # the same for all pairs
        """The mean rating."""
        return np.full(len(user_rows), self.global_bias, np.float32)

    @property
    def item_scores(self) -> Floats:
        """How many users have rated each item."""
        return self.n_ratings
