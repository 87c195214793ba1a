"""Reading pickles without running them: plain values are those that pickle itself reads, and any other is refused."""

import io
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matinee.errors import MatineeError
from tests.training.exported import N_USERS, mappings_of, random_arrays, ratings_table, save_export
from training.errors import ImportingError
from training.importing.notebook import read_export
from training.importing.pickled import read_pickle
from training.importing.plain import Members, Table

int64 = st.integers(-(2**63), 2**63 - 1)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
# A text of NumPy loses the nulls at its end, in NumPy itself.
numpy_words = words.map(lambda text: "x" + text.replace("\0", ""))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    int64,
    st.floats(),
    words,
    st.integers(-(2**15), 2**15 - 1).map(np.int16),
    int64.map(np.int64),
    st.integers(0, 2**64 - 1).map(np.uint64),
    st.floats(width=32).map(np.float32),
    st.floats(width=16).map(np.float16),
    st.booleans().map(np.bool_),
    numpy_words.map(np.str_),
)
sets = st.sets(int64 | st.integers(0, 300), max_size=40)
tables = st.recursive(
    st.dictionaries(int64 | words | int64.map(np.int64), scalars | sets, max_size=8),
    lambda inner: st.dictionaries(int64 | words, inner | scalars, max_size=4),
    max_leaves=6,
)
no_files_between = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def plain(value: Any) -> Any:
    """What was read, or what pickle reads, as values that compare: NaN is itself."""
    match value:
        case Table():
            return plain(dict(zip(value.keys, value.values, strict=True)))
        case Members():
            return set(value.to_array().tolist())
        case dict():
            return {plain(key): plain(item) for key, item in value.items()}
        case np.generic():
            return plain(value.item())
        case float() if math.isnan(value):
            return "NaN"
        case _:
            return value


class Oracle(pickle.Unpickler):
    """pickle itself, with no name but those of NumPy's scalars."""

    def find_class(self, module: str, name: str) -> Any:
        assert (module, name) in {
            ("numpy", "dtype"), ("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar")
        }  # fmt: skip
        return super().find_class("numpy._core.multiarray" if name == "scalar" else module, name)


@no_files_between
@given(value=tables, protocol=st.sampled_from([4, 5]))
def test_plain_values_are_read_as_pickle_reads_them(value: Any, protocol: int, tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(value, protocol))
    assert plain(read_pickle(tmp_path / "a.pkl", most_sets=1000)) == plain(value)


def test_a_set_of_many_numbers_is_read_over_many_frames(tmp_path: Path) -> None:
    value = {user: set(range(user, 70_000 * (user + 1), 7)) for user in range(5)}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(value))
    assert plain(read_pickle(tmp_path / "a.pkl", most_sets=5)) == value


def test_a_number_of_the_other_byte_order_is_read(tmp_path: Path) -> None:
    value = {"n": np.array([258], ">i4")[0], "t": np.array(["ab"], ">U2")[0], "f": np.array([1.5], ">f8")[0]}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(value))
    assert plain(read_pickle(tmp_path / "a.pkl", most_sets=0)) == {"n": 258, "t": "ab", "f": 1.5}


@pytest.mark.parametrize("protocol", [0, 1, 2, 3])
def test_older_protocols_are_refused_by_their_number(protocol: int, tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"a": 1}, protocol))
    with pytest.raises(ImportingError, match=r"protocol 4 or 5|of protocol [23]; only 4 and 5"):
        read_pickle(tmp_path / "a.pkl", most_sets=0)


@pytest.mark.parametrize(
    "value", [[1], (1,), {"a": [1]}, frozenset([1]), b"a", {"a": b"b"}, 2**64, 1j, bytearray(b"a"), range(3),
              np.zeros(3), np.datetime64(1, "s"), np.complex64(1), np.bytes_(b"a"), ratings_table(), Path("a")],
    ids=repr,
)  # fmt: skip
def test_whatever_is_not_plain_is_refused(value: Any, tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(value))
    with pytest.raises(ImportingError, match=r"a\.pkl: byte \d+: .*; nothing in it was run$"):
        read_pickle(tmp_path / "a.pkl", most_sets=9)


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_export(tmp_path_factory.mktemp("export") / "saved", mappings_of(ratings_table()), random_arrays())


GOOD = pickle.dumps(mappings_of(ratings_table()))
changes = st.lists(
    st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 3), st.binary(min_size=1, max_size=3)),
    min_size=1,
    max_size=3,
)


def mutated(changed: list[tuple[int, int, bytes]]) -> bytes:
    raw = GOOD
    for place, n_gone, new in changed:
        raw = raw[:place] + new + raw[place + n_gone :]
    return raw


@settings(no_files_between, max_examples=400)
@given(changed=changes)
def test_a_changed_pickle_is_refused_or_read_as_pickle_reads_it(changed: Any, export: Path) -> None:
    raw = mutated(changed)
    (export / "mappings.pkl").write_bytes(raw)
    try:
        value = read_pickle(export / "mappings.pkl", most_sets=N_USERS)
    except MatineeError:
        return
    assert plain(value) == plain(Oracle(io.BytesIO(raw)).load())


@settings(no_files_between, max_examples=200)
@given(changed=changes)
def test_a_changed_export_is_imported_or_refused_and_never_fails_otherwise(changed: Any, export: Path) -> None:
    raw = mutated(changed)
    (export / "mappings.pkl").write_bytes(raw)
    try:
        model = read_export(export).model
    except MatineeError:
        return
    told = Oracle(io.BytesIO(raw)).load()
    users, items = model.users.ids, model.items.ids
    assert {users[row] for row in range(N_USERS)} == {str(user) for user in told["user_to_idx"]}
    if "user_consumed" in told and model.seen is not None:
        for user, row in told["user_to_idx"].items():
            here = users.row(str(user))
            assert here is not None
            seen = {items[item] for item in model.seen[here]}
            by_row = {row: str(movie) for movie, row in told["movie_to_idx"].items()}
            assert seen == {by_row[item] for item in told["user_consumed"].get(row, ())}


def test_cut_off_anywhere_it_is_refused(export: Path) -> None:
    for place in range(len(GOOD)):
        (export / "mappings.pkl").write_bytes(GOOD[:place])
        with pytest.raises(ImportingError):
            read_pickle(export / "mappings.pkl", most_sets=N_USERS)
