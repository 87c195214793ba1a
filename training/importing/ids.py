"""The ids of rows: from a file, a column or nothing, to the order that embeddings store them in."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from training.artefact import load_array
from training.columns import Ids, Strings, canonical_integer
from training.errors import ImportingError

GivenIds = NDArray[np.int64] | Sequence[str]
"""Of each row as it came: whole numbers, or texts."""
Rows = NDArray[np.int64]

_INT64 = np.iinfo(np.int64)


def read_ids(file: Path) -> GivenIds:
    """The ids in `file`: .npy of whole numbers or texts (n,), or .txt or .csv with one in a line.

    Raises ImportingError naming the line or what the array has; ArtefactError where it is no array.
    """
    if not file.is_file():
        raise ImportingError(f"{file}: no such file; give the ids as .npy, or as .txt or .csv with one in a line")
    if file.suffix == ".npy":
        return _of_array(load_array(file), file)
    if file.suffix in (".txt", ".csv"):
        return _of_lines(file)
    raise ImportingError(f"{file}: ids come as .npy, or as .txt or .csv with one in a line")


def sorted_ids(given: GivenIds, where: object, kind: str) -> tuple[Ids, Rows]:
    """The ids as embeddings store them, and for each row as it came its row there: int64 (n,).

    `where` and `kind` (user or item) are for the message. Raises ImportingError naming the first row whose id is empty
    or stands in an earlier row too.
    """
    if not isinstance(given, np.ndarray):
        _check_texts(given, where, kind)
        numbers = _as_integers(given)
        if numbers is None:
            return Ids.of(given)
        given = numbers
    order = np.argsort(given, kind="stable")
    values = given[order]
    _check_distinct(values, order, where, kind)
    rows = np.empty(len(order), np.int64)
    rows[order] = np.arange(len(order))
    return Ids(values), rows


def texts_of(ids: Ids) -> list[str]:
    """Every one of `ids`, in their order."""
    return [ids[row] for row in range(len(ids))] if isinstance(ids.values, Strings) else list(map(str, ids.values))


def _as_integers(texts: Sequence[str]) -> NDArray[np.int64] | None:
    numbers = np.empty(len(texts), np.int64)
    for position, text in enumerate(texts):
        number = canonical_integer(text)
        if number is None:
            return None
        numbers[position] = number
    return numbers


def _check_texts(texts: Sequence[str], where: object, kind: str) -> None:
    try:
        column = pa.array(texts, pa.large_string())
    except UnicodeEncodeError as error:
        raise ImportingError(f"{where}: an id, {error.object[:80]!r}, is no Unicode text; give it another") from error
    empty = pa.compute.index(column, "").as_py()
    if empty >= 0:
        raise ImportingError(f"{where}: row {empty + 1}: the {kind} has an empty id; give it one, or remove the row")
    if len(pa.compute.unique(column)) < len(texts):
        first_row: dict[str, int] = {}
        for row, text in enumerate(texts):
            if first_row.setdefault(text, row) != row:
                _refuse_repeated(text, first_row[text], row, where, kind)


def _check_distinct(values: NDArray[np.int64], order: Rows, where: object, kind: str) -> None:
    repeated = np.flatnonzero(values[1:] == values[:-1])
    if len(repeated):
        # The sort is stable: of each two the second came later.
        later = repeated[np.argmin(order[repeated + 1])] + 1
        first = int(order[np.searchsorted(values, values[later])])
        _refuse_repeated(str(values[later]), first, int(order[later]), where, kind)


def _refuse_repeated(text: str, first: int, row: int, where: object, kind: str) -> None:
    raise ImportingError(
        f"{where}: row {row + 1}: {kind} {text[:80]!r} is in row {first + 1} too; a {kind} has one row"
    )


def _of_array(array: NDArray[Any], file: Path) -> GivenIds:
    if array.ndim != 1:
        raise ImportingError(f"{file}: is {array.dtype} {array.shape}; ids are whole numbers or texts (n,)")
    if array.dtype.kind == "U":
        return [str(text) for text in array]
    if array.dtype.kind == "u" and len(array) and array.max() > _INT64.max:
        return [str(number) for number in array]
    if array.dtype.kind in "iu":
        return np.asarray(array, np.int64)
    raise ImportingError(f"{file}: is {array.dtype} {array.shape}; ids are whole numbers or texts (n,)")


def _of_lines(file: Path) -> list[str]:
    try:
        lines = file.read_text("utf-8-sig").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise ImportingError(f"{file}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
    if file.suffix == ".txt":
        return lines
    ids = []
    for number, line in enumerate(lines, 1):
        fields = next(csv.reader([line]), [""])
        if len(fields) != 1:
            raise ImportingError(f"{file}: line {number}: has {len(fields)} fields; ids come one in a line")
        ids.append(fields[0])
    return ids
