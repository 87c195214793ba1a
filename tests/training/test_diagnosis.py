"""What can't be learnt from is refused, what hardly can is said; ordinary ratings pass without a word."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.tastes import table
from training.data.ratings import Ratings, read_ratings
from training.errors import RatingsError
from training.fitting.config import FitConfig
from training.fitting.diagnosis import (
    FEW_RATINGS,
    LARGE_USER_FACTOR,
    LARGE_USER_SHARE,
    LEAST_RATINGS,
    LONG_TAIL,
    PARAMETERS_PER_RATING,
    diagnose,
)

DATA = Path(__file__).parents[3] / "shared" / "data"


def config(dim: int = 4, objective: str = "rating") -> FitConfig:
    return FitConfig.model_construct(dim=dim, objective=objective)


def block(n_users: int = 40, n_items: int = 50) -> Ratings:
    """Every user has rated every item, 1 to 5."""
    users, items = np.divmod(np.arange(n_users * n_items), n_items)
    return table(users, items, 1 + (users + items) % 5, n_users, n_items)


def with_values(values: object) -> Ratings:
    """The ratings of `block`, their values from `values`, again and again."""
    ratings = block()
    return replace(ratings, values=np.resize(np.array(values, np.float32), len(ratings)))


def joined(ratings: Ratings, users: list[int], items: list[int]) -> Ratings:
    """More ratings of 3, of users and items beyond those of `block`."""
    return table(
        np.concatenate([ratings.user_rows, users]),
        np.concatenate([ratings.item_rows, items]),
        np.concatenate([ratings.values, np.full(len(users), 3)]),
        max(ratings.n_users, 1 + max(users, default=0)),
        max(ratings.n_items, 1 + max(items, default=0)),
    )


def only(sentences: list[str]) -> str:
    assert len(sentences) == 1, sentences
    return sentences[0]


@pytest.mark.parametrize("objective", ["rating", "ranking"])
def test_ordinary_ratings_pass_without_a_word(objective: str) -> None:
    assert diagnose(block(), config(objective=objective)) == []


@pytest.mark.parametrize("name", ["ml-latest-small", "goodbooks-10k-v1"])
def test_real_ratings_pass_without_a_word(name: str) -> None:
    if not (DATA / name).is_dir():
        pytest.skip(f"{name} is not at ../shared/data")
    assert diagnose(read_ratings(DATA / name), config(dim=64)) == []


def test_equal_ratings_are_nothing_to_predict_but_can_be_ranked_by() -> None:
    with pytest.raises(RatingsError, match=r"all 2,000 ratings are 5, so there is nothing to predict; .*ranking"):
        diagnose(with_values([5]), config())
    assert diagnose(with_values([5]), config(objective="ranking")) == []
    assert diagnose(with_values([5] * 1999 + [4]), config()) == []


def test_too_few_ratings_are_refused_and_few_are_said() -> None:
    with pytest.raises(RatingsError, match="there are 9 ratings to train on"):
        diagnose(block(3, 3), config(dim=2))
    assert LEAST_RATINGS == 10
    assert "10 ratings are few" in only(diagnose(block(2, 5), config(dim=2)))
    assert "999 ratings are few" in only(diagnose(block(27, 37), config()))
    assert FEW_RATINGS == 1_000
    assert diagnose(block(25, 40), config()) == []


@pytest.mark.parametrize(("kind", "others"), [("user", "items"), ("item", "users")])
def test_ratings_that_nothing_connects_are_refused(kind: str, others: str) -> None:
    ones, twos = np.arange(1200), np.arange(1200) % 30
    users, items = (ones, twos) if kind == "user" else (twos, ones)
    apart = table(users, items, 1 + ones % 5, int(users.max()) + 1, int(items.max()) + 1)
    with pytest.raises(
        RatingsError, match=f"every {kind} has a single rating, so no two {others} share one .*--{kind}-column"
    ):
        diagnose(apart, config())


@pytest.mark.parametrize("objective", ["rating", "ranking"])
def test_a_dim_above_the_number_of_users_or_items_is_said_with_a_sensible_one(objective: str) -> None:
    assert diagnose(block(40, 50), config(40, objective)) == []
    said = only(diagnose(block(40, 50), config(41, objective)))
    assert said == "dim is 41, but 40 users can't differ in more than 40 ways; --dim 32 or less is enough"
    assert "but 40 items can't differ" in only(diagnose(block(50, 40), config(41, objective)))


@pytest.mark.parametrize("objective", ["rating", "ranking"])
def test_many_parameters_for_each_rating_are_said_with_a_sensible_dim(objective: str) -> None:
    rng = np.random.default_rng(0)
    users, items = np.repeat(np.arange(1000), 2), rng.permutation(2000) % 1000
    thin = table(users, items, 1 + np.arange(2000) % 5, 1000, 1000)
    # As many users and items together as ratings: a dim of one less makes exactly the allowed number.
    allowed = PARAMETERS_PER_RATING[objective]
    assert diagnose(thin, config(allowed - 1, objective)) == []
    said = only(diagnose(thin, config(allowed, objective)))
    assert f"dim {allowed} makes {2000 * (allowed + 1):,} parameters of 2,000 ratings" in said
    sensible = int(said.partition("--dim ")[2].split()[0])
    assert allowed / 2 < sensible + 1 <= allowed
    assert diagnose(thin, config(sensible, objective)) == []


def test_users_with_a_single_rating_are_said_from_half_of_them_on() -> None:
    n_single = [f"{n}" for n in (39, 40)]
    fewer, half = (joined(block(), list(range(40, 40 + int(n))), [0] * int(n)) for n in n_single)
    assert diagnose(fewer, config()) == []
    assert "40 of 80 users (50%) have a single rating" in only(diagnose(half, config()))


def test_items_with_a_single_rating_are_said_from_half_of_them_on() -> None:
    fewer, half = (joined(block(), [row % 40 for row in range(n)], list(range(50, 50 + n))) for n in (49, 50))
    assert diagnose(fewer, config()) == []
    assert "50 of 100 items (50%) have a single rating" in only(diagnose(half, config()))


def test_what_was_held_out_as_a_whole_does_not_count() -> None:
    ratings = joined(block(), list(range(40, 79)), [0] * 39)
    kept = ratings.subset(ratings.user_rows != 0)
    assert "39 of 78 users (50%)" in only(diagnose(kept, config()))


def crowded(n_of_one: int) -> Ratings:
    """1,200 ratings of 60 users and 800 items; user "1" has `n_of_one` of them, the others share the rest."""
    users = np.concatenate([np.zeros(n_of_one), 1 + np.arange(1200 - n_of_one) % 59]).astype(int)
    items = np.concatenate([np.arange(n_of_one), np.arange(1200 - n_of_one) * 7 % 400]).astype(int)
    return table(users, items, 1 + np.arange(1200) % 5, 60, 800)


def test_a_user_with_a_large_share_of_all_ratings_is_said() -> None:
    assert (LARGE_USER_SHARE, LARGE_USER_FACTOR) == (0.2, 10)
    assert diagnose(crowded(240), config()) == []
    said = only(diagnose(crowded(241), config()))
    assert "user '1' gave 241 of 1,200 ratings (20%)" in said
    # Of few users each has a large share.
    assert diagnose(block(4, 300), config()) == []


def test_ids_or_times_in_place_of_ratings_are_said() -> None:
    assert diagnose(with_values(np.arange(101)), config(objective="ranking")) == []
    said = only(diagnose(with_values(np.arange(2000) + 10**6), config()))
    assert "whole numbers from 1,000,000 to 1,001,999" in said
    assert "--rating-column" in said
    assert "at least 1,001 different" in only(diagnose(with_values(np.arange(1001)), config()))
    assert diagnose(with_values(np.arange(1000)), config(objective="ranking")) == []
    assert diagnose(with_values(np.arange(2000) / 400), config()) == []


def test_counts_in_place_of_ratings_are_said_where_ratings_are_predicted() -> None:
    counts = [*([1, 2, 3] * 100), 2 * LONG_TAIL]
    assert "is 1e+30, 5e+29 times the median" in diagnose(with_values([*counts[:-1], 1e30]), config())[0]
    assert "the highest rating is 40, 20 times the median" in only(diagnose(with_values(counts), config()))
    assert diagnose(with_values(counts), config(objective="ranking")) == []
    assert diagnose(with_values([*counts[:-1], 2 * LONG_TAIL - 1]), config()) == []


@pytest.mark.parametrize(
    ("values", "odd"),
    [([-10, -5, 0, 5, 10, 99], 99), ([-1, 1, 2, 3, 4, 5], -1), ([0, 70, 75, 80, 90, 100], 0)],
)
def test_a_value_that_means_not_rated_is_said(values: list[float], odd: float) -> None:
    said = only(diagnose(with_values(values), config()))
    rest = [value for value in values if value != odd]
    assert f"the rating {odd} lies apart from all others, which go from {min(rest)} to {max(rest)}" in said


@pytest.mark.parametrize("values", [[-1, 0, 1], [1, 5], [1, 4, 5], [-2, -1, 0, 1, 2], [0, 1, 2, 3, 4, 5], [1, 9, 10]])
def test_scales_with_negative_or_uneven_steps_are_ordinary(values: list[float]) -> None:
    assert diagnose(with_values(values), config()) == []


def test_times_that_are_all_the_same_are_said() -> None:
    ratings = block()
    moment = np.full(len(ratings), 10**9)
    assert "all ratings are of one moment, 1000000000" in only(diagnose(replace(ratings, timestamps=moment), config()))
    moments = moment.copy()
    moments[-1] += 1
    assert diagnose(replace(ratings, timestamps=moments), config()) == []
