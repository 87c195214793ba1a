"""Intervals, what is recommended, and the table that people see."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from training.evaluation import confidence
from training.evaluation.table import figures_table
from training.evaluation.variety import popularity_ranks, variety


def test_an_interval_of_a_mean_is_that_of_the_normal_approximation() -> None:
    # Mean 3, s = √2.5, n = 5.
    low, high = confidence.of_mean(np.array([1.0, 2, 3, 4, 5])) or (0, 0)
    margin = 1.959964 * (2.5 / 5) ** 0.5
    assert low == pytest.approx(3 - margin)
    assert high == pytest.approx(3 + margin)


@given(st.lists(st.floats(-9, 9), min_size=2, max_size=20))
def test_with_one_rating_a_user_both_intervals_are_the_same(values: list[float]) -> None:
    alone = confidence.of_mean(np.array(values))
    pooled = confidence.of_pooled_mean(np.array(values), np.arange(len(values)))
    np.testing.assert_allclose(pooled or (), alone or (), atol=1e-9)


def test_ratings_of_one_user_count_as_one_draw() -> None:
    values = np.array([1.0, 2, 3, 4, 5])
    repeated = confidence.of_pooled_mean(np.repeat(values, 10), np.repeat(np.arange(5), 10))
    np.testing.assert_allclose(repeated or (), confidence.of_mean(values) or ())


def test_an_interval_holds_the_mean_of_all_users_19_times_in_20() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        # Users differ in their mean error and in how much they rate.
        means, sizes = rng.exponential(1.0, 200), rng.integers(1, 30, 200)
        owners = np.repeat(np.arange(200), sizes)
        low, high = confidence.of_pooled_mean(means[owners] + rng.normal(size=len(owners)), owners) or (0, 0)
        held += low <= 1.0 <= high
    assert 0.92 < held / 1000 < 0.97


def test_of_one_user_there_is_no_interval() -> None:
    assert confidence.of_mean(np.array([1.0])) is None
    assert confidence.of_pooled_mean(np.array([1.0, 2.0]), np.array([7, 7])) is None


def test_what_is_recommended_by_hand() -> None:
    # Items with 0, 1, 1 and 6 ratings: above none; above one and level with one, of three; above three.
    n_ratings = np.array([0, 1, 1, 6])
    np.testing.assert_allclose(popularity_ranks(n_ratings), [0, 0.5, 0.5, 1])
    found = variety(np.array([0, 1, 0, 3]), n_ratings)
    assert found == {"coverage": 0.5, "popularity": 0.875, "ratings_per_item": 19 / 4, "gini": pytest.approx(0.625)}
    assert variety(np.array([2, 2, 2, 2]), n_ratings) == {
        "coverage": 1, "popularity": 0.5, "ratings_per_item": 2, "gini": 0,
    }  # fmt: skip
    assert set(variety(np.zeros(4, np.int64), n_ratings).values()) == {None}


def test_by_lot_the_popularity_is_a_half() -> None:
    n_ratings = np.random.default_rng(0).integers(0, 5, 1000)
    assert popularity_ranks(n_ratings).mean() == pytest.approx(0.5)


ROWS = [
    {"name": "model", "n_users": 3, "rmse": None, "ndcg@10": 0.25, "gini@10": 0.5, "ci": {"ndcg@10": [0.2, 0.3]}},
    {"name": "most popular", "n_users": 3, "rmse": 1.0, "ndcg@10": 0.125, "gini@10": 0.9, "ci": {}},
]


def drawn(width: int, *, color: bool) -> str:
    console = Console(width=width, force_terminal=color, color_system="truecolor" if color else None)
    with console.capture() as capture:
        console.print(figures_table(ROWS))
    return capture.get()


def test_the_best_stands_out_and_what_is_missing_is_a_dash() -> None:
    text = drawn(100, color=True)
    assert "\x1b[1m0.2500\x1b[0m\x1b[2m ± 0.0500\x1b[0m" in text
    assert "\x1b[1m1.0000\x1b[0m" in text
    assert "\x1b[1m0.1250" not in text
    # More unequal or less is neither better nor worse by itself.
    assert "\x1b[1m0.5000" not in text
    assert [cell.strip() for cell in drawn(100, color=False).splitlines()[3].split("│")[1:3]] == ["RMSE", "–"]


def test_three_contestants_with_long_numbers_fit_into_eighty_columns() -> None:
    names = ("model", "bias only", "most popular")
    values = {"ndcg@1000": 0.12345, "ratings_per_item@1000": 123456.7}
    rows = [{"name": name, **values, "ci": {"ndcg@1000": [0.1, 0.2]}} for name in names]
    console = Console(width=80)
    with console.capture() as capture:
        console.print(figures_table(rows))
    assert capture.get().count("…") == 0
    assert "123,457" in capture.get()
    assert len(capture.get().splitlines()) == 6
