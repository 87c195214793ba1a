"""`matinee train` as a process that is killed, or stopped by Ctrl-C: nothing is lost, and it ends in the same bytes."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matinee.command import DONE, INTERRUPTED
from tests.training.tastes import table, two_tastes
from training.data.ratings import read_ratings, write_ratings
from training.embeddings import Embeddings, open_embeddings
from training.evaluation.metrics import rmse
from training.evaluation.predictors import Model

SEARCH = ("--dim", "8")
NO_SEARCH = ("--dim", "8", "--regularisation", "1", "--sweeps", "4000")

Condition = Callable[[dict[str, Any]], bool]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ratings with noise, so that there is something to choose."""
    ratings = two_tastes(300, 200, share=0.4)
    noise = np.random.default_rng(1).normal(0, 1, len(ratings))
    values = np.clip(np.rint(2 * (ratings.values + noise)) / 2, 0.5, 5)
    file = tmp_path_factory.mktemp("ratings") / "ratings.csv"
    write_ratings(table(ratings.user_rows, ratings.item_rows, values, 300, 200), file)
    return file


def start(source: Path, out: Path, *flags: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "training", "train", str(source), str(out), "--json", *flags]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended_by(
    number: signal.Signals, wanted: Condition, source: Path, out: Path, flags: Sequence[str]
) -> "subprocess.Popen[str]":
    """A run that got `number` as soon as its checkpoint was as `wanted`."""
    process = start(source, out, "--checkpoint-every", "0", *flags)
    manifest = out.parent / f".{out.name}.checkpoint" / "manifest.json"
    while True:
        assert process.poll() is None, process.communicate()
        if manifest.exists() and wanted(json.loads(manifest.read_text())):
            break
        time.sleep(0.001)
    process.send_signal(number)
    return process


def in_a_later_trial(state: dict[str, Any]) -> bool:
    return bool(state["trials"]) and state["current"] is not None and bool(state["current"]["curve"])


def after_some_sweeps(state: dict[str, Any]) -> bool:
    return state["current"] is not None and len(state["current"]["curve"]) > 2


def arrays_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob("*.npy")}


def finished(source: Path, out: Path, *flags: str) -> dict[str, bytes]:
    """What a run writes that nothing stops."""
    process = start(source, out, *flags)
    _, said = process.communicate()
    assert process.returncode == DONE, said
    return arrays_of(out)


def test_a_killed_run_goes_on_to_the_bytes_of_one_that_was_not(source: Path, tmp_path: Path) -> None:
    undisturbed = finished(source, tmp_path / "undisturbed", *SEARCH)
    assert len(undisturbed) > 5
    out = tmp_path / "killed"
    process = ended_by(signal.SIGKILL, in_a_later_trial, source, out, SEARCH)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not out.exists()
    assert finished(source, out, *SEARCH, "--resume") == undisturbed
    assert {file.name for file in tmp_path.iterdir()} == {"killed", "undisturbed"}


@pytest.mark.parametrize(
    ("flags", "wanted"), [(SEARCH, in_a_later_trial), (NO_SEARCH, after_some_sweeps)], ids=["search", "no search"]
)
def test_ctrl_c_keeps_the_best_so_far_and_says_where(
    flags: Sequence[str], wanted: Condition, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = ended_by(signal.SIGINT, wanted, source, out, flags)
    told, said = process.communicate()
    assert process.returncode == INTERRUPTED, said
    assert told == ""
    assert f"interrupted: the best model so far is in {out}; go on with the same command and --resume" in said
    assert "Traceback" not in said
    kept = open_embeddings(out)
    assert kept.description["interrupted"] is True
    assert errors(kept, source) < 0.9 * errors(replace(kept, user_embeddings=0 * kept.user_embeddings), source)
    if flags == SEARCH:
        # The finished model takes the place of the best so far.
        finished(source, out, *flags, "--resume")
        assert "interrupted" not in open_embeddings(out).description


def errors(embeddings: Embeddings, source: Path) -> float:
    """RMSE over what was fitted to."""
    ratings = read_ratings(source)
    return rmse(Model(embeddings).predict(ratings.user_rows, ratings.item_rows) - ratings.values)
