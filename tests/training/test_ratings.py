"""What a table of ratings promises to those who learn from it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.columns import Strings
from training.data.ratings import Ratings, read_ratings, write_ratings
from training.data.repeated import superseded


def read(folder: Path, *lines: str, timed: bool = True) -> Ratings:
    header = "userId,movieId,rating" + ",timestamp" * timed
    (folder / "ratings.csv").write_text("\n".join([header, *lines]) + "\n")
    return read_ratings(folder)


def triples(ratings: Ratings) -> list[tuple[str, str, float]]:
    return [
        (ratings.user_ids[user], ratings.item_ids[item], float(value))
        for user, item, value in zip(ratings.user_rows, ratings.item_rows, ratings.values, strict=True)
    ]


def test_of_repeated_pairs_the_latest_counts(tmp_path: Path) -> None:
    ratings = read(tmp_path, "1,1,5,300", "2,1,1,100", "1,1,3,200", "1,2,4,100", "2,1,2,100", "1,1,4,300")
    # Of the two at 300 the later row; of user 2's two at 100 as well.
    assert triples(ratings) == [("1", "2", 4), ("2", "1", 2), ("1", "1", 4)]
    assert ratings.n_repeated == 3
    assert ratings.remarks == ("3 rows rate an item that the same user rates again; the latest of each counts",)


def test_of_repeated_pairs_without_times_the_last_row_counts(tmp_path: Path) -> None:
    ratings = read(tmp_path, "1,1,5", "2,1,1", "1,1,3", "1,2,4", timed=False)
    assert triples(ratings) == [("2", "1", 1), ("1", "1", 3), ("1", "2", 4)]
    assert ratings.n_repeated == 1


rows = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=60)


@given(rows, st.booleans())
def test_what_is_kept_is_what_a_dictionary_would_keep(table: list[tuple[int, int, int]], timed: bool) -> None:
    kept: dict[tuple[int, int], int] = {}
    for position, (user, item, time) in enumerate(table):
        if (user, item) not in kept or not timed or time >= table[kept[user, item]][2]:
            kept[user, item] = position
    users, items, times = np.array(table, np.int64).T
    dropped = superseded(users.astype(np.int32), items.astype(np.int32), times if timed else None, 5, 5)
    assert dropped.tolist() == sorted(set(range(len(table))) - set(kept.values()))


def test_ids_are_sorted_and_only_those_that_occur(tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n9,Nine,A\n10,Ten,B|A\n11,Never rated,C\n")
    ratings = read(tmp_path, "20,10,5,1", "3,9,4,1")
    assert [ratings.user_ids[row] for row in range(ratings.n_users)] == ["3", "20"]
    assert [ratings.item_ids[row] for row in range(ratings.n_items)] == ["9", "10"]
    assert [ratings.item_titles[row] for row in range(2)] == ["Nine", "Ten"]
    assert [ratings.tag_names[row] for row in range(len(ratings.tag_names))] == ["A", "B"]
    assert [ratings.item_tags[row].tolist() for row in range(2)] == [[0], [1, 0]]


def test_seen_lists_each_user_s_items_ascending(tmp_path: Path) -> None:
    ratings = read(tmp_path, "2,30,5,1", "1,20,4,1", "2,10,4,1", "2,20,1,1")
    assert [ratings.seen()[row].tolist() for row in range(2)] == [[1], [0, 1, 2]]
    without_user_1 = ratings.subset(ratings.user_rows == 1)
    assert [without_user_1.seen()[row].tolist() for row in range(2)] == [[], [0, 1, 2]]


def test_a_subset_keeps_ids_and_rows(tmp_path: Path) -> None:
    ratings = read(tmp_path, "2,30,5,1", "1,20,4,2", "2,10,4,3")
    by_mask = ratings.subset(np.array([False, True, True]))
    by_position = ratings.subset(np.array([1, 2]))
    assert triples(by_mask) == triples(by_position) == [("1", "20", 4), ("2", "10", 4)]
    assert (by_mask.n_users, by_mask.n_items) == (2, 3)
    assert by_mask.fingerprint == by_position.fingerprint != ratings.fingerprint


def test_the_fingerprint_tells_rows_values_and_ids_apart(tmp_path: Path) -> None:
    tables = [("1,1,5,1", "2,2,4,1"), ("1,1,5,1", "2,2,4.5,1"), ("1,1,5,1", "3,2,4,1"), ("1,2,5,1", "2,1,4,1")]
    assert len({read(tmp_path, *table).fingerprint for table in tables}) == len(tables)


def test_arrays_are_read_only(tmp_path: Path) -> None:
    ratings = read(tmp_path, "1,1,5,1", "2,2,4,1")
    for part in (ratings, ratings.subset(np.array([0]))):
        for array in (part.user_rows, part.item_rows, part.values, part.timestamps):
            assert array is not None
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0


def test_what_is_written_replaces_the_file_whole(tmp_path: Path) -> None:
    ratings = read(tmp_path, "ann,1,5,1", "b,2,4.25,2")
    (tmp_path / "out.csv").write_text("old")
    write_ratings(ratings, tmp_path / "out.csv")
    assert isinstance(ratings.user_ids.values, Strings)
    assert (tmp_path / "out.csv").read_text().splitlines() == [
        '"user_id","item_id","rating","timestamp"', '"ann",1,5,1', '"b",2,4.25,2',
    ]  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "ratings.csv"]
