import io

import numpy as np
import pytest
from rich.console import Console

from tests.training.tastes import table, two_tastes
from tests.world import predicted_ratings
from training.data.ratings import Ratings
from training.data.split import random_split
from training.errors import DivergedError, RatingsError
from training.fitting.batches import Batches
from training.fitting.config import FitConfig, chosen_batch_size
from training.fitting.export import catalogue_of, described
from training.fitting.fit import Fit, fit

SMALL = FitConfig(dim=4, epochs=30, learning_rate=0.02, regularisation=0.02, batch_size=64)


def fitted(ratings: Ratings, config: FitConfig = SMALL) -> tuple[Fit, str]:
    log = io.StringIO()
    return fit(ratings, config, Console(file=log, width=120)), log.getvalue()


@pytest.fixture(scope="module")
def tastes() -> tuple[Ratings, Fit, str]:
    ratings = two_tastes()
    return ratings, *fitted(ratings)


def test_it_learns_that_even_users_like_even_items(tastes: tuple[Ratings, Fit, str]) -> None:
    ratings, result, _ = tastes
    embeddings = described(result, ratings, catalogue_of(ratings), None, SMALL)
    predicted = np.stack([predicted_ratings(embeddings, user) for user in range(embeddings.n_users)])
    same = np.add.outer(np.arange(60), np.arange(40)) % 2 == 0
    assert predicted[same].min() > 4
    assert predicted[~same].max() < 2


def test_rmse_is_said_once_an_epoch_and_kept(tastes: tuple[Ratings, Fit, str]) -> None:
    _, result, log = tastes
    assert [line.split()[:2] for line in log.splitlines()] == [["epoch", str(n + 1)] for n in range(len(result.epochs))]
    assert f"val_rmse {result.epochs[0]['val_rmse']:.4f}" in log.splitlines()[0]
    assert result.metrics()["val_rmse"] == min(epoch["val_rmse"] for epoch in result.epochs)


def test_the_weights_are_those_of_the_best_epoch_on_the_part_held_out() -> None:
    # Noise alone: the first epochs are the best, and patience ends the fit.
    rng = np.random.default_rng(0)
    users, items = np.divmod(np.arange(900), 30)
    ratings = table(users, items, rng.integers(1, 6, 900), 30, 30)
    result, _ = fitted(ratings, SMALL.model_copy(update={"patience": 2, "regularisation": 0.0}))
    assert len(result.epochs) == result.best_epoch + 1 + 2 < 30
    _, held_out = random_split(len(ratings), SMALL.validation_fraction, SMALL.seed)
    embeddings = described(result, ratings, catalogue_of(ratings), None, SMALL)
    predicted = np.stack([predicted_ratings(embeddings, user) for user in range(30)])
    errors = predicted[ratings.user_rows[held_out], ratings.item_rows[held_out]] - ratings.values[held_out]
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(result.epochs[result.best_epoch]["val_rmse"], abs=1e-5)


def test_the_same_seed_gives_the_same_weights_bit_for_bit() -> None:
    ratings = two_tastes(20, 15)
    config = SMALL.model_copy(update={"epochs": 3})
    first, again, other = (
        fitted(ratings, config.model_copy(update={"seed": seed}))[0].model.get_weights() for seed in (7, 7, 8)
    )
    for weights, same, others in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(weights, same)
        assert not np.array_equal(weights, others)


def test_users_and_items_without_a_rating_to_fit_are_predicted_by_the_biases_alone() -> None:
    full = two_tastes(30, 20)
    kept = (full.user_rows != 3) & (full.item_rows != 5)
    ratings = full.subset(kept)
    result, _ = fitted(ratings, SMALL.model_copy(update={"epochs": 4}))
    embeddings = described(result, ratings, catalogue_of(ratings), None, SMALL)
    assert not embeddings.user_embeddings[3].any()
    assert not embeddings.item_embeddings[5].any()
    assert embeddings.user_biases[3] == embeddings.item_biases[5] == 0
    np.testing.assert_array_equal(
        predicted_ratings(embeddings, 3), embeddings.global_bias + embeddings.item_biases.astype(np.float64)
    )
    assert embeddings.user_embeddings[4].any()


def test_ratings_that_are_all_the_same_are_learnt() -> None:
    ratings = table(*np.divmod(np.arange(100), 10), np.full(100, 4), 10, 10)
    result, _ = fitted(ratings, SMALL.model_copy(update={"epochs": 5}))
    assert result.epochs[result.best_epoch]["val_rmse"] < 0.05


def test_a_fit_that_diverges_says_so() -> None:
    config = SMALL.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(DivergedError, match="NaN or infinity in epoch 1; lower --learning-rate"):
        fitted(two_tastes(20, 15), config)


def test_one_rating_is_too_few() -> None:
    with pytest.raises(RatingsError, match="1 ratings can't be divided"):
        fitted(table([0], [0], [3], 1, 1))


def test_an_epoch_shows_every_rating_once_in_an_order_of_its_own() -> None:
    ratings = two_tastes(20, 15)
    positions = np.arange(3, len(ratings))
    batches = Batches(ratings, positions, 32, seed=1)
    orders = []
    for _ in range(2):
        batches.on_epoch_begin()
        assert [len(batches[index][1]) for index in range(len(batches) - 1)] == [32] * (len(batches) - 1)
        parts = [batches[index][0] for index in range(len(batches))]
        orders.append(
            [tuple(pair) for part in parts for pair in zip(part["user_rows"], part["item_rows"], strict=True)]
        )
    expected = set(zip(ratings.user_rows[positions], ratings.item_rows[positions], strict=True))
    assert set(orders[0]) == set(orders[1]) == expected
    assert len(orders[0]) == len(expected)
    assert orders[0] != orders[1]


@pytest.mark.parametrize(
    ("n_ratings", "batch_size"),
    [(1, 32), (6_400, 32), (12_799, 32), (12_800, 64), (81_676, 256), (6_553_599, 16_384), (16_200_000, 32_768)],
)
def test_the_batch_grows_with_the_ratings(n_ratings: int, batch_size: int) -> None:
    assert chosen_batch_size(n_ratings) == batch_size
