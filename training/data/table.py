"""A table of ratings: one row for each (user, item) pair, with titles and tags of the items."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.columns import Ids, Ragged, Strings, read_only
from training.data.by_user import count_rows, pair_keys, stretches


@dataclass(frozen=True)
class Ratings:
    """n ratings in the order of their file, no (user, item) pair twice.

    All arrays are read-only; they may be mapped files.
    """

    user_rows: NDArray[np.int32]
    """(n,) rows into `user_ids`."""
    item_rows: NDArray[np.int32]
    """(n,) rows into `item_ids`."""
    values: NDArray[np.float32]
    """(n,) the ratings themselves, finite."""
    timestamps: NDArray[np.int64] | None
    """(n,) epoch seconds, or None where the data has none."""
    user_ids: Ids
    """Of each user row: only users that rated."""
    item_ids: Ids
    """Of each item row: only items that were rated."""
    item_titles: Strings
    """Of each item row; empty where unknown."""
    item_tags: Ragged
    """For each item row the rows of its tags in `tag_names`, in the data's order."""
    tag_names: Strings
    """Such as genres, sorted."""
    n_repeated: int = 0
    """How many rows were dropped since a later one rates the same item for the same user."""
    remarks: tuple[str, ...] = ()
    """What a person should know of how the data was read, a sentence each."""

    def __post_init__(self) -> None:
        for array in (self.user_rows, self.item_rows, self.values, self.timestamps):
            if array is not None:
                read_only(array)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def n_users(self) -> int:
        """How many users there are."""
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return len(self.item_ids)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of ids, rows and values; the same data has the same in every form."""
        content = {
            **self.user_ids.to_arrays("user_ids"),
            **self.item_ids.to_arrays("item_ids"),
            "user_rows": self.user_rows,
            "item_rows": self.item_rows,
            "values": self.values,
        }
        digest = hashlib.sha256()
        for name, array in content.items():
            digest.update(f"{name} {array.dtype.str} {len(array)}\n".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def subset(self, chosen: NDArray[np.bool_] | NDArray[np.integer[Any]]) -> "Ratings":
        """The ratings at `chosen`, a mask (n,) or positions (m,); ids, rows, titles and tags stay as they are."""
        return replace(
            self,
            user_rows=self.user_rows[chosen],
            item_rows=self.item_rows[chosen],
            values=self.values[chosen],
            timestamps=None if self.timestamps is None else self.timestamps[chosen],
        )

    def seen(self) -> Ragged:
        """For each user row the distinct item rows that the user has rated, ascending."""
        offsets = np.zeros(self.n_users + 1, np.int64)
        np.cumsum(count_rows(self.user_rows, self.n_users), out=offsets[1:])
        rows = np.empty(len(self), np.int32)
        start = 0
        for positions in stretches(self.user_rows, self.n_users):
            keys = pair_keys(self.user_rows[positions], self.item_rows[positions], self.n_items)
            keys.sort()
            keys %= self.n_items
            rows[start : start + len(keys)] = keys
            start += len(keys)
        return Ragged(offsets, rows)
