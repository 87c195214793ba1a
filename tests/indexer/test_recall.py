import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from indexer.index import build_index
from indexer.recall import recall_at_k


class FoundIndex:
    """An index that finds the rows that it is told."""

    def __init__(self, rows: list[list[int]]) -> None:
        self.rows = np.array(rows, np.int64)

    def search(self, queries: NDArray[np.float32], k: int) -> tuple[None, NDArray[np.int64]]:
        assert len(queries) == len(self.rows)
        return None, self.rows[:, :k]


VECTORS = np.array([[4, 0], [3, 0], [3, 0], [3, 0], [1, 0]], np.float32)
QUERY = np.array([[1, 0]], np.float32)


@pytest.mark.parametrize(
    ("found", "recall"),
    [([0, 1], 1.0), ([0, 2], 1.0), ([0, 3], 1.0), ([2, 3], 1.0), ([0, 4], 0.5), ([4, -1], 0.0), ([0, -1], 0.5)],
)
def test_any_of_the_items_that_tie_for_the_last_place_counts_as_found(found: list[int], recall: float) -> None:
    assert recall_at_k(FoundIndex([found]), VECTORS, QUERY, k=2) == recall


def test_with_fewer_items_than_k_all_of_them_are_the_true_top() -> None:
    assert recall_at_k(FoundIndex([[0, 1, 2, 3, 4]]), VECTORS, QUERY, k=10) == 1.0
    assert recall_at_k(FoundIndex([[0, 1, -1, -1, -1]]), VECTORS, QUERY, k=10) == 0.4


def test_items_that_all_score_zero_are_all_as_good() -> None:
    assert recall_at_k(FoundIndex([[3, 4]]), np.zeros((5, 2), np.float32), QUERY, k=2) == 1.0


@given(st.integers(1, 60), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_an_exact_index_finds_all(n_items: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n_items, 8)).astype(np.float32)
    vectors[rng.integers(n_items)] = vectors[0]
    queries = rng.normal(size=(9, 8)).astype(np.float32)
    assert recall_at_k(build_index(vectors, "Flat"), vectors, queries, k) == 1.0


def test_queries_that_do_not_fit_at_once_are_measured_batch_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    vectors, queries = rng.normal(size=(30, 8)).astype(np.float32), rng.normal(size=(11, 8)).astype(np.float32)
    blind = build_index(np.concatenate([vectors[:20], np.zeros((10, 8), np.float32)]), "Flat")
    whole = recall_at_k(blind, vectors, queries, 5)
    monkeypatch.setattr("indexer.recall._MAX_SCORES", 100)
    assert recall_at_k(blind, vectors, queries, 5) == whole < 1.0
