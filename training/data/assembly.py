"""Parts of a file of ratings → one table of them, column by column."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from training.columns import Ids
from training.data.by_user import pieces
from training.data.parts import Part
from training.data.repeated import superseded
from training.data.table import Ratings
from training.data.titles import Titles

Column = NDArray[Any]
Store = Callable[[str, type[np.generic], int, Iterable[Column]], Column]
"""(name, dtype, n, pieces) → the array (n,) that the pieces make up, in memory or in a file of that name."""


def in_memory(name: str, dtype: type[np.generic], n: int, columns: Iterable[Column]) -> Column:  # noqa: ARG001  # a Store
    """A `Store` whose array is in memory."""
    filled = np.empty(n, dtype)
    start = 0
    for column in columns:
        filled[start : start + len(column)] = column
        start += len(column)
    return filled


def assembled(
    parts: list[Part], *, is_timed: bool, titles_of: Callable[[list[str]], Titles], remark: str, store: Store
) -> Ratings:
    """The ratings that `parts`, of which there is at least one, make up in their order.

    `titles_of` finds the titles of item ids. What was said of a pair before it was said again is left out.
    """
    n = sum(part.n_rows for part in parts)
    user_ids, user_pieces = _numbered(parts, "user")
    user_rows = store("user_rows", np.int32, n, user_pieces)
    item_ids, item_pieces = _numbered(parts, "item")
    item_rows = store("item_rows", np.int32, n, item_pieces)
    values = store("values", np.float32, n, (part.take("rating") for part in parts))
    times = (part.take("timestamp") for part in parts)
    timestamps = store("timestamps", np.int64, n, times) if is_timed else None
    dropped = superseded(user_rows, item_rows, timestamps, len(user_ids), len(item_ids))
    listed = [item_ids[row] for row in range(len(item_ids))]
    titles = titles_of(listed)
    item_titles, item_tags, tag_names = titles.columns(listed)
    return Ratings(
        user_rows=_without(dropped, user_rows, "user_rows", store),
        item_rows=_without(dropped, item_rows, "item_rows", store),
        values=_without(dropped, values, "values", store),
        timestamps=None if timestamps is None else _without(dropped, timestamps, "timestamps", store),
        user_ids=user_ids,
        item_ids=item_ids,
        item_titles=item_titles,
        item_tags=item_tags,
        tag_names=tag_names,
        n_repeated=len(dropped),
        remarks=tuple(filter(None, (remark, titles.remark, _said(len(dropped), is_timed)))),
    )


def _numbered(parts: list[Part], role: str) -> tuple[Ids, Iterator[Column]]:
    """The sorted ids of all parts, and for each part the rows of its users or items: int32."""
    # Each part's texts, numbered from 0; unified, the numbers are places in one dictionary of all parts.
    unified = pa.chunked_array([_numbered_from_0(part.texts(role)) for part in parts]).unify_dictionaries()
    ids, rows = Ids.of(unified.chunk(0).dictionary.to_pylist())
    rows_of = [rows.astype(np.int32)[chunk.indices.to_numpy()] for chunk in unified.chunks]
    return ids, (rows[part.take(role)] for part, rows in zip(parts, rows_of, strict=True))


def _numbered_from_0(texts: Any) -> Any:
    return pa.DictionaryArray.from_arrays(np.arange(len(texts), dtype=np.int32), texts)


def _without(dropped: NDArray[np.int64], column: Column, name: str, store: Store) -> Column:
    if len(dropped) == 0:
        return column
    kept = (np.delete(column[piece], _within(dropped, piece)) for piece in pieces(len(column)))
    return store(name, column.dtype.type, len(column) - len(dropped), kept)


def _within(positions: NDArray[np.int64], piece: slice) -> NDArray[np.int64]:
    first, end = np.searchsorted(positions, (piece.start, piece.stop))
    within: NDArray[np.int64] = positions[first:end] - piece.start
    return within


def _said(n_dropped: int, is_timed: bool) -> str:
    how = "the latest of each" if is_timed else "the last of each"
    return f"{n_dropped:,} rows rate an item that the same user rates again; {how} counts" if n_dropped else ""
