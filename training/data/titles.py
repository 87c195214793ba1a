"""Titles and tags of the rated items, from the file that comes with the ratings."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from training.columns import Ragged, Strings
from training.data.forms import (
    GENRES_100K,
    Columns,
    Form,
    find_column,
    folded,
    item_id_columns,
    listed,
    named_column,
    split_fields,
    titles_form,
)
from training.data.parquet import column_names, read_texts
from training.data.sources import Stored, locate_titles
from training.errors import RatingsError

# What MovieLens writes where it knows no genre.
_NO_TAGS = {"", "(no genres listed)", "unknown"}


@dataclass(frozen=True)
class Titles:
    """Titles and tags by item id, for the rated items that have any."""

    by_id: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    remark: str = ""
    """What a person should know of how they were read."""

    def columns(self, item_ids: Sequence[str]) -> tuple[Strings, Ragged, Strings]:
        """Title and tags of each of `item_ids`, empty where unknown, and the names of the tags, sorted."""
        known = [self.by_id.get(item_id, ("", [])) for item_id in item_ids]
        names = sorted({tag for _, tags in known for tag in tags})
        rows = {name: row for row, name in enumerate(names)}
        tags = Ragged.of([[rows[tag] for tag in tags] for _, tags in known])
        return Strings.of(title for title, _ in known), tags, Strings.of(names)


@dataclass(frozen=True)
class _Sheet:
    """A file of titles as rows of texts."""

    names: tuple[str, ...]
    rows: list[list[str]]


@dataclass(frozen=True)
class _Places:
    """Which columns of a sheet are what; the flags of u.item are many columns."""

    item_id: int
    title: int | None
    tags: int | None
    flags: range


def titles_beside(beside: Sequence[Stored], columns: Columns, item_column: str, rated: Sequence[str]) -> Titles:
    """The titles of the `rated` items from the file that `columns` names, or from the one `beside` their ratings.

    None, and a remark, where there are several beside. Raises what `read_titles` raises.
    """
    if columns.items is not None:
        return read_titles(locate_titles(columns.items), columns, item_column, set(rated))
    if len(beside) > 1:
        names = ", ".join(stored.name for stored in beside)
        return Titles(remark=f"no titles are read: there are {names}; choose one with --items")
    return read_titles(beside[0], columns, item_column, set(rated)) if beside else Titles()


def read_titles(stored: Stored, columns: Columns, item_column: str, rated: set[str]) -> Titles:
    """The titles of the `rated` items; `item_column` is what the ratings call the item.

    Raises RatingsError naming line or column where the file can't be read or has no columns that fit.
    """
    sheet = _sheet(stored)
    places = _Places(
        item_id=_item_id_column(stored, sheet, columns, item_column, rated),
        title=find_column(sheet.names, "title", columns.title, "--title-column", stored),
        tags=find_column(sheet.names, "tags", columns.tags, "--tags-column", stored),
        flags=_flags(sheet),
    )
    if places.title is None and places.tags is None and not places.flags:
        raise RatingsError(
            f"{stored}: no column with titles; there are {listed(sheet.names)}: choose one with --title-column"
        )
    by_id: dict[str, tuple[str, list[str]]] = {}
    for row in sheet.rows:
        if row[places.item_id] in rated:
            by_id.setdefault(row[places.item_id], _title_and_tags(row, places))
    return Titles(by_id, _remark(stored, sheet, places, len(by_id), len(rated)))


def _title_and_tags(row: list[str], places: _Places) -> tuple[str, list[str]]:
    title = "" if places.title is None else row[places.title].strip()
    tags = [] if places.tags is None else row[places.tags].split("|")
    tags += [GENRES_100K[number] for number, position in enumerate(places.flags) if row[position] == "1"]
    # Each tag once, in the order of the data.
    return title, list(dict.fromkeys(tag.strip() for tag in tags if tag.strip() not in _NO_TAGS))


def _flags(sheet: _Sheet) -> range:
    start = len(sheet.names) - len(GENRES_100K)
    return range(start, len(sheet.names)) if sheet.names[start:] == GENRES_100K else range(0)


def _item_id_column(stored: Stored, sheet: _Sheet, columns: Columns, item_column: str, rated: set[str]) -> int:
    """The named column, or of those that could hold the item's id the one that knows most of the rated items."""
    if columns.item_id is not None:
        return named_column(sheet.names, columns.item_id, "--item-id-column", stored)
    candidates = item_id_columns(sheet.names)
    candidates += [place for place, name in enumerate(sheet.names) if name == item_column and place not in candidates]
    if not candidates:
        raise RatingsError(
            f"{stored}: no column with the item's id; there are {listed(sheet.names)}: choose one with --item-id-column"
        )
    known = {place: len(rated.intersection(row[place] for row in sheet.rows)) for place in candidates}
    return max(candidates, key=lambda place: (known[place], sheet.names[place] == item_column))


def _remark(stored: Stored, sheet: _Sheet, places: _Places, n_known: int, n_rated: int) -> str:
    if n_known == 0:
        name = sheet.names[places.item_id]
        return f"{stored}: has no title for any rated item; is it the right file, and column {name!r} the id?"
    if n_known == n_rated and folded(sheet.names[places.item_id]) == "movieid":
        return ""  # MovieLens: nobody needs to be told
    title = "no titles" if places.title is None else f"titles from column {sheet.names[places.title]!r}"
    place = f"{stored.name}: {title}, items by column {sheet.names[places.item_id]!r}"
    return f"{place}; {n_rated - n_known:,} of {n_rated:,} items have none" if n_known < n_rated else place


def _sheet(stored: Stored) -> _Sheet:
    if stored.name.endswith(".parquet"):
        names = column_names(stored)
        return _Sheet(names, list(read_texts(stored, list(names))))
    form = titles_form(stored)
    return _Sheet(form.names, list(_rows(stored, form)))


def _rows(stored: Stored, form: Form) -> Iterator[list[str]]:
    text = _text(stored, form)
    lines = io.StringIO(text, newline="")
    if form.quoted:
        reader = csv.reader(lines, delimiter=form.delimiter, strict=True)
        rows: Iterator[tuple[int, list[str]]] = ((reader.line_num, row) for row in reader)
    else:
        rows = ((number, split_fields(form, line.rstrip("\r\n"))) for number, line in enumerate(lines, 1))
    try:
        for number, row in rows:
            if not any(row) or (form.has_header and number == 1):
                continue
            if len(row) != len(form.names):
                raise RatingsError(
                    f"{stored}: line {number}: has {len(row)} fields, not {len(form.names)}; is the file cut off?"
                )
            yield row
    except csv.Error as error:
        raise RatingsError(f"{stored}: line {reader.line_num}: {error}; is the file cut off?") from error


def _text(stored: Stored, form: Form) -> str:
    with stored.open() as stream:
        raw = stream.read()
    for encoding in form.encodings[1:]:
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            return raw.decode(encoding)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, byte = raw.count(b"\n", 0, error.start) + 1, raw[error.start]
        where = f"{stored}: line {line}: byte {error.start}"
        raise RatingsError(f"{where} is 0x{byte:02x}, which is not UTF-8; save the file as UTF-8") from error
