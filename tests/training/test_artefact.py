"""Folders that describe themselves: whole or not there, and nothing in a bad one is believed or run."""

import io
import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.artefact import (
    MANIFEST,
    _canonical,
    _content_hash,
    check_place,
    load_arrays,
    read_manifest,
    save_arrays,
    seal,
    verify_files,
    write_artefact,
)
from training.errors import ArtefactError, PlaceTakenError

KIND = "test"


def fill(folder: Path, value: int = 7) -> None:
    save_arrays(folder, {"numbers": np.full(3, value), "empty": np.zeros(0, np.int32)})


def write(folder: Path, value: int = 7, *, overwrite: bool = False) -> None:
    write_artefact(folder, KIND, 1, {"value": value}, lambda draft: fill(draft, value), overwrite=overwrite)


def read(folder: Path) -> dict[str, Any]:
    manifest = read_manifest(folder, KIND, 1)
    verify_files(folder, manifest)
    return load_arrays(folder, manifest)


def reseal(folder: Path, **changes: object) -> None:
    """A manifest that fits itself, whatever it says: what somebody with bad intentions could hand over."""
    manifest = {**json.loads((folder / MANIFEST).read_bytes()), **changes}
    manifest["content_sha256"] = _content_hash(manifest)
    (folder / MANIFEST).write_bytes(_canonical(manifest))


def test_what_is_written_is_read_and_can_not_be_changed(tmp_path: Path) -> None:
    write(tmp_path / "a")
    arrays = read(tmp_path / "a")
    assert arrays["numbers"].tolist() == [7, 7, 7]
    assert arrays["empty"].shape == (0,)
    with pytest.raises(ValueError, match="read-only"):
        arrays["numbers"][0] = 1


def test_nothing_else_lies_beside_it_afterwards(tmp_path: Path) -> None:
    write(tmp_path / "deep" / "a")
    write(tmp_path / "deep" / "a", 8, overwrite=True)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a"]
    assert read(tmp_path / "deep" / "a")["numbers"].tolist() == [8, 8, 8]


def test_what_exists_is_replaced_only_on_request(tmp_path: Path) -> None:
    write(tmp_path / "a")
    with pytest.raises(
        PlaceTakenError, match=r"a: exists already; choose another place, or replace it with --overwrite"
    ):
        write(tmp_path / "a", 8)
    assert read(tmp_path / "a")["numbers"].tolist() == [7, 7, 7]


def test_what_matinee_did_not_write_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    for folder in (tmp_path / "home", tmp_path / "home" / "letter.txt"):
        with pytest.raises(ArtefactError, match="is not something that Matinee wrote, so it is not overwritten"):
            write(folder, overwrite=True)
    assert (tmp_path / "home" / "letter.txt").read_text() == "dear"


def test_a_place_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtefactError, match=r"file is a file, not a folder; choose another place"):
        check_place(tmp_path / "file" / "a", overwrite=False)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_can_not_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(ArtefactError, match=r"locked can't be written to; choose another place"):
        check_place(tmp_path / "locked" / "a", overwrite=False)


def test_a_place_in_folders_that_are_not_there_yet_is_fine_and_makes_none(tmp_path: Path) -> None:
    check_place(tmp_path / "a" / "b" / "c", overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_when_filling_fails_all_is_as_before(tmp_path: Path) -> None:
    write(tmp_path / "a")

    def fail(draft: Path) -> None:
        fill(draft, 8)
        raise OSError("no space")

    for folder in (tmp_path / "a", tmp_path / "b"):
        with pytest.raises(OSError, match="no space"):
            write_artefact(folder, KIND, 1, {}, fail, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert read(tmp_path / "a")["numbers"].tolist() == [7, 7, 7]


KILLED_AT = """
import os, pathlib, signal, sys
from training import artefact
import numpy as np
folder, step, steps = pathlib.Path(sys.argv[1]), int(sys.argv[2]), [0]
def hook(event, arguments):
    changes = event in ("open", "os.rename", "os.mkdir", "os.remove") and str(folder.parent) in str(arguments[0])
    if changes or event == "ctypes.dlsym":
        steps[0] += 1
        if steps[0] == step:
            os.kill(os.getpid(), signal.SIGKILL)
def fill(draft):
    artefact.save_arrays(draft, {"numbers": np.full(3, 8), "empty": np.zeros(0, np.int32)})
sys.addaudithook(hook)
artefact.write_artefact(folder, "test", 1, {"value": 8}, fill, overwrite=True)
"""


@pytest.mark.parametrize("exists", [False, True])
def test_killed_at_any_step_leaves_the_old_or_the_new_and_never_a_part(tmp_path: Path, exists: bool) -> None:
    ends = set()
    for step in range(1, 60):
        folder = tmp_path / str(step) / "a"
        folder.parent.mkdir()
        if exists:
            write(folder)
        done = subprocess.run([sys.executable, "-c", KILLED_AT, folder, str(step)], check=False)
        if folder.exists():
            ends.add(int(read(folder)["numbers"][0]))
        else:
            assert not exists
            ends.add(0)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
    assert done.returncode == 0
    assert step > 8
    assert ends == ({7, 8} if exists else {0, 8})


def npy(array: Any, *, allow_pickle: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=allow_pickle)
    return file.getvalue()


class Bomb:
    """Unpickling it leaves a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.mark,)


def header(text: str, version: bytes = b"\x01\x00") -> bytes:
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text.encode()


NOT_ARRAYS = {
    "empty": b"",
    "text": b"numbers",
    "zip": b"PK\x03\x04" + bytes(100),
    "cut off header": npy(np.zeros(9))[:40],
    "cut off data": npy(np.zeros(2000))[:-8],
    "huge": header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }\n"),
    "huge, mapped": header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }\n") + bytes(5000),
    "overflowing": header("{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807, 8), }\n")
    + bytes(5000),
    "negative": header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }\n"),
    "negative, mapped": header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }\n") + bytes(5000),
    "objects": header("{'descr': '|O', 'fortran_order': False, 'shape': (3,), }\n") + bytes(64),
    "objects, mapped": header("{'descr': '|O', 'fortran_order': False, 'shape': (3,), }\n") + bytes(5000),
    "no type": header("{'descr': 'nonsense', 'fortran_order': False, 'shape': (3,), }\n") + bytes(24),
    "no header": header("().__class__.__base__.__subclasses__()\n"),
    "deep header": header("(" * 9000),
    "deep sum": header("1+" * 4000 + "1"),
    "deep sign": header("-" * 9000 + "1"),
    "unknown version": header("{}", b"\x09\x00"),
}


@pytest.mark.parametrize("raw", NOT_ARRAYS.values(), ids=NOT_ARRAYS.keys())
def test_a_file_that_is_no_array_is_refused_even_with_the_right_hash(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "numbers.npy").write_bytes(raw)
    seal(tmp_path, KIND, 1, {})
    with pytest.raises(ArtefactError, match=r"numbers\.npy: is not a NumPy array that can be read safely") as refused:
        read(tmp_path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("size", [1, 600])
def test_a_pickle_is_refused_and_not_run(tmp_path: Path, size: int) -> None:
    mark = tmp_path / "exploded"
    folder = tmp_path / "a"
    folder.mkdir()
    bombs = np.array([Bomb(mark)] * size, object)
    (folder / "array.npy").write_bytes(npy(bombs, allow_pickle=True))
    (folder / "plain.npy").write_bytes(pickle.dumps(Bomb(mark)))
    seal(folder, KIND, 1, {})
    with pytest.raises(ArtefactError, match="is not a NumPy array that can be read safely"):
        read(folder)
    assert not mark.exists()


@pytest.mark.parametrize(
    "name", ["../secret.npy", "/etc/passwd", "..", ".", "", "a/b.npy", "x\0.npy", "n" * 300 + ".npy"]
)
def test_a_manifest_reaches_no_file_outside_its_folder(name: str, tmp_path: Path) -> None:
    write(tmp_path / "a")
    np.save(tmp_path / "secret.npy", np.zeros(3))
    raw = (tmp_path / "secret.npy").read_bytes()
    files = json.loads((tmp_path / "a" / MANIFEST).read_bytes())["files"]
    reseal(tmp_path / "a", files={name: {**files["numbers.npy"], "bytes": len(raw)}})
    with pytest.raises(ArtefactError, match=r"which is not a file in it|missing"):
        read(tmp_path / "a")


MANIFESTS = {
    "empty": (b"", "is not JSON"),
    "text": (b"hello", "is not JSON"),
    "not UTF-8": (b"\xff\xfe{}", "is not JSON"),
    "deep": (b"[" * 100_000, "is not JSON"),
    "list": (b"[]", "describes 'list', not 'test'"),
    "number": (b"7", "describes 'int', not 'test'"),
    "of another kind": (b'{"format": "cake"}', "describes 'cake', not 'test'; is it the right folder"),
    "of another version": (b'{"format": "test", "format_version": 2}', "format_version is 2, this program reads 1"),
    "without a checksum": (b'{"format": "test", "format_version": 1, "files": {}}', "checksum does not fit"),
}


@pytest.mark.parametrize(("raw", "message"), MANIFESTS.values(), ids=MANIFESTS.keys())
def test_a_bad_manifest_is_refused_in_one_sentence(raw: bytes, message: str, tmp_path: Path) -> None:
    write(tmp_path / "a")
    (tmp_path / "a" / MANIFEST).write_bytes(raw)
    with pytest.raises(ArtefactError, match=message) as refused:
        read(tmp_path / "a")
    assert "\n" not in str(refused.value)


def test_a_folder_without_a_manifest_was_never_finished(tmp_path: Path) -> None:
    fill(tmp_path)
    with pytest.raises(ArtefactError, match=r"no manifest\.json there, so it is no test folder or was never finished"):
        read(tmp_path)
    with pytest.raises(ArtefactError, match=r"no manifest\.json there"):
        read(tmp_path / "nowhere")


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a")
    (tmp_path / "a" / "numbers.npy").unlink()
    with pytest.raises(ArtefactError, match=r"numbers\.npy: missing"):
        read(tmp_path / "a")
