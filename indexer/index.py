"""One FAISS index and how hard it looks: built block by block, asked for candidates with rows left out."""

import math
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.equalise import equalising
from indexer.keys import Family, IndexKey
from indexer.selection import Rows, Selection
from indexer.vectors import Floats

FaissIndex = Any
"""FAISS ships no types."""

TUNED_K = 10
"""The k that settings are tuned for."""
_SPARE = 6
_ROOM = 1 << 12


class _Results(threading.local):
    """Where FAISS writes what one query of the calling thread found: made once, it takes longer than some searches."""

    def __init__(self) -> None:
        self.products, self.rows = np.empty(_ROOM, np.float32), np.empty(_ROOM, np.int64)
        self.pointers = faiss.swig_ptr(self.products), faiss.swig_ptr(self.rows)


_RESULTS = _Results()


class _Amidst:
    """About how many of the rows that are left out lie amidst the best, as a share of them.

    It follows the searches: too few fetched is made up for by one more search, so one in a hundred may fetch too few
    (Robbins and Monro 1951, "A Stochastic Approximation Method"). Threads may undo each other's step; it is a guess.
    """

    def __init__(self) -> None:
        self._share = 0.3

    def most(self, n_excluded: int) -> int:
        """How many of so many rows probably do."""
        return min(n_excluded, _SPARE + math.ceil(n_excluded * self._share))

    def learn(self, was_enough: bool) -> None:
        """What `most` said was enough or not."""
        self._share = max(0.0, self._share - 0.0005) if was_enough else min(1.0, self._share + 0.05)


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
    _amidst: _Amidst = field(default_factory=_Amidst, repr=False)

    @cached_property
    def n_items(self) -> int:
        """How many rows it holds."""
        return int(self.faiss.ntotal)

    def candidates(
        self, vector: Floats, k: int, harder: int, settings: Settings, selection: Selection
    ) -> tuple[Floats, Rows]:
        """The rows of `selection` that it takes for the best by inner product with `vector`, float32 (width,).

        At most `n_candidates`: its products, float32 (n,), best first, and the rows, int64 (n,). The products of an
        approximate index are approximate; those of an equalised one are distances.
        """
        n_wanted = min(settings.n_candidates(k, harder), self.n_items)
        effort = self._effort(k, harder, settings, selection)
        vectors = self._asked(vector[np.newaxis])
        n_fetched_too = self._fetched_too(selection, n_wanted)
        if n_fetched_too is None:
            return self._found(vectors, n_wanted, self._parameters(n_wanted, effort, selection))
        n_probably = self._amidst.most(n_fetched_too)
        found = self._left(vectors, n_wanted, n_probably, effort, selection)
        if n_fetched_too == 0:
            return found
        # All of them are enough in any case, which lets the guess fall again.
        was_enough = n_probably == n_fetched_too or len(found[1]) == n_wanted
        self._amidst.learn(was_enough)
        return found if was_enough else self._left(vectors, n_wanted, n_fetched_too, effort, selection)

    def _left(
        self, vectors: Floats, n_wanted: int, n_fetched_too: int, effort: int, selection: Selection
    ) -> tuple[Floats, Rows]:
        """The best `n_wanted` of `selection` among so many more; fewer where there are fewer among them."""
        n = min(n_wanted + n_fetched_too, self.n_items)
        products, rows = self._found(vectors, n, self._parameters(n, effort))
        return _kept(products, rows, n_wanted, selection) if n_fetched_too else (products, rows)

    def candidates_of_many(
        self, vectors: Floats, k: int, settings: Settings, excluded: Sequence[Rows]
    ) -> tuple[Floats, Rows, NDArray[np.bool_]]:
        """`candidates` of n vectors, float32 (n, width), searched as one matrix, each without its `excluded` rows.

        `n_candidates` each, products and rows, of those m for which so many were found, float32, int64
        (m, n_candidates); and which they are, bool (n,).
        """
        n_wanted = settings.n_candidates(k, 1)
        n = min(n_wanted + self._amidst.most(max(map(len, excluded))), self.n_items)
        effort = self._effort(k, 1, settings)
        products, rows = self._search(self._asked(vectors), n, self._parameters(n, effort))
        kept = _are_kept(rows, excluded, self.n_items)
        n_kept = kept.cumsum(axis=1)
        is_enough = n_kept[:, -1] >= n_wanted
        # Of those that were not enough it learns when they are asked for alone.
        for _ in range(int(np.count_nonzero(is_enough))):
            self._amidst.learn(was_enough=True)
        first = kept & (n_kept <= n_wanted) & is_enough[:, np.newaxis]
        return products[first].reshape(-1, n_wanted), rows[first].reshape(-1, n_wanted), is_enough

    def is_for_many(self, selection: Selection) -> bool:
        """Whether what is not in `selection` is cheaper to fetch than to have FAISS look up each row."""
        return selection.allowed is None and len(selection.excluded) <= self._most_fetched_too

    def _asked(self, vectors: Floats) -> Floats:
        return vectors if self._equalising is None else vectors @ self._equalising

    @cached_property
    def _equalising(self) -> Floats | None:
        return None if self.of_queries is None else equalising(self.of_queries, int(self.faiss.d))

    def _effort(self, k: int, harder: int, settings: Settings, selection: Selection | None = None) -> int:
        # The k best of every tenth row lie about as far from the query as the 10 k best of all.
        share = 1.0 if selection is None or selection.allowed is None else selection.n_left / self.n_items
        if k <= TUNED_K * share:
            return settings.effort * harder
        return math.ceil(settings.effort * harder * math.sqrt(max(1.0, k / share / TUNED_K)))

    def _fetched_too(self, selection: Selection, n_wanted: int) -> int | None:
        """How many rows that are not in `selection` are fetched too, and dropped; None where FAISS is told of it."""
        if self.is_for_many(selection):
            return len(selection.excluded)
        if self._takes_no_selector:
            # As many as there are among the rows on average.
            return n_wanted * (self.n_items // max(selection.n_left, 1))
        return None

    @property
    def _takes_no_selector(self) -> bool:
        return self.key.family is Family.SCAN and bool(self.key.m)

    @cached_property
    def _most_fetched_too(self) -> int:
        """Up to how many rows to leave out are fetched too, and dropped: faster than to have FAISS look up each row."""
        if self._takes_no_selector:
            return self.n_items
        return {Family.SCAN: 100, Family.LISTS: 1_000, Family.GRAPH: 0}[self.key.family]

    def _found(self, vectors: Floats, n: int, parameters: faiss.SearchParameters | None) -> tuple[Floats, Rows]:
        """What it finds for one query, float32 (1, width): products and rows, as many as there are of n."""
        if n > _ROOM:
            products, rows = self._search(vectors, n, parameters)
            return _without_missing(products[0], rows[0])
        results = _RESULTS
        # As Index.search does, but for arrays and pointers that are made for each call.
        self.faiss.search_c(1, faiss.swig_ptr(vectors), n, *results.pointers, parameters)
        return _without_missing(results.products[:n].copy(), results.rows[:n].copy())

    def _search(self, vectors: Floats, n: int, parameters: faiss.SearchParameters | None) -> tuple[Floats, Rows]:
        """Its products, float32 (m, n), and rows, int64 (m, n), -1 behind the last that it found."""
        products, rows = self.faiss.search(vectors, n, params=parameters)
        return products, rows

    def _parameters(self, n: int, effort: int, selection: Selection | None = None) -> faiss.SearchParameters | None:
        effort = max(effort, n) if self.key.links else min(effort, self.key.nlist)
        if selection is None:
            return _looking(self.key.family, effort)
        return _looking.__wrapped__(self.key.family, effort, sel=self._selector(selection))

    def _selector(self, selection: Selection) -> faiss.IDSelector:
        if selection.allowed is None and self.key.family is not Family.SCAN:
            # FAISS's set takes no longer to make for more items, and few rows are looked up.
            return faiss.IDSelectorNot(faiss.IDSelectorBatch(selection.excluded))
        # Every row is looked up, or few are left: a bitmap is the fastest to ask, a set the fastest to make.
        return faiss.IDSelectorBitmap(selection.bits)  # type: ignore[call-arg, arg-type]  # Python's takes an array and keeps it


@lru_cache
def _looking(family: Family, effort: int, **selector: faiss.IDSelector) -> faiss.SearchParameters | None:
    """What tells FAISS how far to look. Made once for each effort: it takes longer to make than some indexes to ask."""
    if family is Family.SCAN:
        return faiss.SearchParameters(**selector) if selector else None
    if family is Family.LISTS:
        return faiss.SearchParametersIVF(nprobe=effort, **selector)  # type: ignore[call-arg]  # the stubs show C++'s constructors
    parameters: faiss.SearchParameters = faiss.SearchParametersHNSW(efSearch=effort, **selector)  # type: ignore[attr-defined]  # not in the stubs
    return parameters


def _without_missing(products: Floats, rows: Rows) -> tuple[Floats, Rows]:
    """Without what stands for rows that FAISS did not find."""
    if len(rows) == 0 or rows[-1] >= 0:
        return products, rows
    n = int(np.count_nonzero(rows >= 0))
    return products[:n], rows[:n]


def _kept(products: Floats, rows: Rows, n: int, selection: Selection) -> tuple[Floats, Rows]:
    """The first n that are in `selection`."""
    kept = selection.keeps(rows).nonzero()[0][:n]
    return products.take(kept), rows.take(kept)


def _are_kept(rows: Rows, excluded: Sequence[Rows], n_items: int) -> NDArray[np.bool_]:
    """Which of the rows found for each query, int64 (n, m), -1 where none was, are not its `excluded` ones."""
    found: NDArray[np.bool_] = rows >= 0
    # One look-up for all: rows as if each query had items of its own.
    first = np.arange(len(rows)) * n_items
    taken = np.concatenate([*map(np.add, excluded, first)])
    if len(taken) == 0:
        return found
    keys = rows + first[:, np.newaxis]
    found &= taken.take(taken.searchsorted(keys), mode="clip") != keys
    return found


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
