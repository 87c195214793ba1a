"""`matinee prepare`: the same ratings in the same order, mapped; a killed run goes on to the same bytes."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from matinee.command import DONE, FAILED, INTERRUPTED, WRONG_USAGE
from training.__main__ import main
from training.artefact import MANIFEST, _canonical, _content_hash
from training.data.parts import unwatched
from training.data.prepared import open_prepared
from training.data.preparing import prepare, workplace
from training.data.ratings import DETECTED, Columns, Ratings, read_ratings
from training.errors import ArtefactError, PlaceTakenError, RatingsError

LINES = ("2,20,5,300", "1,10,1,100", "2,20,3,200", "1,7,4,100", "3,10,2,900")


def small(folder: Path) -> Path:
    source = folder / "small"
    source.mkdir()
    (source / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *LINES, ""]))
    (source / "movies.csv").write_text("movieId,title,genres\n7,Seven,B|A\n10,Ten,A\n")
    return source


def prepared(source: Path, out: Path, columns: Columns = DETECTED) -> Path:
    prepare(source, out, columns, unwatched)
    return out


def content(ratings: Ratings) -> dict[str, Any]:
    """Everything that ratings are, as lists."""
    arrays = {
        "user_rows": ratings.user_rows,
        "item_rows": ratings.item_rows,
        "values": ratings.values,
        **ratings.user_ids.to_arrays("user_ids"),
        **ratings.item_ids.to_arrays("item_ids"),
        **ratings.item_titles.to_arrays("item_titles"),
        **ratings.item_tags.to_arrays("item_tags"),
        **ratings.tag_names.to_arrays("tag_names"),
    }
    if ratings.timestamps is not None:
        arrays["timestamps"] = ratings.timestamps
    listed = {name: (array.dtype, array.tolist()) for name, array in arrays.items()}
    return {**listed, "n_repeated": ratings.n_repeated, "remarks": ratings.remarks, "fingerprint": ratings.fingerprint}


def test_prepared_ratings_are_those_of_their_source_in_the_order_of_its_file(tmp_path: Path) -> None:
    source = small(tmp_path)
    ratings = open_prepared(prepared(source, tmp_path / "out"))
    assert content(ratings) == content(read_ratings(source))
    assert ratings.n_repeated == 1
    assert content(read_ratings(tmp_path / "out")) == content(ratings)


def test_ratings_without_times_and_with_text_ids_are_prepared_too(tmp_path: Path) -> None:
    (tmp_path / "plays.csv").write_text("who;what;how\nånn;x;1\nbob;y;2\nånn;x;3\n", encoding="utf-8")
    columns = Columns(user="who", item="what", rating="how")
    out = prepared(tmp_path / "plays.csv", tmp_path / "out", columns)
    assert content(read_ratings(out)) == content(read_ratings(tmp_path / "plays.csv", columns))


def test_which_column_is_what_was_fixed_by_preparing(tmp_path: Path) -> None:
    out = prepared(small(tmp_path), tmp_path / "out")
    with pytest.raises(RatingsError, match="was prepared, and that fixed which column is what"):
        read_ratings(out, Columns(rating="rating"))


def test_one_user_is_prepared_but_not_learnt_from(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating\n1,2,3\n1,3,4\n")
    out = prepared(tmp_path / "ratings.csv", tmp_path / "out")
    assert len(read_ratings(out, least=1)) == 2
    with pytest.raises(RatingsError, match="all ratings are of one user, '1'"):
        read_ratings(out)


def test_what_is_in_the_way_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    source = small(tmp_path)
    out = prepared(source, tmp_path / "out")
    with pytest.raises(PlaceTakenError):
        prepare(source, out, DETECTED, unwatched)
    (source / "ratings.csv").write_text("userId,movieId,rating\n1,2,3\n2,3,4\n")
    prepare(source, out, DETECTED, unwatched, overwrite=True)
    assert len(read_ratings(out)) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "small"]


def test_damage_is_found_before_anything_is_believed(tmp_path: Path) -> None:
    whole = prepared(small(tmp_path), tmp_path / "whole")
    for name in sorted(path.name for path in whole.iterdir()):
        damaged = Path(shutil.copytree(whole, tmp_path / "damaged", dirs_exist_ok=True))
        raw = bytearray((damaged / name).read_bytes())
        raw[-1] ^= 1
        (damaged / name).write_bytes(raw)
        with pytest.raises(ArtefactError, match=str(damaged / name)):
            read_ratings(damaged)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"n_users": 2}, "user_rows.npy: holds rows outside 0 … 1"),
        ({"n_users": 4}, "user_ids: has 3 entries, the manifest says 4"),
        ({"n_ratings": 5}, "values.npy: is float32"),
        ({"n_ratings": "many"}, "n_ratings is 'many'"),
        ({"n_repeated": -1}, "n_repeated is -1"),
        ({"remarks": "none"}, "remarks is 'none'"),
        ({"format": "matinee-embeddings"}, "describes 'matinee-embeddings', not 'matinee-ratings'"),
        ({"format_version": 9}, "format_version is 9"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(changes: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    out = prepared(small(tmp_path), tmp_path / "out")
    manifest = {**json.loads((out / MANIFEST).read_bytes()), **changes}
    manifest["content_sha256"] = _content_hash(manifest)
    (out / MANIFEST).write_bytes(_canonical(manifest))
    with pytest.raises(ArtefactError) as caught:
        read_ratings(out)
    assert sentence in str(caught.value)


def test_an_array_that_the_manifest_does_not_name_is_missed(tmp_path: Path) -> None:
    out = prepared(small(tmp_path), tmp_path / "out")
    manifest = json.loads((out / MANIFEST).read_bytes())
    del manifest["files"]["tag_names_utf8.npy"]
    manifest["content_sha256"] = _content_hash(manifest)
    (out / MANIFEST).write_bytes(_canonical(manifest))
    with pytest.raises(ArtefactError, match=r"tag_names_utf8\.npy: missing from the manifest"):
        read_ratings(out)


def test_two_processes_do_not_prepare_the_same_folder(tmp_path: Path) -> None:
    source = small(tmp_path)
    work = workplace(tmp_path / "out")
    work.mkdir()
    descriptor = os.open(work, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(RatingsError, match="another process is at work there"):
        prepare(source, tmp_path / "out", DETECTED, unwatched)
    assert work.is_dir()
    os.close(descriptor)
    prepared(source, tmp_path / "out")


N_ROWS = 4_000_000


def write_large(path: Path, n: int, first: int = 0) -> None:
    """`n` ratings in no order of users, about 25 bytes each; the first 1,000 pairs come again at the end."""
    pair = np.arange(first, first + n) * 7_919 % (N_ROWS - 1_000)
    columns = {"userId": pair % 2_003, "movieId": pair // 2_003, "rating": pair % 10 / 2, "timestamp": pair + 10**9}
    pa.csv.write_csv(pa.table(columns), path)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "ratings.csv"
    write_large(path, N_ROWS)
    return path


@pytest.fixture(scope="module")
def undisturbed(large: Path) -> Path:
    return prepared(large, large.parent / "undisturbed")


def arrays_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != MANIFEST}


def start(source: Path, out: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "training", "prepare", str(source), str(out), "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended_by(number: signal.Signals, source: Path, out: Path, wanted: str) -> "subprocess.Popen[str]":
    """A run that got `number` as soon as a file `wanted` lay in its workplace."""
    process = start(source, out)
    while not list(workplace(out).glob(wanted)):
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    process.send_signal(number)
    return process


@pytest.mark.parametrize("wanted", ["parts/*.arrow", "result/user_rows.npy", "result/timestamps.npy"])
def test_a_killed_run_goes_on_to_the_same_bytes(wanted: str, large: Path, undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = ended_by(signal.SIGKILL, large, out, wanted)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not out.exists()
    second = start(large, out)
    told, _ = second.communicate()
    assert second.returncode == DONE
    assert json.loads(told)["n_parts_found"] >= 1
    assert arrays_of(out) == arrays_of(undisturbed)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_interrupted_run_says_where_it_stands(large: Path, tmp_path: Path) -> None:
    process = ended_by(signal.SIGINT, large, tmp_path / "out", "parts/*.arrow")
    _, said = process.communicate()
    assert process.returncode == INTERRUPTED
    assert "the same command goes on from there" in said
    assert [path.name for path in tmp_path.iterdir()] == [".out.prepare"]


def test_a_source_that_changed_meanwhile_gives_what_it_holds_now(
    large: Path, undisturbed: Path, tmp_path: Path
) -> None:
    source = tmp_path / "ratings.csv"
    shutil.copy(large, source)
    ended_by(signal.SIGKILL, source, tmp_path / "out", "parts/*.arrow").communicate()
    before = source.stat()
    with source.open("r+b") as file:
        # Beyond the rows that others supersede; the first digit of the user's id.
        file.seek(100_000)
        file.readline()
        place = file.tell()
        changed = b"8" if file.read(1) == b"9" else b"9"
        file.seek(place)
        file.write(changed)
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert source.stat().st_size == before.st_size
    resumed = arrays_of(prepared(source, tmp_path / "out"))
    assert resumed == arrays_of(prepared(source, tmp_path / "fresh"))
    assert resumed["user_rows.npy"] != arrays_of(undisturbed)["user_rows.npy"]


def test_large_ratings_are_mapped_and_read_only(large: Path, undisturbed: Path) -> None:
    ratings, parsed = read_ratings(undisturbed), read_ratings(large)
    assert ratings.fingerprint == parsed.fingerprint
    assert (len(ratings), ratings.n_repeated) == (N_ROWS - 1_000, 1_000)
    assert ratings.timestamps is not None
    assert parsed.timestamps is not None
    assert np.array_equal(ratings.timestamps, parsed.timestamps)
    for array in (ratings.user_rows, ratings.item_rows, ratings.values, ratings.timestamps):
        assert isinstance(array.base, np.memmap)
        assert not array.flags.writeable


def test_a_bad_line_in_a_later_block_is_named_and_what_is_parsed_serves_the_next_try(
    large: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "ratings.csv"
    shutil.copy(large, source)
    with source.open("ab") as file:
        file.write(b"1,2,great,5\n")
    assert main(["prepare", str(source), str(tmp_path / "out")]) == FAILED
    said = capsys.readouterr().err
    assert f"{source}: line {N_ROWS + 2}: column 'rating' is 'great'" in said
    assert "the same command goes on from there" in said.replace("\n", " ")
    os.truncate(source, large.stat().st_size)
    assert main(["prepare", str(source), str(tmp_path / "out"), "--json"]) == DONE
    result = json.loads(capsys.readouterr().out)
    assert 0 < result["n_parts_found"] < result["n_parts"]
    assert result["fingerprint"] == read_ratings(large).fingerprint


def test_commands_take_the_prepared_folder_for_its_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = small(tmp_path)
    assert main(["prepare", str(source), str(tmp_path / "out")]) == DONE
    assert "next: matinee train" in capsys.readouterr().out
    told = []
    for place in (source, tmp_path / "out"):
        assert main(["ratings", str(place), "--json"]) == DONE
        told.append(json.loads(capsys.readouterr().out))
    assert told[0] == told[1]
    assert main(["prepare", str(tmp_path / "out"), str(tmp_path / "again")]) == WRONG_USAGE
    assert "is prepared already: every command takes it as it is" in capsys.readouterr().err
