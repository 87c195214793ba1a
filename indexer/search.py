"""Top-k over a FAISS index with any rows left out, in the order of the exact scores.

FAISS finds candidates in float32; their scores are computed again in float64. The k best of them are the k best of all
rows as soon as no row that FAISS left out can score as high: `Query.slack` bounds how far its products can be wrong.
Where that is not so, as among many equal items, more candidates are fetched, and at last every row is scored.
"""

from collections.abc import Callable
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.index import Index

Rows = NDArray[np.int64]
Scores = NDArray[np.float64]

_SPARE = 16
_MORE = 8
_BLOCK_ROWS = 1 << 16
_FLOAT32_ROUNDING = 2.0**-24
_FLOAT32_SAFE = 1e30


@dataclass(frozen=True)
class Query:
    """What is looked for: the rows with the highest score(row) = offset + vector · row."""

    vector: NDArray[np.float32]
    """(width,) as the index takes it; all zero only where every row scores the same."""
    scores: Callable[[Rows], Scores]
    """The exact scores of some rows: int64 (n,) → float64 (n,)."""
    offset: float
    """What a score adds to the inner product that FAISS computes."""
    slack: float
    """At most this far is offset + FAISS's product from the exact score, for any row."""


def float32_slack(query: NDArray[np.float32], row_norm: float) -> float:
    """How far float32 inner products with `query` (width,) of rows of at most `row_norm` can be from the exact ones.

    The rounding of a sum of `width` products is at most width · 2^-24 · |q| · |x|; four times that also covers rows
    that were scaled to unit norm in float32. Infinite where float32 might overflow.
    """
    largest = float(np.linalg.norm(query.astype(np.float64))) * row_norm
    return 4 * len(query) * _FLOAT32_ROUNDING * largest if largest < _FLOAT32_SAFE else float("inf")


def top_rows(index: Index, query: Query, k: int, allowed: NDArray[np.bool_] | None) -> tuple[Rows, Scores]:
    """The k best of the `allowed` rows (all where None), best first, equal scores in row order: int64, float64 (k,).

    Fewer come back only where fewer are allowed. `allowed` is bool (n,).
    """
    if not query.vector.any():
        # Nothing is told apart, as for a user of whom the model learnt nothing: no need to score every row for it.
        rows = np.arange(min(k, index.ntotal)) if allowed is None else np.flatnonzero(allowed)[:k]
        return rows, query.scores(rows)
    n_allowed = index.ntotal if allowed is None else int(np.count_nonzero(allowed))
    parameters = None if allowed is None else _selecting(allowed)
    n_fetched = k + _SPARE
    while n_fetched < n_allowed:
        products, found = index.search(query.vector[np.newaxis], n_fetched, params=parameters)
        if found[0, -1] < 0:
            break
        rows, scores = _best(found[0], query.scores(found[0]), k)
        if scores[-1] > query.offset + float(products[0, -1]) + query.slack:
            return rows, scores
        n_fetched *= _MORE
    every = np.arange(index.ntotal) if allowed is None else np.flatnonzero(allowed)
    return _best(every, query.scores(every), k)


def exact_products(vectors: NDArray[np.float32], rows: Rows, query: NDArray[np.float64]) -> Scores:
    """The inner products of some rows of `vectors` (n, width) with `query` (dim,): float64 (len(rows),).

    Columns of `vectors` from `dim` on are left out.
    """
    return _row_by_row(vectors, rows, len(query), lambda block: block * query)


def exact_lengths(vectors: NDArray[np.float32], rows: Rows, dim: int) -> Scores:
    """The Euclidean lengths of the first `dim` columns of some rows of `vectors` (n, width): float64 (len(rows),)."""
    return np.sqrt(_row_by_row(vectors, rows, dim, np.square))


def _row_by_row(vectors: NDArray[np.float32], rows: Rows, dim: int, terms: Callable[[Scores], Scores]) -> Scores:
    # Equal vectors must give equal sums wherever they stand: NumPy sums each row alike, BLAS does not.
    sums = np.empty(len(rows), np.float64)
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = vectors[rows[start : start + _BLOCK_ROWS], :dim].astype(np.float64)
        sums[start : start + _BLOCK_ROWS] = terms(block).sum(axis=1)
    return sums


def _best(rows: Rows, scores: Scores, k: int) -> tuple[Rows, Scores]:
    order = np.lexsort((rows, -scores))[:k]
    return rows[order], scores[order]


def _selecting(allowed: NDArray[np.bool_]) -> faiss.SearchParameters:
    bitmap = np.packbits(allowed, bitorder="little")
    # The stubs show C++'s constructors; Python's take the array, which the selector keeps alive, and keywords.
    selector = faiss.IDSelectorBitmap(bitmap)  # type: ignore[call-arg, arg-type]  # see above
    return faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]  # see above
