"""Many lists sorted as one array of numbers, in which the place of anything is found by binary search."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from training.embeddings import Floats

Counts = NDArray[np.int64]

_SIGN_APART = np.int32(0x7FFFFFFF)


def levels(scores: Floats) -> NDArray[np.int32]:
    """Whole numbers in the opposite order of `scores` (n,), equal where they are: int32 (n,).

    The bits of a float sort as a whole number does, but for the negative ones, which sort the other way.
    """
    # From 0, since then both zeros become the same one.
    bits = (np.float32(0) - scores).view(np.int32)
    return bits ^ ((bits >> 31) & _SIGN_APART)


def keys(owners: NDArray[np.int64], levels: NDArray[np.int32] | Counts) -> Counts:
    """Numbers that sort by owner, then by level: int64 (n,). Levels are those of an int32."""
    return (owners << 32) + levels


@dataclass(frozen=True)
class Lists:
    """The levels in the lists of `n_owners` owners."""

    keys: Counts
    """(n,) as `keys` makes them, ascending."""
    n_owners: int

    @cached_property
    def starts(self) -> Counts:
        """Where the list of each owner starts: int64 (n_owners,)."""
        return np.searchsorted(self.keys, (np.arange(self.n_owners) << 32) + np.iinfo(np.int32).min)

    def count(self, owners: NDArray[np.int64], wanted: Counts) -> tuple[Counts, Counts]:
        """How many in the list of each of `owners` (m,) come before its `wanted` key, and how many equal it."""
        before = np.searchsorted(self.keys, wanted)
        return before - self.starts[owners], np.searchsorted(self.keys, wanted, side="right") - before
