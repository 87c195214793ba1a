from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.vectors import Source, augment, padded_width, query, save_item_vectors, unit_rows
from tests.world import predicted_ratings, random_embeddings
from training.embeddings import Embeddings

dims = st.integers(1, 40)
seeds = st.integers(0, 2**32 - 1)


def model(dim: int, seed: int) -> Embeddings:
    return random_embeddings(n_users=7, n_items=23, dim=dim, seed=seed, seen=2)


@given(dims, seeds, st.floats(-10, 10, width=32))
def test_the_inner_product_is_the_score_at_every_weight_of_the_bias(dim: int, seed: int, weight: float) -> None:
    embeddings = model(dim, seed)
    vectors = augment(embeddings.item_embeddings, embeddings.item_biases)
    products = query(embeddings.user_embeddings, vectors.shape[1], weight).astype(np.float64) @ vectors.T
    expected = embeddings.user_embeddings.astype(np.float64) @ embeddings.item_embeddings.T
    np.testing.assert_allclose(products, expected + weight * embeddings.item_biases.astype(np.float64), atol=1e-9)


@given(dims, seeds)
def test_with_weight_1_it_is_the_predicted_rating(dim: int, seed: int) -> None:
    embeddings = model(dim, seed)
    vectors = augment(embeddings.item_embeddings, embeddings.item_biases)
    for user_row in range(embeddings.n_users):
        rest = embeddings.global_bias + embeddings.user_biases[user_row]
        products = vectors @ query(embeddings.user_embeddings[user_row], vectors.shape[1])
        np.testing.assert_allclose(products + rest, predicted_ratings(embeddings, user_row), atol=1e-4)


@given(dims, seeds, st.floats(-(2.0**99), 2.0**99, width=32))
def test_the_columns_after_the_bias_are_zero_in_item_vectors_and_queries(dim: int, seed: int, weight: float) -> None:
    embeddings = model(dim, seed)
    vectors = augment(embeddings.item_embeddings, embeddings.item_biases)
    assert vectors.shape[1] % 8 == 0
    assert dim + 1 < vectors.shape[1] <= dim + 9
    assert vectors.dtype == np.float32
    assert not vectors[:, dim + 1 :].any()
    assert not query(embeddings.user_embeddings, vectors.shape[1], weight)[:, dim + 1 :].any()


def test_the_width_is_the_next_multiple_of_8_that_leaves_room_for_two_more() -> None:
    assert [padded_width(dim) for dim in (1, 6, 7, 8, 64, 71, 72)] == [8, 8, 16, 16, 72, 80, 80]


@given(dims, seeds, st.sampled_from([1e-30, 1.0, 1e30]))
def test_inner_products_of_unit_rows_are_cosines(dim: int, seed: int, scale: float) -> None:
    embeddings = model(dim, seed).item_embeddings * np.float32(scale)
    units = unit_rows(embeddings, padded_width(dim))
    exact = embeddings.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1)
    np.testing.assert_allclose(units @ units.T, exact @ exact.T / np.outer(lengths, lengths), atol=1e-5)
    assert not units[:, dim:].any()


def test_a_row_of_zeros_stays_zeros() -> None:
    embeddings = np.array([[0, 0], [3, 4]], np.float32)
    units = unit_rows(embeddings, 8)[:, :2].astype(np.float64)
    np.testing.assert_allclose(units, np.array([[0, 0], [0.6, 0.8]]), rtol=1e-6)


def test_one_user_and_many_make_the_same_queries() -> None:
    users = model(5, 0).user_embeddings
    np.testing.assert_array_equal(query(users, 8, 0.5), np.stack([query(user, 8, 0.5) for user in users]))


def test_the_vectors_are_copies_so_the_model_is_never_changed() -> None:
    embeddings = model(7, 0)
    for made in (augment(embeddings.item_embeddings, embeddings.item_biases), unit_rows(embeddings.item_embeddings, 8)):
        assert not np.shares_memory(made, embeddings.item_embeddings)


@pytest.mark.parametrize("block", [1, 7, 23, 1000])
def test_vectors_written_block_by_block_are_those_made_at_once(
    block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.vectors._BLOCK_ROWS", block)
    embeddings = model(5, 0)
    written = save_item_vectors(embeddings.item_embeddings, embeddings.item_biases, tmp_path / "vectors.npy")
    np.testing.assert_array_equal(written, augment(embeddings.item_embeddings, embeddings.item_biases))
    assert not written.flags.writeable
    for unit, expected in ((False, written), (True, unit_rows(embeddings.item_embeddings, written.shape[1]))):
        source = Source(written, 5, unit)
        np.testing.assert_array_equal(np.concatenate(list(source.blocks())), expected)
        assert {tuple(row) for row in source.sample(9).tolist()} <= {tuple(row) for row in expected.tolist()}
