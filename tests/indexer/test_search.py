"""FAISS leaves out what it is told to: some index types ignore selectors without a word."""

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from indexer.index import INDEX_KEYS, build_index
from server.search import Query, exact_products, float32_slack, top_rows

N_ROWS, WIDTH = 500, 24
VECTORS = np.random.default_rng(1).normal(size=(N_ROWS, WIDTH)).astype(np.float32)
INDEXES = {key: build_index(VECTORS, key) for key in INDEX_KEYS}


def looking_for(vector: NDArray[np.float32], vectors: NDArray[np.float32] = VECTORS) -> Query:
    return Query(
        vector=vector,
        scores=lambda rows: exact_products(vectors, rows, vector.astype(np.float64)),
        offset=0.0,
        slack=float32_slack(vector, float(np.linalg.norm(vectors.astype(np.float64), axis=1).max())),
    )


@pytest.mark.parametrize("index_key", INDEX_KEYS)
@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_allowed=st.integers(0, N_ROWS), k=st.integers(1, N_ROWS + 20))
def test_the_k_best_of_any_allowed_rows_are_found(index_key: str, seed: int, n_allowed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    vector = rng.normal(size=WIDTH).astype(np.float32)
    allowed = np.zeros(N_ROWS, np.bool_)
    allowed[rng.choice(N_ROWS, n_allowed, replace=False)] = True
    scores = (VECTORS.astype(np.float64) * vector.astype(np.float64)).sum(axis=1)
    expected = [row for row in np.argsort(-scores) if allowed[row]][:k]

    rows, found = top_rows(INDEXES[index_key], looking_for(vector), k, allowed)

    assert rows.tolist() == expected
    np.testing.assert_allclose(found, scores[expected], rtol=1e-12)


def test_the_slack_covers_what_faiss_rounds_away() -> None:
    rng = np.random.default_rng(2)
    for scale in (1e-3, 1.0, 1e4):
        queries = (rng.normal(size=(50, WIDTH)) * scale).astype(np.float32)
        products, rows = INDEXES["Flat"].search(queries, N_ROWS)
        for query, product, row in zip(queries, products, rows, strict=True):
            looking = looking_for(query)
            assert np.abs(looking.scores(row) - product).max() <= looking.slack


def test_products_that_overflow_float32_still_rank_every_row() -> None:
    vectors = VECTORS * np.float32(1e25)
    vector = vectors[0]
    scores = (vectors.astype(np.float64) * vector.astype(np.float64)).sum(axis=1)
    rows, _ = top_rows(build_index(vectors, "Flat"), looking_for(vector, vectors), 20, None)
    assert rows.tolist() == np.argsort(-scores)[:20].tolist()


def test_an_index_that_finds_fewer_than_asked_for_is_made_up_for() -> None:
    index = faiss.index_factory(WIDTH, "IVF64,Flat", faiss.METRIC_INNER_PRODUCT)
    index.train(VECTORS)
    index.add(VECTORS)
    _, found = index.search(VECTORS[:1], 100)
    assert found[0, -1] == -1
    scores = (VECTORS.astype(np.float64) * VECTORS[0].astype(np.float64)).sum(axis=1)
    rows, _ = top_rows(index, looking_for(VECTORS[0]), 100, None)
    assert rows.tolist() == np.argsort(-scores)[:100].tolist()


@given(n_allowed=st.none() | st.integers(0, N_ROWS), k=st.integers(1, N_ROWS + 20))
def test_a_query_of_zeros_finds_the_first_allowed_rows_and_searches_for_nothing(n_allowed: int | None, k: int) -> None:
    allowed = None if n_allowed is None else np.arange(N_ROWS) >= N_ROWS - n_allowed
    expected = np.arange(N_ROWS) if allowed is None else np.flatnonzero(allowed)
    # An index of nothing could not be asked.
    empty = faiss.IndexFlatIP(WIDTH)
    empty.ntotal = N_ROWS
    rows, scores = top_rows(empty, looking_for(np.zeros(WIDTH, np.float32)), k, allowed)
    assert rows.tolist() == expected[:k].tolist()
    assert scores.tolist() == [0.0] * len(rows)


def test_equal_rows_score_equal_wherever_they_stand() -> None:
    vectors = np.tile(VECTORS[:1], (1003, 1))
    products = exact_products(vectors, np.arange(1003), VECTORS[1].astype(np.float64))
    assert len(set(products.tolist())) == 1
