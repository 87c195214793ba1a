"""One FAISS index and how hard it looks: built block by block, asked for candidates with rows left out."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.equalise import equalised_query
from indexer.keys import Family, IndexKey
from indexer.vectors import Floats

Rows = NDArray[np.int64]
FaissIndex = Any
"""FAISS ships no types."""

NONE: Rows = np.empty(0, np.int64)
"""No rows."""
TUNED_K = 10
"""The k that settings are tuned for."""
_SPARE = 6


@dataclass(frozen=True)
class Settings:
    """How hard an index looks for the best `TUNED_K`; for more of them it looks harder."""

    effort: int = 1
    """nprobe or efSearch; without meaning where a key has neither."""
    k_factor: int = 2
    """How many candidates are scored exactly for each one that is asked for."""

    def n_candidates(self, k: int, harder: int) -> int:
        """How many rows are scored exactly where `k` are asked for."""
        return harder * (k * self.k_factor + _SPARE)


@dataclass(frozen=True, eq=False)
class Index:
    """A FAISS index by inner product over n_items × width vectors; its row is the item row."""

    key: IndexKey
    """What it was made from."""
    faiss: FaissIndex
    """Not to be added to: it may be mapped into memory."""
    settings: Settings = Settings()
    """How hard it looks."""
    unusual_settings: Settings = Settings()
    """How hard it looks where a request weighs the item biases in another way than the model does."""
    of_queries: Floats | None = None
    """What equalises a query, (dim + 1, dim + 1); None where the vectors are as they were."""

    @property
    def n_items(self) -> int:
        """How many rows it holds."""
        return int(self.faiss.ntotal)

    def candidates(
        self, vector: Floats, k: int, harder: int, settings: Settings, excluded: Rows
    ) -> tuple[Floats, Rows]:
        """The rows that it takes for the best by inner product with `vector`, float32 (width,), without `excluded`.

        At most `n_candidates`: its products, float32 (n,), best first, and the rows, int64 (n,). `excluded`: int64,
        unique, ascending. The products of an approximate index are approximate; those of an equalised one are
        distances.
        """
        if self.of_queries is not None:
            vector = equalised_query(vector, self.of_queries)
        n_wanted = min(settings.n_candidates(k, harder), self.n_items)
        effort = math.ceil(settings.effort * harder * math.sqrt(max(1.0, k / TUNED_K)))
        if len(excluded) <= self._most_fetched_too:
            products, rows = self._search(vector, n_wanted + len(excluded), effort, NONE)
            kept = np.flatnonzero(~_are_among(rows, excluded))[:n_wanted] if len(excluded) else slice(n_wanted)
            return products[kept], rows[kept]
        return self._search(vector, n_wanted, effort, excluded)

    @property
    def _most_fetched_too(self) -> int:
        """Up to how many rows to leave out are fetched too, and dropped: faster than to have FAISS look up each row."""
        if self.key.family is Family.SCAN and self.key.m:
            # FAISS takes no selector there.
            return self.n_items
        return {Family.SCAN: 100, Family.LISTS: 1_000, Family.GRAPH: 0}[self.key.family]

    def _search(self, vector: Floats, n: int, effort: int, excluded: Rows) -> tuple[Floats, Rows]:
        n = min(n, self.n_items)
        products, rows = self.faiss.search(vector[np.newaxis], n, params=self._parameters(n, effort, excluded))
        n_found = n if rows[0, -1] >= 0 else int(np.count_nonzero(rows[0] >= 0))
        return products[0, :n_found], rows[0, :n_found]

    def _parameters(self, n: int, effort: int, excluded: Rows) -> faiss.SearchParameters | None:
        effort = max(effort, n) if self.key.links else min(effort, self.key.nlist)
        if len(excluded) == 0:
            return _looking(self.key.family, effort)
        selector = self._bitmap(excluded) if self.key.family is Family.SCAN else _all_but(excluded)
        return _looking.__wrapped__(self.key.family, effort, sel=selector)

    def _bitmap(self, excluded: Rows) -> faiss.IDSelector:
        # Every row is looked up: a bitmap is the fastest to ask, a set the fastest to make.
        bitmap = self._everything.copy()
        np.bitwise_and.at(bitmap, excluded >> 3, ~(np.uint8(1) << (excluded & 7).astype(np.uint8)))
        return faiss.IDSelectorBitmap(bitmap)  # type: ignore[call-arg, arg-type]  # Python's takes an array and keeps it

    @cached_property
    def _everything(self) -> NDArray[np.uint8]:
        return np.full(-(-self.n_items // 8), 255, np.uint8)


@lru_cache
def _looking(family: Family, effort: int, **selector: faiss.IDSelector) -> faiss.SearchParameters | None:
    """What tells FAISS how far to look. Made once for each effort: it takes longer to make than some indexes to ask."""
    if family is Family.SCAN:
        return faiss.SearchParameters(**selector) if selector else None
    if family is Family.LISTS:
        return faiss.SearchParametersIVF(nprobe=effort, **selector)  # type: ignore[call-arg]  # the stubs show C++'s constructors
    parameters: faiss.SearchParameters = faiss.SearchParametersHNSW(efSearch=effort, **selector)  # type: ignore[attr-defined]  # not in the stubs
    return parameters


def _are_among(rows: Rows, ascending: Rows) -> NDArray[np.bool_]:
    """Whether each of `rows` is one of the `ascending` ones, of which there is at least one."""
    places = np.minimum(np.searchsorted(ascending, rows), len(ascending) - 1)
    are: NDArray[np.bool_] = ascending[places] == rows
    return are


def _all_but(excluded: Rows) -> faiss.IDSelector:
    # FAISS's set takes no longer to make for more items, and few rows are looked up.
    return faiss.IDSelectorNot(faiss.IDSelectorBatch(excluded))


def new_index(key: IndexKey, width: int, sample: Floats, centroids: Floats | None = None) -> FaissIndex:
    """An empty index of vectors with `width` columns, trained on `sample`, float32 (n, width).

    `centroids`, float32 (nlist, width), are those of an index of the same lists: they take the longest to train.
    """
    # Equally long vectors are ordered alike by distance and by inner product; the graph is only good by distance.
    metric = faiss.METRIC_L2 if key.equalised else faiss.METRIC_INNER_PRODUCT
    index = faiss.index_factory(width, key.factory, metric)
    if centroids is not None:
        index.quantizer.add(centroids)  # type: ignore[attr-defined]  # of an IndexIVF
    if not index.is_trained:
        index.train(sample)
    return index


def fill_index(index: FaissIndex, blocks: Iterable[Floats]) -> FaissIndex:
    """`index` with the rows of every block, each float32 (n, width), added in their order."""
    for block in blocks:
        index.add(np.ascontiguousarray(block))
    return index
