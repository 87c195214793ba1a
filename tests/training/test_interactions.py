"""The two orders of the ratings, and the batches: nothing lost, nothing twice, nothing larger than it may be."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from training.fitting.interactions import Floats, Interactions, Rows, Schedule

COUNTS = st.lists(st.one_of(st.integers(0, 3), st.integers(0, 500)), max_size=60)


def triples(n: int, n_rows: int) -> tuple[Rows, Rows, Floats]:
    """Random rows with random targets; the columns count the triples."""
    rng = np.random.default_rng(0)
    return rng.integers(0, n_rows, n).astype(np.int32), np.arange(n, dtype=np.int32), rng.random(n).astype(np.float32)


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(1, 50))
def test_every_triple_is_kept_once_in_the_list_of_its_row_and_in_its_order(n: int, n_rows: int) -> None:
    rows, columns, targets = triples(n, n_rows)
    found = Interactions.of(rows, columns, targets, n_rows)
    assert found.offsets[0] == 0
    assert found.offsets[-1] == n
    for row in range(n_rows):
        mine = slice(found.offsets[row], found.offsets[row + 1])
        np.testing.assert_array_equal(found.columns[mine], columns[rows == row])
        np.testing.assert_array_equal(found.targets[mine], targets[rows == row])
    np.testing.assert_array_equal(found.counts, np.bincount(rows, minlength=n_rows))


def test_the_order_is_stable_where_rows_need_more_than_16_bits() -> None:
    n_rows = 70_000 * 3
    rows, columns, targets = triples(500_000, n_rows)
    # Rows that differ in their high half alone.
    rows[:9] = [5, 5 + (1 << 16), 5 + (2 << 16), 5, 5 + (1 << 16), 5 + (2 << 16), 5, 5, 5 + (1 << 16)]
    order = np.argsort(rows, kind="stable")
    found = Interactions.of(rows, columns, targets, n_rows)
    np.testing.assert_array_equal(found.columns, columns[order])
    np.testing.assert_array_equal(found.targets, targets[order])
    assert found.counts.sum() == 500_000


def test_what_is_given_stays_as_it_was() -> None:
    rows, columns, targets = triples(100, 7)
    before = [array.copy() for array in (rows, columns, targets)]
    Interactions.of(rows, columns, targets, 7)
    for array, kept in zip((rows, columns, targets), before, strict=True):
        np.testing.assert_array_equal(array, kept)


def test_nothing_makes_an_empty_schedule() -> None:
    nothing = Interactions.of(*triples(0, 1), 0)
    assert nothing.offsets.tolist() == [0]
    for counts in (nothing.counts, np.zeros(5, np.int64)):
        schedule = Schedule.of(counts, 10)
        assert len(schedule.order) == 0
        assert schedule.batches.shape == (0, 3)


@settings(max_examples=200, deadline=None)
@given(COUNTS, st.integers(1, 600))
def test_every_row_with_interactions_is_in_one_batch_that_fits(counts: list[int], cells: int) -> None:
    lengths = np.array(counts, np.int64)
    schedule = Schedule.of(lengths, cells)
    assert sorted(schedule.order.tolist()) == np.flatnonzero(lengths).tolist()
    stops = [0]
    for start, stop, padded in schedule.batches.tolist():
        assert start == stops[-1] < stop
        stops.append(stop)
        assert padded >= lengths[schedule.order[start:stop]].max()
        assert (stop - start) * padded <= cells or stop - start == 1
    assert stops[-1] == len(schedule.order)


@settings(deadline=None)
@given(COUNTS, st.integers(1, 600))
def test_padding_is_little_and_batches_of_a_length_are_alike(counts: list[int], cells: int) -> None:
    lengths = np.array(counts, np.int64)
    schedule = Schedule.of(lengths, cells)
    assert (np.diff(schedule.batches[:, 2]) >= 0).all()
    for start, stop, padded in schedule.batches.tolist():
        assert (8 * (padded - lengths[schedule.order[start:stop]]) <= padded).all()
    for padded in np.unique(schedule.batches[:, 2]):
        sizes = (schedule.batches[:, 1] - schedule.batches[:, 0])[schedule.batches[:, 2] == padded]
        assert (sizes[:-1] == max(cells // padded, 1)).all()
        assert sizes[-1] <= max(cells // padded, 1)
