"""Work on ratings user by user, whatever the order of the rows, without a copy of them all."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

ROWS_AT_ONCE = 1 << 22
"""What a pass over all rows takes up at a time: an int64 column of them is 32 MiB."""
_ROWS_OF_A_STRETCH = 1 << 23

Positions = NDArray[np.int64]


def count_rows(rows: NDArray[np.int32], n_rows: int) -> NDArray[np.int64]:
    """How often each of 0 … n_rows - 1 is in `rows`: int64 (n_rows,)."""
    counts = np.zeros(n_rows, np.int64)
    for piece in pieces(len(rows)):
        counts += np.bincount(rows[piece], minlength=n_rows)
    return counts


def pieces(n: int) -> Iterator[slice]:
    """0 … n - 1 in slices of ROWS_AT_ONCE."""
    for start in range(0, n, ROWS_AT_ONCE):
        yield slice(start, min(start + ROWS_AT_ONCE, n))


def stretches(user_rows: NDArray[np.int32], n_users: int, most: int = _ROWS_OF_A_STRETCH) -> Iterator[Positions]:
    """The positions of some users' rows, ascending, then of the next users', until all users had their turn.

    Each has at most `most` rows unless they are one user's.
    """
    ends = np.cumsum(count_rows(user_rows, n_users))
    is_sorted = all((np.diff(user_rows[piece.start : piece.stop + 1]) >= 0).all() for piece in pieces(len(user_rows)))
    first = 0
    while first < n_users:
        done = int(ends[first - 1]) if first else 0
        end = max(int(np.searchsorted(ends, done + most, side="right")), first + 1)
        yield np.arange(done, ends[end - 1]) if is_sorted else _positions_of(user_rows, first, end)
        first = end


def _positions_of(user_rows: NDArray[np.int32], first: int, end: int) -> Positions:
    found = []
    for piece in pieces(len(user_rows)):
        users = user_rows[piece]
        found.append(piece.start + np.flatnonzero((users >= first) & (users < end)))
    return np.concatenate(found)


def pair_keys(user_rows: NDArray[np.int32], item_rows: NDArray[np.int32], n_items: int) -> NDArray[np.int64]:
    """One number for each (user, item) pair, int64 (n,): sorted, they are in the order of users, then items."""
    keys = user_rows.astype(np.int64)
    keys *= n_items
    keys += item_rows
    return keys
