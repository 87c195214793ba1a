"""The yardstick runs, learns, and tells its figures."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.judge import Judge


def test_the_notebooks_way_learns_and_what_it_saves_has_the_error_that_it_tells(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pairs = rng.permutation(200 * 100)[:14_000]
    lines = [f"{pair // 100},{pair % 100},{3 + pair % 2}" for pair in pairs]
    for name, part in (("train", lines[:13_000]), ("test", lines[13_000:])):
        (tmp_path / f"{name}.csv").write_text("\n".join(["user_id,item_id,rating", *part]) + "\n")
    command: list[str | Path] = [sys.executable, "-m", "benchmarks.notebook"]
    command += [tmp_path / "train.csv", tmp_path / "test.csv"]
    done = subprocess.run([*command, "--epochs", "3", "--out", tmp_path / "out"], capture_output=True, check=True)
    document = json.loads(done.stdout)
    assert document["ratings_per_s"] > 0
    errors = [epoch["val_rmse"] for epoch in document["history"]]
    assert len(errors) == 3
    assert errors[2] < errors[0]
    judge = Judge(tmp_path)
    judged = judge.errors(judge.opened(tmp_path / "out", "rating"))["rmse_unclipped"]
    assert abs(judged - min(errors)) < 1e-4
