"""Top-k over an index with any rows left out, in the order of the exact scores.

The index finds candidates; their scores are computed again in float64, and the k best are the answer. Of an exact index
they are the k best of all rows as soon as no row that FAISS left out can score as high: `Query.slack` bounds how far
its float32 products can be wrong. Of an approximate one they are the best of what it found. Where that does not do, as
among many equal items or where too few were found, more candidates are fetched, and at last every row is scored.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.index import Index
from indexer.selection import NONE, Rows, Selection

Scores = NDArray[np.float64]

_HARDER = 8
_BLOCK_ROWS = 1 << 12
"""What is scored at a time: so many stay in the caches."""
_FEW = 1_000
"""Of so few rows every score is computed sooner than an index finds the best."""
_BLOCK_QUERIES = 256
_FLOAT32_ROUNDING = 2.0**-24
_FLOAT32_SAFE = 1e30


@dataclass(eq=False, slots=True)
class Query:
    """What is looked for: the rows with the highest score(row) = offset + vector · row."""

    vector: NDArray[np.float32]
    """(width,) as the index takes it; all zero only where every row scores the same: `tells_apart`."""
    scores: Callable[[Rows], Scores]
    """The exact scores of some rows: int64 (n,) → float64 (n,)."""
    offset: float
    """What a score adds to the inner product that FAISS computes."""
    largest_norm: Callable[[], float]
    """No row is longer than this."""
    tells_apart: bool
    """Whether `vector` is anything but zeros."""
    is_usual: bool = True
    """Whether item biases count as in the model; an index looks harder for other weights of them."""

    @property
    def slack(self) -> float:
        """At most this far is offset + FAISS's exact product from the exact score, for any row."""
        return float32_slack(self.vector, self.largest_norm())


@dataclass(eq=False, slots=True)
class Queries:
    """Queries of one kind, looked for together as one matrix."""

    vectors: NDArray[np.float32]
    """(n, width): each as `Query.vector`."""
    scores: Callable[[Rows, Rows], Scores]
    """The exact scores of some rows for some of the queries: int64 (m,), int64 (m, c) → float64 (m, c)."""
    alone: Callable[[int], Query]
    """Each by itself."""
    is_usual: bool = True
    """As `Query.is_usual`, of all of them."""


def float32_slack(query: NDArray[np.float32], row_norm: float) -> float:
    """How far float32 inner products with `query` (width,) of rows of at most `row_norm` can be from the exact ones.

    The rounding of a sum of `width` products is at most width · 2^-24 · |q| · |x|; four times that also covers rows
    that were scaled to unit norm in float32. Infinite where float32 might overflow.
    """
    largest = float(np.linalg.norm(query.astype(np.float64))) * row_norm
    return 4 * len(query) * _FLOAT32_ROUNDING * largest if largest < _FLOAT32_SAFE else float("inf")


def top_rows(index: Index, query: Query, k: int, selection: Selection) -> tuple[Rows, Scores]:
    """The k best rows of `selection`, best first, equal scores in row order: int64, float64 (k,).

    Fewer come back only where fewer are left.
    """
    return _answer(index, query, k, selection, harder=1)


def top_rows_of_many(
    index: Index, queries: Queries, k: int, selections: Sequence[Selection]
) -> list[tuple[Rows, Scores]]:
    """`top_rows` of each query, those that can be searched as one matrix."""
    answers: dict[int, tuple[Rows, Scores]] = {}
    n_candidates = index.settings.n_candidates(k, 1)
    if queries.is_usual and n_candidates <= _BLOCK_ROWS:
        together = [
            each
            for each, selection in enumerate(selections)
            if index.is_for_many(selection) and n_candidates < selection.n_left and queries.vectors[each].any()
        ]
        # Those that leave out equally many: all of a block fetch as many rows as the one that needs the most.
        together.sort(key=lambda each: len(selections[each].excluded))
        for start in range(0, len(together), _BLOCK_QUERIES):
            answers |= _answered_together(index, queries, k, selections, together[start : start + _BLOCK_QUERIES])
    return [
        answers[each] if each in answers else top_rows(index, queries.alone(each), k, selection)
        for each, selection in enumerate(selections)
    ]


def _answered_together(
    index: Index, queries: Queries, k: int, selections: Sequence[Selection], block: Sequence[int]
) -> dict[int, tuple[Rows, Scores]]:
    """The answers to those of `block` that the index found enough candidates for."""
    chosen = np.array(block)
    excluded = [selections[each].excluded for each in block]
    products, rows, is_enough = index.candidates_of_many(queries.vectors[chosen], k, index.settings, excluded)
    chosen = chosen[is_enough]
    rows.sort(axis=1)
    scores = np.empty(rows.shape, np.float64)
    n_together = max(1, _BLOCK_ROWS // rows.shape[1])
    for start in range(0, len(chosen), n_together):
        some = slice(start, start + n_together)
        scores[some] = queries.scores(chosen[some], rows[some])
    # As `_best`, of each.
    order = (-scores).argsort(axis=1, kind="stable")[:, :k]
    each_row = np.arange(len(chosen))[:, np.newaxis]
    best = zip(chosen.tolist(), rows[each_row, order], scores[each_row, order], products[:, -1], strict=True)
    return {
        each: (found, of_found)
        for each, found, of_found, last in best
        if not (index.key.is_exact and _may_miss(queries.alone(each), of_found, last))
    }


def _answer(index: Index, query: Query, k: int, selection: Selection, harder: int) -> tuple[Rows, Scores]:
    """The k best, looked for so much harder than usual to begin with."""
    n_left = selection.n_left
    k = min(k, n_left)
    if k == 0:
        return NONE, np.empty(0)
    if not query.tells_apart:
        # Nothing is told apart, as for a user of whom the model learnt nothing: no need to score every row for it.
        rows = selection.first(k)
        return rows, query.scores(rows)
    settings = index.settings if query.is_usual else index.unusual_settings
    few = 0 if selection.allowed is None else _FEW
    while max(settings.n_candidates(k, harder), few) < n_left:
        products, found = index.candidates(query.vector, k, harder, settings, selection)
        if answer := _proved(index, query, k, products, found):
            return answer
        harder *= _HARDER
    every = selection.rows()
    return _best(every, query.scores, k)


def _proved(
    index: Index, query: Query, k: int, products: NDArray[np.float32], found: Rows
) -> tuple[Rows, Scores] | None:
    """The k best of the candidates; None where there are too few, or where others might score as high."""
    if len(found) < k:
        return None
    rows, scores = _best(found, query.scores, k)
    if index.key.is_exact and _may_miss(query, scores, products[-1]):
        return None
    return rows, scores


def _may_miss(query: Query, scores: Scores, last_product: np.float32) -> bool:
    """Whether a row that an exact index left out, behind `last_product`, might score as high as the last of these."""
    return bool(scores[-1] <= query.offset + float(last_product) + query.slack)


def exact_products(vectors: NDArray[np.float32], rows: Rows, query: NDArray[np.float64]) -> Scores:
    """The inner products of some rows of `vectors` (n, width) with `query` (dim,): float64 (len(rows),).

    Columns of `vectors` from `dim` on are left out.
    """
    return _row_by_row(vectors, rows, len(query), lambda block: np.vecdot(block, query))


def exact_lengths(vectors: NDArray[np.float32], rows: Rows, dim: int) -> Scores:
    """The Euclidean lengths of the first `dim` columns of some rows of `vectors` (n, width): float64 (len(rows),)."""
    return np.sqrt(_row_by_row(vectors, rows, dim, lambda block: np.vecdot(block, block)))


def _row_by_row(vectors: NDArray[np.float32], rows: Rows, dim: int, products: Callable[[Scores], Scores]) -> Scores:
    """What `products` makes of rows, float64 (n, dim) → float64 (n,), each alike: equal vectors have equal products."""

    def block(chosen: Rows) -> Scores:
        # Whole rows first: NumPy copies them faster than parts of them.
        return products(vectors.take(chosen, axis=0)[:, :dim].astype(np.float64))

    if len(rows) <= _BLOCK_ROWS:
        return block(rows)
    return np.concatenate([block(rows[start : start + _BLOCK_ROWS]) for start in range(0, len(rows), _BLOCK_ROWS)])


def _best(rows: Rows, scores: Callable[[Rows], Scores], k: int) -> tuple[Rows, Scores]:
    # A stable sort leaves equal scores in the order of their rows.
    rows = np.sort(rows)
    found = scores(rows)
    order = (-found).argsort(kind="stable")[:k]
    return rows.take(order), found.take(order)
