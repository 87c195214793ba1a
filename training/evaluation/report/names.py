"""Where the names of lines stand, so that no legend is needed and none covers another."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_APART = 15.0
"""Between the feet of two names."""
_DOUBTFUL = 25
"""As bad as covering so many points of lines: to stand as near to another line."""
_MUCH = 10_000
"""Worse than covering any number of points of lines: to cover another name, or to leave the chart."""

Line = Sequence[tuple[float, float]]
Points = NDArray[np.float64]


class Placed(NamedTuple):
    """The foot of a name."""

    x: float
    y: float
    anchor: str


class Box(NamedTuple):
    """A rectangle; `top` is less than `bottom`."""

    left: float
    top: float
    right: float
    bottom: float


def at_the_ends(ends: Sequence[float], x: float, top: float, bottom: float) -> list[Placed]:
    """To the right of lines that end at the heights `ends`, each moved as little as lets none touch another."""
    order = np.argsort(ends, kind="stable")
    steps = _APART * np.arange(len(order))
    feet = np.clip(_rising(np.array(ends)[order] + 4.0 - steps), top, max(top, bottom - steps.max(initial=0))) + steps
    places = {int(number): Placed(x, float(foot), "start") for number, foot in zip(order, feet, strict=True)}
    return [places[number] for number in range(len(ends))]


def _rising(wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values nearest to `wanted` that never fall: neighbours in the wrong order share their mean."""
    pools: list[list[float]] = []
    for value in wanted:
        pools.append([float(value)])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    return np.array([np.mean(pool) for pool in pools for _ in pool])


def where_apart(lines: Sequence[Line], widths: Sequence[float], box: Box) -> list[Placed]:
    """Beside each line in the `box`, where the name (so wide) covers no line and no other name, if there is room.

    Where there is none, where it covers least; of places that are free, the one farthest from all other lines.
    """
    ink = [_dense(line) for line in lines]
    places: list[Placed] = []
    taken: list[Box] = []
    for number, (line, width) in enumerate(zip(lines, widths, strict=True)):
        others = [points for other, points in enumerate(ink) if other != number]
        scored = []
        for place in (place for x, y in line for place in _around(x, y)):
            covered, away = _box_of(place, width), _distance(place, others)
            hits = sum(int(_inside(points, covered).sum()) for points in ink)
            hits += _MUCH * sum(_overlap(covered, other) for other in taken) + _MUCH * (not _holds(box, covered))
            # A name beside two lines could be that of either.
            hits += _DOUBTFUL * (away < _APART)
            scored.append((hits, -away, place))
        best = min(scored)[2]
        places.append(best)
        taken.append(_box_of(best, width))
    return places


def _distance(place: Placed, lines: Sequence[Points]) -> float:
    """From the foot of a name to the nearest of `lines`; infinite where there are none."""
    away = (np.hypot(*(points - (place.x, place.y)).T).min() for points in lines)
    return float(min(away, default=np.inf))


def _holds(outer: Box, inner: Box) -> bool:
    return (
        outer.left <= inner.left
        and inner.right <= outer.right
        and outer.top <= inner.top
        and inner.bottom <= outer.bottom
    )


def _around(x: float, y: float) -> tuple[Placed, Placed]:
    """Above to the left of a point and below to its right: beside a line that rises."""
    return Placed(x - 7, y - 5, "end"), Placed(x + 8, y + 13, "start")


def _dense(line: Line) -> Points:
    """Points on a line, two units apart or less: float64 (n, 2)."""
    xs, ys = np.array(line, np.float64).T
    length = float(np.hypot(np.diff(xs), np.diff(ys)).sum())
    reached = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(xs), np.diff(ys)))])
    at = np.linspace(0, length, int(length / 2) + 2)
    return np.stack([np.interp(at, reached, xs), np.interp(at, reached, ys)], axis=1)


def _box_of(place: Placed, width: float) -> Box:
    left = place.x - width if place.anchor == "end" else place.x
    return Box(left, place.y - 11, left + width, place.y + 4)


def _inside(points: Points, box: Box) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = np.all((points > (box.left, box.top)) & (points < (box.right, box.bottom)), axis=1)
    return inside


def _overlap(first: Box, second: Box) -> bool:
    beside = first.right <= second.left or second.right <= first.left
    return not (beside or first.bottom <= second.top or second.bottom <= first.top)
