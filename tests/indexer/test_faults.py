"""The store after a kill, a full disk, a failing one or a power cut at any system call that changes it.

This is the short form of `make test-faults`, which takes every call.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.indexer.faults import NOT_PERMITTED

ROOT = Path(__file__).resolve().parents[2]


def faults(*arguments: str, start: str = "") -> subprocess.CompletedProcess[str]:
    """A run of the harness, after the statement `start`: a process with one thread, since threads survive no fork."""
    code = f"{start}\nfrom tests.indexer.faults import main\nmain()"
    command = [sys.executable, "-B", "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == NOT_PERMITTED:
        pytest.skip(done.stderr.strip())
    return done


def test_a_fault_at_any_call_leaves_the_old_or_the_new_version_served(capsys: pytest.CaptureFixture[str]) -> None:
    done = faults("--every", "40")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    with capsys.disabled():
        print(f"\n{told['injection_points']} injection points passed in {told['seconds']} s")
    for counts in told["points"].values():
        assert counts["killed"] >= 1
    # Fewer would mean that the harness no longer sees what the commands do.
    assert min(told["points"]["activate"][fault] for fault in ("killed", "ENOSPC", "EIO")) >= 10
    assert sum(told["points"]["index, first"].values()) >= 16


WRITTEN = "(store / 'draft').write_text(version)"
SYNCED = "current.sync(store / 'draft')"
RENAMED = "(store / 'draft').rename(store / 'CURRENT')"
FOLDER_SYNCED = "current.sync(store)"


@pytest.mark.parametrize(
    ("carelessness", "found_by"),
    [
        (["(store / 'CURRENT').write_text(version)"], "killed"),
        ([WRITTEN, RENAMED, FOLDER_SYNCED], "power cut, unsynced bytes lost"),
        ([WRITTEN, SYNCED, RENAMED], "power cut, an unsynced rename lost"),
    ],
    ids=["written in place", "not synced before it is renamed", "not synced after it was renamed"],
)
def test_the_harness_finds_a_pointer_that_is_carelessly_written(carelessness: list[str], found_by: str) -> None:
    careless = f"lambda store, version: [{', '.join(carelessness)}]"
    done = faults("--only", "activate", start=f"from indexer import current, store; store.write_current = {careless}")
    assert done.returncode == 1
    assert f"AssertionError: activate, {found_by} at call" in done.stderr
