"""Parquet files of ratings and of titles."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from training.data.checks import checked
from training.data.sources import Stored
from training.errors import RatingsError

_ROWS_AT_ONCE = 1 << 20


def column_names(stored: Stored) -> tuple[str, ...]:
    """The names of the columns in a file. Raises RatingsError where it is no Parquet file."""
    with _opened(stored) as file:
        return tuple(file.schema_arrow.names)


@dataclass(frozen=True)
class RowBlock:
    """Some rows of a Parquet file: a `Block`."""

    stored: Stored
    names: Mapping[str, str]
    """user, item, rating and maybe timestamp → the name of the column."""
    batch: Any
    """The Arrow batch of these columns, as the file has them."""
    first_row: int
    """The number of its first row in the file, from 0."""
    n_bytes: int

    def digest(self) -> str:
        """As `Block` says."""
        digest = hashlib.sha256(repr((dict(self.names), str(self.batch.schema))).encode())
        digest.update(self.batch.serialize())
        return digest.hexdigest()

    def parse(self) -> Any:
        """As `Block` says."""
        batch = _converted(self.stored, self.names, self.batch, self.first_row)
        try:
            return checked(pa.Table.from_batches([batch]))
        except ValueError as error:
            raise RatingsError(f"{self.stored}: can't be read: {error}") from error


def row_blocks(stored: Stored, names: Mapping[str, str]) -> Iterator[RowBlock]:
    """The rows of a file, in order; `names` maps user, item, rating and maybe timestamp to columns."""
    with _opened(stored) as file:
        first_row, n_rows = 0, max(file.metadata.num_rows, 1)
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=list(names.values())):
            yield RowBlock(stored, names, batch, first_row, (stored.n_bytes or 0) * len(batch) // n_rows)
            first_row += len(batch)


def read_texts(stored: Stored, names: list[str]) -> Iterator[list[str]]:
    """The rows of some columns as texts; null as an empty one, a list's elements joined by |."""
    with _opened(stored) as file:
        for batch in file.iter_batches(columns=names):
            for row in batch.to_pylist():
                yield [_text(row[name]) for name in names]


def _text(value: object) -> str:
    if isinstance(value, list):
        return "|".join(map(str, value))
    return "" if value is None else str(value)


@contextmanager
def _opened(stored: Stored) -> Iterator[Any]:
    try:
        with stored.open() as stream:
            # Its directory is at its end: what is packed must be unpacked as a whole.
            packed = stored.member or stored.path.suffix == ".gz"
            with pa.parquet.ParquetFile(pa.BufferReader(stream.read()) if packed else stored.path) as file:
                yield file
    except pa.ArrowException as error:
        raise RatingsError(f"{stored}: is damaged or no Parquet file: {error}; write it again") from error


def _converted(stored: Stored, names: Mapping[str, str], batch: Any, first_row: int) -> Any:
    columns = {}
    for role, name in names.items():
        column = batch.column(name)
        if column.null_count:
            _refuse(stored, name, column, pa.compute.is_null(column), first_row)
        try:
            columns[role] = _as_role(role, column)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
            raise RatingsError(
                f"{stored}: column {name!r} is of type {column.type}: its values are not what a {role} has: {error}"
            ) from error
        if role in ("rating", "timestamp") and pa.types.is_floating(columns[role].type):
            not_finite = pa.compute.invert(pa.compute.is_finite(columns[role]))
            if pa.compute.any(not_finite).as_py():
                _refuse(stored, name, column, not_finite, first_row)
    return pa.RecordBatch.from_pydict(columns)


def _as_role(role: str, column: Any) -> Any:
    """The column in a type that `checked` takes. Raises ArrowInvalid or ValueError where a value does not fit."""
    if role == "rating":
        return column.cast(pa.float32(), safe=False)
    if role == "timestamp":
        return _as_time(column) if _is_time(column.type) else column.cast(pa.float64())
    if pa.types.is_floating(column.type):
        raise ValueError("an id is text or a whole number")
    if pa.types.is_dictionary(column.type):
        # Its dictionary may hold texts that no row has.
        column = column.dictionary_decode()
    coded = column.dictionary_encode()
    return pa.DictionaryArray.from_arrays(coded.indices, coded.dictionary.cast(pa.string()))


def _is_time(kind: Any) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_string(kind))


def _as_time(column: Any) -> Any:
    zone = column.type.tz if pa.types.is_timestamp(column.type) else None
    return column.cast(pa.timestamp("us", zone), safe=False)


def _refuse(stored: Stored, name: str, column: Any, faulty: Any, first_row: int) -> None:
    row = pa.compute.index(faulty, True).as_py()
    value = column[row].as_py()
    raise RatingsError(f"{stored}: row {first_row + row + 1}: column {name!r} is {value!r}; repair or remove the row")
