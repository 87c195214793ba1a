import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.tastes import table
from training.data import by_user
from training.data.ratings import Ratings
from training.data.split import last_split, latest_split, random_split, split_at
from training.errors import RatingsError


@given(st.integers(2, 500), st.floats(0.001, 0.999), st.integers(0, 2**32 - 1))
def test_every_position_is_in_exactly_one_part(n: int, fraction: float, seed: int) -> None:
    if math.ceil(fraction * n) == n:
        with pytest.raises(RatingsError):
            random_split(n, fraction, seed)
        return
    rest, held_out = random_split(n, fraction, seed)
    assert sorted([*rest, *held_out]) == list(range(n))
    assert len(held_out) == math.ceil(fraction * n)


def test_the_split_is_that_of_scikit_learn() -> None:
    # train_test_split(np.arange(10), test_size=0.25, random_state=42) of scikit-learn 1.7
    rest, held_out = random_split(10, 0.25, 42)
    assert held_out.tolist() == [8, 1, 5]
    assert rest.tolist() == [0, 7, 2, 9, 4, 3, 6]


def test_another_seed_holds_out_others() -> None:
    assert not np.array_equal(random_split(100, 0.1, 1)[1], random_split(100, 0.1, 2)[1])


@pytest.mark.parametrize("n", [0, 1])
def test_what_can_not_be_divided_is_refused(n: int) -> None:
    with pytest.raises(RatingsError, match=f"{n} ratings can't be divided so that a fraction of 0.1 is held out"):
        random_split(n, 0.1, 42)


def timed(rows: list[tuple[int, int]]) -> Ratings:
    """Ratings of these users at these moments, each of an item of its own."""
    users, moments = np.array(rows).T
    ratings = table(users, np.arange(len(rows)), np.ones(len(rows)), int(users.max()) + 1, len(rows))
    return replace(ratings, timestamps=moments.astype(np.int64))


some_rows = st.lists(st.tuples(st.integers(0, 4), st.integers(-3, 3)), min_size=1, max_size=30)


@given(some_rows, st.integers(1, 4), st.integers(1, 12))
def test_the_last_of_each_user_are_held_out_and_something_stays(
    rows: list[tuple[int, int]], n_last: int, stretch: int
) -> None:
    by_moment = sorted(range(len(rows)), key=lambda position: rows[position][1])
    expected = []
    for user in range(5):
        own = [position for position in by_moment if rows[position][0] == user]
        expected += own[-n_last:] if len(own) > n_last else []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_user.stretches, "__defaults__", (stretch,))
        if not expected:
            with pytest.raises(RatingsError, match=f"no user has more than {n_last} ratings"):
                last_split(timed(rows), n_last)
            return
        rest, held_out = last_split(timed(rows), n_last)
    assert held_out.tolist() == sorted(expected)
    assert sorted([*rest, *held_out]) == list(range(len(rows)))
    assert {rows[position][0] for position in rest} == {user for user, _ in rows}


def test_of_one_moment_the_later_in_the_file_is_the_later() -> None:
    ratings = timed([(0, 7), (1, 7), (0, 7), (1, 7), (0, 3)])
    assert last_split(ratings, 1)[1].tolist() == [2, 3]
    assert latest_split(ratings, 0.3)[1].tolist() == [2, 3]


@given(some_rows, st.floats(0.01, 0.99))
def test_the_latest_are_later_than_the_rest(rows: list[tuple[int, int]], fraction: float) -> None:
    n_held_out = math.ceil(fraction * len(rows))
    if n_held_out == len(rows):
        with pytest.raises(RatingsError, match=f"so that a fraction of {fraction} is held out"):
            latest_split(timed(rows), fraction)
        return
    rest, held_out = latest_split(timed(rows), fraction)
    by_moment = sorted(range(len(rows)), key=lambda position: rows[position][1])
    assert held_out.tolist() == sorted(by_moment[-n_held_out:])
    assert rest.tolist() == sorted(by_moment[:-n_held_out])


def test_a_moment_divides_what_was_before_from_what_came_then() -> None:
    ratings = timed([(0, 86_400), (1, 86_399), (0, 172_800), (1, 0)])
    rest, held_out = split_at(ratings, datetime(1970, 1, 2, tzinfo=UTC))
    assert (rest.tolist(), held_out.tolist()) == ([1, 3], [0, 2])
    an_hour_east = datetime(1970, 1, 2, tzinfo=timezone(timedelta(hours=1)))
    assert split_at(ratings, an_hour_east)[1].tolist() == [0, 1, 2]


@pytest.mark.parametrize("year", [1970, 1971])
def test_a_moment_outside_the_data_is_refused_and_the_data_s_told(year: int) -> None:
    with pytest.raises(RatingsError) as raised:
        split_at(timed([(0, 86_400), (1, 172_800)]), datetime(year, 1, 1, tzinfo=UTC))
    assert str(raised.value) == (
        f"{year}-01-01 00:00:00 does not divide the ratings: they are from 1970-01-02 00:00:00 to "
        "1970-01-03 00:00:00; choose a moment between"
    )


IN_TIME: dict[str, Callable[[Ratings], object]] = {
    "last": lambda ratings: last_split(ratings, 1),
    "latest": lambda ratings: latest_split(ratings, 0.5),
    "from a moment on": lambda ratings: split_at(ratings, datetime.now(UTC)),
}


@pytest.mark.parametrize("split", IN_TIME.values(), ids=IN_TIME.keys())
def test_without_timestamps_only_chance_can_divide(split: Callable[[Ratings], object]) -> None:
    ratings = replace(timed([(0, 1), (0, 2)]), timestamps=None)
    with pytest.raises(RatingsError, match="the ratings have no timestamps, so the la"):
        split(ratings)
