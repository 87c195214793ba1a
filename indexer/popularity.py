"""How many users have rated each item, and the items in that order: what an unknown user can be answered."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.selection import Rows, Selection
from training.artefact import check_array
from training.columns import Arrays
from training.embeddings import Catalogue
from training.errors import ArtefactError

_COUNTS, _ORDER = "item_popularity", "popular_items"
_BLOCK = 1 << 20


@dataclass(frozen=True, eq=False)
class Popularity:
    """Of the items of one model."""

    counts: NDArray[np.int32]
    """(n_items,): how many users of the training ratings have rated each."""
    order: NDArray[np.int32]
    """(n_items,): item rows, most rated first, equally often rated ones in row order."""

    @classmethod
    def of(cls, catalogue: Catalogue) -> "Popularity":
        """That of the ratings behind `catalogue`."""
        n_items, seen = len(catalogue.item_ids), catalogue.seen.rows
        counts = np.zeros(n_items, np.int64)
        for start in range(0, len(seen), _BLOCK):
            counts += np.bincount(seen[start : start + _BLOCK], minlength=n_items)
        return cls(counts.astype(np.int32), np.argsort(-counts, kind="stable").astype(np.int32))

    @classmethod
    def from_arrays(cls, arrays: Arrays, catalogue: Catalogue) -> "Popularity":
        """The one stored, counted again where a bundle is older than that. Raises ArtefactError where it is unsound."""
        if _COUNTS not in arrays:
            return cls.of(catalogue)
        n_items = len(catalogue.item_ids)
        counts = check_array(arrays, _COUNTS, np.int32, (n_items,))
        order = check_array(arrays, _ORDER, np.int32, (n_items,))
        if n_items and (order.min() < 0 or order.max() >= n_items):
            raise ArtefactError(f"{_ORDER}.npy: holds {order.min()} to {order.max()}, but there are {n_items} rows")
        return cls(counts, order)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays that `from_arrays` reads, by file name without `.npy`."""
        return {_COUNTS: self.counts, _ORDER: self.order}

    def top_rows(self, k: int, selection: Selection) -> Rows:
        """The k rows of `selection` that most users have rated, best first: int64 (k,), fewer where fewer are left."""
        n_wanted, n_looked_at = min(k, selection.n_left), 2 * k + len(selection.excluded)
        while True:
            looked_at = self.order[:n_looked_at].astype(np.int64)
            rows: Rows = looked_at[selection.keeps(looked_at)][:n_wanted]
            if len(rows) == n_wanted:
                return rows
            n_looked_at *= 8
