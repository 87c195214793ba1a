"""Text files of ratings: read by Arrow in blocks; where it or a check refuses, the first bad line is looked for."""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.csv

from training.data.checks import ID_TYPE, MAX_EPOCH_S, MIN_EPOCH_S, checked, id_fault
from training.data.forms import MAX_LINE_BYTES, Form, is_number, split_fields
from training.data.sources import Stored
from training.errors import RatingsError

_BLOCK_BYTES = 1 << 25
# A block is divided among the cores in pieces of this size.
_PIECE_BYTES = 1 << 22
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


@dataclass(frozen=True)
class TextBlock:
    """Some whole lines of a text file: a `Block`."""

    stored: Stored
    layout: Layout
    raw: bytes
    first_line: int
    """The number of its first line in the file, from 1."""
    offset: int
    """Of its first byte in the file."""

    @property
    def n_bytes(self) -> int:
        """As `Block` says."""
        return len(self.raw)

    def digest(self) -> str:
        """As `Block` says."""
        digest = hashlib.sha256(repr(self.layout).encode())
        digest.update(self.raw)
        return digest.hexdigest()

    def parse(self) -> Any:
        """As `Block` says."""
        try:
            return _parse(self.raw, self.layout)
        except (pa.ArrowInvalid, pa.ArrowKeyError, ValueError) as error:
            _refuse(self, error)


def text_blocks(stored: Stored, form: Form, positions: Mapping[str, int]) -> Iterator[TextBlock]:
    """The lines of a text file after its header, in order."""
    layout = Layout(form, positions, _has_text_time(stored, form, positions))
    with stored.open() as stream:
        header = stream.readline(MAX_LINE_BYTES) if form.has_header else b""
        line, offset = 1 + form.has_header, len(header)
        while raw := stream.read(_BLOCK_BYTES):
            # A line that goes on beyond one more piece can't be read whatever follows.
            raw += stream.readline(_PIECE_BYTES)
            yield TextBlock(stored, layout, raw, line, offset)
            line += raw.count(b"\n")
            offset += len(raw)


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


def _parse(raw: bytes, layout: Layout) -> Any:
    """The rows of some lines. Raises ArrowInvalid or ValueError at whatever does not fit."""
    names, types = _arrow_columns(layout)
    if raw.isspace():
        return pa.schema([(role, types[role]) for role in layout.positions]).empty_table()
    table = pa.csv.read_csv(
        pa.BufferReader(raw),
        read_options=pa.csv.ReadOptions(column_names=names, block_size=_PIECE_BYTES),
        parse_options=pa.csv.ParseOptions(
            delimiter=layout.form.delimiter[0], quote_char='"' if layout.form.quoted else False
        ),
        # Only the fields between two colons (see _arrow_columns) can be null, and they must be.
        convert_options=pa.csv.ConvertOptions(
            column_types=types, include_columns=list(types), null_values=[""], strings_can_be_null=False
        ),
    )
    return checked(table.select(list(layout.positions)))


def _arrow_columns(layout: Layout) -> tuple[list[str], dict[str, Any]]:
    """The names of all columns in Arrow's eyes, and the types of those that are read."""
    names = [f"unused {position}" for position in range(len(layout.form.names))]
    for role, position in layout.positions.items():
        names[position] = role
    time = pa.timestamp("us") if layout.text_time else pa.float64()
    types = {"user": ID_TYPE, "item": ID_TYPE, "rating": pa.float32(), "timestamp": time}
    types = {role: types[role] for role in layout.positions}
    if layout.form.delimiter == "::":
        # Arrow knows only delimiters of one character: to it, an empty field lies between the two colons.
        gaps = {f"gap {position}": pa.null() for position in range(1, len(names))}
        names = [names[0], *(name for pair in zip(gaps, names[1:], strict=True) for name in pair)]
        types |= gaps
    return names, types


def _refuse(block: TextBlock, error: Exception) -> NoReturn:
    """Raise RatingsError for the first line that can't be read alone; for the file where each of them can."""
    number, offset = block.first_line, block.offset
    for lines in _lines(block):
        if not _is_readable(b"".join(lines), block.layout):
            for line in lines:
                if not _is_readable(line, block.layout):
                    where = f"{block.stored}: line {number}"
                    raise RatingsError(f"{where}: {_fault(line, block.layout, offset)}") from error
                number += 1
                offset += len(line)
        else:
            number += len(lines)
            offset += sum(map(len, lines))
    raise RatingsError(f"{block.stored}: can't be read: {error}") from error


def _lines(block: TextBlock) -> Iterator[list[bytes]]:
    """The physical lines of a block, some thousands at a time."""
    stream, number = io.BytesIO(block.raw), block.first_line
    while lines := [line for _ in range(_LINES_AT_ONCE) if (line := stream.readline(MAX_LINE_BYTES))]:
        if max(map(len, lines)) == MAX_LINE_BYTES:
            where = f"{block.stored}: a line after line {number - 1}"
            raise RatingsError(f"{where} is longer than {MAX_LINE_BYTES:,} bytes")
        yield lines
        number += len(lines)


def _is_readable(text: bytes, layout: Layout) -> bool:
    try:
        _parse(text, layout)
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
