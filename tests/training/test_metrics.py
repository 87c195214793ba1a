"""Metrics against a reference that goes through items one by one, in every order of equal scores."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.training.tastes import table
from training.columns import Ragged
from training.evaluation import metrics
from training.evaluation.baselines import BiasOnly, MostPopular, fit_biases
from training.evaluation.metrics import Ranks, mae, rank, rmse
from training.evaluation.predictors import Rows


@dataclass(frozen=True)
class Fixed:
    """Scores that were written down."""

    table: NDArray[np.float32]

    def predict(self, user_rows: Rows, item_rows: Rows) -> NDArray[np.float32]:
        return self.table[user_rows, item_rows]

    def scores(self, user_rows: Rows) -> NDArray[np.float32]:
        return self.table[user_rows]


def reference(scores: list[float], relevant: list[int], seen: list[int], k: int) -> tuple[float, float]:
    """NDCG@k and recall@k of one user, by counting: the mean over all orders of the unseen items that fit."""
    unseen = [item for item in range(len(scores)) if item not in seen]
    ndcg, recall = [], []
    for order in itertools.permutations(unseen):
        if any(scores[before] < scores[after] for before, after in itertools.pairwise(order)):
            continue
        gain = sum(1 / math.log2(place + 2) for place, item in enumerate(order[:k]) if item in relevant)
        ideal = sum(1 / math.log2(place + 2) for place in range(min(k, len(relevant))))
        ndcg.append(gain / ideal)
        recall.append(len(set(order[:k]) & set(relevant)) / min(k, len(relevant)))
    return sum(ndcg) / len(ndcg), sum(recall) / len(recall)


users = st.tuples(
    st.lists(st.integers(0, 3), min_size=6, max_size=6),
    st.lists(st.sampled_from(["relevant", "seen", "neither"]), min_size=6, max_size=6),
)


@given(st.lists(users, min_size=1, max_size=4), st.integers(1, 8), st.integers(1, 64))
def test_ndcg_and_recall_are_the_mean_over_all_orders_of_equal_items(
    world: list[tuple[list[int], list[str]]], k: int, block: int
) -> None:
    lists = [
        [[item for item, is_ in enumerate(roles) if is_ == role] for role in ("relevant", "seen")] for _, roles in world
    ]
    judged = [user for user, (relevant, _) in enumerate(lists) if relevant]
    if not judged:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "_BLOCK_SCORES", block)
        ranks = rank(
            Fixed(np.array([scores for scores, _ in world], np.float32)),
            np.array(judged),
            Ragged.of([lists[user][0] for user in judged]),
            Ragged.of([seen for _, seen in lists]),
        )
    expected = [reference([*map(float, world[user][0])], lists[user][0], lists[user][1], k) for user in judged]
    np.testing.assert_allclose(np.stack([ranks.ndcg(k), ranks.recall(k)], axis=1), expected, atol=1e-12)


def ranks_of(scores: list[float], relevant: list[int], seen: list[int]) -> Ranks:
    return rank(Fixed(np.array([scores], np.float32)), np.array([0]), Ragged.of([relevant]), Ragged.of([seen]))


def test_a_perfect_list_has_one_and_the_worst_has_none() -> None:
    perfect = ranks_of([9, 8, 1, 0], [0, 1], [])
    assert perfect.ndcg(2)[0] == perfect.recall(2)[0] == perfect.recall(1)[0] == perfect.ndcg(100)[0] == 1
    worst = ranks_of([0, 0, 1, 2], [0, 1], [])
    assert worst.ndcg(2)[0] == worst.recall(2)[0] == 0
    assert worst.recall(4)[0] == 1


def test_a_scorer_that_can_not_tell_items_apart_gets_what_chance_would() -> None:
    assert ranks_of([1.0] * 100, [3], []).recall(10)[0] == pytest.approx(0.1)


def test_seen_items_do_not_take_places() -> None:
    assert ranks_of([9, 8, 7, 1], [3], [0, 1, 2]).ndcg(1)[0] == 1


def test_scores_of_the_predictor_stay_as_they_were() -> None:
    scores = np.array([[3, 1, 2]], np.float32)
    rank(Fixed(scores), np.array([0]), Ragged.of([[1]]), Ragged.of([[0]]))
    assert scores.tolist() == [[3, 1, 2]]


def test_errors_in_rating_units() -> None:
    errors = np.array([3, -4, 0, 0], np.float32)
    assert rmse(errors) == 2.5
    assert mae(errors) == 1.75


def test_biases_solve_the_damped_least_squares() -> None:
    rng = np.random.default_rng(0)
    rows = np.array([(user, item) for user in range(12) for item in range(9) if rng.random() < 0.7])
    ratings = table(rows[:, 0], rows[:, 1], rng.integers(1, 6, len(rows)), 12, 9)
    baseline = fit_biases(ratings)
    design = np.zeros((len(rows), 21))
    design[np.arange(len(rows)), rows[:, 0]] = design[np.arange(len(rows)), 12 + rows[:, 1]] = 1
    solved = np.linalg.solve(design.T @ design + 10 * np.eye(21), design.T @ (ratings.values - baseline.global_bias))
    np.testing.assert_allclose(np.concatenate([baseline.user_biases, baseline.item_biases]), solved, atol=1e-3)
    predicted = BiasOnly(baseline).predict(rows[:, 0], rows[:, 1])
    np.testing.assert_allclose(predicted, baseline.global_bias + design @ solved, atol=2e-3)


def test_the_most_popular_are_those_with_the_most_ratings() -> None:
    popular = MostPopular(np.array([1, 5, 3], np.float32), 3.5)
    assert popular.scores(np.array([0, 1])).tolist() == [[1, 5, 3]] * 2
    assert popular.predict(np.array([0, 1]), np.array([2, 2])).tolist() == [3.5, 3.5]
