"""The figures that hyper-parameters are chosen by, against plain NumPy."""

import numpy as np
import pytest

from tests.training.tastes import table, two_tastes
from training.data.ratings import Ratings
from training.data.split import Positions, random_split
from training.errors import RatingsError
from training.fitting.config import FitConfig
from training.fitting.least_squares import Side
from training.fitting.objectives import Objective, Values, first_rows, objective_of
from training.fitting.problem import Problem
from training.fitting.validation import RankingGain, validation_of

VALUES = {"regularisation": 0.5, "unseen_weight": 0.1}


def swept(ratings: Ratings, fitted: Positions, objective: Objective, values: Values = VALUES) -> tuple[Side, Side]:
    """Users and items after two sweeps over the ratings at `fitted`."""
    problem = Problem(ratings, fitted, objective)
    users, items = problem.sides(first_rows(objective, ratings.n_items, seed=0), values)
    for _ in range(2):
        problem.sweep(users, items, values, lambda _: None)
    return users, items


def parts(ratings: Ratings) -> tuple[Positions, Positions]:
    fitted, held_out = random_split(len(ratings), 0.3, 1)
    return np.sort(fitted), held_out


def test_the_error_is_that_of_predictions_within_the_scale() -> None:
    ratings = two_tastes()
    # Predictions will go past such a scale.
    values = np.where(np.arange(len(ratings)) % 7 == 0, 3, ratings.values)
    ratings = table(ratings.user_rows, ratings.item_rows, values, 60, 40)
    objective, (fitted, held_out) = objective_of(ratings, FitConfig(dim=3)), parts(ratings)
    users, items = swept(ratings, fitted, objective, {"regularisation": 0.01})
    found = objective.parameters(users.rows, items.rows)
    who, what = ratings.user_rows[held_out], ratings.item_rows[held_out]
    predicted = found.global_bias + found.user_biases[who] + found.item_biases[what]
    predicted = predicted + (found.user_embeddings[who] * found.item_embeddings[what]).sum(1)
    assert (predicted > 5).any()
    expected = np.sqrt(np.mean((np.clip(predicted, 1, 5) - ratings.values[held_out]) ** 2))
    judge = validation_of(ratings, fitted, held_out, objective, seed=0)
    assert judge.measure(users, items) == pytest.approx(expected, rel=1e-4)
    assert (judge.name, judge.better) == ("val_rmse", -1)


def ndcg_by_hand(ratings: Ratings, fitted: Positions, held_out: Positions, users: Side, items: Side) -> float:
    gains = []
    for user in range(ratings.n_users):
        mine = held_out[ratings.user_rows[held_out] == user]
        liked = ratings.item_rows[mine[ratings.values[mine] >= 4]]
        if len(liked) == 0:
            continue
        scores = (users.rows[user] @ items.rows.T).astype(np.float64)
        scores[ratings.item_rows[fitted[ratings.user_rows[fitted] == user]]] = -np.inf
        hits = np.isin(np.argsort(-scores)[:10], liked)
        discounts = 1 / np.log2(np.arange(2, 12))
        gains.append((hits * discounts).sum() / discounts[: min(len(liked), 10)].sum())
    return float(np.mean(gains))


def test_the_gain_is_of_liked_items_among_all_that_were_not_fitted_to() -> None:
    ratings = two_tastes(share=0.5)
    objective, (fitted, held_out) = objective_of(ratings, FitConfig(dim=3, objective="ranking")), parts(ratings)
    judge = validation_of(ratings, fitted, held_out, objective, seed=0)
    users, items = swept(ratings, fitted, objective)
    assert judge.measure(users, items) == pytest.approx(ndcg_by_hand(ratings, fitted, held_out, users, items), abs=1e-6)
    assert (judge.name, judge.better) == ("val_ndcg@10", 1)


def test_of_many_users_some_are_looked_at_always_the_same() -> None:
    n = 6_000
    users = np.repeat(np.arange(n), 3)
    ratings = table(users, np.tile([0, 1, 2], n), np.full(3 * n, 5), n, 3)
    objective = objective_of(ratings, FitConfig(objective="ranking"))
    everything = np.arange(3 * n)
    fitted, held_out = everything[everything % 3 > 0], everything[everything % 3 == 0]
    first, again, other = (validation_of(ratings, fitted, held_out, objective, seed) for seed in (1, 1, 2))
    assert isinstance(first, RankingGain)
    assert isinstance(again, RankingGain)
    assert isinstance(other, RankingGain)
    assert len(first.user_rows) == len(set(first.user_rows.tolist())) == len(first.relevant) == len(first.seen) == 5_000
    np.testing.assert_array_equal(first.user_rows, again.user_rows)
    assert not np.array_equal(first.user_rows, other.user_rows)
    assert all(first.relevant[row].tolist() == [0] and first.seen[row].tolist() == [1, 2] for row in range(5_000))


def test_nothing_liked_is_refused() -> None:
    ratings = table([0, 0, 1, 1], [0, 1, 0, 1], [5, 1, 5, 1], 2, 2)
    objective = objective_of(ratings, FitConfig(objective="ranking"))
    with pytest.raises(RatingsError, match="none of the 2 ratings held out to choose by is 4 or more"):
        validation_of(ratings, np.array([0, 2]), np.array([1, 3]), objective, seed=0)
