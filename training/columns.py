"""Columns that memory-map: texts, ragged rows and ids. No Python object exists for a value until it is asked for."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import ArtefactError

Arrays = Mapping[str, NDArray[Any]]

_CANONICAL_INTEGER = re.compile(r"(0|-?[1-9][0-9]{0,18})\Z")
_INT64 = np.iinfo(np.int64)


def read_only(array: NDArray[Any]) -> None:
    """Forbid writing to `array`, in place; several readers share it."""
    array.flags.writeable = False


def canonical_integer(text: str) -> int | None:
    """The int64 that prints as exactly `text`, or None: "7" is one, "007", "+7", "-0" and "7.0" are not."""
    if not _CANONICAL_INTEGER.match(text):
        return None
    value = int(text)
    return value if _INT64.min <= value <= _INT64.max else None


def _check_offsets(offsets: NDArray[np.int64], name: str, end: int) -> None:
    if offsets.dtype != np.int64 or offsets.ndim != 1 or len(offsets) == 0:
        raise ArtefactError(f"{name}: offsets must be int64 (n + 1,), not {offsets.dtype} {offsets.shape}")
    if offsets[0] != 0 or offsets[-1] != end or np.any(np.diff(offsets) < 0):
        raise ArtefactError(f"{name}: offsets must rise from 0 to {end}")


@dataclass(frozen=True)
class Strings:
    """n texts: `offsets` (n + 1,) int64 into `utf8` (total bytes,) uint8."""

    offsets: NDArray[np.int64]
    utf8: NDArray[np.uint8]

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Strings":
        """The column that holds `texts`."""
        encoded = [text.encode() for text in texts]
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(text) for text in encoded], out=offsets[1:])
        return cls(offsets, np.frombuffer(b"".join(encoded), np.uint8))

    @classmethod
    def from_arrays(cls, arrays: Arrays, name: str, *, is_proved: bool = False) -> "Strings":
        """Those stored as `<name>_offsets` and `<name>_utf8`, read through unless `is_proved`.

        Raises ArtefactError where the offsets do not fit.
        """
        strings = cls(arrays[f"{name}_offsets"], arrays[f"{name}_utf8"])
        if not is_proved:
            strings._check(name)
        return strings

    def _check(self, name: str) -> None:
        offsets, utf8 = self.offsets, self.utf8
        if utf8.dtype != np.uint8 or utf8.ndim != 1:
            raise ArtefactError(f"{name}_utf8: must be uint8 (bytes,), not {utf8.dtype} {utf8.shape}")
        try:
            bytes(utf8).decode()
        except UnicodeDecodeError as error:
            raise ArtefactError(f"{name}_utf8: byte {error.start} is not UTF-8") from error
        _check_offsets(offsets, f"{name}_offsets", len(utf8))
        starts = offsets[:-1][offsets[:-1] < len(utf8)]
        if np.any(utf8[starts] & 0xC0 == 0x80):
            raise ArtefactError(f"{name}_offsets: a text starts inside a character")

    def to_arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """The arrays that `from_arrays` reads."""
        return {f"{name}_offsets": self.offsets, f"{name}_utf8": self.utf8}

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def encoded(self, row: int) -> bytes:
        """The text at `row` as UTF-8."""
        return self.utf8[self.offsets[row] : self.offsets[row + 1]].tobytes()

    def __getitem__(self, row: int) -> str:
        return self.encoded(row).decode()


@dataclass(frozen=True)
class Ragged:
    """n lists of rows (compressed sparse rows): `offsets` (n + 1,) int64 into `rows` (total,) int32."""

    offsets: NDArray[np.int64]
    rows: NDArray[np.int32]

    @classmethod
    def of(cls, lists: Iterable[Sequence[int]]) -> "Ragged":
        """The column that holds `lists`."""
        lists = list(lists)
        offsets = np.zeros(len(lists) + 1, np.int64)
        np.cumsum([len(rows) for rows in lists], out=offsets[1:])
        return cls(offsets, np.array([row for rows in lists for row in rows], np.int32))

    @classmethod
    def from_arrays(cls, arrays: Arrays, name: str, bound: int, *, is_proved: bool = False) -> "Ragged":
        """Those stored as `<name>_offsets` and `<name>_rows`, read through unless `is_proved`.

        Raises ArtefactError where a row is not in [0, bound).
        """
        ragged = cls(arrays[f"{name}_offsets"], arrays[f"{name}_rows"])
        if not is_proved:
            ragged._check(name, bound)
        return ragged

    def _check(self, name: str, bound: int) -> None:
        rows = self.rows
        if rows.dtype != np.int32 or rows.ndim != 1:
            raise ArtefactError(f"{name}_rows: must be int32 (total,), not {rows.dtype} {rows.shape}")
        if len(rows) and (rows.min() < 0 or rows.max() >= bound):
            raise ArtefactError(f"{name}_rows: holds {rows.min()} to {rows.max()}, but there are {bound} rows")
        _check_offsets(self.offsets, f"{name}_offsets", len(rows))

    def to_arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """The arrays that `from_arrays` reads."""
        return {f"{name}_offsets": self.offsets, f"{name}_rows": self.rows}

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> NDArray[np.int32]:
        return self.rows[self.offsets[index] : self.offsets[index + 1]]

    def owners(self) -> NDArray[np.int64]:
        """Of each of `rows` the list that it is in: int64 (total,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def take(self, chosen: NDArray[np.integer[Any]]) -> "Ragged":
        """The lists at `chosen` (m,), in that order."""
        starts = self.offsets[chosen]
        offsets = np.zeros(len(chosen) + 1, np.int64)
        np.cumsum(self.offsets[np.asarray(chosen, np.int64) + 1] - starts, out=offsets[1:])
        positions = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], np.diff(offsets))
        return Ragged(offsets, self.rows[positions])


@dataclass(frozen=True)
class Ids:
    """n ids as the outside world writes them, sorted and unique; an id's position is its row.

    `values` is int64 (n,) where every id is a canonical integer (sorted by number), else `Strings` (sorted by UTF-8
    bytes). `row` finds an id by binary search.
    """

    values: NDArray[np.int64] | Strings

    @classmethod
    def of(cls, texts: Sequence[str]) -> tuple["Ids", NDArray[np.int64]]:
        """The ids of distinct `texts`, and for each text its row: int64 (n,)."""
        integers = [canonical_integer(text) for text in texts]
        if None not in integers:
            numbers = np.array(integers, np.int64)
            order = np.argsort(numbers, kind="stable")
            ids = cls(numbers[order])
        else:
            encoded = [text.encode() for text in texts]
            order = np.array(sorted(range(len(texts)), key=encoded.__getitem__), np.int64)
            ids = cls(Strings.of(texts[position] for position in order))
        rows = np.empty(len(texts), np.int64)
        rows[order] = np.arange(len(texts))
        return ids, rows

    @classmethod
    def from_arrays(cls, arrays: Arrays, name: str, *, is_proved: bool = False) -> "Ids":
        """Those stored as `<name>` or as `<name>_offsets` and `<name>_utf8`, read through unless `is_proved`.

        Raises ArtefactError where not sorted.
        """
        if name in arrays:
            numbers = arrays[name]
            if is_proved:
                return cls(numbers)
            if numbers.dtype != np.int64 or numbers.ndim != 1:
                raise ArtefactError(f"{name}: must be int64 (n,), not {numbers.dtype} {numbers.shape}")
            if np.any(numbers[1:] <= numbers[:-1]):
                raise ArtefactError(f"{name}: ids must be sorted and unique")
            return cls(numbers)
        # The order of texts was fixed by `of` and is held by the checksum: proving it here would touch every id.
        return cls(Strings.from_arrays(arrays, name, is_proved=is_proved))

    def to_arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """The arrays that `from_arrays` reads."""
        return self.values.to_arrays(name) if isinstance(self.values, Strings) else {name: self.values}

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, row: int) -> str:
        return str(self.values[row])

    def row(self, text: str) -> int | None:
        """The row of the id `text`, or None where there is no such id."""
        if isinstance(self.values, Strings):
            wanted = text.encode(errors="surrogatepass")
            row = bisect_left(range(len(self)), wanted, key=self.values.encoded)
            return row if row < len(self) and self.values.encoded(row) == wanted else None
        number = canonical_integer(text)
        if number is None:
            return None
        row = int(self.values.searchsorted(number))
        return row if row < len(self.values) and self.values[row] == number else None

    def rows(self, others: "Ids") -> NDArray[np.int64]:
        """For each id of `others` its row here: int64 (len(others),), -1 where there is no such id."""
        if isinstance(self.values, Strings) or isinstance(others.values, Strings):
            each = (self.row(others[position]) for position in range(len(others)))
            return np.fromiter((-1 if row is None else row for row in each), np.int64, count=len(others))
        rows = np.searchsorted(self.values, others.values)
        found = rows < len(self)
        found[found] = self.values[rows[found]] == others.values[found]
        rows[~found] = -1
        return rows
