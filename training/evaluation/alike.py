"""Rankings that are the same for everybody but for what each has seen: items are ordered once.

What stands before an item in a user's ranking is what stands before it in everybody's, without what the user has seen.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from training.columns import Ragged
from training.embeddings import Floats
from training.evaluation.order import Counts, Lists, keys
from training.evaluation.predictors import Rows

_BLOCK_ROWS = 1 << 21
"""Seen items and users that are looked through at once."""


@dataclass(frozen=True)
class Ranking:
    """Everybody's ranking of all items."""

    scores: Floats
    """(n_items,)."""

    @cached_property
    def _ascending(self) -> Floats:
        return np.sort(self.scores)

    @cached_property
    def n_better(self) -> Counts:
        """(n_items,) how many items score higher; equal where scores are."""
        return len(self.scores) - np.searchsorted(self._ascending, self.scores, side="right")

    @cached_property
    def n_equal(self) -> Counts:
        """(n_items,) how many items score the same, each itself included."""
        return len(self.scores) - self.n_better - np.searchsorted(self._ascending, self.scores)

    @cached_property
    def order(self) -> Counts:
        """(n_items,) the rows, best first; equal scores in the order of the rows."""
        return np.lexsort((np.arange(len(self.scores)), self.n_better))

    @cached_property
    def positions(self) -> Counts:
        """(n_items,) where each item is in `order`."""
        return np.argsort(self.order)


@dataclass(frozen=True)
class Block:
    """What is left of the ranking for some users."""

    ranking: Ranking
    seen: Ragged
    """For each of the users the items that are left out."""

    def places(self, relevant: Ragged) -> tuple[Counts, Counts]:
        """For each relevant item of each user, how many unseen items are better and how many equal."""
        owners = relevant.owners()
        seen_keys = np.sort(keys(self.seen.owners(), self.ranking.n_better[self.seen.rows]))
        n_better, n_equal = self.ranking.n_better[relevant.rows], self.ranking.n_equal[relevant.rows]
        seen_better, seen_equal = Lists(seen_keys, len(self.seen)).count(owners, keys(owners, n_better))
        return n_better - seen_better, n_equal - seen_equal

    def list_counts(self, k: int) -> Counts:
        """In how many of the users' lists of k each item is: int64 (n_items,).

        A list ends where k + m items have been gone through, m of them seen; a seen item is one of the m where fewer
        than k unseen ones stand before it.
        """
        n_items, owners = len(self.ranking.scores), self.seen.owners()
        passed = np.sort(keys(owners, self.ranking.positions[self.seen.rows])) - (owners << 32)
        passed_before = np.arange(len(owners)) - self.seen.offsets[owners]
        skipped = passed - passed_before < k
        ends = np.minimum(k + np.bincount(owners[skipped], minlength=len(self.seen)), n_items)
        n_ended = np.cumsum(np.bincount(ends, minlength=n_items + 1))[:n_items]
        n_skipped = np.bincount(passed[skipped], minlength=n_items)
        return (len(self.seen) - n_ended - n_skipped)[self.ranking.positions]


def blocks(ranking: Ranking, user_rows: Rows, seen: Ragged) -> Iterator[tuple[slice, Block]]:
    """The users by their positions in `user_rows`, and their block."""
    return ((users, Block(ranking, lists)) for users, lists in seen_blocks(user_rows, seen))


def seen_blocks(user_rows: Rows, seen: Ragged) -> Iterator[tuple[slice, Ragged]]:
    """The users by their positions in `user_rows`, and what each has seen: so many that memory is bounded."""
    work = np.cumsum(seen.offsets[user_rows + 1] - seen.offsets[user_rows] + 1)
    start = 0
    while start < len(user_rows):
        done = int(work[start - 1]) if start else 0
        end = max(start + 1, int(np.searchsorted(work, done + _BLOCK_ROWS, side="right")))
        yield slice(start, end), seen.take(user_rows[start:end])
        start = end
