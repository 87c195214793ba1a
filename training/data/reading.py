"""One file of ratings → its rows, whatever its form."""

from collections.abc import Mapping

import pyarrow as pa

from training.data.delimited import read_delimited
from training.data.forms import Columns, find_column, listed, ratings_form
from training.data.parquet import column_names, read_parquet
from training.data.sources import Stored
from training.data.table import Table
from training.errors import RatingsError

# Nobody needs to be told what these hold.
_PLAIN_NAMES = {"userId", "movieId", "user_id", "item_id", "rating", "timestamp"}


def read_table(stored: Stored, columns: Columns) -> tuple[Table, str, str]:
    """The rows, the name of the item's column, and a remark on which column was taken for what (or none: "").

    Raises RatingsError naming line, column and value of the first thing that is not right.
    """
    if stored.name.endswith(".parquet"):
        names, has_header = column_names(stored), True
        positions = _positions(stored, names, columns)
        table = read_parquet(stored, {role: names[position] for role, position in positions.items()})
    else:
        form = ratings_form(stored)
        names, has_header = form.names, form.has_header
        positions = _positions(stored, names, columns)
        table = read_delimited(stored, form, positions)
    # Arrow keeps what it has freed for its next reading, a quarter of a gigabyte at 20 million rows: there is none.
    pa.default_memory_pool().release_unused()
    return table, names[positions["item"]], _remark(stored, names, positions) if has_header else ""


def _positions(stored: Stored, names: tuple[str, ...], columns: Columns) -> Mapping[str, int]:
    """The positions of user, item, rating and, where there is one, timestamp, in this order."""
    positions: dict[str, int] = {}
    for role in ("user", "item", "rating", "timestamp"):
        position = find_column(names, role, getattr(columns, role), f"--{role}-column", stored)
        if position is not None:
            positions[role] = position
        elif role != "timestamp":
            raise RatingsError(
                f"{stored}: no column is known to hold the {role}; there are {listed(names)}: "
                f"choose one with --{role}-column"
            )
    taken = list(positions.values())
    if len(set(taken)) < len(taken):
        raise RatingsError(f"{stored}: one column is taken for two things; columns are {listed(names)}")
    return positions


def _remark(stored: Stored, names: tuple[str, ...], positions: Mapping[str, int]) -> str:
    taken = {role: names[position] for role, position in positions.items()}
    if _PLAIN_NAMES.issuperset(taken.values()):
        return ""
    what = ", ".join(f"{role} from column {name!r}" for role, name in taken.items())
    return f"{stored.name}: {what}" + ("" if "timestamp" in taken else ", no times")
