"""The forms that ratings come in: which columns a file has, and which of them is what."""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from training.data.sources import Stored
from training.errors import RatingsError

Role = Literal["user", "item", "rating", "timestamp", "title", "tags"]

MAX_LINE_BYTES = 1 << 20
"""A longer line is no line of ratings."""


@dataclass(frozen=True)
class Columns:
    """Which column of the data is what; None: found by its name."""

    user: str | None = None
    """The user's id."""
    item: str | None = None
    """The item's id."""
    rating: str | None = None
    """The rating, a number."""
    timestamp: str | None = None
    """When the rating was made: epoch seconds, or text such as 2005-04-02 23:53:47 (UTC)."""
    items: Path | None = None
    """The file with the titles; None: looked for beside the ratings."""
    item_id: str | None = None
    """The item's id in the titles file."""
    title: str | None = None
    """The title in the titles file."""
    tags: str | None = None
    """Tags such as genres in the titles file, separated by |."""


DETECTED = Columns()
"""Everything is found by its name."""


@dataclass(frozen=True)
class Form:
    """How one text file is written."""

    delimiter: str
    """Between two fields of a line."""
    names: tuple[str, ...]
    """Of the columns, in their order."""
    has_header: bool
    """Whether the first line holds the names; otherwise they are known from the form's documentation."""
    quoted: bool
    """Whether a field may stand in double quotes."""
    encodings: tuple[str, ...] = ("utf-8",)
    """Tried in this order."""


# What other people call these columns, in lower case and without spaces, dots, dashes and underscores.
_KNOWN_NAMES: Mapping[Role, tuple[str, ...]] = {
    "user": ("userid", "user", "uid", "customerid", "reviewerid"),
    "item": ("itemid", "item", "iid", "movieid", "movie", "bookid", "book", "productid", "product", "asin"),
    "rating": ("rating", "ratings", "score", "stars"),
    "timestamp": ("timestamp", "time", "unixtime", "date", "datetime", "ratedat"),
    "title": ("title", "movietitle", "booktitle", "itemtitle", "name"),
    "tags": ("genres", "genre", "tags", "categories"),
}

GENRES_100K = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
"""The genre flags that end each line of MovieLens 100K's u.item, in their order."""

_RATINGS_1M = ("UserID", "MovieID", "Rating", "Timestamp")
_TITLES_1M = ("MovieID", "Title", "Genres")
_RATINGS_100K = ("user id", "item id", "rating", "timestamp")
_TITLES_100K = ("movie id", "movie title", "release date", "video release date", "IMDb URL", *GENRES_100K)


def ratings_form(stored: Stored) -> Form:
    """The form of a text file of ratings, from its first line. Raises RatingsError where that is no such thing."""
    line = _first_line(stored)
    if "::" in line:
        return _headless(stored, line, "::", _RATINGS_1M, least=3)
    fields = line.split("\t")
    if len(fields) >= 3 and is_number(fields[2]):
        return _headless(stored, line, "\t", _RATINGS_100K, least=3)
    return _with_header(stored, line)


def titles_form(stored: Stored) -> Form:
    """The form of a text file of titles, from its first line. Raises RatingsError where that is no such thing."""
    line = _first_line(stored)
    if "::" in line and "," not in line.partition("::")[0]:
        return _headless(stored, line, "::", _TITLES_1M, least=2)
    if line.count("|") == len(_TITLES_100K) - 1:
        return _headless(stored, line, "|", _TITLES_100K, least=len(_TITLES_100K))
    return _with_header(stored, line)


def split_fields(form: Form, line: str) -> list[str]:
    """The fields of one line. Raises csv.Error where its quotes do not fit."""
    if not form.quoted:
        return line.split(form.delimiter)
    return next(csv.reader([line], delimiter=form.delimiter, strict=True), [])


def find_column(names: tuple[str, ...], role: Role, chosen: str | None, flag: str, where: object) -> int | None:
    """The position of the column that is `role`, by the name `chosen` or, where None, by what it is usually called.

    None where nothing is chosen and no name fits. Raises RatingsError where `chosen` is not there or several fit.
    """
    if chosen is not None:
        return named_column(names, chosen, flag, where)
    fitting = [position for position, name in enumerate(names) if folded(name) in _KNOWN_NAMES[role]]
    if len(fitting) > 1:
        found = listed([names[position] for position in fitting])
        raise RatingsError(f"{where}: several columns could hold the {role}: {found}; choose one with {flag}")
    return fitting[0] if fitting else None


def named_column(names: tuple[str, ...], chosen: str, flag: str, where: object) -> int:
    """The position of the column `chosen`. Raises RatingsError where it is not there, or twice."""
    if names.count(chosen) > 1:
        raise RatingsError(f"{where}: has {names.count(chosen)} columns {chosen!r}; rename them")
    if chosen not in names:
        raise RatingsError(f"{where}: has no column {chosen!r}; there are {listed(names)}: choose one with {flag}")
    return names.index(chosen)


def item_id_columns(names: tuple[str, ...]) -> list[int]:
    """The positions of the columns of a titles file that could hold the item's id, by what they are called."""
    return [position for position, name in enumerate(names) if folded(name) in ("id", *_KNOWN_NAMES["item"])]


def folded(name: str) -> str:
    """A column's name in lower case and without spaces, dots, dashes and underscores."""
    return re.sub(r"[\s._-]", "", name).lower()


def listed(names: tuple[str, ...] | list[str]) -> str:
    """Names for a sentence, the first twenty of them."""
    return ", ".join(map(repr, names[:20])) + (", …" if len(names) > 20 else "")


def _first_line(stored: Stored) -> str:
    with stored.open() as stream:
        raw = stream.readline(MAX_LINE_BYTES)
    if not raw:
        raise RatingsError(f"{stored}: is empty; is it the right file?")
    if len(raw) == MAX_LINE_BYTES:
        raise RatingsError(f"{stored}: line 1 is longer than {MAX_LINE_BYTES:,} bytes; is it the right file?")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise RatingsError(f"{stored}: line 1, byte 0: is UTF-16; save it as UTF-8")
    try:
        line = raw.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        if b"::" in raw or raw.count(b"|") == len(_TITLES_100K) - 1:
            return raw.decode("latin-1").rstrip("\r\n")
        raise RatingsError(f"{stored}: line 1, byte {error.start}: is not UTF-8; save the file as UTF-8") from error
    if not line.strip():
        raise RatingsError(f"{stored}: line 1 is blank; it must name the columns")
    return line


def _headless(stored: Stored, line: str, delimiter: str, names: tuple[str, ...], least: int) -> Form:
    n_fields = len(line.split(delimiter))
    if not least <= n_fields <= len(names):
        raise RatingsError(f"{stored}: line 1 has {n_fields} fields between {delimiter!r}, not {', '.join(names)}")
    return Form(delimiter, names[:n_fields], has_header=False, quoted=False, encodings=("utf-8", "latin-1"))


def _with_header(stored: Stored, line: str) -> Form:
    delimiter = max(",\t;", key=line.count)
    form = Form(delimiter, (), has_header=True, quoted=True)
    try:
        names = tuple(name.strip() for name in split_fields(form, line))
    except csv.Error as error:
        raise RatingsError(f"{stored}: line 1: the names of the columns can't be read: {error}") from error
    return Form(delimiter, names, has_header=True, quoted=True)


def is_number(text: str) -> bool:
    """Whether Python reads `text` as a number; NaN and infinity are numbers to it."""
    try:
        float(text)
    except ValueError:
        return False
    return True
