"""What every table of ratings must fulfil, whatever file its rows came from."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

MAX_ID_LENGTH = 1000
"""In characters."""

# 1900 to 2200: epoch seconds outside it are milliseconds, or nonsense.
MIN_EPOCH_S, MAX_EPOCH_S = -2_208_988_800, 7_258_118_400

ID_TYPE = pa.dictionary(pa.int32(), pa.string())


def checked(table: Any) -> Any:
    """The rows of an Arrow table of user, item, rating and maybe timestamp, in one chunk and in the types of a part.

    user, item: `ID_TYPE`, no text twice; rating: float32, finite; timestamp: int64 epoch seconds. Takes timestamps as
    numbers or as Arrow's timestamps in us. Raises ValueError where a value is one that no rating has: the caller knows
    the file and finds the place.
    """
    table = table.unify_dictionaries().combine_chunks()
    if any(column.null_count for column in table.columns) or not np.isfinite(table.column("rating").to_numpy()).all():
        raise ValueError("a value is missing or not finite")
    for role in ("user", "item"):
        for chunk in table.column(role).chunks:
            _check_ids(chunk.dictionary)
    if "timestamp" in table.column_names:
        place = table.column_names.index("timestamp")
        table = table.set_column(place, "timestamp", pa.array(_epoch_seconds(table.column("timestamp"))))
    return table


def id_fault(text: str) -> str | None:
    """What is wrong with the id `text`; None where nothing is."""
    if not text:
        return "is empty"
    if len(text) > MAX_ID_LENGTH:
        return f"has more than {MAX_ID_LENGTH:,} characters"
    # A line break in an id is a quote that was never closed.
    return None if text.isprintable() else "holds a character that can't be printed"


def _check_ids(texts: Any) -> None:
    # Arrow clears the plain ones, which are almost all; Python judges the rest.
    length = pa.compute.binary_length(texts)
    plain = pa.compute.and_(
        pa.compute.ascii_is_printable(texts),
        pa.compute.and_(pa.compute.greater(length, 0), pa.compute.less_equal(length, MAX_ID_LENGTH)),
    )
    if any(map(id_fault, texts.filter(pa.compute.invert(plain)).to_pylist())):
        raise ValueError("an id is empty, too long or can't be printed")


def _epoch_seconds(column: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    if pa.types.is_timestamp(column.type):
        seconds = column.cast(pa.int64()).to_numpy() // 1_000_000
    else:
        seconds = np.floor(column.to_numpy())
    # Written so that NaN fails it too.
    if not ((seconds >= MIN_EPOCH_S) & (seconds <= MAX_EPOCH_S)).all():
        raise ValueError("a timestamp is not between 1900 and 2200")
    return np.asarray(seconds, np.int64)
