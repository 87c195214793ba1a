"""Times → figures, by hand."""

import numpy as np
import pytest

from benchmarks.serving.figures import (
    are_within,
    arrivals,
    p99_by_window,
    recovered_after_s,
    seconds_between,
    slope,
    spread,
)
from benchmarks.serving.plot import svg
from benchmarks.serving.ripple import around_swaps, first_answers, pooled_ratio
from benchmarks.serving.sampler import grown

S = 1_000_000


def test_the_spread_of_a_hundred_times() -> None:
    assert spread(np.arange(1, 102)) == {"p50_us": 51.0, "p99_us": 100.0, "n": 101}


def test_arrivals_ascend_and_are_as_many_as_asked_for() -> None:
    moments = arrivals(1000, 20, seed=1)
    assert np.all(np.diff(moments) >= 0)
    assert 0 <= moments[0] <= moments[-1] < 20
    assert len(moments) == pytest.approx(20_000, rel=0.05)
    # Independent callers: the gaps vary as much as they are long.
    assert np.diff(moments).std() == pytest.approx(np.diff(moments).mean(), rel=0.1)


def test_a_call_is_within_a_window_that_it_touches() -> None:
    starts, times = np.array([0, 10, 20, 30]), np.array([5, 5, 5, 5])
    assert are_within(starts, times, [(15, 19), (26, 29)]).tolist() == [False, True, False, False]
    assert are_within(starts, times, [(12, 13)]).tolist() == [False, True, False, False]
    assert not are_within(starts, times, []).any()


def test_a_window_without_a_call_has_no_p99() -> None:
    found = p99_by_window(np.array([0, 1]), np.array([7, 7]), [(0, 5), (100, 200)])
    assert found[0] == 7
    assert np.isnan(found[1])


def test_whole_seconds_are_cut_from_what_the_windows_leave() -> None:
    windows = [(2.5 * S, 4.0 * S), (5.5 * S, 6.0 * S)]
    found = [begin / S for begin, _ in seconds_between(windows, 0.0, 8.2 * S)]
    assert found == [0.0, 1.0, 4.0, 6.0, 7.0]
    assert not any(
        begin < w[1] and end > w[0] for begin, end in seconds_between(windows, 0.0, 8.2 * S) for w in windows
    )


def test_latency_is_back_in_the_first_quiet_window() -> None:
    starts = np.array([0, 5, 15, 25, 26, 35])
    times = np.array([90, 90, 90, 5, 5, 5])
    shed = np.array([False, False, False, True, False, False])
    # 10: slow, 20: one was shed, 30: quiet.
    assert recovered_after_s(starts, times, shed, 0, 10, 10) == pytest.approx(40e-6)
    assert recovered_after_s(starts, times, shed, 0, 1, 10) is None
    assert recovered_after_s(starts[:0], times[:0], shed[:0], 0, 1, 10) is None


def test_the_slope_is_per_second() -> None:
    assert slope([5.0, 6.0, 7.0], [1.0, 3.0, 5.0]) == pytest.approx(2.0)
    assert slope([5.0], [1.0]) == 0
    assert grown([0.0, 10.0, 20.0], [1.0, 2.0, 3.0])["grown"] == pytest.approx(2.0)


def test_the_first_answer_of_each_flip_is_of_its_version_and_its_time() -> None:
    ends, versions = np.array([1, 3, 5, 7, 9]), np.array([0, 1, 0, 1, 0])
    assert first_answers([(2, 1), (4, 0), (6, 0)], ends, versions) == [3.0, 5.0, 9.0]
    assert first_answers([(4, 1), (6, 0)], ends, versions) == [None, 9.0]


def test_a_ripple_is_found_around_its_swap_alone() -> None:
    starts = np.arange(0, 20 * S, 1000)
    times = np.full(len(starts), 100)
    times[(starts >= 9.8 * S) & (starts < 10.2 * S)] = 400
    swaps = [{"begun_us": 4.0 * S, "flipped_us": 4.2 * S, "first_us": 4.5 * S}]
    swaps += [{"begun_us": 9.5 * S, "flipped_us": 9.7 * S, "first_us": 10.0 * S}]
    told = around_swaps(starts, times, swaps, target_ratio=1.2)
    assert told["steady"]["p99_us"] == 100
    assert told["p99_ratio_to_steady"] == {"median": 2.5, "largest": 4.0, "n": 2, "within_target": 1}
    assert told["of_steady_seconds"]["largest"] == 1
    assert pooled_ratio(told) == 4
    assert told["seconds_to_first_answer"]["median"] == pytest.approx(0.3)


def test_a_plot_has_a_line_for_each_series() -> None:
    drawn = svg("a < b", [0.0, 1.0], {"MB": [1.0, 2.0], "handles": [0.0, 0.0]})
    assert drawn.count("<polyline") == 2
    assert "a &lt; b" in drawn
