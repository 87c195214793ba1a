"""The climb finds the valley's floor, measures no point twice and stays within reach of its start."""

from collections.abc import Callable, Mapping
from math import log2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.fitting.search import climb

Point = Mapping[str, float]
HALF_STEPS = st.integers(-18, 18)


class Measured:
    """A cost that remembers where it was asked."""

    def __init__(self, cost: Callable[[Point], float]) -> None:
        self.cost = cost
        self.points: list[tuple[tuple[str, float], ...]] = []

    def __call__(self, point: Point) -> float:
        self.points.append(tuple((name, round(log2(value), 6)) for name, value in point.items()))
        return self.cost(point)


def bowl(floor: Point) -> Callable[[Point], float]:
    """A smooth valley, steeper along some axes than along others."""
    return lambda point: (
        1 + sum((axis + 1) * log2(point[name] / value) ** 2 for axis, (name, value) in enumerate(floor.items()))
    )


@settings(deadline=None)
@given(HALF_STEPS)
def test_it_finds_the_floor_of_a_valley_of_one_axis(half_steps: int) -> None:
    cost = Measured(bowl({"x": 2 ** (half_steps / 2)}))
    assert log2(climb({"x": 1.0}, cost)["x"]) == pytest.approx(half_steps / 2)
    assert len(cost.points) == len(set(cost.points)) <= abs(half_steps) // 2 + 6


@settings(max_examples=200, deadline=None)
@given(HALF_STEPS, HALF_STEPS, st.floats(0.01, 100), st.floats(0.01, 100))
def test_it_finds_the_floor_of_a_valley_of_two_axes(first: int, second: int, x: float, y: float) -> None:
    cost = Measured(bowl({"x": x * 2 ** (first / 2), "y": y * 2 ** (second / 2)}))
    found = climb({"x": x, "y": y}, cost)
    assert log2(found["x"] / x) == pytest.approx(first / 2, abs=1e-6)
    assert log2(found["y"] / y) == pytest.approx(second / 2, abs=1e-6)
    assert len(cost.points) == len(set(cost.points))


@settings(deadline=None)
@given(st.floats(-9, 9), st.floats(-9, 9), st.floats(-0.8, 0.8))
def test_it_rests_where_no_step_helps_in_a_valley_that_lies_aslant(x: float, y: float, slant: float) -> None:
    def cost(point: Point) -> float:
        right, up = log2(point["x"]) - x, log2(point["y"]) - y
        return right**2 + 2 * slant * right * up + up**2

    found = climb({"x": 1.0, "y": 1.0}, cost)
    for axis in found:
        for factor in (2**0.5, 2**-0.5):
            if 2**-10 <= found[axis] * factor <= 2**10:
                assert cost({**found, axis: found[axis] * factor}) >= cost(found) - 1e-9


@pytest.mark.parametrize("direction", [1, -1])
def test_a_slope_without_end_is_followed_to_the_bound_and_no_further(direction: int) -> None:
    cost = Measured(lambda point: direction * log2(point["x"]))
    assert climb({"x": 3.0}, cost)["x"] == pytest.approx(3 * 2.0 ** (-10 * direction))
    assert {name for point in cost.points for name, _ in point} == {"x"}
    assert all(abs(log2(2**value / 3)) < 10 + 1e-5 for point in cost.points for _, value in point)


def test_a_gain_that_is_too_small_is_no_reason_to_go_on() -> None:
    # Each doubling gains 1 %.
    def cost(point: Point) -> float:
        return float(0.99 ** log2(point["x"]))

    assert climb({"x": 1.0}, cost, least_gain=0.02) == {"x": 1.0}
    assert climb({"x": 1.0}, cost, least_gain=0.007)["x"] == pytest.approx(2.0**10)


def test_a_gain_counts_where_costs_are_negative_as_those_of_a_figure_to_raise() -> None:
    def cost(point: Point) -> float:
        return -0.2 + 0.01 * log2(point["x"] / 4) ** 2

    assert climb({"x": 1.0}, cost, least_gain=1e-3)["x"] == pytest.approx(4)


def test_on_a_plain_the_start_is_kept_after_one_look_around() -> None:
    cost = Measured(lambda _: 1.0)
    assert climb({"x": 1.0, "y": 2.0}, cost) == {"x": 1.0, "y": 2.0}
    assert len(cost.points) == 1 + 2 * 2 * 2


def test_where_all_is_given_it_is_measured_once() -> None:
    cost = Measured(lambda _: 1.0)
    assert climb({}, cost) == {}
    assert cost.points == [()]
