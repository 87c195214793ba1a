"""Who rated what, by user and by item: the two orders in which alternating least squares walks the ratings."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.by_user import count_rows, pieces

_SIZES_BITS = 3
"""2 to this power sizes of rows an octave."""

Rows = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Interactions:
    """One side's compressed sparse rows: row r has `columns[offsets[r]:offsets[r + 1]]`, and the same of `targets`."""

    offsets: NDArray[np.int64]
    """(n_rows + 1,)."""
    columns: Rows
    """(n,) rows of the other side."""
    targets: Floats
    """(n,) what the product of the two rows should be."""

    @property
    def counts(self) -> NDArray[np.int64]:
        """(n_rows,) how many each row has."""
        return np.diff(self.offsets)

    @classmethod
    def of(cls, rows: Rows, columns: Rows, targets: Floats, n_rows: int) -> "Interactions":
        """From n triples in any order; those of a row keep theirs."""
        ends = np.cumsum(count_rows(rows, n_rows))
        offsets = np.concatenate([[0], ends])
        if np.all(rows[1:] >= rows[:-1]):
            return cls(offsets, columns, targets)
        sorted_columns, sorted_targets = np.empty_like(columns), np.empty_like(targets)
        for piece, places in _places(rows, offsets[:-1]):
            sorted_columns[places] = columns[piece]
            sorted_targets[places] = targets[piece]
        return cls(offsets, sorted_columns, sorted_targets)


def _places(rows: Rows, starts: NDArray[np.int64]) -> Iterator[tuple[slice, NDArray[np.int64]]]:
    """Where the triples go that are sorted by row, a piece at a time: no permutation of them all is needed.

    `starts` (n_rows,) is where each row's begin.
    """
    free = starts.copy()
    for piece in pieces(len(rows)):
        part = rows[piece]
        order = _stable_order(part, len(starts))
        counts = np.bincount(part, minlength=len(starts))
        first = np.cumsum(counts) - counts
        places = np.empty(len(part), np.int64)
        places[order] = (free - first)[part[order]] + np.arange(len(part))
        free += counts
        yield piece, places


def _stable_order(rows: Rows, n_rows: int) -> NDArray[np.intp]:
    """The positions that sort `rows`, equals in their order.

    NumPy sorts 16-bit numbers by counting, many times faster than wider ones: so by the low half, then by the high.
    """
    order = np.argsort(rows.astype(np.uint16), kind="stable")
    if n_rows > 1 << 16:
        order = order[np.argsort((rows >> 16).astype(np.uint16)[order], kind="stable")]
    return order


@dataclass(frozen=True)
class Schedule:
    """The rows that have interactions, shortest first, cut into batches that fill about as many cells each.

    Lengths are padded to a few sizes, and batches of a size have as many rows: libraries that make code for each shape
    of a matrix, as oneDNN does, make it once and keep little.
    """

    order: Rows
    """(n_rows with interactions,)."""
    batches: NDArray[np.int32]
    """(n_batches, 3): start and stop in `order`, and the length to which the batch's rows are padded."""

    @classmethod
    def of(cls, counts: NDArray[Any], cells: int) -> "Schedule":
        """Batches of at most `cells` padded interactions; a longer row makes a batch of its own."""
        order = np.argsort(counts, kind="stable")
        order = order[np.searchsorted(counts[order], 1) :]
        lengths, starts = np.unique(_padded(counts[order]), return_index=True)
        batches = [
            (start, min(start + rows, stop), length)
            for length, first, stop in zip(lengths, starts, np.append(starts, len(order))[1:], strict=True)
            for rows in [max(cells // int(length), 1)]
            for start in range(first, stop, rows)
        ]
        return cls(order.astype(np.int32), np.array(batches, np.int32).reshape(-1, 3))


def _padded(counts: NDArray[Any]) -> NDArray[np.int64]:
    """Each count rounded up to one of eight sizes an octave: an eighth of padding at most, a sixteenth as a rule."""
    octave = np.maximum(np.floor(np.log2(np.maximum(counts - 1, 1))).astype(np.int64) - _SIZES_BITS, 0)
    padded: NDArray[np.int64] = -(-counts >> octave) << octave
    return padded
