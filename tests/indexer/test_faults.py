"""The store after a kill, a full disk or a failing one at every step of every command that changes it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.indexer.faults import FAULTS

ROOT = Path(__file__).resolve().parents[2]


def test_a_fault_at_any_step_leaves_the_old_or_the_new_version_served(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = {}
    for fault in FAULTS:
        (tmp_path / fault).mkdir()
        command = [sys.executable, "-B", "-m", "tests.indexer.faults", str(tmp_path / fault), fault]
        runs[fault] = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    told = {fault: (*process.communicate(), process.returncode) for fault, process in runs.items()}
    for _, complaints, status in told.values():
        assert status == 0, complaints
    points = {fault: json.loads(output) for fault, (output, _, _) in told.items()}
    with capsys.disabled():
        print(f"\n{sum(sum(counts.values()) for counts in points.values())} injection points passed: {points}")
    for counts in points.values():
        # Fewer would mean that the harness no longer sees what the commands do.
        assert counts["index, first"] >= 60
        assert counts["prune"] >= 40
        assert min(counts.values()) >= 8
