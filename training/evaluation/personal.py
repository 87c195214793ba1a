"""Rankings that differ from user to user: the scores of a block of users at a time, looked through once.

Of the thousands of scores of a user only the few that can be in a list are sorted. Items are dealt out to segments;
where `depth` segments have a best score of x or more, at least `depth` items have, so that what scores less than x
need not be looked at, and neither does any segment whose best does not reach x.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from training.columns import Ragged
from training.embeddings import Floats
from training.evaluation.order import Counts, Lists, keys, levels
from training.evaluation.predictors import Predictor, Rows

_BLOCK_SCORES = 1 << 23
"""Scores held at once: 32 MiB."""
_WIDTH = 16
"""Items in a segment."""

_LOWEST = np.finfo(np.float32).min
"""Items that were seen score less than that."""


@dataclass(frozen=True)
class Candidates:
    """The best items of some users: all whose score reaches a user's floor."""

    owners: Counts
    """(n,) whose they are: a position in the block."""
    items: Counts
    """(n,) their rows."""
    scores: Floats
    """(n,)."""
    floors: Floats
    """(n_users,) of each user of the block."""

    @cached_property
    def _keys(self) -> Counts:
        return keys(self.owners, levels(self.scores))

    def places(self, owners: Counts, wanted: Floats) -> tuple[Counts, Counts]:
        """For each score in `wanted` (m,), not below the floor of its owner, how many are better and how many equal."""
        return Lists(np.sort(self._keys), len(self.floors)).count(owners, keys(owners, levels(wanted)))

    def first(self, k: int) -> Counts:
        """The items in the first k of all users, int64 (m,). Equal scores are in the order of the rows."""
        items, positions = self._lists
        return items[positions < k]

    @cached_property
    def _lists(self) -> tuple[Counts, Counts]:
        """The items in the order of owner, score and row, and the position of each in its owner's list."""
        order = np.lexsort((self.items, self._keys))
        starts = Lists(self._keys[order], len(self.floors)).starts
        return self.items[order], np.arange(len(order)) - starts[self.owners[order]]


class Block:
    """The scores of some users, -inf where seen, and the best score of each segment of items."""

    def __init__(self, scores: Floats, depth: int | None) -> None:
        self._scores = scores
        self._depth = depth
        n_users, n_items = scores.shape
        self._width = min(_WIDTH, n_items)
        self._n_segments = n_items // self._width
        dealt = self._n_segments * self._width
        # Item i is in segment i mod n_segments; the last few, which that leaves over, are a segment each.
        best = scores[:, :dealt].reshape(n_users, self._width, self._n_segments).max(axis=1)
        self._best = np.concatenate([best, scores[:, dealt:]], axis=1)

    def places(self, relevant: Ragged) -> tuple[Counts, Counts]:
        """For each relevant item of each user, how many unseen items are better and how many equal.

        With a depth, (depth, 1) for those that so many are better than.
        """
        owners = relevant.owners()
        wanted = self._scores[owners, relevant.rows]
        if self._depth is None:
            floors = np.minimum.reduceat(wanted, relevant.offsets[:-1])
            return self._candidates(floors).places(owners, wanted)
        n_better, n_equal = self._best_candidates.places(owners, wanted)
        below = wanted < self._best_candidates.floors[owners]
        return np.where(below, self._depth, n_better), np.where(below, 1, n_equal)

    def list_counts(self, k: int) -> Counts:
        """In how many of the users' lists of k each item is: int64 (n_items,); k is at most the depth."""
        return np.bincount(self._best_candidates.first(k), minlength=self._scores.shape[1])

    @cached_property
    def _best_candidates(self) -> Candidates:
        """At least `depth` of each user, or all that the user has not seen."""
        n_segments = self._best.shape[1]
        if self._depth is None or self._depth >= n_segments:
            return self._candidates(np.full(len(self._scores), _LOWEST))
        worst = n_segments - self._depth
        return self._candidates(np.maximum(np.partition(self._best, worst, axis=1)[:, worst], _LOWEST))

    def _candidates(self, floors: Floats) -> Candidates:
        """The items of each user whose scores reach the user's floor."""
        users, segments = np.nonzero(self._best >= floors[:, None])
        steps = np.arange(self._width)
        items = segments[:, None] + self._n_segments * steps
        scores = self._scores[users[:, None], items]
        # Of a segment of one item, that item alone: the others that its number leads to are in segments of their own.
        owned = (segments < self._n_segments)[:, None] | (steps == self._width - 1)
        found = np.nonzero((scores >= floors[users, None]) & owned)
        return Candidates(users[found[0]], items[found], scores[found], floors)


def blocks(predictor: Predictor, user_rows: Rows, seen: Ragged, depth: int | None) -> Iterator[tuple[slice, Block]]:
    """The users by their positions in `user_rows`, and their block; `depth` positions are told apart, or all."""
    n_items = predictor.scores(user_rows[:1]).shape[1]
    size = max(1, _BLOCK_SCORES // n_items)
    for start in range(0, len(user_rows), size):
        users = user_rows[start : start + size]
        scores = predictor.scores(users)
        excluded = seen.take(users)
        scores[excluded.owners(), excluded.rows] = -np.inf
        yield slice(start, start + len(users)), Block(scores, depth)
