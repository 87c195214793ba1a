"""The search for settings, on made-up indexes whose recall is known."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.choice.tune import least, settings_grid, tuned
from indexer.index import Settings
from indexer.keys import parse_key

ROW = [Settings(effort) for effort in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)]


def cost(settings: Settings) -> float:
    return settings.effort * 10 + settings.k_factor


class Made:
    """An index that finds enough from some effort on, for each k_factor another; notes what it was asked."""

    def __init__(self, efforts: dict[int, int]) -> None:
        self.efforts, self.asked = efforts, list[Settings]()

    def __call__(self, settings: Settings) -> float:
        self.asked.append(settings)
        return 1.0 if settings.effort >= self.efforts.get(settings.k_factor, 1 << 30) else 0.5


@given(enough_from=st.integers(0, len(ROW)), start=st.integers(0, len(ROW) - 1))
def test_the_least_that_is_enough_is_found_from_any_start(enough_from: int, start: int) -> None:
    asked: list[Settings] = []

    def enough(settings: Settings) -> bool:
        asked.append(settings)
        return ROW.index(settings) >= enough_from

    found = least(ROW, enough, start)
    assert found == (enough_from if enough_from < len(ROW) else None)
    assert len(asked) == len(set(asked)) <= 7


def test_it_starts_where_the_earlier_version_was() -> None:
    made = Made({2: 16})
    assert tuned([ROW], made, cost, 0.99, Settings(16)) == Settings(16)
    assert made.asked[0] == Settings(16)


def test_among_k_factors_the_cheapest_is_taken() -> None:
    grid = [[Settings(effort, k_factor) for effort in (1, 8, 64)] for k_factor in (4, 16, 64)]
    assert tuned(grid, Made({4: 64, 16: 8, 64: 8}), cost, 0.99) == Settings(8, 16)


def test_once_the_least_effort_is_enough_no_more_candidates_are_tried() -> None:
    made = Made({4: 1, 16: 1, 64: 1})
    grid = [[Settings(effort, k_factor) for effort in (1, 8)] for k_factor in (4, 16, 64)]
    assert tuned(grid, made, cost, 0.99) == Settings(1, 4)
    assert {settings.k_factor for settings in made.asked} == {4}


def test_where_nothing_is_enough_it_is_the_most_that_there_is() -> None:
    assert tuned([ROW, ROW], Made({}), cost, 0.99) == ROW[-1]


@pytest.mark.parametrize(
    ("key", "efforts", "k_factors"),
    [
        ("Flat", [1], [2]),
        ("SQ8", [1], [2]),
        ("PQ36x4fs", [1], [4, 8, 16, 32, 64, 128]),
        ("IVF6,Flat", [1, 2, 3, 4, 5, 6], [1, 2]),
        ("IVF2,PQ36x4fs", [1, 2], [4, 8, 16, 32, 64, 128]),
    ],
)
def test_the_grid_has_what_can_be_set(key: str, efforts: Sequence[int], k_factors: Sequence[int]) -> None:
    grid = settings_grid(parse_key(key))
    assert [[settings.effort for settings in row] for row in grid] == [efforts] * len(k_factors)
    assert [row[0].k_factor for row in grid] == k_factors
