"""Which rows an answer may hold: all of them or some, without those that are left out."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Bits = NDArray[np.uint8]
"""(ceil(n_items / 8),): a bit a row, the least significant first, as FAISS's bitmaps have them; 0 behind the last."""

NONE: Rows = np.empty(0, np.int64)
"""No rows."""


@dataclass(eq=False)
class Selection:
    """The rows of `allowed`, or all where that is None, without the `excluded` ones."""

    n_items: int
    """How many rows there are."""
    excluded: Rows
    """int64, unique, ascending."""
    allowed: Bits | None = None
    """A bit for each row."""

    @cached_property
    def bits(self) -> Bits:
        """A bit for each row that is left. Takes n_items / 8 bytes."""
        bits = all_bits(self.n_items) if self.allowed is None else self.allowed.copy()
        np.bitwise_and.at(bits, self.excluded >> 3, ~_bit_of(self.excluded))
        return bits

    @cached_property
    def n_left(self) -> int:
        """How many rows are left."""
        if self.allowed is None:
            return self.n_items - len(self.excluded)
        return int(np.bitwise_count(self.bits).sum(dtype=np.int64))

    def rows(self) -> Rows:
        """All that are left, ascending."""
        if self.allowed is None:
            return self._all_but_excluded(self.n_items)
        # Where few are left, nearly all bytes are 0.
        places = np.flatnonzero(self.bits)
        which, shifts = np.nonzero(np.unpackbits(self.bits[places, np.newaxis], axis=1, bitorder="little"))
        return places[which] * 8 + shifts

    def first(self, n: int) -> Rows:
        """The first n of those that are left."""
        if self.allowed is None:
            return self._all_but_excluded(min(n + len(self.excluded), self.n_items))[:n]
        return self.rows()[:n]

    def keeps(self, rows: Rows) -> NDArray[np.bool_]:
        """Whether each of `rows` is left."""
        if self.allowed is None and len(self.excluded) == 0:
            return np.ones(len(rows), np.bool_)
        kept: NDArray[np.bool_]
        if self.allowed is None:
            kept = self.excluded.take(self.excluded.searchsorted(rows), mode="clip") != rows
        else:
            kept = self.bits[rows >> 3] & _bit_of(rows) != 0
        return kept

    def _all_but_excluded(self, n: int) -> Rows:
        left = np.ones(n, np.bool_)
        left[self.excluded[: np.searchsorted(self.excluded, n)]] = False
        return np.flatnonzero(left)


def all_bits(n_items: int) -> Bits:
    """A bit for every row."""
    bits = np.full(-(-n_items // 8), 255, np.uint8)
    if n_items % 8:
        bits[-1] = (1 << n_items % 8) - 1
    return bits


def bits_of(rows: Rows, n_items: int) -> Bits:
    """A bit for each of `rows`."""
    bits = np.zeros(-(-n_items // 8), np.uint8)
    np.bitwise_or.at(bits, rows >> 3, _bit_of(rows))
    return bits


def any_of(several: Iterable[Bits], n_items: int) -> Bits:
    """A bit for each row that has one in any of `several`."""
    bits = np.zeros(-(-n_items // 8), np.uint8)
    for more in several:
        bits |= more
    return bits


def _bit_of(rows: Rows) -> Bits:
    return np.left_shift(np.uint8(1), (rows & 7).astype(np.uint8))
