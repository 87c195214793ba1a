"""Rows that rate the same item for the same user again: only the latest counts."""

import numpy as np
from numpy.typing import NDArray


def pair_keys(user_rows: NDArray[np.int32], item_rows: NDArray[np.int32], n_items: int) -> NDArray[np.int64]:
    """One number for each (user, item) pair, int64 (n,): sorted, they are in the order of users, then items."""
    keys = user_rows.astype(np.int64)
    keys *= n_items
    keys += item_rows
    return keys


def superseded(keys: NDArray[np.int64], timestamps: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """The positions of rows whose key comes again with a later time, or further down with an equal one or none.

    keys: (n,) int64. Returns int64 (m,), ascending.
    """
    ordered = np.sort(keys)
    repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if len(repeated) == 0:
        return np.empty(0, np.int64)
    places = np.minimum(np.searchsorted(repeated, keys), len(repeated) - 1)
    rows = np.flatnonzero(repeated[places] == keys)
    times = np.zeros(len(rows), np.int64) if timestamps is None else timestamps[rows]
    order = np.lexsort((rows, times, keys[rows]))
    rows = rows[order]
    return np.sort(rows[:-1][keys[rows[:-1]] == keys[rows[1:]]])
