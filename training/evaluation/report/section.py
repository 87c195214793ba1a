"""What a page is made of: sections of sentences, charts and tables. The template alone knows HTML."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.evaluation.report.chart import Chart


@dataclass(frozen=True)
class Table:
    """Figures in rows; the first column names them."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    marked: int | None = None
    """The row that stands out."""
    wide: bool = False
    """Whether it takes the whole width, not the place of a chart."""


@dataclass(frozen=True)
class Tile:
    """One headline figure."""

    name: str
    value: str
    interval: str
    remark: str


@dataclass(frozen=True)
class Listed:
    """One item of a user's list."""

    title: str
    tags: str
    score: str
    remark: str = ""
    """Such as how the user rated it."""
    is_hit: bool = False
    """Whether it is recommended and the user liked it."""


@dataclass(frozen=True)
class ItemList:
    """Some items under a heading."""

    heading: str
    items: Sequence[Listed]


@dataclass(frozen=True)
class Person:
    """A user: what is known of the user, and what is recommended."""

    heading: str
    lists: Sequence[ItemList]


@dataclass(frozen=True)
class Section:
    """One part of the page."""

    anchor: str
    title: str
    sentences: Sequence[str] = ()
    tiles: Sequence[Tile] = ()
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    people: Sequence[Person] = ()
    facts: Sequence[tuple[str, str]] = ()
    """Terms and what is to be said of each."""
