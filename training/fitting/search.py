"""The choice of hyper-parameters: a climb over a grid of powers, pure but for what it measures."""

import math
from collections.abc import Callable, Mapping

Point = Mapping[str, float]

_STEPS = (2.0, 2.0**0.5)
"""What a value is multiplied or divided by: first to find the region, then within it."""
_WIDEST = 2.0**10
"""No value leaves its start by more than this factor."""


def climb(start: Point, cost: Callable[[Point], float], least_gain: float = 0.0) -> Point:
    """The point of the least `cost` that single steps lead to from `start`.

    A step is better where it lowers the cost by more than `least_gain`, as a part of it. Along each axis in turn the
    climb goes on for as long as that helps, up first, else down, until no step of the size helps. No point is measured
    twice. The costs of regularisation are smooth with one valley, which is all that this needs; a grid over all axes
    would measure many times as often.
    """
    costs: dict[tuple[int, ...], float] = {}

    def cost_of(point: Point) -> float:
        # In steps from the start: two ways to one point end in values that differ by rounding.
        key = tuple(round(math.log(value / start[axis], _STEPS[-1])) for axis, value in point.items())
        if key not in costs:
            costs[key] = cost(point)
        return costs[key]

    def is_better(point: Point, other: Point) -> bool:
        return cost_of(point) < cost_of(other) - least_gain * abs(cost_of(other))

    best = dict(start)
    cost_of(best)
    for step in _STEPS:
        moved = True
        while moved:
            moved = False
            for axis in start:
                found = _along(best, axis, step, start[axis], is_better)
                moved |= found != best
                best = found
    return best


def _along(
    point: dict[str, float], axis: str, step: float, origin: float, is_better: Callable[[Point, Point], bool]
) -> dict[str, float]:
    """The best point that steps along one axis lead to: up, or where that does not help down."""
    for factor in (step, 1 / step):
        best = point
        while True:
            value = best[axis] * factor
            if not origin / _WIDEST <= value <= origin * _WIDEST:
                break
            further = {**best, axis: value}
            if not is_better(further, best):
                break
            best = further
        if best is not point:
            return best
    return point
