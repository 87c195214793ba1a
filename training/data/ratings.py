"""A table of ratings in memory: one row for each (user, item) pair, with titles and tags of the items."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from training.artefact import sync
from training.columns import Ids, Ragged, Strings, read_only
from training.data.forms import DETECTED, Columns
from training.data.reading import read_table
from training.data.repeated import pair_keys, superseded
from training.data.sources import Stored, locate_ratings, locate_titles
from training.data.table import Coded, Table
from training.data.titles import Titles, read_titles
from training.errors import RatingsError

__all__ = ["DETECTED", "Columns", "Ratings", "read_ratings", "write_ratings"]


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
        keys = pair_keys(self.user_rows, self.item_rows, self.n_items)
        keys.sort()
        offsets = np.zeros(self.n_users + 1, np.int64)
        np.cumsum(np.bincount(self.user_rows, minlength=self.n_users), out=offsets[1:])
        keys %= self.n_items
        return Ragged(offsets, keys.astype(np.int32))


def read_ratings(source: Path, columns: Columns = DETECTED, *, least: int = 2) -> Ratings:
    """The ratings in `source`, a file or a folder in any form, with the titles that lie beside them.

    Fewer than `least` users or items are refused: from one there is nothing to learn. Raises RatingsError naming
    file, line, column and value of the first thing that is not right.
    """
    stored, beside = locate_ratings(source)
    table, item_column, remark = read_table(stored, columns)
    for kind, coded in (("user", table.users), ("item", table.items)):
        if len(coded.texts) < least:
            raise RatingsError(
                f"{stored}: all ratings are of one {kind}, {coded.texts[0]!r}; from one there is nothing to learn"
            )
    titles = _titles(beside, columns, item_column, table.items.texts)
    remarks = tuple(filter(None, (remark, titles.remark)))
    return _assembled(table, titles, remarks)


def _titles(beside: Sequence[Stored], columns: Columns, item_column: str, rated: list[str]) -> Titles:
    if columns.items is not None:
        return read_titles(locate_titles(columns.items), columns, item_column, set(rated))
    if len(beside) > 1:
        names = ", ".join(stored.name for stored in beside)
        return Titles(remark=f"no titles are read: there are {names}; choose one with --items")
    return read_titles(beside[0], columns, item_column, set(rated)) if beside else Titles()


def _assembled(table: Table, titles: Titles, remarks: tuple[str, ...]) -> Ratings:
    user_ids, user_rows = _sorted(table.users)
    item_ids, item_rows = _sorted(table.items)
    dropped = superseded(pair_keys(user_rows, item_rows, len(item_ids)), table.timestamps)
    if len(dropped):
        how = "the last of each" if table.timestamps is None else "the latest of each"
        remarks += (f"{len(dropped):,} rows rate an item that the same user rates again; {how} counts",)
    item_titles, item_tags, tag_names = titles.columns([item_ids[row] for row in range(len(item_ids))])
    ratings = Ratings(
        user_rows=user_rows,
        item_rows=item_rows,
        values=table.values,
        timestamps=table.timestamps,
        user_ids=user_ids,
        item_ids=item_ids,
        item_titles=item_titles,
        item_tags=item_tags,
        tag_names=tag_names,
        n_repeated=len(dropped),
        remarks=remarks,
    )
    if len(dropped) == 0:
        return ratings
    kept = np.ones(len(ratings), np.bool_)
    kept[dropped] = False
    return ratings.subset(kept)


def _sorted(coded: Coded) -> tuple[Ids, NDArray[np.int32]]:
    """The ids in their order, and for each row of the table the row of its id: int32 (n,)."""
    ids, rows = Ids.of(coded.texts)
    return ids, rows.astype(np.int32)[coded.codes]


def write_ratings(ratings: Ratings, file: Path) -> None:
    """Write `user_id,item_id,rating[,timestamp]` as CSV that `read_ratings` reads back; `file` is replaced whole."""
    columns = {
        "user_id": _id_column(ratings.user_ids, ratings.user_rows),
        "item_id": _id_column(ratings.item_ids, ratings.item_rows),
        "rating": pa.array(ratings.values),
    }
    if ratings.timestamps is not None:
        columns["timestamp"] = pa.array(ratings.timestamps)
    draft = file.with_name(f".{file.name}.draft")
    try:
        pa.csv.write_csv(pa.table(columns), draft)
        sync(draft)
        draft.rename(file)
    finally:
        draft.unlink(missing_ok=True)


def _id_column(ids: Ids, rows: NDArray[np.int32]) -> Any:
    if isinstance(ids.values, Strings):
        offsets, utf8 = pa.py_buffer(ids.values.offsets), pa.py_buffer(ids.values.utf8)
        return pa.LargeStringArray.from_buffers(len(ids), offsets, utf8).take(pa.array(rows))
    return pa.array(ids.values[rows])
