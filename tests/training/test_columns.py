"""Columns: what goes in comes out, ids are found as they were written, and nothing else is found."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from training.columns import Ids, Ragged, Strings, canonical_integer
from training.errors import ArtefactError

texts = st.lists(st.text(st.characters(exclude_categories=["Cs"])))
integers = st.integers(-(2**63), 2**63 - 1)


@given(texts)
@example(["", "\0", "", "né", "🎬", "a\nb"])
def test_texts_come_back_as_they_were(values: list[str]) -> None:
    column = Strings.from_arrays(Strings.of(values).to_arrays("x"), "x")
    assert [column[row] for row in range(len(column))] == values


@given(st.lists(st.lists(st.integers(0, 9))))
def test_ragged_rows_come_back_as_they_were(lists: list[list[int]]) -> None:
    column = Ragged.from_arrays(Ragged.of(lists).to_arrays("x"), "x", bound=10)
    assert [column[row].tolist() for row in range(len(column))] == lists


def assert_found(ids: Ids, rows: np.ndarray[tuple[int], np.dtype[np.int64]], values: list[str]) -> None:
    assert [ids[int(row)] for row in rows] == values
    assert [ids.row(value) for value in values] == rows.tolist()
    again = Ids.from_arrays(ids.to_arrays("x"), "x")
    assert [again[row] for row in range(len(again))] == [ids[row] for row in range(len(ids))]


@given(st.lists(integers, unique=True, min_size=1))
@example([2**63 - 1, -(2**63), 0])
def test_integer_ids_are_stored_as_numbers_in_their_order(numbers: list[int]) -> None:
    ids, rows = Ids.of([str(number) for number in numbers])
    assert isinstance(ids.values, np.ndarray)
    assert ids.values.tolist() == sorted(numbers)
    assert_found(ids, rows, [str(number) for number in numbers])


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])) | integers.map(str), unique=True, min_size=1))
@example(["007", "7", "+7", "-0", "0", "７", str(2**63), str(-(2**63) - 1), " 7", "7\n", ""])
def test_any_ids_are_found_as_they_were_written(values: list[str]) -> None:
    ids, rows = Ids.of(values)
    assert_found(ids, rows, values)
    if isinstance(ids.values, Strings):
        assert [ids[row].encode() for row in range(len(ids))] == sorted(value.encode() for value in values)


ALIKE = ["007", "+7", "-07", "7.0", " 7", "7 ", "7\n", "７", "٧", "7e0", "0x7", "1_0", "", "\ud800", "7\0", "9" * 400]


@pytest.mark.parametrize("text", ALIKE)
def test_what_only_looks_like_an_id_is_not_found(text: str) -> None:
    for known in (["7", "10", "-7"], ["7", "10", "-7", "film"]):
        ids, _ = Ids.of(known)
        assert ids.row(text) is None


@given(st.text(), st.lists(integers.map(str), unique=True, min_size=1), st.booleans())
def test_an_unknown_id_is_not_found(text: str, known: list[str], mixed: bool) -> None:
    ids, _ = Ids.of([*known, "a film"] if mixed else known)
    if text not in [*known, "a film"]:
        assert ids.row(text) is None


@given(st.integers(-(2**70), 2**70))
def test_canonical_integers_are_those_that_fit_and_print_the_same(number: int) -> None:
    assert canonical_integer(str(number)) == (number if -(2**63) <= number < 2**63 else None)


some_ids = st.lists(st.sampled_from(["1", "2", "30", "-4", "05", "x", "yy"]), unique=True)


@given(some_ids, some_ids)
def test_many_ids_are_found_as_each_alone(known: list[str], wanted: list[str]) -> None:
    ids, (others, _) = Ids.of(known)[0], Ids.of(wanted)
    alone = [ids.row(others[position]) for position in range(len(others))]
    assert ids.rows(others).tolist() == [-1 if row is None else row for row in alone]


OFFSETS = np.array([0, 1, 3], np.int64)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x_offsets": OFFSETS, "x_utf8": np.zeros(3, np.int8)}, r"x_utf8: must be uint8"),
        ({"x_offsets": OFFSETS, "x_utf8": np.zeros((3, 1), np.uint8)}, r"x_utf8: must be uint8"),
        ({"x_offsets": OFFSETS, "x_utf8": np.array([0x41, 0xFF, 0x41], np.uint8)}, r"byte 1 is not UTF-8"),
        ({"x_offsets": OFFSETS, "x_utf8": np.frombuffer("éa".encode(), np.uint8)}, r"starts inside a character"),
        ({"x_offsets": OFFSETS, "x_utf8": np.zeros(2, np.uint8)}, r"must rise from 0 to 2"),
        ({"x_offsets": OFFSETS[1:], "x_utf8": np.zeros(3, np.uint8)}, r"must rise from 0 to 3"),
        ({"x_offsets": np.array([0, 3, 1, 3]), "x_utf8": np.zeros(3, np.uint8)}, r"must rise from 0 to 3"),
        ({"x_offsets": OFFSETS[:0], "x_utf8": np.zeros(0, np.uint8)}, r"offsets must be int64"),
        ({"x_offsets": OFFSETS.astype(np.int32), "x_utf8": np.zeros(3, np.uint8)}, r"offsets must be int64"),
    ],
)
def test_texts_that_do_not_fit_together_are_refused(arrays: dict[str, object], message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        Strings.from_arrays(arrays, "x")  # type: ignore[arg-type]  # a dict of arrays, of several dtypes


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.array([0, 1, 5], np.int32), r"x_rows: holds 0 to 5, but there are 5 rows"),
        (np.array([0, -1, 4], np.int32), r"x_rows: holds -1 to 4"),
        (np.array([0, 1, 4], np.int64), r"x_rows: must be int32"),
        (np.array([0, 1], np.int32), r"x_offsets: offsets must rise from 0 to 2"),
    ],
)
def test_ragged_rows_that_point_nowhere_are_refused(
    rows: np.ndarray[tuple[int], np.dtype[np.int32]], message: str
) -> None:
    with pytest.raises(ArtefactError, match=message):
        Ragged.from_arrays({"x_offsets": OFFSETS, "x_rows": rows}, "x", bound=5)


@pytest.mark.parametrize("values", [[2, 1], [1, 1]])
def test_integer_ids_out_of_order_are_refused(values: list[int]) -> None:
    with pytest.raises(ArtefactError, match="x: ids must be sorted and unique"):
        Ids.from_arrays({"x": np.array(values, np.int64)}, "x")


@given(st.lists(st.lists(st.integers(0, 9)), min_size=1), st.data())
def test_lists_are_taken_as_each_alone(lists: list[list[int]], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(lists) - 1)))
    taken = Ragged.of(lists).take(np.array(chosen, np.int64))
    assert [taken[place].tolist() for place in range(len(taken))] == [lists[row] for row in chosen]
    assert taken.owners().tolist() == [place for place, row in enumerate(chosen) for _ in lists[row]]
