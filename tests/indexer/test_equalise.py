import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from indexer.equalise import equaliser, equalising, fitted_to
from indexer.vectors import Source, augment, query
from tests.world import random_embeddings

dims, seeds = st.integers(1, 20), st.integers(0, 2**32 - 1)


def equalised(dim: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Items and queries equalised, and the inner products before: float64."""
    embeddings = random_embeddings(n_users=40, n_items=60, dim=dim, seed=seed)
    vectors = augment(embeddings.item_embeddings, embeddings.item_biases)
    queries = query(embeddings.user_embeddings, vectors.shape[1])
    equal = equaliser(Source(vectors, dim, unit=False), fitted_to(queries, dim))
    asked = queries @ equalising(equal.of_queries, queries.shape[1])
    return equal.items(vectors).astype(float), asked.astype(float), queries.astype(float) @ vectors.T.astype(float)


@given(dims, seeds)
def test_every_inner_product_stays_as_it_is(dim: int, seed: int) -> None:
    items, queries, before = equalised(dim, seed)
    np.testing.assert_allclose(queries @ items.T, before, atol=2e-3 * np.abs(before).max())


@given(dims, seeds)
def test_all_items_are_equally_long_so_that_the_nearest_score_highest(dim: int, seed: int) -> None:
    items, queries, _ = equalised(dim, seed)
    lengths = np.linalg.norm(items, axis=1)
    np.testing.assert_allclose(lengths, lengths.max(), rtol=1e-4)
    distances = ((queries[:, np.newaxis] - items) ** 2).sum(axis=2)
    products = queries @ items.T
    expected = (queries**2).sum(axis=1, keepdims=True) + lengths.max() ** 2 - 2 * products
    np.testing.assert_allclose(distances, expected, atol=1e-2 * np.abs(expected).max())


@given(dims, seeds)
def test_queries_are_alike_in_all_directions(dim: int, seed: int) -> None:
    _, queries, _ = equalised(dim, seed)
    used = queries[:, : dim + 1]
    moments = used.T @ used / len(used)
    np.testing.assert_allclose(moments, np.eye(dim + 1), atol=0.05)


def test_queries_that_are_all_zero_in_some_directions_make_no_infinity() -> None:
    queries = np.zeros((5, 8), np.float32)
    queries[:, 0] = 1
    for some in (queries, np.zeros((5, 8), np.float32)):
        of_queries = fitted_to(some, 4)
        assert np.isfinite(of_queries).all()
        vectors = np.random.default_rng(0).normal(size=(9, 8)).astype(np.float32)
        assert np.isfinite(equaliser(Source(vectors, 4, unit=False), of_queries).items(vectors)).all()
