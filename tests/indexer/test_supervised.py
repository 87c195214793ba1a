"""A process that is stopped at its system calls: none gets past, and what is said of one is what comes of it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Whoever supervises has one thread, since threads survive no fork; pytest's process may have more.
SUPERVISE = """
import ctypes, errno, json, os, platform, sys, threading
from pathlib import Path
import faiss, numpy as np
from tests.indexer.supervised import supervised

folder = Path(sys.argv[1])
seen = []

def decide(call):
    if not call.path.startswith(str(folder)):
        call.go_on()
        return
    seen.append([call.name, call.path[len(str(folder)) + 1:], call.target[len(str(folder)) + 1:]])
    {decide}

def work():
    {work}
    return 0

try:
    ended = supervised(work, Path(sys.argv[2]), decide)
except OSError as error:
    sys.exit(f"not permitted: {{error.strerror}}")
print(json.dumps([seen, ended]))
"""

MKDIRAT = (
    "ctypes.CDLL(None).syscall({'x86_64': 258, 'aarch64': 34}[platform.machine()], -100, bytes(folder / 'a'), 0o700)"
)


def supervise(folder: Path, work: str, decide: str = "call.go_on()") -> tuple[list[list[str]], int]:
    """The name, path and target of every call about `folder`, and how the process ended."""
    folder.mkdir(exist_ok=True)
    code = SUPERVISE.format(work=work, decide=decide)
    command = [sys.executable, "-c", code, str(folder), str(folder.parent / "output")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.stderr.startswith("not permitted"):
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    told: Any = json.loads(done.stdout)
    return told[0], told[1]


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        ("np.save(folder / 'a.npy', np.zeros(3))", ["open", "write", "write"]),
        ("faiss.write_index(faiss.IndexFlatIP(8), str(folder / 'a'))", ["open", "write"]),
        ("t = threading.Thread(target=os.mkdir, args=[folder / 'a']); t.start(); t.join()", ["mkdir"]),
        (MKDIRAT, ["mkdir"]),
        ("(folder / 'a').write_text('x'); (folder / 'a').read_text(); (folder / 'a').stat()", ["open", "write"]),
        ("d = os.open(folder, os.O_RDONLY); os.fsync(d); os.close(d)", ["fsync"]),
    ],
    ids=["C's buffered files", "FAISS", "another thread", "no function of the C library", "reading", "a folder"],
)
def test_every_call_that_can_change_files_is_seen_and_no_other(tmp_path: Path, work: str, expected: list[str]) -> None:
    seen, ended = supervise(tmp_path / "folder", work)
    assert [name.removesuffix("at") for name, _, _ in seen] == expected
    assert ended == 0


def test_paths_are_told_whether_by_name_by_folder_or_by_descriptor(tmp_path: Path) -> None:
    work = """
    os.chdir(folder)
    Path('a').mkdir()
    d = os.open('a', os.O_RDONLY)
    os.close(os.open('b', os.O_WRONLY | os.O_CREAT, dir_fd=d))
    os.rename('a/b', 'c')
    os.unlink('c')"""
    seen, _ = supervise(tmp_path / "folder", work)
    assert [call[1:] for call in seen] == [["a", ""], ["a/b", ""], ["a/b", "c"], ["c", ""]]


def test_a_call_that_is_failed_is_not_made_and_tells_the_error(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    _, ended = supervise(folder, "(folder / 'a').mkdir()", "call.fail(errno.ENOSPC)")
    assert (ended, list(folder.iterdir())) == (70 << 8, [])
    assert "No space left on device" in (tmp_path / "output").read_text()


def test_a_process_is_killed_before_the_call(tmp_path: Path) -> None:
    _, ended = supervise(tmp_path / "folder", "(folder / 'a').mkdir()", "call.kill()")
    assert (ended, list((tmp_path / "folder").iterdir())) == (9, [])


@pytest.mark.parametrize(("mode", "held"), [("w", "abcd"), ("a", "xyabcd"), ("r+", "abcd")])
def test_half_of_a_write_is_the_first_half_at_its_place(tmp_path: Path, mode: str, held: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_text("xy")
    work = f"(folder / 'a').open({mode!r}).write('abcdefgh')"
    supervise(folder, work, "(call.write_half(), call.kill()) if call.has_halves() else call.go_on()")
    assert (folder / "a").read_text() == held
