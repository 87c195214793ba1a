"""A source of ratings → the table of them; where parts and columns lie meanwhile is the caller's choice."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from training.data.assembly import Store, assembled
from training.data.blocks import Block
from training.data.forms import Columns
from training.data.parts import Part
from training.data.reading import open_rows
from training.data.sources import locate_ratings
from training.data.table import Ratings
from training.data.titles import titles_beside
from training.errors import RatingsError


def parse(source: Path, columns: Columns, gather: Callable[[Iterator[Block]], list[Part]], store: Store) -> Ratings:
    """The ratings in `source`, a file or a folder in any form, with the titles that lie beside them.

    Raises RatingsError naming file, line, column and value of the first thing that is not right.
    """
    stored, beside = locate_ratings(source)
    rows = open_rows(stored, columns)
    parts = gather(rows.blocks)
    if not parts:
        raise RatingsError(f"{stored}: names its columns but holds no ratings; is it the right file?")
    titles_of = partial(titles_beside, beside, columns, rows.item_column)
    return assembled(parts, is_timed=rows.is_timed, titles_of=titles_of, remark=rows.remark, store=store)
