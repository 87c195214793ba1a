"""The newcomer's first command, as a process, on its own sample and on real ratings."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from matinee.demo import READING
from training.commands.reading import RatingsCommand

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def demo(*arguments: str | Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "matinee", "demo", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # The tables for people come first; the document is the last thing on standard output.
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def assert_whole(told: dict[str, Any]) -> None:
    assert len(set(told["versions"])) == 2
    for model in told["models"]:
        assert len(model["recommendations"]) == 10
        assert all(item["title"] for item in model["recommendations"])
        assert model["score_kind"] == {"rating": "rating", "ranking": "preference"}[model["objective"]]
    assert told["errors"] == 0
    assert told["answers"] > 0


def ndcg(model: dict[str, Any], name: str = "model") -> float:
    [row] = [row for row in model["quality"]["rows"] if row["name"] == name]
    return float(row["ndcg@10"])


@pytest.mark.timeout(600)
def test_the_demo_makes_its_own_data_and_the_version_that_ranks_ranks_better() -> None:
    told = demo()
    assert_whole(told)
    rating, ranking = told["models"]
    assert [rating["objective"], ranking["objective"]] == ["rating", "ranking"]
    assert ndcg(ranking) > ndcg(ranking, "most popular") > ndcg(rating)


@pytest.mark.timeout(600)
@pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data beside the checkout")
def test_the_demo_runs_on_real_ratings_and_keeps_its_folder(tmp_path: Path) -> None:
    # Nothing is left to be chosen: the first test has seen that.
    flags = ("--objective", "ranking", "--dim", "16", "--regularisation=0.3", "--unseen-weight", "0.1", "--sweeps", "4")
    told = demo(DATA / "ml-latest-small", "--folder", tmp_path, "--timestamp-column", "timestamp", *flags)
    assert_whole(told)
    assert [model["objective"] for model in told["models"]] == ["ranking", "ranking"]
    assert len(list((tmp_path / "store" / "versions").iterdir())) == 2


def test_a_step_that_fails_ends_the_demo_with_its_own_sentence(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating\n1,2,good\n")
    command = [sys.executable, "-m", "matinee", "demo", str(tmp_path / "ratings.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "line 2" in done.stderr
    assert "good" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_demo_knows_the_flags_of_every_command_that_reads_ratings() -> None:
    flags = {name.replace("_", "-") for name in RatingsCommand.model_fields if name != "as_json"}
    assert set(READING) == flags
