"""Charts: scales that hold their values, names that do not cover each other, nothing outside the box."""

import math
import re
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation.report.axes import linear_axis, range_axis
from training.evaluation.report.chart import Chart, Point, Series, beside
from training.evaluation.report.drawing import draw
from training.evaluation.report.names import Box, at_the_ends, where_apart

FINITE = st.floats(-1e6, 1e6)


@given(st.lists(FINITE, max_size=20), st.booleans())
def test_a_scale_holds_its_values_with_a_few_round_ticks(values: list[float], zero: bool) -> None:
    axis = linear_axis("y", values, zero=zero)
    slack = 1e-6 * (axis.high - axis.low)
    assert all(axis.low - slack <= value <= axis.high + slack for value in values)
    assert 2 <= len(axis.ticks) <= 8
    assert not zero or axis.low <= 0 <= axis.high


@given(FINITE, FINITE, st.booleans())
def test_the_ticks_of_a_range_lie_in_it(first: float, second: float, whole: bool) -> None:
    low, high = sorted((first, second))
    axis = range_axis("x", low, high, whole=whole)
    assert axis.low < axis.high
    slack = 1e-6 * (axis.high - axis.low) + 1e-6
    assert all(axis.low - slack <= tick.at <= axis.high + slack for tick in axis.ticks)
    assert len(axis.ticks) <= 12


def test_ticks_say_what_they_are() -> None:
    assert [tick.text for tick in linear_axis("y", [0, 0.12], percent=True).ticks] == [
        "0%",
        "2.5%",
        "5%",
        "7.5%",
        "10%",
        "12.5%",
    ]
    assert [tick.text for tick in linear_axis("y", [0.1, 0.3]).ticks] == ["0.1", "0.15", "0.2", "0.25", "0.3"]


def test_sweeps_are_whole_numbers() -> None:
    assert [tick.text for tick in range_axis("sweep", 1, 12, whole=True).ticks] == ["2", "4", "6", "8", "10", "12"]
    assert [tick.text for tick in range_axis("sweep", 1, 3, whole=True).ticks] == ["1", "2", "3"]


@given(st.lists(st.floats(0, 300), min_size=1, max_size=7))
def test_names_at_the_ends_never_touch_and_stay_in_the_box(ends: list[float]) -> None:
    places = at_the_ends(ends, 10, 34, 240)
    feet = sorted(place.y for place in places)
    assert all(after - before >= 15 - 1e-6 for before, after in pairwise(feet))
    assert feet[0] >= 34 - 1e-6
    assert feet[-1] <= 240 + 1e-6
    order = np.argsort(ends, kind="stable")
    assert (np.diff([places[number].y for number in order]) > 0).all()


def test_names_that_have_room_stand_at_their_lines() -> None:
    assert [place.y for place in at_the_ends([200, 100, 50], 10, 34, 240)] == [204, 104, 54]


def test_names_inside_stand_on_the_free_side() -> None:
    upper, lower = ([(float(x), y) for x in range(0, 100, 10)] for y in (50.0, 150.0))
    above, below = where_apart([upper, lower], [30, 30], Box(0, 30, 100, 200))
    assert above.y < 50
    assert below.y > 150


def test_names_inside_never_cover_each_other_nor_leave_the_chart() -> None:
    box = Box(0, 34, 300, 240)
    lines = [[(float(x), 240 - 200 * (x / 300) ** power) for x in range(0, 301, 10)] for power in (0.25, 0.5, 0.6, 3)]
    places = where_apart(lines, [60] * 4, box)
    for place in places:
        left = place.x - 60 * (place.anchor == "end")
        assert left >= box.left
        assert left + 60 <= box.right
        assert box.top + 11 <= place.y <= box.bottom - 4
    for first, second in combinations(places, 2):
        assert abs(first.y - second.y) >= 15 or abs(first.x - second.x) >= 60


def test_names_inside_cover_no_line_where_there_is_room() -> None:
    lines = [[(float(x), y) for x in range(0, 301, 10)] for y in (70.0, 130.0, 190.0)]
    for place in where_apart(lines, [60] * 3, Box(0, 34, 300, 240)):
        assert not any(place.y - 11 < y < place.y + 4 for y in (70, 130, 190))


def chart(*series: Series) -> Chart:
    values = [point.y for one in series for point in one.points]
    return Chart("A chart", "Read it.", range_axis("x", 0, 10), linear_axis("y", values), series)


def line(name: str, *values: float, tone: int = 0) -> Series:
    return Series(name, [Point(x, y, f"at {x}") for x, y in enumerate(values)], tone)


def test_what_is_not_finite_is_not_drawn_but_told() -> None:
    broken = chart(line("model", 1, math.nan, 3))
    assert "nan" not in "".join(path.d for path in draw(broken).paths)
    assert broken.table()[1] == [["at 0", "1.000"], ["at 1", "–"], ["at 2", "3.000"]]
    assert "nan" not in broken.words()


def test_a_chart_of_nothing_is_an_empty_frame() -> None:
    assert draw(chart(line("model"), line("other", math.nan))).paths


@given(st.lists(st.lists(st.one_of(FINITE, st.just(math.nan)), max_size=30), min_size=1, max_size=7))
@pytest.mark.parametrize("names", ["ends", "apart", "corner"])
def test_every_path_lies_in_the_box(names: str, lines: list[list[float]]) -> None:
    series = [
        Series(f"series {tone}", [Point(x / 3, y, str(x)) for x, y in enumerate(values)], tone)
        for tone, values in enumerate(lines)
    ]
    drawn = chart(*series)
    drawing = draw(Chart(drawn.title, drawn.reading, drawn.x, drawn.y, series, names=names))  # type: ignore[arg-type]  # parametrised
    for path in drawing.paths:
        for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", path.d):
            assert -6 <= float(x) <= drawing.width + 6
            assert -6 <= float(y) <= drawing.height + 6


def test_words_and_table_tell_the_figures() -> None:
    told = chart(
        Series("model", [Point(0, 1.5, "1–9", 1.0, 2.0, 7), Point(1, 0.5, "10+", n=9)], 0), line("other", 2, tone=1)
    )
    assert "model: 1.500 at 1–9, 0.500 at 10+; lowest 0.500 at 10+" in told.words()
    head, rows = told.table()
    assert head == ["x", "n", "model", "other"]
    assert rows[0] == ["1–9", "7", "1.500 [1.000,\u00a02.000]", "–"]


def test_intervals_side_by_side_do_not_cover() -> None:
    moved = beside([line(name, 1.0, 2.0) for name in "abc"])
    assert len({one.points[0].x for one in moved}) == 3
    assert np.mean([one.points[1].x for one in moved]) == pytest.approx(1)
