"""The same table in every form that users have reads back as the same ratings."""

import gzip
import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from training.data.forms import GENRES_100K
from training.data.parts import unwatched
from training.data.preparing import prepare
from training.data.ratings import Columns, Ratings, read_ratings, write_ratings

Row = tuple[str, str, float, int]

DATA = Path(__file__).parents[3] / "shared" / "data"

ROWS: list[Row] = [
    ("2", "10", 3.5, 1112486027),
    ("1", "10", 4.0, 1112484676),
    ("1", "7", 0.5, 964982703),
    ("10", "20", 5.0, 964981247),
]
TITLES = [("7", 'Héros, le "vrai" (1995)', ["Comedy", "Drama"]), ("10", "Plain (1999)", ["Action"]), ("99", "x", [])]


def csv_text(rows: list[Row], end: str = "\n", header: str = "userId,movieId,rating,timestamp") -> str:
    lines = [f"{quoted(user)},{quoted(item)},{value!r},{time}" for user, item, value, time in rows]
    return end.join([header, *lines, ""])


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"') else text


def movies_csv(end: str = "\n") -> str:
    lines = [f"{item},{quoted(title)},{'|'.join(tags) or '(no genres listed)'}" for item, title, tags in TITLES]
    return end.join(["movieId,title,genres", *lines, ""])


def as_csv(folder: Path, rows: list[Row]) -> Path:
    (folder / "ratings.csv").write_bytes(csv_text(rows).encode())
    (folder / "movies.csv").write_bytes(movies_csv().encode())
    return folder


def as_crlf(folder: Path, rows: list[Row]) -> Path:
    (folder / "ratings.csv").write_bytes(csv_text(rows, "\r\n").encode())
    (folder / "movies.csv").write_bytes(movies_csv("\r\n").encode())
    return folder / "ratings.csv"


def as_csv_without_last_line_end(folder: Path, rows: list[Row]) -> Path:
    as_csv(folder, rows)
    (folder / "ratings.csv").write_bytes(csv_text(rows).encode().rstrip())
    return folder


def as_csv_with_byte_order_mark(folder: Path, rows: list[Row]) -> Path:
    (folder / "ratings.csv").write_bytes(b"\xef\xbb\xbf" + csv_text(rows).encode())
    (folder / "movies.csv").write_bytes(b"\xef\xbb\xbf" + movies_csv().encode())
    return folder


def as_quoted_text_time(folder: Path, rows: list[Row]) -> Path:
    lines = ['"userId","movieId","rating","timestamp"']
    for user, item, value, time in rows:
        text = datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S")
        lines.append(f'{quoted(user)},{quoted(item)},{value},"{text}"')
    (folder / "rating.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "movie.csv").write_text(movies_csv().replace("movieId,title", '"movieId","title"'), encoding="utf-8")
    return folder


def as_dat(folder: Path, rows: list[Row]) -> Path:
    text = "".join(f"{user}::{item}::{value}::{time}\n" for user, item, value, time in rows)
    (folder / "ratings.dat").write_text(text, encoding="utf-8")
    movies = "".join(f"{item}::{title}::{'|'.join(tags)}\n" for item, title, tags in TITLES)
    (folder / "movies.dat").write_text(movies, encoding="latin-1")
    return folder


def as_u_data(folder: Path, rows: list[Row]) -> Path:
    text = "".join(f"{user}\t{item}\t{value}\t{time}\n" for user, item, value, time in rows)
    (folder / "u.data").write_text(text, encoding="utf-8")
    flags = ["|".join("1" if genre in tags else "0" for genre in GENRES_100K) for _, _, tags in TITLES]
    lines = [
        f"{item}|{title}|01-Jan-1995||http://x|{flag}\n" for (item, title, _), flag in zip(TITLES, flags, strict=True)
    ]
    (folder / "u.item").write_text("".join(lines), encoding="latin-1")
    return folder


def as_parquet(folder: Path, rows: list[Row]) -> Path:
    columns = dict(zip(("userId", "movieId", "rating", "timestamp"), map(list, zip(*rows, strict=True)), strict=True))
    pa.parquet.write_table(pa.table(columns), folder / "ratings.parquet", row_group_size=2)
    titles = {
        "movieId": [item for item, _, _ in TITLES],
        "title": [title for _, title, _ in TITLES],
        "genres": [tags for _, _, tags in TITLES],
    }
    pa.parquet.write_table(pa.table(titles), folder / "movies.parquet")
    return folder


def as_gz(folder: Path, rows: list[Row]) -> Path:
    (folder / "ratings.csv.gz").write_bytes(gzip.compress(csv_text(rows).encode()))
    (folder / "movies.csv.gz").write_bytes(gzip.compress(movies_csv().encode()))
    return folder / "ratings.csv.gz"


def as_zip_of_a_folder(folder: Path, rows: list[Row]) -> Path:
    with zipfile.ZipFile(folder / "ml.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ml/", "")
        archive.writestr("ml/ratings.csv", csv_text(rows))
        archive.writestr("ml/movies.csv", movies_csv())
        archive.writestr("ml/tags.csv", "userId,movieId,tag\n")
        archive.writestr("__MACOSX/ml/ratings.csv", b"\0")
    return folder / "ml.zip"


def as_zips_of_one_file(folder: Path, rows: list[Row]) -> Path:
    for name, text in (("ratings.csv", csv_text(rows)), ("movies.csv", movies_csv())):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            archive.writestr(name, text)
    return folder / "ratings.csv.zip"


def as_zipped_parquet(folder: Path, rows: list[Row]) -> Path:
    as_parquet(folder, rows)
    with zipfile.ZipFile(folder / "data.zip", "w") as archive:
        for name in ("ratings.parquet", "movies.parquet"):
            archive.write(folder / name, name)
            (folder / name).unlink()
    return folder / "data.zip"


Writer = Callable[[Path, list[Row]], Path]
FORMS: list[Writer] = [
    as_csv, as_crlf, as_csv_without_last_line_end, as_csv_with_byte_order_mark, as_quoted_text_time, as_dat, as_u_data,
    as_parquet, as_gz, as_zip_of_a_folder, as_zips_of_one_file, as_zipped_parquet,
]  # fmt: skip


def rows_of(ratings: Ratings) -> list[Row]:
    assert ratings.timestamps is not None
    return [
        (ratings.user_ids[user], ratings.item_ids[item], float(value), int(time))
        for user, item, value, time in zip(
            ratings.user_rows, ratings.item_rows, ratings.values, ratings.timestamps, strict=True
        )
    ]


def titles_of(ratings: Ratings) -> dict[str, tuple[str, list[str]]]:
    return {
        ratings.item_ids[row]: (
            ratings.item_titles[row],
            [ratings.tag_names[tag] for tag in ratings.item_tags[row]],
        )
        for row in range(ratings.n_items)
    }


@pytest.mark.parametrize("write", FORMS)
def test_every_form_gives_the_same_rows_titles_and_fingerprint(write: Writer, tmp_path: Path) -> None:
    ratings = read_ratings(write(tmp_path, ROWS))
    assert rows_of(ratings) == ROWS
    assert titles_of(ratings) == {
        "7": ('Héros, le "vrai" (1995)', ["Comedy", "Drama"]),
        "10": ("Plain (1999)", ["Action"]),
        "20": ("", []),
    }
    (tmp_path / "plain").mkdir()
    assert ratings.fingerprint == read_ratings(as_csv(tmp_path / "plain", ROWS)).fingerprint


@pytest.mark.parametrize("write", FORMS)
def test_every_form_can_be_prepared(write: Writer, tmp_path: Path) -> None:
    source = write(tmp_path, ROWS)
    prepare(source, tmp_path / "prepared", Columns(), unwatched)
    ratings = read_ratings(tmp_path / "prepared")
    assert rows_of(ratings) == ROWS
    assert titles_of(ratings) == titles_of(read_ratings(source))


def test_categories_that_no_row_has_are_no_users(tmp_path: Path) -> None:
    users = pa.DictionaryArray.from_arrays(pa.array([2, 1], pa.int8()), ["nobody", "b", "a"])
    table = pa.table({"user": users, "item": ["x", "y"], "rating": [1.0, 2.0]})
    pa.parquet.write_table(table, tmp_path / "ratings.parquet")
    assert rows_of_untimed(read_ratings(tmp_path)) == [("a", "x", 1.0), ("b", "y", 2.0)]
    assert read_ratings(tmp_path).n_users == 2


ids = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters=':"'), min_size=1, max_size=6
)
tables = st.lists(
    st.tuples(
        ids | st.integers(-9, 99).map(str),
        ids | st.integers(0, 99).map(str),
        st.floats(-100, 100, width=32),
        st.integers(0, 4_000_000_000),
    ),
    min_size=2,
    max_size=12,
    unique_by=lambda row: (row[0], row[1]),
).filter(lambda rows: len({row[0] for row in rows}) > 1 and len({row[1] for row in rows}) > 1)


@pytest.mark.parametrize("write", FORMS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=tables)
def test_any_table_in_any_form_reads_back_as_it_was(
    write: Writer, rows: list[Row], tmp_path_factory: pytest.TempPathFactory
) -> None:
    ratings = read_ratings(write(tmp_path_factory.mktemp("form"), rows))
    assert rows_of(ratings) == rows
    copy = tmp_path_factory.mktemp("copy") / "copy.csv"
    write_ratings(ratings, copy)
    again = read_ratings(copy)
    assert rows_of(again) == rows
    assert again.fingerprint == ratings.fingerprint


def test_ids_are_text_so_007_and_7_are_different_users(tmp_path: Path) -> None:
    ratings = read_ratings(as_csv(tmp_path, [("007", "1", 1.0, 5), ("7", "2", 2.0, 6), ("NULL", "NA", 3.0, 7)]))
    assert [ratings.user_ids[row] for row in range(3)] == ["007", "7", "NULL"]


def test_named_columns_are_taken_from_any_csv(tmp_path: Path) -> None:
    (tmp_path / "plays.csv").write_text('who,when,"what, exactly",how\nann,2,x,1\nbob,3,y,2\n')
    columns = Columns(user="who", item="what, exactly", rating="how", timestamp="when")
    assert rows_of(read_ratings(tmp_path / "plays.csv", columns)) == [("ann", "x", 1, 2), ("bob", "y", 2, 3)]


def test_what_a_column_was_taken_for_is_said(tmp_path: Path) -> None:
    (tmp_path / "plays.csv").write_text("Book-ID;User-ID;Score\n1;a;1\n2;b;2\n")
    ratings = read_ratings(tmp_path / "plays.csv")
    assert rows_of_untimed(ratings) == [("a", "1", 1.0), ("b", "2", 2.0)]
    assert "user from column 'User-ID', item from column 'Book-ID', rating from column 'Score'" in ratings.remarks[0]


def rows_of_untimed(ratings: Ratings) -> list[tuple[str, str, float]]:
    assert ratings.timestamps is None
    return [
        (ratings.user_ids[user], ratings.item_ids[item], float(value))
        for user, item, value in zip(ratings.user_rows, ratings.item_rows, ratings.values, strict=True)
    ]


def test_parquet_takes_integer_ids_and_real_timestamps(tmp_path: Path) -> None:
    table = pa.table(
        {
            "user_id": pa.array([7, 8], pa.int32()),
            "item_id": pa.array([1, 2], pa.uint16()),
            "rating": pa.array([4, 5], pa.int8()),
            "timestamp": pa.array([1112486027000, 5], pa.timestamp("ms", "UTC")),
        }
    )
    pa.parquet.write_table(table, tmp_path / "any.parquet")
    assert rows_of(read_ratings(tmp_path / "any.parquet")) == [("7", "1", 4.0, 1112486027), ("8", "2", 5.0, 0)]


def test_the_id_column_that_knows_the_rated_items_is_found(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("book_id,user_id,rating\n1,a,1\n2,b,2\n")
    (tmp_path / "books.csv").write_text("id,book_id,title,genres\n1,900,One,\n2,1,Two,\n")
    assert [title for title, _ in titles_of(read_ratings(tmp_path)).values()] == ["One", "Two"]
    columns = Columns(item_id="book_id")
    assert [title for title, _ in titles_of(read_ratings(tmp_path, columns)).values()] == ["Two", ""]


def test_titles_come_from_the_file_and_columns_that_are_named(tmp_path: Path) -> None:
    as_csv(tmp_path, ROWS)
    (tmp_path / "other.csv").write_text("no,label,words\n7,Seven,b|a|b\n")
    columns = Columns(items=tmp_path / "other.csv", item_id="no", title="label", tags="words")
    assert titles_of(read_ratings(tmp_path, columns))["7"] == ("Seven", ["b", "a"])


def test_several_files_of_titles_are_not_guessed_among(tmp_path: Path) -> None:
    as_csv(tmp_path, ROWS)
    (tmp_path / "books.csv").write_text("id,title\n7,Seven\n")
    ratings = read_ratings(tmp_path)
    assert titles_of(ratings)["7"] == ("", [])
    assert "books.csv, movies.csv; choose one with --items" in ratings.remarks[0]


@pytest.mark.skipif(not (DATA / "ml-latest-small").is_dir(), reason="MovieLens latest-small is not at ../shared/data")
def test_movielens_latest_small_has_its_published_counts() -> None:
    ratings = read_ratings(DATA / "ml-latest-small")
    assert (len(ratings), ratings.n_users, ratings.n_items, ratings.n_repeated) == (100_836, 610, 9_724, 0)
    assert titles_of(ratings)["1"][0] == "Toy Story (1995)"
    assert all(title for title, _ in titles_of(ratings).values())
    assert ratings.remarks == ()


@pytest.mark.skipif(not (DATA / "goodbooks-10k-v1").is_dir(), reason="goodbooks-10k is not at ../shared/data")
def test_goodbooks_reads_by_its_names_and_drops_its_repeated_pairs() -> None:
    source = DATA / "goodbooks-10k-v1"
    found = read_ratings(source)
    assert (found.n_users, found.n_items, found.n_repeated) == (53_424, 10_000, 2_278)
    assert len(found) == 981_756 - 2_278
    assert titles_of(found)["1"][0] == "The Hunger Games (The Hunger Games, #1)"
    named = Columns("user_id", "book_id", "rating", items=source / "books.csv", item_id="id", title="title")
    assert read_ratings(source, named).fingerprint == found.fingerprint


def test_a_stream_of_many_blocks_is_one_table(tmp_path: Path) -> None:
    text = io.StringIO()
    text.write("userId,movieId,rating,timestamp\n")
    for number in range(1_500_000):
        text.write(f"{number % 1009},{number // 1009},3.5,1112486027\n")
    (tmp_path / "ratings.csv.gz").write_bytes(gzip.compress(text.getvalue().encode(), 1))
    ratings = read_ratings(tmp_path)
    assert (len(ratings), ratings.n_users, ratings.n_items) == (1_500_000, 1009, 1487)
    assert [ratings.user_ids[int(row)] for row in ratings.user_rows[-3:]] == [
        str(number % 1009) for number in range(1_499_997, 1_500_000)
    ]
