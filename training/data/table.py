"""Columns of ratings as they come out of a file: codes into texts, values, times; not yet sorted, not yet unique."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Number = TypeVar("Number", np.int32, np.int64)

MAX_ID_LENGTH = 1000
"""In characters."""

# 1900 to 2200: epoch seconds outside it are milliseconds, or nonsense.
MIN_EPOCH_S, MAX_EPOCH_S = -2_208_988_800, 7_258_118_400


@dataclass(frozen=True)
class Coded:
    """n ids: `codes` (n,) int32 into distinct `texts`, in no order."""

    codes: NDArray[np.int32]
    texts: list[str]


@dataclass(frozen=True)
class Table:
    """n rows as a file holds them."""

    users: Coded
    items: Coded
    values: NDArray[np.float32]
    """(n,)"""
    timestamps: NDArray[np.int64] | None
    """(n,) epoch seconds."""

    @classmethod
    def of(cls, table: Any) -> "Table":
        """From an Arrow table: dictionary columns user and item, rating, maybe timestamp (seconds, or Arrow's us).

        Raises ValueError where a value is one that no rating has: the caller knows the file and finds the place.
        """
        if table.num_rows == 0:
            raise ValueError("there are no rows")
        table = table.unify_dictionaries()
        values = table.column("rating").to_numpy()
        if any(column.null_count for column in table.columns) or not np.isfinite(values).all():
            raise ValueError("a value is missing or not finite")
        return cls(
            users=_coded(table.column("user")),
            items=_coded(table.column("item")),
            values=values,
            timestamps=_epoch_seconds(table.column("timestamp")) if "timestamp" in table.column_names else None,
        )


def id_fault(text: str) -> str | None:
    """What is wrong with the id `text`; None where nothing is."""
    if not text:
        return "is empty"
    if len(text) > MAX_ID_LENGTH:
        return f"has more than {MAX_ID_LENGTH:,} characters"
    # A line break in an id is a quote that was never closed.
    return None if text.isprintable() else "holds a character that can't be printed"


def _coded(column: Any) -> Coded:
    texts = column.chunk(0).dictionary.to_pylist()
    if any(id_fault(text) for text in texts):
        raise ValueError("an id is empty, too long or can't be printed")
    return Coded(_filled(column, np.int32, lambda chunk: chunk.indices.to_numpy()), texts)


def _epoch_seconds(column: Any) -> NDArray[np.int64]:
    return _filled(column, np.int64, _chunk_seconds)


def _chunk_seconds(chunk: Any) -> NDArray[np.int64]:
    if pa.types.is_timestamp(chunk.type):
        seconds = chunk.cast(pa.int64()).to_numpy() // 1_000_000
    else:
        seconds = np.floor(chunk.to_numpy())
    # Written so that NaN fails it too.
    if not ((seconds >= MIN_EPOCH_S) & (seconds <= MAX_EPOCH_S)).all():
        raise ValueError("a timestamp is not between 1900 and 2200")
    return np.asarray(seconds, np.int64)


def _filled(column: Any, dtype: type[Number], convert: Callable[[Any], NDArray[Any]]) -> NDArray[Number]:
    """One array from all chunks of a column, converted one by one: no second copy of the whole exists."""
    filled = np.empty(len(column), dtype)
    start = 0
    for chunk in column.chunks:
        filled[start : start + len(chunk)] = convert(chunk)
        start += len(chunk)
    return filled
