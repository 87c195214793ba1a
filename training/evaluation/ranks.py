"""Where relevant items stand in rankings, and what such a ranking is worth.

A ranking lists all items that a user has not seen, by score; an item is relevant where the user liked it. Equal scores
share their positions: every figure is its expected value over all orders of equal items, in closed form, so that
neither the order of the rows nor chance helps anybody (McSherry and Najork, "Computing information retrieval
performance measures efficiently in the presence of tied scores", 2008).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Ties:
    """The relevant items of all users, those of one user and one score together; the best of each user first."""

    owners: Counts
    """(n,) whose they are: a position among the users."""
    n_better: Counts
    """(n,) how many unseen items score higher: the positions of the tied start there, from 0."""
    n_equal: Counts
    """(n,) how many unseen items have this score, and so share so many positions."""
    n_relevant: Counts
    """(n,) how many of them are relevant."""
    n_above: Counts
    """(n,) how many relevant items of that user score higher."""


@dataclass(frozen=True)
class Ranks:
    """Where the relevant items of each user stand among all items that the user has not seen."""

    offsets: Counts
    """(n_users + 1,) into the two others; every user has at least one relevant item."""
    n_better: Counts
    """For each relevant item, how many unseen items score higher: its positions start there, from 0."""
    n_equal: Counts
    """For each relevant item, how many unseen items score the same, itself included: so many positions it shares."""
    depth: int | None = None
    """Items that start at this position or later are not told apart; None where all are."""

    def ndcg(self, k: int) -> Values:
        """For each user float64 (n_users,): Σ 1 / log2(2 + position) over relevant items in the first k, over the best.

        The best is the same sum where all relevant items come first.
        """
        discounts = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
        best: Values = discounts[self._most(k)]
        return self._sum_over_positions(discounts) / best

    def recall(self, k: int) -> Values:
        """For each user float64 (n_users,): relevant items in the first k, over as many as could be there.

        That is min(k, number of relevant items), so that a perfect list has 1 (as Liang et al., "Variational
        autoencoders for collaborative filtering", 2018).
        """
        return self._sum_over_positions(np.arange(k + 1.0)) / self._most(k)

    def precision(self, k: int) -> Values:
        """For each user float64 (n_users,): relevant items in the first k, over k."""
        return self._sum_over_positions(np.arange(k + 1.0)) / k

    def average_precision(self, k: int) -> Values:
        """For each user float64 (n_users,): Σ precision(p) over relevant items at places p ≤ k, over the best.

        precision(p) is the share of the first p items that is relevant. The best is min(k, number of relevant items),
        so that a perfect list has 1; others divide by the number of relevant items alone. Its mean over users is MAP.

        Of t tied items after b better ones, r relevant below R better relevant ones, the j-th is relevant with
        probability r/t, and then (j − 1)(r − 1)/(t − 1) of the tied before it are expected to be. So they add

            r/t · Σ_j (R + 1 + (j − 1) c) / (b + j) = r/t · ((R + 1 − c (b + 1)) Σ_j 1/(b + j) + c m)

        with c = (r − 1)/(t − 1), over the j = 1 … m whose places b + j are at most k.
        """
        ties = self._ties
        harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, self._checked(k) + 1))])
        first, end = np.minimum(ties.n_better, k), np.minimum(ties.n_better + ties.n_equal, k)
        others = (ties.n_relevant - 1) / np.maximum(ties.n_equal - 1, 1)
        above = ties.n_above + 1 - others * (first + 1)
        gains = ties.n_relevant / ties.n_equal * (above * (harmonic[end] - harmonic[first]) + others * (end - first))
        return np.bincount(ties.owners, gains, len(self.offsets) - 1) / self._most(k)

    def reciprocal_rank(self, k: int) -> Values:
        """For each user float64 (n_users,): 1 / place of the first relevant item, 0 where that is beyond k.

        Its mean over users is MRR. Of t tied items after b better ones, r relevant, the first relevant one is the j-th
        with probability C(t − j, r − 1) / C(t, r); the ratio of one such probability to that before it is
        (t − j − r + 1) / (t − j), from r/t at j = 1.
        """
        ties, starts = self._ties, np.searchsorted(self._ties.owners, np.arange(len(self.offsets) - 1))
        n_better, n_equal, n_relevant = ties.n_better[starts], ties.n_equal[starts], ties.n_relevant[starts]
        expected = np.zeros(len(starts))
        left, chances = np.arange(len(starts)), n_relevant / n_equal
        for place in range(1, self._checked(k) + 1):
            inside = (n_better[left] + place <= k) & (chances > 0)
            left, chances = left[inside], chances[inside]
            if len(left) == 0:
                break
            expected[left] += chances / (n_better[left] + place)
            behind = n_equal[left] - place
            chances = chances * (behind - n_relevant[left] + 1) / np.maximum(behind, 1)
        return expected

    def _most(self, k: int) -> Counts:
        """For each user how many relevant items a list of k can have."""
        most: Counts = np.minimum(np.diff(self.offsets), self._checked(k))
        return most

    def _checked(self, k: int) -> int:
        if self.depth is not None and k > self.depth:
            raise ValueError(f"ranked to a depth of {self.depth}, so nothing is known of the first {k}")
        return k

    def _sum_over_positions(self, cumulative: Values) -> Values:
        """For each user the expected gain; `cumulative` (k + 1,) is what the first 0, 1, … k positions are worth."""
        k = self._checked(len(cumulative) - 1)
        first, end = np.minimum(self.n_better, k), np.minimum(self.n_better + self.n_equal, k)
        gains = (cumulative[end] - cumulative[first]) / self.n_equal
        return np.add.reduceat(gains, self.offsets[:-1])

    @cached_property
    def _ties(self) -> Ties:
        owners = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        order = np.lexsort((self.n_better, owners))
        owners, n_better, n_equal = owners[order], self.n_better[order], self.n_equal[order]
        first = np.ones(len(order), np.bool_)
        first[1:] = (np.diff(owners) > 0) | (np.diff(n_better) > 0)
        starts = np.flatnonzero(first)
        n_relevant = np.diff(np.append(starts, len(order)))
        owners = owners[starts]
        return Ties(owners, n_better[starts], n_equal[starts], n_relevant, starts - self.offsets[owners])
