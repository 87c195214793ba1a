"""The axes of charts: where a scale begins and ends, and which round numbers stand on it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from training.evaluation.breakdowns import Groups, Numbers, short_count


class Tick(NamedTuple):
    """A place on an axis."""

    at: float
    text: str
    below: str = ""
    """A second line, such as n."""


@dataclass(frozen=True)
class Axis:
    """One direction of a chart."""

    label: str
    """With its unit."""
    ticks: Sequence[Tick]
    low: float
    high: float


def group_axis(label: str, groups: Groups, of: str) -> Axis:
    """The groups side by side, with n under each; `of` says what n counts."""
    ticks = [
        Tick(place, text, short_count(size))
        for place, (text, size) in enumerate(zip(groups.short, groups.sizes().tolist(), strict=True))
    ]
    return Axis(f"{label} (below: n {of})", ticks, -0.5, len(ticks) - 0.5)


def linear_axis(label: str, values: Sequence[float] | Numbers, *, zero: bool = False, percent: bool = False) -> Axis:
    """A few round ticks that hold all finite `values`, and 0 under `zero`; shares are told as `percent`."""
    finite = [float(value) for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-9):
        low, high = low - 0.5 * (not zero), high + 0.5
    step = _round_step((high - low) / 5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = [Tick(number * step, _round_text(number * step, percent=percent)) for number in range(first, last + 1)]
    return Axis(label, ticks, first * step, last * step)


def range_axis(label: str, low: float, high: float, *, whole: bool = False) -> Axis:
    """From `low` to `high` and no further, with round ticks inside; whole numbers alone under `whole`."""
    if low == high:
        low, high = low - 0.5, high + 0.5
    step = _round_step((high - low) / 5)
    step = max(1.0, round(step)) if whole else step
    numbers = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return Axis(label, [Tick(number * step, _round_text(number * step)) for number in numbers], low, high)


def _round_text(value: float, *, percent: bool = False) -> str:
    """Without what floating-point arithmetic leaves at the end."""
    return f"{round(100 * value, 10):g}%" if percent else f"{round(value, 12):g}"


def _round_step(step: float) -> float:
    """The least of 1, 2, 2.5, 5 times a power of ten that is not under `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= step * (1 - 1e-9))
