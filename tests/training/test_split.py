import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.split import random_split
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
