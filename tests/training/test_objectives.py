"""What targets and penalties are, what solved rows mean, and that no rating scale is preferred to another."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.tastes import table, two_tastes
from training.fitting.config import FitConfig
from training.fitting.objectives import Ranking, Rating, first_rows, objective_of

COUNTS = np.array([0, 1, 4, 100])


@settings(deadline=None)
@given(st.floats(-50, 50), st.floats(0.1, 40))
def test_rating_targets_have_mean_0_and_deviation_1_on_every_scale(shift: float, stretch: float) -> None:
    ratings = two_tastes(20, 15)
    values = ratings.values * np.float32(stretch) + np.float32(shift)
    scaled = table(ratings.user_rows, ratings.item_rows, values, 20, 15)
    objective = objective_of(scaled, FitConfig(dim=3))
    targets = objective.targets(scaled.values)
    assert targets.dtype == np.float32
    assert targets.mean(dtype=np.float64) == pytest.approx(0, abs=1e-3)
    assert targets.std(dtype=np.float64) == pytest.approx(1, abs=1e-3)


@settings(deadline=None)
@given(st.integers(1, 5), st.floats(0.1, 40), st.floats(-20, 20), st.integers(0, 1000))
def test_a_product_of_rows_is_the_rating_that_the_parameters_predict(
    dim: int, deviation: float, mean: float, seed: int
) -> None:
    objective = Rating(dim, mean, deviation)
    rng = np.random.default_rng(seed)
    users, items = (
        np.where(free, rng.normal(size=(7, dim + 2)), 1).astype(np.float32)
        for free in (objective.user_free, objective.item_free)
    )
    found = objective.parameters(users, items)
    biases = found.user_biases[:, None] + found.item_biases + found.global_bias
    np.testing.assert_allclose(
        found.user_embeddings @ found.item_embeddings.T + biases,
        users @ items.T * deviation + mean,
        rtol=1e-4,
        atol=1e-3,
    )
    np.testing.assert_allclose(objective.item_rows(found), items, rtol=1e-5, atol=1e-6)


def test_rating_penalties_grow_with_the_root_of_what_a_row_has() -> None:
    penalties = Rating(3, 3.5, 1.0).penalties(COUNTS, 999, {"regularisation": 0.5})
    np.testing.assert_allclose(penalties, [0, 0.5, 1, 5])
    assert Rating(3, 3.5, 1.0).unseen_weight({"regularisation": 0.5}) == 0


def test_ranking_targets_rise_from_the_lowest_rating_to_what_is_liked() -> None:
    objective = Ranking(4, lowest=1, liked_from=4)
    np.testing.assert_allclose(objective.targets(np.array([1, 2, 2.5, 4, 5], np.float32)), [0, 1 / 3, 0.5, 1, 1])


@pytest.mark.parametrize("liked_from", [None, 3.0, 2.0])
def test_ratings_that_are_all_the_same_are_all_liked(liked_from: float | None) -> None:
    ratings = table([0, 1, 2], [0, 1, 1], [3, 3, 3], 3, 2)
    objective = objective_of(ratings, FitConfig(objective="ranking", dim=2, liked_from=liked_from))
    assert isinstance(objective, Ranking)
    np.testing.assert_array_equal(objective.targets(ratings.values), [1, 1, 1])


def test_three_quarters_up_the_scale_is_liked_where_nothing_else_is_said() -> None:
    ratings = table([0, 1, 2], [0, 1, 1], [0.5, 3, 5], 3, 2)
    objective = objective_of(ratings, FitConfig(objective="ranking"))
    assert isinstance(objective, Ranking)
    assert objective.lowest == 0.5
    assert objective.liked_from == 0.5 + 0.75 * 4.5


def test_ranking_penalties_count_what_is_unseen_too() -> None:
    values = {"regularisation": 0.5, "unseen_weight": 0.1}
    objective = Ranking(4, 1, 4)
    np.testing.assert_allclose(objective.penalties(COUNTS, 90, values), 0.5 * np.sqrt(COUNTS + 9), rtol=1e-6)
    assert objective.unseen_weight(values) == 0.1


def test_rows_fit_to_rank_are_the_embeddings_and_there_are_no_biases() -> None:
    rng = np.random.default_rng(0)
    users, items = (rng.normal(size=(n, 4)).astype(np.float32) for n in (5, 7))
    objective = Ranking(4, 1, 4)
    found = objective.parameters(users, items)
    np.testing.assert_array_equal(found.user_embeddings, users)
    np.testing.assert_array_equal(objective.item_rows(found), items)
    assert not found.user_biases.any()
    assert not found.item_biases.any()
    assert found.global_bias == 0


@pytest.mark.parametrize("objective", [Rating(5, 3.5, 1.0), Ranking(5, 1, 4)])
def test_first_rows_follow_the_seed_and_are_small(objective: Rating | Ranking) -> None:
    rows, again, other = (first_rows(objective, 400, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(rows, again)
    assert rows.dtype == np.float32
    assert not np.array_equal(rows, other)
    lengths = np.linalg.norm(rows[:, :5], axis=1)
    assert 0.05 < lengths.mean() < 0.5
    constants = rows[:, 5:]
    np.testing.assert_array_equal(constants, np.broadcast_to((1 - objective.item_free)[5:], constants.shape))
