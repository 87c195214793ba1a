"""The store on a file system that may not be written to, and on one that is full: real ones, mounted for the test."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from indexer.store import Store
from tests.indexer.small import published, written_embeddings

ROOT = Path(__file__).resolve().parents[2]


def _can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    done = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    return done.returncode == 0


pytestmark = pytest.mark.skipif(not _can_mount(), reason="may not mount anything here")

# Each command in a process of its own; prints how all of them ended and what they said.
RUN_ALL = """
import json, subprocess, sys
told = []
for arguments in json.loads(sys.argv[1]):
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    told.append([done.returncode, done.stdout, done.stderr])
print(json.dumps(told))
"""
SERVE = """
import subprocess, sys
command = [sys.executable, "-m", "server", "serve", sys.argv[1], "--address", "127.0.0.1:0"]
with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
    try:
        print(next(line for line in server.stdout if "listening" in line))
    finally:
        server.terminate()
"""


def mounted(mount: str, *commands: list[str]) -> list[Any]:
    """Exit status, standard output and error of Python with each of `commands`, where `mount` was run before."""
    shell = f'{mount} && exec "$0" "$@"'
    ran = ["unshare", "--mount", "sh", "-c", shell, sys.executable, "-c", RUN_ALL, json.dumps(commands)]
    done = subprocess.run(ran, cwd=ROOT, capture_output=True, text=True, check=True)
    told: list[Any] = json.loads(done.stdout)
    return told


def matinee(*arguments: object) -> list[str]:
    return ["-m", "indexer", *map(str, arguments)]


def test_on_a_read_only_mount_reading_and_serving_work_and_changing_is_one_sentence(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    first, second = published(store), published(store, 1)
    written_embeddings(tmp_path / "embeddings")
    folder = store.folder
    reading = [matinee("store", verb, folder, "--json") for verb in ("list", "show", "verify")]
    reading += [matinee("store", "diff", folder, first, "--json"), ["-c", SERVE, str(folder)]]
    changing = [
        matinee("index", tmp_path / "embeddings", folder),
        matinee("store", "activate", folder, first),
        matinee("store", "rollback", folder),
        matinee("store", "prune", folder, "--keep", "1"),
    ]
    told = mounted(f"mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}", *reading, *changing)
    for status, output, complaint in told[: len(reading)]:
        assert (status, complaint) == (0, "")
        assert output
    for status, output, complaint in told[len(reading) :]:
        assert (status, output) == (1, "")
        assert complaint.startswith(f"matinee: {folder}/lock: Read-only file system; ")
        assert complaint.count("\n") == 1
    assert store.current() == second


FILL_UP = """
import sys
try:
    with open(sys.argv[1], "wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
except OSError:
    pass
"""
TELL = """
import json, sys
from pathlib import Path
from indexer.store import Store
store = Store(Path(sys.argv[1]))
store.verify(store.current())
print(json.dumps([store.versions(), store.current(), [str(path) for path in store.folder.glob("**/.*")]]))
"""


def test_a_publish_that_fills_the_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    written_embeddings(tmp_path / "embeddings", n_users=40, n_items=500)
    (tmp_path / "disk").mkdir()
    store, filler = tmp_path / "disk" / "store", tmp_path / "disk" / "filler"
    index, tell = matinee("index", tmp_path / "embeddings", store, "--json"), ["-c", TELL, str(store)]
    commands = [
        index,
        tell,
        ["-c", FILL_UP, str(filler)],
        index,
        tell,
        ["-c", f"import os; os.remove({str(filler)!r})"],
    ]
    commands += [matinee("store", "prune", store, "--keep", "1"), index, tell]
    told = mounted(f"mount -t tmpfs -o size=400k none {tmp_path}/disk", *commands)
    published_first, before, _, refused, after, *freed, again, at_last = told
    assert [status for status, *_ in (published_first, *freed, again)] == [0, 0, 0, 0]
    assert refused[0] == 1
    assert "No space left on device" in refused[2] or "not" in refused[2]
    assert (refused[1], refused[2].count("\n")) == ("", 1)
    assert json.loads(before[1]) == json.loads(after[1])
    assert json.loads(after[1])[2] == []
    assert len(json.loads(at_last[1])[0]) == 2
