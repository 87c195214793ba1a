"""A table of ratings in memory: one row for each (user, item) pair, with titles and tags of the items."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.columns import Ids, Ragged, Strings
from training.forms import Columns

__all__ = ["Columns", "Ratings", "read_ratings", "write_ratings"]


@dataclass(frozen=True)
class Ratings:
    """n ratings in the order of their file, no (user, item) pair twice; all arrays are read-only."""

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
    n_repeated: int
    """How many rows were dropped since a later one rates the same item for the same user."""
    fingerprint: str
    """SHA-256 of ids, rows and values; the same data has the same in every form."""
    remarks: tuple[str, ...] = ()
    """What a person should know of how the data was read, a sentence each."""

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

    def subset(self, chosen: NDArray[Any]) -> "Ratings":
        """The ratings at `chosen`, a mask (n,) bool or positions (m,) integer; ids and rows stay as they are."""
        raise NotImplementedError

    def seen(self) -> Ragged:
        """For each user row the distinct item rows that the user has rated, ascending."""
        raise NotImplementedError


def read_ratings(source: Path, columns: Columns = Columns()) -> Ratings:
    """The ratings in `source`, a file or a folder in any form. Raises RatingsError: file, line, column and value."""
    raise NotImplementedError


def write_ratings(ratings: Ratings, file: Path) -> None:
    """Write `user_id,item_id,rating[,timestamp]` as CSV that `read_ratings` reads back; `file` is replaced whole."""
    raise NotImplementedError
