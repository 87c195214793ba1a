"""What is wrong with ratings is said in one sentence: file, line, column, value."""

import gzip
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matinee.errors import MatineeError
from training.data.ratings import Columns, read_ratings
from training.errors import RatingsError

HEADER = b"userId,movieId,rating,timestamp\n"
GOOD = b"1,10,4.5,964982703\n2,20,3.0,964982704\n"


def refusal(source: Path, columns: Columns | None = None) -> str:
    with pytest.raises(RatingsError) as caught:
        read_ratings(source, columns or Columns())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def ratings_csv(folder: Path, content: bytes) -> Path:
    path = folder / "ratings.csv"
    path.write_bytes(content)
    return path


# (the third line of a file, how the sentence goes on after "line 4: ")
BAD_LINES = [
    (b"3,30,,964982703\n", "column 'rating' is '': not a finite number"),
    (b"3,30,great,964982703\n", "column 'rating' is 'great': not a finite number"),
    (b"3,30,NaN,964982703\n", "column 'rating' is 'NaN': not a finite number"),
    (b"3,30,inf,964982703\n", "column 'rating' is 'inf': not a finite number"),
    (b"3,30,1e60,964982703\n", "column 'rating' is '1e60': not a finite number"),
    (b"3,30,NULL,964982703\n", "column 'rating' is 'NULL': not a finite number"),
    (b",30,4.5,964982703\n", "column 'userId' is '': an id that is empty"),
    (b"3,,4.5,964982703\n", "column 'movieId' is '': an id that is empty"),
    (b"3,3\0,4.5,964982703\n", "column 'movieId' is '3\\x00': an id that holds a character that can't be printed"),
    (b"3,30,4.5,yesterday\n", "column 'timestamp' is 'yesterday': not epoch seconds as in the first row"),
    (
        b"3,30,4.5,2005-04-02 23:53:47\n",
        "column 'timestamp' is '2005-04-02 23:53:47': not epoch seconds as in the first",
    ),
    (b"3,30,4.5,nan\n", "column 'timestamp' is 'nan': not epoch seconds between 1900 and 2200"),
    (b"3,30,4.5,0x10\n", "column 'timestamp' is '0x10': not epoch seconds as in the first row"),
    (b"3,30,4.5,964982703000\n", "column 'timestamp' is '964982703000': not epoch seconds between 1900 and 2200"),
    (b"3,30,4.5\n", "has 3 fields, not 4: '3,30,4.5'; is the file cut off?"),
    (b"3,30", "has 2 fields, not 4: '3,30'; is the file cut off?"),
    (b"3,30,4.5,964982703,extra\n", "has 5 fields, not 4"),
    (b'3,"30,4.5,964982703\n', "its quotes do not fit"),
    (b"3,caf\xe9,4.5,964982703\n", "byte 75 is 0xe9, which is not UTF-8; save the file as UTF-8"),
]


@pytest.mark.parametrize(("line", "sentence"), BAD_LINES)
def test_a_bad_line_is_named_with_its_column_and_value(line: bytes, sentence: str, tmp_path: Path) -> None:
    source = ratings_csv(tmp_path, HEADER + GOOD + line)
    assert refusal(source).startswith(f"{source}: line 4: {sentence}")


def test_the_line_is_the_physical_one_far_into_a_large_file(tmp_path: Path) -> None:
    lines = [b"%d,%d,3.5,964982703\n" % (number % 1009, number // 1009) for number in range(50_000)]
    lines[43_210] = b"8,8,3.S,964982703\n"
    lines[40_000] = b"\n"
    source = ratings_csv(tmp_path, HEADER + b"".join(lines))
    assert refusal(source).startswith(f"{source}: line 43212: column 'rating' is '3.S'")
    (tmp_path / "copy.csv.gz").write_bytes(gzip.compress(HEADER + b"".join(lines)))
    assert "copy.csv.gz: line 43212:" in refusal(tmp_path / "copy.csv.gz")


def test_text_times_are_checked_too(tmp_path: Path) -> None:
    text = b'"userId","movieId","rating","timestamp"\n1,2,3.5,"2005-04-02 23:53:47"\n3,4,3.5,"2005-13-02 23:53:47"\n'
    (tmp_path / "rating.csv").write_bytes(text)
    assert "line 3: column 'timestamp' is '2005-13-02 23:53:47': not a time such as" in refusal(tmp_path)


def test_bad_lines_of_the_other_forms_are_named(tmp_path: Path) -> None:
    (tmp_path / "ratings.dat").write_bytes(b"1::2::5::964982703\n1::3:964982703\n")
    assert "line 2: has 2 fields, not 4" in refusal(tmp_path)
    (tmp_path / "ratings.dat").write_bytes(b"1::2::5::964982703\na:b::3::4::964982703\n")
    assert "line 2: column 'UserID' is 'a:b': an id with a colon" in refusal(tmp_path)
    (tmp_path / "ratings.dat").unlink()
    (tmp_path / "u.data").write_bytes(b"1\t2\t5\t964982703\n1\t3\tx\t964982703\n")
    assert "line 2: column 'rating' is 'x'" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"\n1,2,3,4\n", "line 1 is blank"),
        (HEADER, "names its columns but holds no ratings"),
        (HEADER + b"\n\n", "names its columns but holds no ratings"),
        ((HEADER + GOOD).decode().encode("utf-16"), "line 1, byte 0: is UTF-16; save it as UTF-8"),
        (b"user\xe9Id,movieId,rating\n", "line 1, byte 4: is not UTF-8"),
        (b'"userId,movieId,rating\n', "line 1: the names of the columns can't be read"),
        (b"x" * (3 << 20), "line 1 is longer than 1,048,576 bytes"),
        (HEADER + GOOD + b"1," + b"x" * 2000 + b",3,4\n", "line 4: column 'movieId'"),
        (HEADER + b"1," + b"x" * (3 << 20) + b",3,4\n", "a line after line 1 is longer than 1,048,576 bytes"),
    ],
)
def test_a_file_that_holds_no_ratings_is_refused(content: bytes, sentence: str, tmp_path: Path) -> None:
    assert sentence in refusal(ratings_csv(tmp_path, content))


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    source = ratings_csv(tmp_path, b"userId,film,rating\n1,2,3\n")
    assert "no column is known to hold the item; there are 'userId', 'film', 'rating'" in refusal(source)
    assert "choose one with --item-column" in refusal(source)
    assert "has no column 'movie'; there are 'userId', 'film', 'rating'" in refusal(source, Columns(item="movie"))


def test_columns_are_not_guessed_where_two_would_do(tmp_path: Path) -> None:
    source = ratings_csv(tmp_path, b"userId,movieId,item_id,rating\n1,2,3,4\n2,3,4,5\n")
    assert "several columns could hold the item: 'movieId', 'item_id'; choose one with --item-column" in refusal(source)
    assert read_ratings(source, Columns(item="item_id")).item_ids[0] == "3"
    assert "one column is taken for two things" in refusal(source, Columns(item="userId"))


def test_columns_of_the_same_name_are_refused(tmp_path: Path) -> None:
    source = ratings_csv(tmp_path, b"userId,movieId,rating,rating\n1,2,3,4\n2,3,4,5\n")
    assert "several columns could hold the rating" in refusal(source)
    assert "has 2 columns 'rating'; rename them" in refusal(source, Columns(rating="rating"))


@pytest.mark.parametrize(("rows", "kind"), [(b"1,2,3,4\n1,3,3,4\n", "user, '1'"), (b"1,2,3,4\n2,2,3,4\n", "item, '2'")])
def test_one_user_or_one_item_is_nothing_to_learn_from(rows: bytes, kind: str, tmp_path: Path) -> None:
    source = ratings_csv(tmp_path, HEADER + rows)
    assert f"all ratings are of one {kind}; from one there is nothing to learn" in refusal(source)
    assert len(read_ratings(source, least=1)) == 2


def test_a_place_without_ratings_says_what_is_there(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere").startswith(f"{tmp_path / 'nowhere'}: no such file or folder")
    assert "no ratings there, such as ratings.csv, rating.csv, ratings.dat, u.data; it is empty" in refusal(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    assert "it holds notes.txt" in refusal(tmp_path)


def test_one_of_several_files_of_ratings_is_not_guessed(tmp_path: Path) -> None:
    ratings_csv(tmp_path, HEADER + GOOD)
    (tmp_path / "u.data").write_bytes(b"1\t2\t3\t4\n")
    assert "several files could be the ratings: ratings.csv, u.data; name one of them" in refusal(tmp_path)


def test_damaged_archives_are_refused(tmp_path: Path) -> None:
    packed = gzip.compress(HEADER + GOOD * 10_000)
    path = tmp_path / "ratings.csv.gz"
    for content in (packed[:-10], packed[: len(packed) // 2], HEADER + GOOD, packed[:30] + b"\xff" * 9 + packed[39:]):
        path.write_bytes(content)
        assert refusal(path).startswith(f"{path}: damaged or cut off")
    with zipfile.ZipFile(tmp_path / "good.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ml/ratings.csv", HEADER + GOOD * 10_000)
    whole = (tmp_path / "good.zip").read_bytes()
    (tmp_path / "bad.zip").write_bytes(whole[: len(whole) // 2])
    assert "bad.zip: is damaged or no zip archive" in refusal(tmp_path / "bad.zip")
    (tmp_path / "bad.zip").write_bytes(whole[:60] + b"\0" * 20 + whole[80:])
    assert "bad.zip/ml/ratings.csv: damaged or cut off" in refusal(tmp_path / "bad.zip")


def test_an_absurd_expansion_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv.gz"
    million = gzip.compress(b"1,10,4.5,964982703\n" * 55_000)
    path.write_bytes(gzip.compress(HEADER + GOOD) + million * 300)
    assert "unpacks to more than 268,435,456 bytes, 200 times its size" in refusal(path)


def test_bad_parquet_is_refused_with_column_and_row(tmp_path: Path) -> None:
    path = tmp_path / "ratings.parquet"
    path.write_bytes(b"PAR1 nonsense PAR1")
    assert "is damaged or no Parquet file" in refusal(path)
    users, items = ["a", "b", "c"], ["x", "y", "z"]
    for rating, sentence in (
        ([1.0, 2.0, None], "row 3: column 'rating' is None"),
        ([1.0, float("nan"), 2.0], "row 2: column 'rating' is nan"),
        (["1", "2", "good"], "column 'rating' is of type string"),
    ):
        pa.parquet.write_table(pa.table({"user": users, "item": items, "rating": rating}), path)
        assert sentence in refusal(path)
    pa.parquet.write_table(pa.table({"user": [1.5, 2.5], "item": items[:2], "rating": [1.0, 2.0]}), path)
    assert "column 'user' is of type double" in refusal(path)
    pa.parquet.write_table(pa.table({"user": ["a", ""], "item": items[:2], "rating": [1.0, 2.0]}), path)
    assert "an id is empty, too long or" in refusal(path)
    pa.parquet.write_table(pa.table({"user": users[:0], "item": items[:0], "rating": [1.0][:0]}), path)
    assert "names its columns but holds no ratings" in refusal(path)


def test_bad_titles_are_refused_with_their_line(tmp_path: Path) -> None:
    ratings_csv(tmp_path, HEADER + GOOD)
    movies = tmp_path / "movies.csv"
    for content, sentence in (
        (b"movieId,title,genres\n10,Ten,A\n20,Twenty\n", "line 3: has 2 fields, not 3; is the file cut off?"),
        (b'movieId,title,genres\n10,"Ten,A\n', "line 2: unexpected end of data"),
        (b"movieId,title,genres\n10,T\xe9n,A\n", "line 2: byte 25 is 0xe9, which is not UTF-8"),
        (b"number,title\n10,Ten\n", "no column with the item's id; there are 'number', 'title'"),
        (b"movieId,words\n10,Ten\n", "no column with titles; there are 'movieId', 'words'"),
        (b"", "movies.csv: is empty"),
    ):
        movies.write_bytes(content)
        assert sentence in refusal(tmp_path)
    assert "no such file; --items names" in refusal(tmp_path, Columns(items=tmp_path / "none.csv"))


@settings(max_examples=200, deadline=None)
@given(damage=st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=4)), min_size=1, max_size=4))
def test_damaged_text_is_read_or_refused_but_never_crashes(
    damage: list[tuple[int, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = HEADER + GOOD * 3
    for place, piece in damage:
        place %= len(content)
        content = content[:place] + piece + content[place + 2 :]
    source = ratings_csv(tmp_path_factory.mktemp("damaged"), content)
    message = ""
    try:
        read_ratings(source)
    except MatineeError as error:
        message = str(error)
    assert message.startswith(str(source) if message else "")
