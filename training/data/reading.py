"""One file of ratings → blocks of its rows, whatever its form."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from training.data.blocks import Block
from training.data.delimited import text_blocks
from training.data.forms import Columns, find_column, listed, ratings_form
from training.data.parquet import column_names, row_blocks
from training.data.sources import Stored
from training.errors import RatingsError

# Nobody needs to be told what these hold.
_PLAIN_NAMES = {"userId", "movieId", "user_id", "item_id", "rating", "timestamp"}


@dataclass(frozen=True)
class Rows:
    """The rows of a file, not yet read."""

    blocks: Iterator[Block]
    """In order, to be used once."""
    item_column: str
    """What the file calls the item."""
    is_timed: bool
    """Whether there are timestamps."""
    remark: str
    """Which column was taken for what, where that is not plain."""


def open_rows(stored: Stored, columns: Columns) -> Rows:
    """The rows of a file. Raises RatingsError where it is no file of ratings or its columns are not found."""
    if stored.name.endswith(".parquet"):
        names, has_header = column_names(stored), True
        positions = _positions(stored, names, columns)
        blocks: Iterator[Block] = row_blocks(stored, {role: names[position] for role, position in positions.items()})
    else:
        form = ratings_form(stored)
        names, has_header = form.names, form.has_header
        positions = _positions(stored, names, columns)
        blocks = text_blocks(stored, form, positions)
    remark = _remark(stored, names, positions) if has_header else ""
    return Rows(blocks, names[positions["item"]], "timestamp" in positions, remark)


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
