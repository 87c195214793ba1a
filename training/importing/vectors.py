"""Vectors from a file, in blocks, so that no array of them all exists but the one that is written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from training.artefact import load_array
from training.embeddings import Floats
from training.errors import ImportingError
from training.importing.ids import GivenIds, Rows

_BLOCK_BYTES = 1 << 26
_FLOATS = ("f2", "f4", "f8")


class Vectors(Protocol):
    """Of users or of items, a vector a row."""

    file: Path
    n: int
    """How many there are."""
    dim: int
    """How wide they are."""

    def ids(self) -> GivenIds | None:
        """Their ids where the file has them."""

    def blocks(self) -> Iterator[NDArray[Any]]:
        """All of them in their order, some at a time: floats (m, dim)."""


class ArrayVectors:
    """`Vectors` of a `.npy` file: float16, float32 or float64 (n, dim). Raises ImportingError where it is another."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.array = load_array(file)
        check_floats(self.array, file, "(n, dim)", 2)
        self.n, self.dim = self.array.shape

    def ids(self) -> None:
        """None: an array has none."""

    def blocks(self) -> Iterator[NDArray[Any]]:
        """As `Vectors` says, without a copy."""
        at_once = max(1, _BLOCK_BYTES // (self.dim * self.array.itemsize))
        for start in range(0, self.n, at_once):
            yield self.array[start : start + at_once]


def placed(vectors: Vectors, rows: Rows) -> Floats:
    """float32 (n, dim) with vector j at rows[j]; the file's own, mapped, where it is that already.

    Raises ImportingError naming the first row that holds NaN or infinity, or what float32 can't hold.
    """
    in_place = isinstance(vectors, ArrayVectors) and vectors.array.dtype == np.float32 and _is_identity(rows)
    into = np.empty((0 if in_place else vectors.n, vectors.dim), np.float32)
    start = 0
    for block in vectors.blocks():
        with np.errstate(over="ignore"):
            floats = np.asarray(block, np.float32)
        finite = np.isfinite(floats).all(axis=1)
        if not finite.all():
            row = start + int(np.argmin(finite)) + 1
            raise ImportingError(f"{vectors.file}: row {row}: holds NaN, infinity or more than float32 can; repair it")
        if not in_place:
            into[rows[start : start + len(block)]] = floats
        start += len(block)
    return vectors.array if in_place and isinstance(vectors, ArrayVectors) else into


def placed_biases(file: Path, n: int, rows: Rows) -> Floats:
    """float32 (n,) with bias j at rows[j], from a `.npy` file of floats (n,) or (n, 1).

    Raises ImportingError naming the first row that holds NaN or infinity, or the shape where it is another.
    """
    array = load_array(file)
    column = array.reshape(-1) if array.ndim == 2 and array.shape[1] == 1 else array
    check_floats(column, file, "(n,)", 1)
    if len(column) != n:
        raise ImportingError(f"{file}: has {len(column):,} biases, and there are {n:,} vectors")
    with np.errstate(over="ignore"):
        floats = column.astype(np.float32)
    finite = np.isfinite(floats)
    if not finite.all():
        raise ImportingError(f"{file}: row {int(np.argmin(finite)) + 1}: holds NaN or infinity; repair it")
    into = np.empty(n, np.float32)
    into[rows] = floats
    return into


def check_floats(array: NDArray[Any], file: Path, shape: str, ndim: int) -> None:
    """Raise ImportingError where `array` holds no floats, has another number of dimensions, or is empty."""
    if array.dtype.str[1:] not in _FLOATS or array.ndim != ndim or array.size == 0:
        raise ImportingError(
            f"{file}: is {array.dtype} {array.shape}; it must be float16, float32 or float64 {shape}, not empty"
        )


def _is_identity(rows: Rows) -> bool:
    return bool((rows == np.arange(len(rows))).all())
