"""`matinee import-arrays`: any model's vectors come out under their ids, and what is wrong is named by its row."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from numpy.typing import NDArray

from training.__main__ import main
from training.columns import Ids
from training.embeddings import Embeddings, open_embeddings

N_USERS, N_ITEMS, DIM = 7, 9, 4
RNG = np.random.default_rng(3)
USERS = RNG.normal(size=(N_USERS, DIM)).astype(np.float32)
ITEMS = RNG.normal(size=(N_ITEMS, DIM)).astype(np.float32)
USER_IDS = [40, 7, -3, 12, 1000, 8, 9]
ITEM_IDS = ["é", "b", "a", "10", "9", "x y", "Z", "aa", "ab"]
ROWS = ["user", "item"]


def save(folder: Path, **arrays: Any) -> None:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """users.npy, items.npy, users.txt, items.txt: a model in the least convenient order of its ids."""
    folder = tmp_path / "files"
    folder.mkdir()
    save(folder, users=USERS, items=ITEMS)
    (folder / "users.txt").write_text("\n".join(map(str, USER_IDS)) + "\n")
    (folder / "items.txt").write_text("\n".join(ITEM_IDS) + "\n", encoding="utf-8")
    return folder


def run(out: Path, users: Path, items: Path, *arguments: object) -> int:
    files = ("--user-embeddings", users, "--item-embeddings", items)
    return main(["import-arrays", *map(str, (out, *files, *arguments))])


def imported(files: Path, *arguments: object) -> Embeddings:
    out = files.parent / "out"
    assert run(out, files / "users.npy", files / "items.npy", *arguments) == 0
    return open_embeddings(out)


def with_ids(files: Path, *arguments: object) -> Embeddings:
    return imported(files, "--user-ids", files / "users.txt", "--item-ids", files / "items.txt", *arguments)


def check_rows(ids: Ids, given: list[Any], found: NDArray[Any], expected: NDArray[Any]) -> None:
    """Row j of `expected` is found where the id given[j] is."""
    assert len(ids) == len(given)
    for one, row in zip(given, expected, strict=True):
        place = ids.row(str(one))
        assert place is not None
        np.testing.assert_array_equal(found[place], row)


def test_every_vector_and_bias_comes_out_under_its_id(files: Path) -> None:
    save(files, user_biases=USERS[:, 0], item_biases=ITEMS[:, :1])
    biases = ("--user-biases", files / "user_biases.npy", "--item-biases", files / "item_biases.npy")
    embeddings = with_ids(files, *biases, "--global-bias", "3.5", "--scores", "ratings")
    catalogue = embeddings.catalogue
    check_rows(catalogue.user_ids, USER_IDS, embeddings.user_embeddings, USERS)
    check_rows(catalogue.item_ids, ITEM_IDS, embeddings.item_embeddings, ITEMS)
    check_rows(catalogue.user_ids, USER_IDS, embeddings.user_biases, USERS[:, 0])
    check_rows(catalogue.item_ids, ITEM_IDS, embeddings.item_biases, ITEMS[:, 0])
    assert embeddings.global_bias == 3.5
    assert embeddings.scores_are_ratings
    assert embeddings.description["origin"] == "arrays import"
    assert [catalogue.user_ids[row] for row in range(N_USERS)] == [str(user) for user in sorted(USER_IDS)]


def test_without_ids_rows_are_numbered_and_without_biases_they_are_0(files: Path) -> None:
    embeddings = imported(files)
    np.testing.assert_array_equal(embeddings.user_embeddings, USERS)
    assert [embeddings.catalogue.item_ids[row] for row in range(N_ITEMS)] == [str(row) for row in range(N_ITEMS)]
    assert not embeddings.user_biases.any()
    assert not embeddings.item_biases.any()
    assert not embeddings.scores_are_ratings


@pytest.mark.parametrize("dtype", ["<f2", "<f8", ">f4", ">f8"])
def test_floats_of_any_width_and_order_come_out_as_float32(dtype: str, files: Path) -> None:
    save(files, users=USERS.astype(dtype), items=np.asfortranarray(ITEMS.astype(dtype)))
    embeddings = with_ids(files)
    check_rows(embeddings.catalogue.user_ids, USER_IDS, embeddings.user_embeddings, USERS.astype(dtype).astype("f4"))
    check_rows(embeddings.catalogue.item_ids, ITEM_IDS, embeddings.item_embeddings, ITEMS.astype(dtype).astype("f4"))


@pytest.mark.parametrize(
    "ids",
    [np.array(USER_IDS), np.array(USER_IDS, np.int16), np.array([str(user) for user in USER_IDS])],
    ids=["int64", "int16", "text"],
)
def test_ids_come_from_arrays_too(ids: Any, files: Path) -> None:
    save(files, ids=ids)
    embeddings = imported(files, "--user-ids", files / "ids.npy")
    check_rows(embeddings.catalogue.user_ids, USER_IDS, embeddings.user_embeddings, USERS)


def test_ids_beyond_int64_are_texts(files: Path) -> None:
    ids = [2**64 - 1 - n for n in range(N_USERS)]
    save(files, ids=np.array(ids, np.uint64))
    embeddings = imported(files, "--user-ids", files / "ids.npy")
    check_rows(embeddings.catalogue.user_ids, ids, embeddings.user_embeddings, USERS)


def test_ids_in_a_csv_may_be_quoted(files: Path) -> None:
    (files / "users.csv").write_bytes("\r\n".join([f'"a,{user}"' for user in USER_IDS]).encode() + b"\r\n")
    embeddings = imported(files, "--user-ids", files / "users.csv")
    check_rows(embeddings.catalogue.user_ids, [f"a,{user}" for user in USER_IDS], embeddings.user_embeddings, USERS)


def lists(vectors: NDArray[Any], kind: Any = None) -> Any:
    return pa.array(vectors.tolist(), kind or pa.list_(pa.float32()))


TABLES: dict[str, Callable[[], Any]] = {
    "lists": lambda: {"user_id": USER_IDS, "vector": lists(USERS)},
    "lists of fixed size": lambda: {"vector": lists(USERS, pa.list_(pa.float32(), DIM)), "userId": USER_IDS},
    "large lists of float64": lambda: {"id": USER_IDS, "vector": lists(USERS, pa.large_list(pa.float64()))},
    "a column for each dimension": lambda: {"id": USER_IDS, **{f"d{n}": USERS[:, n] for n in range(DIM)}},
    "texts": lambda: {"user": list(map(str, USER_IDS)), "vector": lists(USERS)},
    "a dictionary of texts": lambda: {
        "user": pa.array(map(str, USER_IDS)).dictionary_encode(),
        "vector": lists(USERS),
    },
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_vectors_come_from_parquet_with_their_ids(table: Callable[[], Any], files: Path) -> None:
    pa.parquet.write_table(pa.table(table()), files / "users.parquet", row_group_size=3)
    assert run(files.parent / "out", files / "users.parquet", files / "items.npy") == 0
    embeddings = open_embeddings(files.parent / "out")
    check_rows(embeddings.catalogue.user_ids, USER_IDS, embeddings.user_embeddings, USERS)


def test_columns_of_parquet_can_be_named(files: Path) -> None:
    columns = {"id": list(range(N_USERS)), "old": lists(-USERS), "who": USER_IDS, "new": lists(USERS)}
    pa.parquet.write_table(pa.table(columns), files / "users.parquet")
    items = {"who": ITEM_IDS, "new": lists(ITEMS)}
    pa.parquet.write_table(pa.table(items), files / "items.parquet")
    flags = ("--id-column", "who", "--vector-column", "new")
    assert run(files.parent / "out", files / "users.parquet", files / "items.parquet", *flags) == 0
    embeddings = open_embeddings(files.parent / "out")
    check_rows(embeddings.catalogue.user_ids, USER_IDS, embeddings.user_embeddings, USERS)
    check_rows(embeddings.catalogue.item_ids, ITEM_IDS, embeddings.item_embeddings, ITEMS)


def test_ratings_bring_seen_items_and_titles(files: Path) -> None:
    rated = [(40, "b", 5.0), (40, "é", 1.0), (7, "aa", 3.0), (7, "unknown", 3.0), (99, "b", 2.0)]
    lines = [f"{user},{item},{value}" for user, item, value in rated]
    (files / "ratings.csv").write_text("\n".join(["userId,itemId,rating", *lines]) + "\n", encoding="utf-8")
    (files / "items.csv").write_text("itemId,title,genres\nb,Bee,Nature|Short\n", encoding="utf-8")
    embeddings = with_ids(files, "--ratings", files / "ratings.csv")
    catalogue = embeddings.catalogue
    for user, expected in ((40, {"b", "é"}), (7, {"aa"}), (8, set())):
        row = catalogue.user_ids.row(str(user))
        assert row is not None
        assert {catalogue.item_ids[item] for item in catalogue.seen[row]} == expected
    assert embeddings.description["rating_scale"] == [1.0, 5.0]
    bee = catalogue.item_ids.row("b")
    assert bee is not None
    assert catalogue.item_titles[bee] == "Bee"
    assert [catalogue.tag_names[tag] for tag in catalogue.item_tags[bee]] == ["Nature", "Short"]


def test_titles_of_a_file_are_those_of_all_items(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "titles.csv").write_text("itemId,title\nb,Bee\nab,Both\n", encoding="utf-8")
    catalogue = with_ids(files, "--items", files / "titles.csv", "--json").catalogue
    assert {catalogue.item_titles[row] for row in range(N_ITEMS)} == {"", "Bee", "Both"}
    told = capsys.readouterr()
    assert json.loads(told.out)["n_titles"] == 2
    assert "recommendations will contain items that a user has seen already" in told.err


def test_what_was_imported_is_indexed(files: Path) -> None:
    with_ids(files)
    command = [sys.executable, "-m", "matinee", "index", str(files.parent / "out"), str(files.parent / "store")]
    indexed = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert indexed.returncode == 0, indexed.stderr
    assert json.loads(indexed.stdout)["scores"] == "preferences"


def test_sorted_float32_is_written_from_the_mapped_file_without_a_copy(files: Path) -> None:
    from training.importing.vectors import ArrayVectors, placed

    wide = np.ones((2000, 4), np.float32)
    save(files, wide=wide)
    vectors = ArrayVectors(files / "wide.npy")
    assert np.shares_memory(placed(vectors, np.arange(2000)), vectors.array)
    assert not np.shares_memory(placed(vectors, np.arange(2000)[::-1]), vectors.array)


def texts(name: str, content: str | bytes) -> Callable[[Path], None]:
    raw = content if isinstance(content, bytes) else content.encode()

    def write(folder: Path) -> None:
        (folder / name).write_bytes(raw)

    return write


def changed(name: str, array: Any) -> Callable[[Path], None]:
    return lambda folder: save(folder, **{name: array})


def but(array: NDArray[Any], row: int, value: float) -> NDArray[Any]:
    copy = array.astype(np.float64)
    copy[row, 1] = value
    return copy


USER_LINES = list(map(str, USER_IDS))
REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "an id twice": (
        texts("users.txt", "\n".join([*USER_LINES[:6], "7"])),
        "users.txt: row 7: user '7' is in row 2 too; a user has one row",
    ),
    "a text twice": (texts("items.txt", "\n".join("abcdefgba")), "items.txt: row 8: item 'b' is in row 2 too"),
    "an empty id": (texts("items.txt", "a\nb\n\nd\ne\nf\ng\nh\ni"), "items.txt: row 3: the item has an empty id"),
    "too few ids": (texts("users.txt", "1\n2\n"), "users.txt: has 2 ids, and"),
    "a heading": (texts("users.txt", "\n".join(["user_id", *USER_LINES])), "the first is 'user_id': is it a heading?"),
    "no text": (texts("users.txt", b"\xff\xfe1\n"), "users.txt: byte 0 is not UTF-8"),
    "no ids": (lambda folder: (folder / "users.txt").unlink(), "users.txt: no such file; give the ids as"),
    "no vectors": (lambda folder: (folder / "users.npy").unlink(), "users.npy: no such file; give the vectors as"),
    "NaN": (changed("users", but(USERS, 4, np.nan)), "users.npy: row 5: holds NaN, infinity or more than float32 can"),
    "infinity": (changed("items", but(ITEMS, 8, -np.inf)), "items.npy: row 9: holds NaN, infinity"),
    "too large": (changed("items", but(ITEMS, 2, 1e39)), "items.npy: row 3: holds NaN, infinity or more than float32"),
    "another width": (changed("items", ITEMS[:, :3]), "users.npy: its vectors are 4 wide, those in"),
    "whole numbers": (changed("items", ITEMS.astype(int)), "items.npy: is int64 (9, 4); it must be float16, float32"),
    "complex": (changed("items", ITEMS.astype(complex)), "items.npy: is complex128 (9, 4); it must be float16"),
    "one dimension": (changed("items", ITEMS[0]), "items.npy: is float32 (4,); it must be"),
    "no rows": (changed("items", ITEMS[:0]), "items.npy: is float32 (0, 4); it must be"),
    "no width": (changed("users", USERS[:, :0]), "users.npy: is float32 (7, 0); it must be"),
    "objects": (changed("items", ITEMS.astype(object)), "items.npy: is not a NumPy array that can be read safely"),
    "no array": (texts("items.npy", "id,x\n"), "items.npy: is not a NumPy array that can be read safely"),
    "bias NaN": (changed("biases", np.array([0, 0, np.nan, 0, 0, 0, 0])), "biases.npy: row 3: holds NaN or infinity"),
    "biases of others": (changed("biases", np.zeros(9)), "biases.npy: has 9 biases, and there are 7 vectors"),
    "biases in two columns": (changed("biases", np.zeros((7, 2))), "biases.npy: is float64 (7, 2); it must be"),
}


@pytest.mark.parametrize(("change", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_wrong_is_named_and_nothing_is_written(
    change: Callable[[Path], None], sentence: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(files, biases=np.zeros(N_USERS))
    change(files)
    flags = (
        "--user-ids",
        files / "users.txt",
        "--item-ids",
        files / "items.txt",
        "--user-biases",
        files / "biases.npy",
    )
    check_refused(files, files / "users.npy", sentence, capsys, *flags)


def check_refused(files: Path, users: Path, sentence: str, capsys: pytest.CaptureFixture[str], *flags: object) -> None:
    assert run(files.parent / "out", users, files / "items.npy", *flags) == 1
    told = capsys.readouterr().err
    assert sentence in told
    assert told.count("\n") == 1
    assert [path.name for path in files.parent.iterdir()] == ["files"]


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.zeros(N_USERS), "ids.npy: is float64 (7,); ids are whole numbers or texts (n,)"),
        (np.zeros((N_USERS, 1), int), "ids.npy: is int64 (7, 1); ids are whole numbers or texts (n,)"),
        (np.array([5, 1, 2, 5, 3, 1, 4]), "ids.npy: row 4: user '5' is in row 1 too"),
        (np.array([*list("abcde"), "", ""]), "ids.npy: row 6: the user has an empty id"),
        (np.array(["a\ud800", *"bcdefg"]), "ids.npy: an id, 'a\\ud800', is no Unicode text"),
    ],
    ids=["floats", "a column", "twice", "empty", "half a character"],
)
def test_ids_that_can_not_be_are_refused(
    array: Any, sentence: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(files, ids=array)
    check_refused(files, files / "users.npy", sentence, capsys, "--user-ids", files / "ids.npy")


def test_fields_beside_ids_are_refused(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "users.csv").write_text("1\n2,b\n")
    sentence = "users.csv: line 2: has 2 fields; ids come one in a line"
    check_refused(files, files / "users.npy", sentence, capsys, "--user-ids", files / "users.csv")


def ragged(row: int, values: list[float | None] | None) -> Any:
    rows: list[Any] = USERS.tolist()
    rows[row] = values
    return pa.array(rows, pa.list_(pa.float32()))


WRONG_TABLES: dict[str, tuple[dict[str, Any], str]] = {
    "another width": ({"id": USER_IDS, "v": ragged(4, [1.0])}, "row 5: its vector is 1 wide, that of row 1 4"),
    "no vector": ({"id": USER_IDS, "v": ragged(2, None)}, "row 3: column 'v' is empty (null); repair the row"),
    "no first vector": ({"id": USER_IDS, "v": ragged(0, None)}, "row 1: column 'v' is empty (null); repair the row"),
    "an empty vector": ({"id": USER_IDS, "v": ragged(0, [])}, "row 1: column 'v' has a vector without numbers"),
    "no number": ({"id": USER_IDS, "v": ragged(5, [1.0, None, 2.0, 3.0])}, "row 6: its vector lacks a number (null)"),
    "NaN": ({"id": USER_IDS, "v": ragged(6, [1.0, 2.0, 3.0, float("nan")])}, "row 7: holds NaN, infinity or more"),
    "no id": ({"id": [*USER_IDS[:6], None], "v": lists(USERS)}, "row 7: column 'id' is empty (null)"),
    "an id twice": ({"id": [*USER_IDS[:6], 40], "v": lists(USERS)}, "users.parquet: row 7: user '40' is in row 1 too"),
    "an id of floats": ({"id": [0.5] * 7, "v": lists(USERS)}, "column 'id' is of type double; ids are whole numbers"),
    "texts in a list": (
        {"v": [["a"]] * 7},
        "column 'v' is of type list<element: string>; vectors are lists of numbers",
    ),
    "texts": ({"id": USER_IDS, "a": USERS[:, 0], "b": ["x"] * 7}, "has no column of lists, and 'b' besides numbers"),
    "only ids": ({"id": USER_IDS}, "has no column of lists, and nothing but ids besides numbers"),
    "a dimension without a number": (
        {"id": USER_IDS, "a": [1.0] * 6 + [None], "b": [1.0] * 7},
        "row 7: column 'a' is empty (null)",
    ),
    "no rows": ({"id": pa.array([], pa.int64()), "v": pa.array([], pa.list_(pa.float32()))}, "has no rows"),
}


@pytest.mark.parametrize(("table", "sentence"), WRONG_TABLES.values(), ids=WRONG_TABLES.keys())
def test_what_is_wrong_in_parquet_is_named_by_its_row(
    table: dict[str, Any], sentence: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "a" in table:
        save(files, items=ITEMS[:, :2])
    pa.parquet.write_table(pa.table(table), files / "users.parquet")
    check_refused(files, files / "users.parquet", sentence, capsys)


@pytest.mark.parametrize("raw", [b"", b"PAR1", b"PAR1" + b"\xff" * 200 + b"PAR1"], ids=["empty", "short", "damaged"])
def test_a_damaged_parquet_file_is_refused(raw: bytes, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "users.parquet").write_bytes(raw)
    check_refused(files, files / "users.parquet", "users.parquet: is damaged or no Parquet file", capsys)


def test_a_column_that_is_not_there_is_named(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pa.parquet.write_table(pa.table({"id": USER_IDS, "v": lists(USERS)}), files / "users.parquet")
    sentence = "has no column 'w'; there are 'id', 'v': choose one with --vector-column"
    check_refused(files, files / "users.parquet", sentence, capsys, "--vector-column", "w")
