"""What a swap does to latency. Pure functions; moments are µs since the epoch."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.serving.figures import Micros, Window, are_within, p99_by_window, ratio, seconds_between, spread

_HALF_S = 500_000


def first_answers(
    flips: Sequence[tuple[float, int]], ends_us: Micros, versions: NDArray[np.int64]
) -> list[float | None]:
    """For each flip, when CURRENT changed and to which version, the end of the first answer of that version since.

    `ends_us` and `versions` (n,) of all answers. None where none came before the next flip.
    """
    found: list[float | None] = []
    until = [moment for moment, _ in flips[1:]] + [np.inf]
    for (moment, version), next_moment in zip(flips, until, strict=True):
        among = ends_us[(versions == version) & (ends_us >= moment) & (ends_us < next_moment)]
        found.append(float(among.min()) if len(among) else None)
    return found


def around_swaps(
    starts_us: Micros, times_us: Micros, swaps: Sequence[Mapping[str, float]], target_ratio: float
) -> dict[str, Any]:
    """p99 in the second around each swap, against that of the time without any.

    `swaps`: of each `begun_us`, when its activation began; `flipped_us`, when CURRENT changed; `first_us`, the first
    answer of the new version. Steady is what no swap touches, from its beginning to half a second after its end; what
    single seconds are held against is the median steady second's p99, which a noisy moment does not lift.
    """
    seconds: list[Window] = [(swap["first_us"] - _HALF_S, swap["first_us"] + _HALF_S) for swap in swaps]
    loading: list[Window] = [(swap["flipped_us"], swap["first_us"]) for swap in swaps]
    touched: list[Window] = [
        (min(swap["begun_us"], swap["first_us"] - _HALF_S), swap["first_us"] + _HALF_S) for swap in swaps
    ]
    steady = ~are_within(starts_us, times_us, touched)
    untouched = seconds_between(touched, float(starts_us.min()), float(starts_us.max()))
    of_steady_seconds = p99_by_window(starts_us, times_us, untouched)
    steady_p99 = float(np.median(of_steady_seconds))
    ratios = p99_by_window(starts_us, times_us, seconds) / steady_p99
    return {
        "steady": spread(times_us[steady]),
        "second_around": spread(times_us[are_within(starts_us, times_us, seconds)]),
        "from_current_to_first_answer": spread(times_us[are_within(starts_us, times_us, loading)]),
        "p99_ratio_to_steady": {**_told(ratios), "within_target": int(np.count_nonzero(ratios <= target_ratio))},
        "of_steady_seconds": _told(of_steady_seconds / steady_p99),
        "seconds_to_first_answer": _told(np.array([end - begin for begin, end in loading]) / 1e6),
    }


def pooled_ratio(told: Mapping[str, Any]) -> float:
    """p99 of all seconds around swaps together, to the steady one."""
    return ratio(told["second_around"]["p99_us"], told["steady"]["p99_us"])


def _told(values: NDArray[np.float64]) -> dict[str, Any]:
    """The median and the largest; None of nothing."""
    if len(values) == 0:
        return {"median": None, "largest": None, "n": 0}
    return {"median": round(float(np.median(values)), 3), "largest": round(float(values.max()), 3), "n": len(values)}
