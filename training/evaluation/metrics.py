"""How good predictions and rankings are: exact, in NumPy, a block of users at a time.

A ranking lists all items that a user has not seen, by score; an item is relevant where the user liked it. Equal scores
share their positions: every metric is its expected value over all orders of equal items, so that neither the order of
the rows nor chance helps anybody (McSherry and Najork, "Computing information retrieval performance measures
efficiently in the presence of tied scores", 2008).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.columns import Ragged
from training.evaluation.predictors import Predictor, Rows

Counts = NDArray[np.int64]
Values = NDArray[np.float64]

_BLOCK_SCORES = 1 << 23
"""Scores held at once: 32 MiB, and as much again for the sorted ones."""


def rmse(errors: NDArray[np.floating[Any]]) -> float:
    """The root of the mean squared error, in the unit of the errors: √(Σ e² / n)."""
    return float(np.sqrt(np.mean(np.square(errors, dtype=np.float64))))


def mae(errors: NDArray[np.floating[Any]]) -> float:
    """The mean absolute error, in the unit of the errors: Σ |e| / n."""
    return float(np.mean(np.abs(errors), dtype=np.float64))


@dataclass(frozen=True)
class Ranks:
    """Where the relevant items of each user stand among all items that the user has not seen."""

    offsets: Counts
    """(n_users + 1,) into the two others; every user has at least one relevant item."""
    n_better: Counts
    """For each relevant item, how many unseen items score higher: its positions start there, from 0."""
    n_equal: Counts
    """For each relevant item, how many unseen items score the same, itself included: so many positions it shares."""

    def ndcg(self, k: int) -> Values:
        """For each user float64 (n_users,): Σ 1 / log2(2 + position) over relevant items in the first k, over the best.

        The best is the same sum where all relevant items come first.
        """
        discounts = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
        n_relevant = np.diff(self.offsets)
        best: Values = discounts[np.minimum(n_relevant, k)]
        return self._sum_over_positions(discounts) / best

    def recall(self, k: int) -> Values:
        """For each user float64 (n_users,): relevant items in the first k, over as many as could be there.

        That is min(k, number of relevant items), so that a perfect list has 1 (as Liang et al., "Variational
        autoencoders for collaborative filtering", 2018).
        """
        n_relevant = np.diff(self.offsets)
        return self._sum_over_positions(np.arange(k + 1.0)) / np.minimum(n_relevant, k)

    def _sum_over_positions(self, cumulative: Values) -> Values:
        """For each user the expected gain; `cumulative` (k + 1,) is what the first 0, 1, … k positions are worth."""
        k = len(cumulative) - 1
        first, end = np.minimum(self.n_better, k), np.minimum(self.n_better + self.n_equal, k)
        gains = (cumulative[end] - cumulative[first]) / self.n_equal
        return np.add.reduceat(gains, self.offsets[:-1])


def rank(predictor: Predictor, user_rows: Rows, relevant: Ragged, seen: Ragged) -> Ranks:
    """Where each user's relevant items stand among the items that the user has not seen.

    `relevant` has one list, not empty, for each of `user_rows`; `seen` one for each user that there is. No item may
    be in both.
    """
    n_better = np.empty(len(relevant.rows), np.int64)
    n_equal = np.empty(len(relevant.rows), np.int64)
    for position, scores in _unseen_scores(predictor, user_rows, seen):
        liked = slice(relevant.offsets[position], relevant.offsets[position + 1])
        wanted = scores[relevant.rows[liked]]
        scores.sort()
        end = np.searchsorted(scores, wanted, side="right")
        n_better[liked] = len(scores) - end
        n_equal[liked] = end - np.searchsorted(scores, wanted, side="left")
    return Ranks(relevant.offsets, n_better, n_equal)


def _unseen_scores(predictor: Predictor, user_rows: Rows, seen: Ragged) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """For each user the position in `user_rows` and the scores (n_items,), -inf where seen; the caller's to change."""
    n_items = predictor.scores(user_rows[:1]).shape[1]
    block = max(1, _BLOCK_SCORES // n_items)
    for start in range(0, len(user_rows), block):
        users = user_rows[start : start + block]
        scores = np.array(predictor.scores(users), np.float32)
        for offset, user_row in enumerate(users):
            scores[offset, seen[user_row]] = -np.inf
            yield start + offset, scores[offset]
