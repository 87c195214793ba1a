"""What a fit learns, what it obeys, and what it says of how it came about."""

import io
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from tests.training.tastes import table, two_tastes
from tests.world import predicted_ratings
from training.data.ratings import Ratings
from training.data.split import random_split
from training.embeddings import Embeddings
from training.errors import DivergedError, RatingsError
from training.fitting.config import FitConfig
from training.fitting.export import catalogue_of, described
from training.fitting.fit import Fit, fit
from training.fitting.progress import Report

SMALL = FitConfig(dim=4)
RANKING = FitConfig(dim=4, objective="ranking")


def fitted(ratings: Ratings, config: FitConfig = SMALL) -> tuple[Fit, str]:
    log = io.StringIO()
    with Report(Console(file=log, width=120)) as report:
        return fit(ratings, config, report), log.getvalue()


def embeddings_of(ratings: Ratings, config: FitConfig) -> Embeddings:
    return described(fitted(ratings, config)[0], ratings, catalogue_of(ratings), None, config)


def predictions(embeddings: Embeddings) -> Any:
    """Of every user for every item: float64 (n_users, n_items)."""
    return np.stack([predicted_ratings(embeddings, user) for user in range(embeddings.n_users)])


def noisy(n_users: int = 60, n_items: int = 40) -> Ratings:
    """Two tastes, half a star off at random: there is something to regularise."""
    ratings = two_tastes(n_users, n_items, share=0.5)
    noise = np.random.default_rng(1).integers(-1, 2, len(ratings)) / 2
    return table(ratings.user_rows, ratings.item_rows, np.clip(ratings.values + noise, 1, 5), n_users, n_items)


SAME = np.add.outer(np.arange(60), np.arange(40)) % 2 == 0


def test_it_learns_that_even_users_like_even_items() -> None:
    predicted = predictions(embeddings_of(two_tastes(), SMALL))
    assert predicted[SAME].min() > 4
    assert predicted[~SAME].max() < 2


def test_it_learns_to_rank_what_even_users_like_first() -> None:
    embeddings = embeddings_of(two_tastes(), RANKING)
    predicted = predictions(embeddings)
    for user in range(60):
        assert predicted[user][SAME[user]].min() > predicted[user][~SAME[user]].max()
    assert not embeddings.user_biases.any()
    assert not embeddings.item_biases.any()
    assert embeddings.global_bias == 0
    assert embeddings.description["scores"] == "preferences"


@pytest.mark.parametrize("config", [SMALL, RANKING], ids=["rating", "ranking"])
def test_the_description_tells_of_every_trial_and_of_the_refit(config: FitConfig) -> None:
    ratings = noisy()
    result, log = fitted(ratings, config)
    description: Any = described(result, ratings, catalogue_of(ratings), None, config).description
    name, better = {"rating": ("val_rmse", min), "ranking": ("val_ndcg@10", max)}[config.objective]
    best = better(trial[name] for trial in description["search"])
    chosen = next(trial for trial in description["search"] if trial[name] == best)
    for value in result.objective.start:
        assert description["config"][value] == chosen[value] == result.values[value]
    assert len({tuple(trial[value] for value in result.objective.start) for trial in description["search"]}) == len(
        description["search"]
    )
    assert len(description["history"]) == chosen["sweeps"]
    assert description["metrics"] == {name: best, "best_sweep": chosen["best_sweep"]}
    assert description["history"][chosen["best_sweep"] - 1][name] == best
    assert [sweep["sweep"] for sweep in description["history"]] == list(range(1, chosen["sweeps"] + 1))
    assert {"sweep", "rmse", name, "seconds"} == description["history"][0].keys()
    assert {"sweep", "rmse", "seconds"} == description["refit"][0].keys()
    assert "interrupted" not in description
    assert log.count(name) == len(description["search"])


@pytest.mark.parametrize("config", [SMALL, RANKING], ids=["rating", "ranking"])
def test_what_is_given_is_obeyed(config: FitConfig) -> None:
    given = {"regularisation": 0.37, "unseen_weight": 0.2, "sweeps": 4}
    ratings = two_tastes()
    result, _ = fitted(ratings, config.model_copy(update=given))
    assert dict(result.values) == {name: given[name] for name in result.objective.start}
    description: Any = result.description()
    assert [sweep["sweep"] for sweep in description["history"]] == [1, 2, 3, 4]
    assert description["search"] == description["refit"] == []
    # With the sweeps open, they alone are chosen.
    result, _ = fitted(ratings, config.model_copy(update={**given, "sweeps": None}))
    assert len(result.trials) == 1
    assert dict(result.values) == {name: given[name] for name in result.objective.start}


def test_one_value_that_is_given_leaves_the_other_to_be_chosen() -> None:
    result, _ = fitted(noisy(), RANKING.model_copy(update={"unseen_weight": 0.3}))
    assert {trial.values["unseen_weight"] for trial in result.trials} == {0.3}
    assert len({trial.values["regularisation"] for trial in result.trials}) == len(result.trials) > 1


def test_no_trial_has_more_sweeps_than_are_given() -> None:
    result, _ = fitted(noisy(), SMALL.model_copy(update={"sweeps": 1}))
    assert {len(trial.curve) for trial in result.trials} == {1}


@pytest.mark.parametrize("config", [SMALL, RANKING], ids=["rating", "ranking"])
def test_a_user_all_of_whose_ratings_were_to_choose_by_is_fitted_in_the_end(config: FitConfig) -> None:
    full = two_tastes()
    _, held_out = random_split(len(full), config.validation_fraction, config.seed)
    # One user more for each rating held out, who has that one alone.
    users = full.user_rows.copy()
    users[held_out] = 60 + np.arange(len(held_out))
    ratings = table(users, full.item_rows, full.values, 60 + len(held_out), 40)
    embeddings = embeddings_of(ratings, config)
    liked = ratings.values[held_out] == 5
    # Under ranking, one who has disliked a single item is as far from every other.
    late = embeddings.user_embeddings[60:] if config.objective == "rating" else embeddings.user_embeddings[60:][liked]
    assert late.any(axis=1).all()


@pytest.mark.parametrize("config", [SMALL, RANKING], ids=["rating", "ranking"])
def test_users_and_items_without_a_rating_are_all_zero(config: FitConfig) -> None:
    full = two_tastes()
    ratings = full.subset((full.user_rows != 3) & (full.item_rows != 5))
    embeddings = embeddings_of(ratings, config)
    assert not embeddings.user_embeddings[3].any()
    assert not embeddings.item_embeddings[5].any()
    assert embeddings.user_biases[3] == embeddings.item_biases[5] == 0
    assert np.count_nonzero(embeddings.user_embeddings.any(axis=1)) == 59
    assert np.count_nonzero(embeddings.item_embeddings.any(axis=1)) == 39


def test_no_rating_scale_is_preferred_to_another() -> None:
    ratings = noisy()
    scaled = table(ratings.user_rows, ratings.item_rows, ratings.values * 20 + 3, 60, 40)
    first, second = embeddings_of(ratings, SMALL), embeddings_of(scaled, SMALL)
    config: Any = [embeddings.description["config"] for embeddings in (first, second)]
    assert config[0]["regularisation"] == config[1]["regularisation"]
    np.testing.assert_allclose(predictions(second), predictions(first) * 20 + 3, atol=0.02)
    metrics: Any = [embeddings.description["metrics"] for embeddings in (first, second)]
    assert metrics[1]["val_rmse"] == pytest.approx(20 * metrics[0]["val_rmse"], rel=1e-3)


def test_ratings_that_are_all_the_same_are_ranked_by_who_rated_what() -> None:
    likes = two_tastes()
    kept = likes.values == 5
    ratings = table(likes.user_rows[kept], likes.item_rows[kept], np.full(kept.sum(), 3), 60, 40)
    predicted = predictions(embeddings_of(ratings, RANKING))
    assert predicted[SAME].mean() > 5 * abs(predicted[~SAME].mean())


def test_another_seed_gives_another_model() -> None:
    one, again, other = (
        embeddings_of(noisy(), SMALL.model_copy(update={"seed": seed})).item_embeddings for seed in (7, 7, 8)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (SMALL.model_copy(update={"regularisation": 1e-30}), "regularisation 1e-30 (ended in NaN|could not be solved)"),
        (
            FitConfig(dim=64, objective="ranking", regularisation=1e-30, unseen_weight=0.01),
            "regularisation 1e-30, unseen weight 0.01 (ended in NaN|could not be solved)",
        ),
    ],
    ids=["rating", "ranking"],
)
def test_equations_that_can_not_be_solved_end_in_one_sentence(config: FitConfig, sentence: str) -> None:
    twice = two_tastes(20, 10, share=1)
    with pytest.raises(DivergedError, match=f"with {sentence}.*; give a larger --regularisation"):
        fitted(twice, config)


def test_nothing_liked_to_choose_by_is_said() -> None:
    with pytest.raises(RatingsError, match=r"none of the \d+ ratings held out to choose by is 10 or more"):
        fitted(two_tastes(), RANKING.model_copy(update={"liked_from": 10.0}))


def test_one_rating_is_too_few() -> None:
    with pytest.raises(RatingsError, match="1 ratings can't be divided"):
        fitted(table([0], [0], [3], 1, 1))


def test_a_trial_without_hope_says_that_it_was_given_up() -> None:
    result, log = fitted(noisy(200, 100), FitConfig(dim=8))
    told = {trial["regularisation"]: trial["given_up"] for trial in result.description()["search"]}
    lines = {float(line.split()[1]): line.endswith("given up") for line in log.splitlines() if "val_rmse" in line}
    assert len(told) == len(lines) > 2
    for value, given_up in told.items():
        assert lines[float(f"{value:.3g}")] == given_up
    best = min(result.description()["search"], key=lambda trial: trial["val_rmse"])
    assert not best["given_up"]
