"""Times → figures. Pure functions; times are µs, moments too, unless a name says otherwise."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Micros = NDArray[np.int64]
Window = tuple[float, float]
"""From and to, µs since the epoch."""
_S = 1_000_000


def spread(times_us: NDArray[np.int64] | NDArray[np.float64]) -> dict[str, float]:
    """The median, the 99th percentile and the number of some times (n,), n > 0."""
    p50, p99 = np.percentile(times_us, [50, 99])
    return {"p50_us": round(float(p50), 1), "p99_us": round(float(p99), 1), "n": len(times_us)}


def ratio(one: float, other: float) -> float:
    """One over the other, as it is told."""
    return round(one / other, 3)


def arrivals(per_s: float, seconds: float, seed: int) -> NDArray[np.float64]:
    """The moments, in s from 0 to `seconds`, at which independent callers call `per_s` times a second: ascending."""
    rng = np.random.default_rng(seed)
    n = rng.poisson(per_s * seconds)
    return np.sort(rng.uniform(0.0, seconds, n))


def are_within(starts_us: Micros, times_us: Micros, windows: Sequence[Window]) -> NDArray[np.bool_]:
    """Whether each call, (n,), was under way at any moment of one of `windows`."""
    ends = starts_us + times_us
    within = np.zeros(len(starts_us), np.bool_)
    for begin, end in windows:
        within |= (starts_us <= end) & (ends >= begin)
    return within


def p99_by_window(starts_us: Micros, times_us: Micros, windows: Sequence[Window]) -> NDArray[np.float64]:
    """The 99th percentile of the calls in each of `windows`; NaN where there was none."""
    found = [times_us[are_within(starts_us, times_us, [window])] for window in windows]
    return np.array([np.percentile(times, 99) if len(times) else np.nan for times in found])


def seconds_between(windows: Sequence[Window], begin_us: float, end_us: float) -> list[Window]:
    """Whole seconds from `begin_us` to `end_us` that overlap none of `windows`, which are ascending."""
    found: list[Window] = []
    for begin, end in [*windows, (end_us, end_us)]:
        starts = np.arange(begin_us, begin - _S + 1, _S)
        found += [(start, start + _S) for start in starts.tolist()]
        begin_us = max(begin_us, end)
    return found


def recovered_after_s(
    starts_us: Micros, times_us: Micros, were_shed: NDArray[np.bool_], end_us: float, limit_us: float, window_us: int
) -> float | None:
    """Seconds from `end_us` to the end of the first window in which latency is back; None where it never was.

    It is back in a window of `window_us` in which a call began, none was shed and nine tenths took at most `limit_us`.
    """
    last = int(starts_us.max(initial=0) - end_us)
    for begin in range(0, max(last, 0) + 1, window_us):
        among = (starts_us >= end_us + begin) & (starts_us < end_us + begin + window_us)
        if among.any() and not were_shed[among].any() and np.percentile(times_us[among], 90) <= limit_us:
            return (begin + window_us) / _S
    return None


def slope(moments_s: Sequence[float], values: Sequence[float]) -> float:
    """How much `values` grow in a second, by least squares; 0 for fewer than two."""
    if len(values) < 2:
        return 0.0
    return float(np.polyfit(np.asarray(moments_s) - moments_s[0], np.asarray(values, np.float64), 1)[0])
