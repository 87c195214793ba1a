"""Text files of ratings: read by Arrow in one go; where it or a check refuses, the first bad line is looked for."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn

import pyarrow as pa
import pyarrow.csv

from training.data.forms import MAX_LINE_BYTES, Form, is_number, split_fields
from training.data.sources import Stored
from training.data.table import MAX_EPOCH_S, MIN_EPOCH_S, Table, id_fault
from training.errors import RatingsError

_BLOCK_BYTES = 1 << 24
_LINES_AT_ONCE = 4096
_UTF8_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Layout:
    """A form, and which of its columns is what."""

    form: Form
    positions: Mapping[str, int]
    """Of user, item, rating and, where there is one, timestamp among the form's columns."""
    text_time: bool
    """Whether the first row's timestamp is a date and time; otherwise all are numbers."""


def read_delimited(stored: Stored, form: Form, positions: Mapping[str, int]) -> Table:
    """The rows of a text file. Raises RatingsError naming line, column and value of the first that is not right."""
    layout = Layout(form, positions, _has_text_time(stored, form, positions))
    try:
        with stored.open() as stream:
            return Table.of(_parse(stream, layout, skip_header=form.has_header))
    except (pa.ArrowInvalid, pa.ArrowKeyError, ValueError) as error:
        _refuse(stored, layout, error)


def _has_text_time(stored: Stored, form: Form, positions: Mapping[str, int]) -> bool:
    if "timestamp" not in positions:
        return False
    with stored.open() as stream:
        lines = [stream.readline(MAX_LINE_BYTES) for _ in range(2 if form.has_header else 1)]
    try:
        text = split_fields(form, _decoded(lines[-1]))[positions["timestamp"]]
    except (UnicodeDecodeError, csv.Error, IndexError):
        return False  # reading on finds this line and says what is wrong with it
    return not is_number(text) and ":" in text


def _parse(stream: BinaryIO, layout: Layout, *, skip_header: bool) -> Any:
    """The Arrow table of user, item, rating and maybe timestamp. Raises ArrowInvalid at whatever does not fit."""
    names, types = _arrow_columns(layout)
    table = pa.csv.read_csv(
        stream,
        read_options=pa.csv.ReadOptions(column_names=names, skip_rows=int(skip_header), block_size=_BLOCK_BYTES),
        parse_options=pa.csv.ParseOptions(
            delimiter=layout.form.delimiter[0], quote_char='"' if layout.form.quoted else False
        ),
        # Only the fields between two colons (see _arrow_columns) can be null, and they must be.
        convert_options=pa.csv.ConvertOptions(
            column_types=types, include_columns=list(types), null_values=[""], strings_can_be_null=False
        ),
    )
    return table.select(list(layout.positions))


def _arrow_columns(layout: Layout) -> tuple[list[str], dict[str, Any]]:
    """The names of all columns in Arrow's eyes, and the types of those that are read."""
    names = [f"unused {position}" for position in range(len(layout.form.names))]
    for role, position in layout.positions.items():
        names[position] = role
    text = pa.dictionary(pa.int32(), pa.string())
    time = pa.timestamp("us") if layout.text_time else pa.float64()
    types = {"user": text, "item": text, "rating": pa.float32(), "timestamp": time}
    types = {role: types[role] for role in layout.positions}
    if layout.form.delimiter == "::":
        # Arrow knows only delimiters of one character: to it, an empty field lies between the two colons.
        gaps = {f"gap {position}": pa.null() for position in range(1, len(names))}
        names = [names[0], *(name for pair in zip(gaps, names[1:], strict=True) for name in pair)]
        types |= gaps
    return names, types


def _refuse(stored: Stored, layout: Layout, error: Exception) -> NoReturn:
    """Raise RatingsError for the first line that can't be read alone; for the file where each of them can."""
    n_rows = 0
    for number, offset, lines in _blocks(stored, layout.form.has_header):
        n_rows += sum(1 for line in lines if line.strip())
        if not _is_readable(b"".join(lines), layout):
            for line in lines:
                if not _is_readable(line, layout):
                    raise RatingsError(f"{stored}: line {number}: {_fault(line, layout, offset)}") from error
                number += 1
                offset += len(line)
    if n_rows == 0:
        raise RatingsError(f"{stored}: has a header but no ratings; is it the right file?") from error
    raise RatingsError(f"{stored}: can't be read: {error}") from error


def _blocks(stored: Stored, has_header: bool) -> Iterator[tuple[int, int, list[bytes]]]:
    """Physical lines in blocks, each with the first one's number and byte offset."""
    with stored.open() as stream:
        header = stream.readline(MAX_LINE_BYTES) if has_header else b""
        number, offset = 1 + has_header, len(header)
        while True:
            lines = [line for _ in range(_LINES_AT_ONCE) if (line := stream.readline(MAX_LINE_BYTES))]
            if not lines:
                return
            if max(map(len, lines)) == MAX_LINE_BYTES:
                raise RatingsError(f"{stored}: a line after line {number - 1} is longer than {MAX_LINE_BYTES:,} bytes")
            yield number, offset, lines
            number += len(lines)
            offset += sum(map(len, lines))


def _is_readable(text: bytes, layout: Layout) -> bool:
    if not text.strip(b"\r\n"):
        return True
    try:
        Table.of(_parse(io.BytesIO(text), layout, skip_header=False))
    except (pa.ArrowInvalid, pa.ArrowKeyError, ValueError):
        return False
    return True


def _fault(line: bytes, layout: Layout, offset: int) -> str:
    """What is wrong with a line that can't be read, and what to do."""
    try:
        fields = split_fields(layout.form, _decoded(line))
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        return f"byte {offset + error.start} is 0x{byte:02x}, which is not UTF-8; save the file as UTF-8"
    except csv.Error as error:
        return f"its quotes do not fit ({error}); is the file cut off?"
    n_expected = len(layout.form.names)
    if len(fields) != n_expected:
        return f"has {len(fields)} fields, not {n_expected}: {_shown(line.decode().strip())}; is the file cut off?"
    for role, position in layout.positions.items():
        fault = _field_fault(role, fields[position], layout)
        if fault:
            return f"column {layout.form.names[position]!r} is {_shown(fields[position])}: {fault}"
    return f"can't be read: {_shown(line.decode().strip())}; repair or remove it"


def _field_fault(role: str, text: str, layout: Layout) -> str | None:
    if role in ("user", "item"):
        fault = id_fault(text)
        if not fault and layout.form.delimiter == "::" and ":" in text:
            return "an id with a colon can't be told apart from the delimiter '::'; write the file as CSV"
        return f"an id that {fault}; repair or remove the line" if fault else None
    if role == "timestamp":
        return _time_fault(text, layout.text_time)
    if not is_number(text) or abs(float(text)) > 3e38 or float(text) != float(text):
        return "not a finite number; repair or remove the line"
    return None


def _time_fault(text: str, text_time: bool) -> str | None:
    if text_time:
        return "not a time such as 2005-04-02 23:53:47; repair or remove the line"
    if not is_number(text):
        return "not epoch seconds as in the first row; repair or remove the line"
    if not MIN_EPOCH_S <= float(text) <= MAX_EPOCH_S:
        return "not epoch seconds between 1900 and 2200; divide milliseconds by 1000"
    return None


def _decoded(line: bytes) -> str:
    return line.removeprefix(_UTF8_BOM).decode().rstrip("\r\n")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "…")
