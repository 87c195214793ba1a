"""Rows that rate the same item for the same user again: only the latest counts."""

import numpy as np
from numpy.typing import NDArray

from training.data.by_user import Positions, pair_keys, stretches

Rows = NDArray[np.int32]
Times = NDArray[np.int64] | None


def superseded(user_rows: Rows, item_rows: Rows, timestamps: Times, n_users: int, n_items: int) -> Positions:
    """The positions of rows whose pair comes again with a later time, or further down with an equal one or none.

    user_rows, item_rows: int32 (n,). Returns int64 (m,), ascending.
    """
    dropped = [np.empty(0, np.int64)]
    for positions in stretches(user_rows, n_users):
        keys = pair_keys(user_rows[positions], item_rows[positions], n_items)
        dropped.append(_superseded(keys, positions, timestamps))
    return np.sort(np.concatenate(dropped))


def _superseded(keys: NDArray[np.int64], positions: Positions, timestamps: Times) -> Positions:
    ordered = np.sort(keys)
    repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if len(repeated) == 0:
        return np.empty(0, np.int64)
    places = np.minimum(np.searchsorted(repeated, keys), len(repeated) - 1)
    found = repeated[places] == keys
    keys, rows = keys[found], positions[found]
    times = np.zeros(len(rows), np.int64) if timestamps is None else timestamps[rows]
    order = np.lexsort((rows, times, keys))
    keys, rows = keys[order], rows[order]
    earlier: Positions = rows[:-1][keys[:-1] == keys[1:]]
    return earlier
