"""The best items of many users by the model's own scores: exact, in float64, a block of users and items at a time.

    score(u, i) = global_bias + user_bias[u] + item_bias[i] + user_embedding[u] · item_embedding[i]

What is the same for all items of a user changes no order and is left out.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from indexer.bundle import Bundle
from indexer.selection import Rows
from indexer.vectors import query

_BLOCK_USERS, _BLOCK_ITEMS = 64, 1 << 16
Scores = NDArray[np.float64]


def best_unseen(bundle: Bundle, user_rows: Rows, k: int) -> Rows:
    """The k best items that each user has not seen, best first, equal scores in row order: int64 (len(user_rows), k).

    Filled up with -1 where fewer are left. Needs about 100 MB, however many items there are.
    """
    best = np.full((len(user_rows), k), -1, np.int64)
    for start in range(0, len(user_rows), _BLOCK_USERS):
        block = slice(start, start + _BLOCK_USERS)
        lists = [_Best(k) for _ in user_rows[block]]
        for rows, scores in _scored(bundle, user_rows[block]):
            for list_, row_scores in zip(lists, scores, strict=True):
                list_.offer(rows.start, row_scores)
        for row, list_ in enumerate(lists, start):
            best[row, : len(list_.rows)] = list_.rows
    return best


class _Best:
    """The k best so far of one user's items, which come in the order of their rows."""

    def __init__(self, k: int) -> None:
        self._k = k
        self.rows: Rows = np.empty(0, np.int64)
        self._scores: Scores = np.empty(0)

    def offer(self, first_row: int, scores: Scores) -> None:
        """Take what is good enough of the scores, float64 (n,), of the rows from `first_row` on; -inf never is."""
        full = len(self.rows) == self._k
        least = self._scores[-1] if full else _kth_largest(scores, self._k)
        found = np.flatnonzero((scores > least) if full else (scores >= least) & (scores > -np.inf))
        rows = np.concatenate([self.rows, found + first_row])
        scores = np.concatenate([self._scores, scores[found]])
        # A stable sort leaves equal scores in the order of their rows.
        order = np.argsort(-scores, kind="stable")[: self._k]
        self.rows, self._scores = rows[order], scores[order]


def _kth_largest(scores: Scores, k: int) -> float:
    return float(np.partition(scores, -k)[-k]) if k < len(scores) else -np.inf


def _scored(bundle: Bundle, user_rows: Rows) -> Iterator[tuple[slice, Scores]]:
    """A block of items and the users' scores of them, float64 (len(user_rows), n), -inf where a user has seen one."""
    queries = query(bundle.user_embeddings[user_rows], bundle.width).astype(np.float64)
    seen = bundle.catalogue.seen.take(user_rows)
    owners = seen.owners()
    for start in range(0, bundle.n_items, _BLOCK_ITEMS):
        items = slice(start, min(start + _BLOCK_ITEMS, bundle.n_items))
        scores = queries @ bundle.item_vectors[items].astype(np.float64).T
        inside = (seen.rows >= items.start) & (seen.rows < items.stop)
        scores[owners[inside], seen.rows[inside] - items.start] = -np.inf
        yield items, scores
