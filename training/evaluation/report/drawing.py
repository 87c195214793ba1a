"""A chart → paths and texts in a box of fixed width: what the SVG template writes out as it stands."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from training.evaluation.report.axes import Tick
from training.evaluation.report.chart import Chart, Point, Series
from training.evaluation.report.frame import HEIGHT, LETTER, LINE, WIDTH, Frame
from training.evaluation.report.names import Box, Placed, at_the_ends, where_apart

_MARK = 3.6
_MOST_MARKS = 16
_STYLED = {"line": "", "points": "", "bars": " (bars)", "steps": " (outline)"}


@dataclass(frozen=True)
class Path:
    """A line or an outline."""

    kind: str
    """Its class in the style sheet: grid, reference, line, steps, bar, whisker or mark."""
    d: str
    """Its SVG path data."""
    tone: int | None = None
    note: str = ""
    """What it says when pointed at."""


@dataclass(frozen=True)
class Text:
    """A line of text; `y` is its foot."""

    x: float
    y: float
    text: str
    kind: str = "tick"
    """Its class in the style sheet: tick, below, axis, name or reference."""
    anchor: str = "middle"
    tone: int | None = None


@dataclass(frozen=True)
class Drawing:
    """What is drawn, the hindmost first."""

    width: float = WIDTH
    height: float = HEIGHT
    paths: list[Path] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)


def draw(chart: Chart) -> Drawing:
    """The chart in its box."""
    frame = Frame.of(chart)
    drawing = Drawing()
    _draw_axes(drawing, frame)
    if chart.diagonal:
        _draw_diagonal(drawing, frame)
    # Whatever comes first in the list lies on top.
    for series in reversed(chart.series):
        drawing.paths.extend(_paths(frame, series))
    if len(chart.series) > 1:
        drawing.texts.extend(_names(frame))
    return drawing


def _names(frame: Frame) -> Iterator[Text]:
    """The name of each series beside it."""
    lines = [[frame.place(point) for point in _drawn(series)] for series in frame.chart.series]
    named = [(series, line) for series, line in zip(frame.chart.series, lines, strict=True) if line]
    match frame.chart.names:
        case "ends":
            places = at_the_ends([line[-1][1] for _, line in named], frame.right + 8, frame.top, frame.bottom)
        case "apart":
            box = Box(frame.left, frame.top, frame.right, frame.bottom)
            places = where_apart([line for _, line in named], [len(one.name) * LETTER for one, _ in named], box)
        case "corner":
            places = [Placed(frame.right, frame.top + LINE * (row + 1), "end") for row in range(len(named))]
    for (series, _), place in zip(named, places, strict=True):
        yield Text(place.x, place.y, series.name + _STYLED[series.style], "name", place.anchor, series.tone)


def _drawn(series: Series) -> list[Point]:
    """The points that have a place."""
    return [point for point in series.points if math.isfinite(point.x) and math.isfinite(point.y)]


def _draw_axes(drawing: Drawing, frame: Frame) -> None:
    chart = frame.chart
    drawing.texts.append(Text(8, 16, chart.y.label, "axis", "start"))
    drawing.texts.append(Text(frame.right, HEIGHT - 8, chart.x.label, "axis", "end"))
    for tick in chart.y.ticks:
        y = frame.y(tick.at)
        drawing.paths.append(Path("grid", f"M{frame.left:.1f} {y:.1f}H{frame.right:.1f}"))
        drawing.texts.append(Text(frame.left - 8, y + 4, tick.text, "tick", "end"))
    for tick in _that_fit(frame):
        x = frame.x(tick.at)
        drawing.paths.append(Path("axis", f"M{x:.1f} {frame.bottom:.1f}v5"))
        drawing.texts.append(Text(x, frame.bottom + 19, tick.text))
        if tick.below:
            drawing.texts.append(Text(x, frame.bottom + 19 + LINE, tick.below, "below"))
    drawing.paths.append(Path("axis", f"M{frame.left:.1f} {frame.bottom:.1f}H{frame.right:.1f}"))


def _that_fit(frame: Frame) -> Sequence[Tick]:
    """Every tick of the horizontal axis, or every second, third … so that their texts do not touch."""
    ticks = frame.chart.x.ticks
    widest = max((max(len(tick.text), len(tick.below)) for tick in ticks), default=1) * 6.6 + 6
    each = (frame.right - frame.left) / max(len(ticks), 1)
    return ticks[:: max(1, math.ceil(widest / each))]


def _draw_diagonal(drawing: Drawing, frame: Frame) -> None:
    chart = frame.chart
    low, high = max(chart.x.low, chart.y.low), min(chart.x.high, chart.y.high)
    if low >= high:
        return
    start, end = (frame.x(low), frame.y(low)), (frame.x(high), frame.y(high))
    drawing.paths.append(Path("reference", f"M{start[0]:.1f} {start[1]:.1f}L{end[0]:.1f} {end[1]:.1f}"))
    # Beside the lower end, where means seldom are.
    x, y = start[0] + 0.15 * (end[0] - start[0]), start[1] + 0.15 * (end[1] - start[1])
    drawing.texts.append(Text(x + 8, y + 10, chart.diagonal, "reference", "start"))


def _paths(frame: Frame, series: Series) -> Iterator[Path]:
    points = _drawn(series)
    if series.style in ("bars", "steps"):
        yield from _columns(frame, series, points)
        return
    if series.style == "line" and len(points) > 1:
        line = "L".join(f"{x:.1f} {y:.1f}" for x, y in map(frame.place, points))
        yield Path("line", f"M{line}", series.tone)
    for point in points:
        if math.isfinite(point.low) and math.isfinite(point.high):
            x, low, high = frame.x(point.x), frame.y(point.low), frame.y(point.high)
            yield Path("whisker", f"M{x:.1f} {low:.1f}V{high:.1f}", series.tone)
    for point in points:
        # Of many points the line says enough; each still answers when pointed at.
        kind = "mark" if len(points) <= _MOST_MARKS else "hit"
        yield Path(kind, _mark(*frame.place(point), series.tone), series.tone, frame.chart.note(series, point))


def _columns(frame: Frame, series: Series, points: Sequence[Point]) -> Iterator[Path]:
    """Columns as wide as the points are apart, or their outline alone."""
    half = (frame.x(points[1].x) - frame.x(points[0].x)) / 2 if len(points) > 1 else 10.0
    if series.style == "steps":
        tops = "".join(f"L{x - half:.1f} {y:.1f}H{x + half:.1f}" for x, y in map(frame.place, points))
        yield Path("steps", f"M{tops[1:]}", series.tone)
        return
    for point in points:
        x, y = frame.place(point)
        outline = f"M{x - half + 0.5:.1f} {frame.bottom:.1f}V{y:.1f}h{2 * half - 1:.1f}V{frame.bottom:.1f}z"
        yield Path("bar", outline, series.tone, frame.chart.note(series, point))


def _mark(x: float, y: float, tone: int) -> str:
    """A disc, a square, a diamond or a triangle: told apart without colour."""
    r = _MARK
    match tone % 4:
        case 0:
            return f"M{x - r:.1f} {y:.1f}a{r} {r} 0 1 0 {2 * r:.1f} 0a{r} {r} 0 1 0 {-2 * r:.1f} 0z"
        case 1:
            return f"M{x - r:.1f} {y - r:.1f}h{2 * r:.1f}v{2 * r:.1f}h{-2 * r:.1f}z"
        case 2:
            side = f"{1.4 * r:.1f}"
            return f"M{x:.1f} {y - 1.4 * r:.1f}l{side} {side}l-{side} {side}l-{side} -{side}z"
        case _:
            return f"M{x:.1f} {y - 1.3 * r:.1f}l{1.3 * r:.1f} {2.3 * r:.1f}h{-2.6 * r:.1f}z"
