"""Figures by group: sums that must hold for any data, and small worlds with known figures."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from training.evaluation.breakdowns import (
    Groups,
    concentration,
    count_groups,
    error_edges,
    error_shares,
    gini,
    group_means,
    group_rmse,
    quantile_groups,
    short_count,
    value_groups,
)
from training.evaluation.confidence import of_pooled_mean

COUNTS = hnp.arrays(np.int64, st.integers(1, 200), elements=st.integers(0, 1_000_000))
VALUES = hnp.arrays(np.float32, st.integers(1, 200), elements=st.floats(-100, 100, width=32))


def two_groups(*rows: int) -> Groups:
    return Groups(("a", "b"), ("a", "b"), np.array(rows, np.int64))


def test_means_and_rmse_of_groups() -> None:
    groups = two_groups(0, 0, 1, 1, 1)
    assert group_means(np.array([1.0, 3, 5, 5, 5]), groups, np.arange(5)).centre == pytest.approx([2, 5])
    assert group_rmse(np.array([3.0, -4, 2, 2, 2]), groups, np.arange(5)).centre == pytest.approx([math.sqrt(12.5), 2])


def test_an_interval_is_that_of_the_standard_error() -> None:
    values = np.random.default_rng(0).normal(size=400)
    figures = group_means(values, Groups(("all",), ("all",), np.zeros(400, np.int64)), np.arange(400))
    margin = 1.96 * values.std(ddof=1) / 20
    assert figures.low[0] == pytest.approx(values.mean() - margin, abs=1e-4)
    assert figures.high[0] == pytest.approx(values.mean() + margin, abs=1e-4)


def test_what_one_user_says_ten_times_counts_once() -> None:
    values, owners = np.random.default_rng(0).normal(size=50), np.arange(50)
    once = group_means(values, two_groups(*[0, 1] * 25), owners)
    often = group_means(np.repeat(values, 10), two_groups(*np.repeat([0, 1] * 25, 10)), np.repeat(owners, 10))
    assert often.low == pytest.approx(once.low)
    assert often.high == pytest.approx(once.high)


@given(VALUES, st.integers(1, 20))
def test_the_interval_of_one_group_is_that_of_the_whole_table(values: np.ndarray, n_owners: int) -> None:
    owners = np.arange(len(values)) % n_owners
    figures = group_means(
        values.astype(np.float64), Groups(("all",), ("all",), np.zeros(len(values), np.int64)), owners
    )
    expected = of_pooled_mean(values.astype(np.float64), owners) or (math.nan, math.nan)
    assert (figures.low[0], figures.high[0]) == pytest.approx(expected, nan_ok=True, abs=1e-6)


def test_a_group_of_one_has_a_figure_and_no_interval() -> None:
    figures = group_means(np.array([1.0, 2, 3]), two_groups(0, 0, 1), np.arange(3))
    assert figures.centre[1] == 3
    assert np.isnan([figures.low[1], figures.high[1]]).all()
    assert np.isfinite([figures.low[0], figures.high[0]]).all()


@given(VALUES)
def test_the_squared_errors_of_the_groups_are_those_of_all(errors: np.ndarray) -> None:
    groups = quantile_groups(errors, 7)
    whole = np.square(errors, dtype=np.float64).sum()
    assert (group_rmse(errors, groups, np.arange(len(errors))).centre ** 2 * groups.sizes()).sum() == pytest.approx(
        whole, abs=1e-6
    )


def test_few_values_are_a_group_each_and_many_are_bins() -> None:
    assert value_groups(np.array([0.5, 5, 4.5, 5])).labels == ("0.5", "4.5", "5")
    many = value_groups(np.arange(101))
    assert many.labels[0] == "0–10"
    assert many.labels[-1] == "90–100"
    assert many.sizes().tolist() == [10] * 9 + [11]


@given(VALUES)
def test_value_groups_miss_nothing_and_keep_the_order(values: np.ndarray) -> None:
    groups = value_groups(values)
    assert groups.sizes().min() >= 1
    assert groups.sizes().sum() == len(values)
    assert len(groups.labels) <= 12
    order = np.argsort(values, kind="stable")
    assert (np.diff(groups.rows[order]) >= 0).all()


def test_count_groups_are_round() -> None:
    groups = count_groups(np.array([0, 1, 2, 4, 5, 9, 10, 19]), 1)
    assert groups.labels == ("0", "1", "2–4", "5–9", "10–19")
    assert groups.short == ("0", "1", "2+", "5+", "10+")
    assert groups.sizes().tolist() == [1, 1, 2, 2, 2]


def test_the_groups_of_wide_counts_are_coarser() -> None:
    assert count_groups(10 ** np.arange(6), 1).labels == (
        "1–9", "10–99", "100–999", "1,000–9,999", "10,000–99,999", "100,000",
    )  # fmt: skip


def test_small_groups_join_a_neighbour() -> None:
    counts = np.array([1] * 3 + [3] * 30 + [40] * 30 + [5000] * 3)
    groups = count_groups(counts, 20)
    assert groups.sizes().tolist() == [33, 33]
    assert groups.labels[-1].endswith("–5,000")


@given(COUNTS, st.integers(1, 50))
def test_count_groups_miss_nothing_and_have_at_least_so_many(counts: np.ndarray, least: int) -> None:
    groups = count_groups(counts, least)
    assert groups.sizes().sum() == len(counts)
    assert len(groups.labels) == 1 or groups.sizes().min() >= least
    assert (np.diff(groups.rows[np.argsort(counts, kind="stable")]) >= 0).all()


@pytest.mark.parametrize(
    ("count", "short"), [(0, "0"), (950, "950"), (1000, "1k"), (1290, "1.2k"), (35_999, "35k"), (2_100_000, "2.1M")]
)
def test_short_counts(count: int, short: str) -> None:
    assert short_count(count) == short


@given(hnp.arrays(np.float32, st.integers(1, 100), elements=st.floats(-4, 4, width=32)))
def test_the_shares_of_errors_add_up(errors: np.ndarray) -> None:
    edges = error_edges((1.0, 5.0))
    shares = error_shares(errors, edges)
    assert shares.sum() == pytest.approx(1)
    assert edges[20] < 0 < edges[21]


def test_a_constant_scale_has_bins_too() -> None:
    assert error_shares(np.zeros(3), error_edges((3.0, 3.0))).max() == 1


def test_concentration_of_a_small_world() -> None:
    popularity = np.array([10, 5, 1, 0])
    shares = np.array([0, 0.25, 0.5, 1])
    assert concentration(np.array([6, 3, 1, 0]), popularity, shares) == pytest.approx([0, 0.6, 0.9, 1])
    assert concentration(np.array([0, 0, 0, 7]), popularity, shares) == pytest.approx([0, 0, 0, 1])
    assert concentration(np.zeros(4, np.int64), popularity, shares) == pytest.approx([0, 0, 0, 0])


@given(st.permutations(range(8)))
def test_concentration_does_not_depend_on_the_order_of_the_items(order: list[int]) -> None:
    counts, popularity = np.array([5, 1, 0, 2, 2, 9, 0, 1]), np.array([3, 3, 3, 1, 1, 0, 7, 7])
    shares = np.linspace(0, 1, 17)
    assert concentration(counts[order], popularity[order], shares) == pytest.approx(
        concentration(counts, popularity, shares)
    )


@given(hnp.arrays(np.int64, 20, elements=st.integers(0, 50)), hnp.arrays(np.int64, 20, elements=st.integers(0, 50)))
def test_concentration_rises_to_everything(counts: np.ndarray, popularity: np.ndarray) -> None:
    reached = concentration(counts, popularity, np.linspace(0, 1, 41))
    assert (np.diff(reached) >= -1e-12).all()
    assert reached[-1] == pytest.approx(1 if counts.any() else 0)


def test_gini_of_the_equal_and_of_the_one_that_has_everything() -> None:
    assert gini(np.full(10, 3)) == pytest.approx(0)
    assert gini(np.array([0, 0, 0, 8])) == pytest.approx(3 / 4)
    assert gini(np.zeros(4)) == 0
