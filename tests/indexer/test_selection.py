"""A selection is what sets of rows would be."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from indexer.selection import Selection, all_bits, any_of, bits_of


@st.composite
def selections(draw: st.DrawFn) -> tuple[Selection, list[int]]:
    n_items = draw(st.integers(1, 70))
    rows = st.lists(st.integers(0, n_items - 1), unique=True)
    excluded, allowed = sorted(draw(rows)), draw(st.none() | rows)
    bits = None if allowed is None else bits_of(np.array(allowed, np.int64), n_items)
    left = sorted((set(range(n_items)) if allowed is None else set(allowed)) - set(excluded))
    return Selection(n_items, np.array(excluded, np.int64), bits), left


@given(selections(), st.integers(0, 80))
def test_a_selection_is_the_allowed_rows_without_the_excluded_ones(drawn: tuple[Selection, list[int]], n: int) -> None:
    selection, left = drawn
    everything = np.arange(selection.n_items)
    assert selection.n_left == len(left)
    assert selection.rows().tolist() == left
    assert selection.first(n).tolist() == left[:n]
    assert everything[selection.keeps(everything)].tolist() == left
    assert np.unpackbits(selection.bits, bitorder="little").nonzero()[0].tolist() == left


@given(st.integers(1, 70), st.data())
def test_bits_join(n_items: int, data: st.DataObject) -> None:
    several = data.draw(st.lists(st.lists(st.integers(0, n_items - 1)), max_size=3))
    joined = any_of((bits_of(np.array(rows, np.int64), n_items) for rows in several), n_items)
    assert Selection(n_items, np.empty(0, np.int64), joined).rows().tolist() == sorted(
        {row for r in several for row in r}
    )
    assert Selection(n_items, np.empty(0, np.int64), all_bits(n_items)).n_left == n_items
