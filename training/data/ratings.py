"""Ratings read from wherever they lie, and written as CSV."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from training.artefact import sync
from training.columns import Ids, Strings
from training.data.assembly import in_memory
from training.data.forms import DETECTED, Columns
from training.data.parsing import parse
from training.data.parts import Watch, hold, unwatched
from training.data.prepared import is_prepared, open_prepared
from training.data.table import Ratings
from training.errors import RatingsError

__all__ = ["DETECTED", "Columns", "Ratings", "read_ratings", "write_ratings"]


def read_ratings(source: Path, columns: Columns = DETECTED, *, least: int = 2, watch: Watch = unwatched) -> Ratings:
    """The ratings in `source`: a file or a folder in any form, with the titles beside them, or a prepared folder.

    Fewer than `least` users or items are refused: from one there is nothing to learn. Raises RatingsError naming
    file, line, column and value of the first thing that is not right, ArtefactError where a prepared folder is
    damaged.
    """
    if is_prepared(source):
        ratings = open_prepared(source, columns)
    else:
        ratings = parse(source, columns, partial(hold, watch=watch), in_memory)
    for kind, ids in (("user", ratings.user_ids), ("item", ratings.item_ids)):
        if len(ids) < least:
            raise RatingsError(
                f"{source}: all ratings are of one {kind}, {ids[0]!r}; from one there is nothing to learn"
            )
    return ratings


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
