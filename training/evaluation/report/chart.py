"""What a chart shows, before anything is drawn: axes, series of points, and the same figures as words and as a table.

Drawn by drawing.py as SVG of our own: its colours are the page's and follow light and dark, its text is text, and a
page weighs what its figures weigh. Chart libraries were looked at: their pages carry megabytes of JavaScript, or
pictures whose colours are fixed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from training.evaluation.breakdowns import Figures, Groups
from training.evaluation.report.axes import Axis

_SIDEWAYS = 0.06

Style = Literal["line", "points", "bars", "steps"]
Names = Literal["ends", "apart", "corner"]


class Point(NamedTuple):
    """One figure; what is not finite is not drawn."""

    x: float
    y: float
    label: str
    """What `x` says in words: a bin, a share, a number."""
    low: float = math.nan
    """The lower end of the interval, NaN where there is none."""
    high: float = math.nan
    """Its upper end."""
    n: int | None = None
    """How many things the figure is of."""


@dataclass(frozen=True)
class Series:
    """One contestant's points, from left to right."""

    name: str
    points: Sequence[Point]
    tone: int
    """Which colour and which mark; the same contestant has the same in all charts."""
    style: Style = "line"


@dataclass(frozen=True)
class Chart:
    """Series over two axes."""

    title: str
    reading: str
    """A sentence or two: what it shows and how to read it."""
    x: Axis
    y: Axis
    series: Sequence[Series]
    value_format: str = ".3f"
    """Of the figures in words and in the table."""
    diagonal: str = ""
    """What the line y = x means; none is drawn where empty."""
    names: Names = "ends"
    """Where the series' names stand: at the ends of the lines, where the lines are farthest apart, or in a corner."""

    def words(self) -> str:
        """The chart for those who do not see it: each series from its first to its last figure."""
        parts = [f"{self.title}. {self.y.label} by {self.x.label}."]
        for series in self.series:
            drawn = [point for point in series.points if math.isfinite(point.y)]
            if not drawn:
                continue
            first, last = drawn[0], drawn[-1]
            low, high = min(drawn, key=lambda point: point.y), max(drawn, key=lambda point: point.y)
            parts.append(
                f"{series.name}: {self._value(first.y)} at {first.label}, {self._value(last.y)} at {last.label}; "
                f"lowest {self._value(low.y)} at {low.label}, highest {self._value(high.y)} at {high.label}."
            )
        return " ".join(parts)

    def note(self, series: Series, point: Point) -> str:
        """What a point says when pointed at."""
        n = f", n = {point.n:,}" if point.n is not None else ""
        return f"{series.name}, {point.label}: {self._with_interval(point)}{n}"

    def table(self) -> tuple[list[str], list[list[str]]]:
        """The figures as a head and rows, one row for each x."""
        counted = any(point.n is not None for series in self.series for point in series.points)
        head = [self.x.label, *(["n"] if counted else []), *(series.name for series in self.series)]
        rows: dict[str, list[str]] = {}
        for position, series in enumerate(self.series):
            for point in series.points:
                row = rows.setdefault(point.label, ["–"] * len(head))
                row[0] = point.label
                if counted:
                    row[1] = "–" if point.n is None else f"{point.n:,}"
                row[position + 1 + counted] = self._with_interval(point)
        return head, list(rows.values())

    def _value(self, value: float) -> str:
        return format(value, self.value_format) if math.isfinite(value) else "–"

    def _with_interval(self, point: Point) -> str:
        if math.isnan(point.low):
            return self._value(point.y)
        return f"{self._value(point.y)} [{self._value(point.low)},\u00a0{self._value(point.high)}]"


def group_points(groups: Groups, figures: Figures) -> list[Point]:
    """One point a group, at 0, 1, 2 …."""
    places = zip(groups.labels, groups.sizes().tolist(), figures.centre, figures.low, figures.high, strict=True)
    return [
        Point(place, float(centre), label, float(low), float(high), size)
        for place, (label, size, centre, low, high) in enumerate(places)
    ]


def beside(series: Sequence[Series]) -> list[Series]:
    """The series each moved a little sideways, so that their intervals do not cover each other."""
    shifts = [_SIDEWAYS * (2 * place - len(series) + 1) for place in range(len(series))]
    return [
        replace(one, points=[point._replace(x=point.x + shift) for point in one.points])
        for one, shift in zip(series, shifts, strict=True)
    ]
