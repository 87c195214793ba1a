"""Passes over ratings user by user see every rating once, and each user whole."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.data.by_user import count_rows, stretches


@given(st.lists(st.integers(0, 6), max_size=40), st.integers(1, 12), st.booleans())
def test_stretches_divide_the_rows_among_users(users: list[int], most: int, is_sorted: bool) -> None:
    rows = np.array(sorted(users) if is_sorted else users, np.int32)
    divided = list(stretches(rows, 7, most))
    assert sorted(position for stretch in divided for position in stretch.tolist()) == list(range(len(rows)))
    for stretch in divided:
        assert (np.diff(stretch) > 0).all()
        assert len(stretch) <= most or len(set(rows[stretch].tolist())) == 1
    last = [int(rows[stretch].max()) for stretch in divided if len(stretch)]
    first = [int(rows[stretch].min()) for stretch in divided if len(stretch)]
    assert all(end < start for end, start in zip(last, first[1:], strict=False))


@given(st.lists(st.integers(0, 6), max_size=40))
def test_every_row_is_counted(rows: list[int]) -> None:
    assert count_rows(np.array(rows, np.int32), 7).tolist() == [rows.count(row) for row in range(7)]
