"""Vectors in a Parquet file: a column of ids and one of lists, or ids and a column for each dimension."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet
from numpy.typing import NDArray

from training.data.forms import folded, listed
from training.errors import ImportingError
from training.importing.ids import GivenIds

_ID_NAMES = ("id", "userid", "user", "itemid", "item", "movieid", "movie")
_VALUES_AT_ONCE = 1 << 23


@dataclass(frozen=True)
class VectorColumns:
    """Which column is what; None: the first of a usual name, and the first of lists."""

    ids: str | None = None
    vectors: str | None = None


class ParquetVectors:
    """`Vectors` of a Parquet file. Raises ImportingError where its columns can't be ids and vectors."""

    def __init__(self, file: Path, columns: VectorColumns) -> None:
        self.file = file
        with self._opened() as opened:
            schema, self.n = opened.schema_arrow, opened.metadata.num_rows
        self._id_column = self._named(schema, columns.ids, "--id-column")
        if columns.ids is None:
            self._id_column = next((name for name in schema.names if folded(name) in _ID_NAMES), None)
        self._columns = self._vector_columns(schema, columns.vectors)
        self._is_list = _is_list(schema.field(self._columns[0]).type)
        if self.n == 0:
            raise ImportingError(f"{file}: has no rows")
        self.dim = self._width() if self._is_list else len(self._columns)
        if self.dim == 0:
            raise ImportingError(f"{file}: row 1: column {self._columns[0]!r} has a vector without numbers")

    def ids(self) -> GivenIds | None:
        """The column of ids: whole numbers or texts; None where there is none. Raises ImportingError naming a row."""
        name = self._id_column
        if name is None:
            return None
        pieces = []
        for start, batch in self._batches([name], _VALUES_AT_ONCE):
            column = batch.column(0)
            self._check_null(column, start, name)
            if pa.types.is_dictionary(column.type):
                column = column.dictionary_decode()
            pieces.append(column)
        column = pa.chunked_array(pieces)
        if pa.types.is_integer(column.type):
            try:
                return np.asarray(column.cast(pa.int64()).to_numpy(), np.int64)
            except pa.ArrowInvalid:
                return list(map(str, column.to_pylist()))
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            texts: list[str] = column.to_pylist()
            return texts
        raise ImportingError(f"{self.file}: column {name!r} is of type {column.type}; ids are whole numbers or texts")

    def blocks(self) -> Iterator[NDArray[Any]]:
        """As `Vectors` says. Raises ImportingError naming the first row that has no vector or one of another width."""
        for start, batch in self._batches(self._columns, max(1, _VALUES_AT_ONCE // self.dim)):
            for column, name in zip(batch.columns, self._columns, strict=True):
                self._check_null(column, start, name)
            yield (
                self._of_lists(batch.column(0), start)
                if self._is_list
                else np.column_stack([column.to_numpy(zero_copy_only=False) for column in batch.columns])
            )

    def _of_lists(self, column: Any, start: int) -> NDArray[Any]:
        if not pa.types.is_fixed_size_list(column.type):
            widths = pa.compute.list_value_length(column).to_numpy()
            if (widths != self.dim).any():
                row = int(np.argmax(widths != self.dim))
                raise ImportingError(
                    f"{self.file}: row {start + row + 1}: its vector is {widths[row]} wide, that of row 1 {self.dim}"
                )
        values = column.flatten()
        if values.null_count:
            row = pa.compute.index(pa.compute.is_null(values), True).as_py() // self.dim
            raise ImportingError(f"{self.file}: row {start + row + 1}: its vector lacks a number (null); repair it")
        vectors: NDArray[Any] = values.to_numpy(zero_copy_only=False).reshape(-1, self.dim)
        return vectors

    def _width(self) -> int:
        start, batch = next(self._batches(self._columns, 1))
        self._check_null(batch.column(0), start, self._columns[0])
        return len(batch.column(0)[0])

    def _vector_columns(self, schema: Any, chosen: str | None) -> list[str]:
        lists = [field.name for field in schema if _is_list(field.type)]
        name = self._named(schema, chosen, "--vector-column") or (lists[0] if lists else None)
        if name is not None:
            if name not in lists or not _is_number(schema.field(name).type.value_type):
                kind = schema.field(name).type
                raise ImportingError(f"{self.file}: column {name!r} is of type {kind}; vectors are lists of numbers")
            return [name]
        names = [name for name in schema.names if name != self._id_column]
        others = [name for name in names if not _is_number(schema.field(name).type)]
        if others or not names:
            raise ImportingError(
                f"{self.file}: has no column of lists, and {listed(others) or 'nothing but ids'} besides numbers;"
                " give ids, and a column of lists or one of numbers for each dimension"
            )
        return names

    def _named(self, schema: Any, name: str | None, flag: str) -> str | None:
        if name is not None and schema.names.count(name) != 1:
            raise ImportingError(
                f"{self.file}: has no column {name!r}; there are {listed(schema.names)}: choose one with {flag}"
            )
        return name

    def _check_null(self, column: Any, start: int, name: str) -> None:
        if column.null_count:
            row = pa.compute.index(pa.compute.is_null(column), True).as_py()
            raise ImportingError(f"{self.file}: row {start + row + 1}: column {name!r} is empty (null); repair the row")

    def _batches(self, names: list[str], at_once: int) -> Iterator[tuple[int, Any]]:
        start = 0
        with self._opened() as opened:
            for batch in opened.iter_batches(at_once, columns=names):
                yield start, batch
                start += len(batch)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        try:
            with pa.parquet.ParquetFile(self.file, memory_map=True) as opened:
                yield opened
        except (pa.ArrowException, OSError) as error:
            raise ImportingError(f"{self.file}: is damaged or no Parquet file: {error}; write it again") from error


def _is_list(kind: Any) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_number(kind: Any) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))
