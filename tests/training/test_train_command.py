"""`matinee train`: what it writes, and what it refuses before it starts."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.tastes import two_tastes
from tests.world import predicted_ratings
from training.__main__ import main
from training.data.ratings import read_ratings, write_ratings
from training.data.split import random_split
from training.embeddings import open_embeddings
from training.fitting.model import load_model

FAST = ["--dim", "4", "--regularisation", "1", "--sweeps", "3"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write_ratings(two_tastes(), tmp_path / "ratings.csv")
    return tmp_path / "ratings.csv"


def train(*arguments: object) -> int:
    return main(["train", *map(str, arguments), *FAST])


def test_the_embeddings_say_how_they_came_about(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(source, tmp_path / "out", "--test-fraction", "0.2", "--seed", "7", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    ratings, embeddings = read_ratings(source), open_embeddings(tmp_path / "out")
    description: Any = embeddings.description
    assert description == {key: said[key] for key in description}
    assert description["rating_scale"] == [1, 5]
    assert description["objective"] == "rating"
    assert description["config"]["seed"] == 7
    assert description["config"]["dim"] == embeddings.dim == 4
    assert description["config"]["regularisation"] == 1
    assert description["scores"] == "ratings"
    assert [sweep["sweep"] for sweep in description["history"]] == [1, 2, 3]
    assert description["search"] == description["refit"] == []
    assert description["metrics"]["test"]["n_ratings"] == math.ceil(0.2 * len(ratings))
    assert {"tensorflow", "keras", "numpy", "matinee"} == description["libraries"].keys()
    assert said["n_ratings"] + description["metrics"]["test"]["n_ratings"] == len(ratings)


def test_people_are_told_counts_trials_and_results(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(source), str(tmp_path / "out"), "--dim", "4", "--test-fraction", "0.2"]) == 0
    out, err = capsys.readouterr()
    n_ratings = len(read_ratings(source))
    n_test = math.ceil(n_ratings / 5)
    assert f"{n_ratings - n_test:,} ratings of 40 items by 60 users; {n_test} more to test on" in err
    description: Any = open_embeddings(tmp_path / "out").description
    told = [line for line in err.splitlines() if line.startswith("regularisation")]
    assert len(told) == len(description["search"]) + 1
    for line, trial in zip(told, description["search"], strict=False):
        assert f"regularisation {trial['regularisation']:.3g} " in line
        assert f"val_rmse {trial['val_rmse']:.4f} after {trial['best_sweep']:>2} of {trial['sweeps']:>2} sweeps" in line
    assert "fitted to all ratings" in told[-1]
    metrics = description["metrics"]
    assert f"val_rmse {metrics['val_rmse']:.4f} on the part to choose by" in out
    assert f"on {n_test} test ratings: RMSE {metrics['test']['rmse']:.4f}" in out


def test_only_the_training_part_is_seen_and_the_rest_is_written(source: Path, tmp_path: Path) -> None:
    assert train(source, tmp_path / "out", "--test-fraction", "0.2", "--test-out", tmp_path / "deep" / "test.csv") == 0
    ratings, test = read_ratings(source), read_ratings(tmp_path / "deep" / "test.csv")
    kept, held_out = random_split(len(ratings), 0.2, 42)
    seen = open_embeddings(tmp_path / "out").catalogue.seen
    expected = ratings.subset(kept).seen()
    np.testing.assert_array_equal(seen.offsets, expected.offsets)
    np.testing.assert_array_equal(seen.rows, expected.rows)
    pairs = [
        (test.user_ids[user], test.item_ids[item]) for user, item in zip(test.user_rows, test.item_rows, strict=True)
    ]
    assert pairs == [
        (ratings.user_ids[ratings.user_rows[position]], ratings.item_ids[ratings.item_rows[position]])
        for position in np.sort(held_out)
    ]


def test_a_test_file_changes_nothing_but_what_is_measured(source: Path, tmp_path: Path) -> None:
    # A user that training does not know, and ratings that would teach the opposite.
    (tmp_path / "test.csv").write_text(
        "\n".join(["user_id,item_id,rating", *(f"{user},{user},5" for user in range(1, 30)), "nobody,1,3"])
    )
    assert train(source, tmp_path / "alone") == 0
    assert train(source, tmp_path / "tested", "--test", tmp_path / "test.csv") == 0
    alone, tested = open_embeddings(tmp_path / "alone"), open_embeddings(tmp_path / "tested")
    np.testing.assert_array_equal(alone.user_embeddings, tested.user_embeddings)
    np.testing.assert_array_equal(alone.catalogue.seen.rows, tested.catalogue.seen.rows)
    measured = tested.description["metrics"]["test"]
    assert measured["n_unknown"] == 1
    assert measured["n_ratings"] + measured["n_seen"] == 29
    assert measured["n_ratings"] > 0
    assert "test" not in alone.description["metrics"]


def test_a_saved_model_predicts_what_the_embeddings_do(source: Path, tmp_path: Path) -> None:
    assert train(source, tmp_path / "out", "--save-model", tmp_path / "keras") == 0
    embeddings, model = open_embeddings(tmp_path / "out"), load_model(tmp_path / "keras")
    users, items = np.divmod(np.arange(60 * 40, dtype=np.int32), 40)
    predicted = model.predict({"user_rows": users, "item_rows": items}, verbose=0).reshape(60, 40)
    expected = np.stack([predicted_ratings(embeddings, user) for user in range(60)])
    np.testing.assert_allclose(predicted, expected, atol=1e-5)
    assert json.loads((tmp_path / "keras" / "config.json").read_text())["dim"] == 4


def test_titles_and_tags_travel_with_the_embeddings(source: Path, tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_text("item_id,title,genres\n0,Nought (1990),Even|Zero\n")
    assert train(source, tmp_path / "out") == 0
    catalogue = open_embeddings(tmp_path / "out").catalogue
    assert [catalogue.item_titles[row] for row in range(2)] == ["Nought (1990)", ""]
    assert [catalogue.tag_names[tag] for tag in catalogue.item_tags[0]] == ["Even", "Zero"]


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that was said: so nothing was read or fitted first."""
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    return err


@pytest.mark.parametrize("flag", ["OUT", "--save-model", "--test-out"])
def test_what_exists_is_refused_before_anything_is_read(
    flag: str, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "there"
    if flag == "--test-out":
        there.write_text("precious")
    else:
        there.mkdir()
    flags = [there] if flag == "OUT" else [tmp_path / "out", flag, there, "--test-fraction", "0.1"]
    assert train(source, *flags) == 1
    assert "there: exists already; choose another place, or replace it with --overwrite" in refused(capsys)
    assert {path.name for path in tmp_path.iterdir()} == {"ratings.csv", "there"}


def test_embeddings_are_replaced_on_request(source: Path, tmp_path: Path) -> None:
    for seed in ("1", "2"):
        flags = ["--save-model", tmp_path / "keras", "--test-fraction", "0.1", "--test-out", tmp_path / "test.csv"]
        assert train(source, tmp_path / "out", "--seed", seed, "--overwrite", *flags) == 0
    assert open_embeddings(tmp_path / "out").description["config"]["seed"] == 2


def test_a_place_below_a_file_is_refused_before_anything_is_read(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(source, source / "out") == 1
    assert "ratings.csv is a file, not a folder" in refused(capsys)


WRONG = {
    "both kinds of test": (["--test", "x", "--test-fraction", "0.1"], "--test and --test-fraction do not go together"),
    "nothing to write": (["--test-out", "x"], "--test-out needs --test-fraction"),
    "all held out": (["--test-fraction", "1"], "--test-fraction is '1': Input should be less than 1"),
    "no width": (["--dim", "0"], "--dim is '0': Input should be greater than or equal to 1"),
    "seed below 0": (["--seed", "-1"], "--seed is '-1'"),
    "penalty is no number": (["--regularisation", "nan"], "--regularisation is 'nan'"),
    "no penalty": (["--regularisation", "0"], "--regularisation is '0': Input should be greater than 0"),
    "no sweep": (["--sweeps", "0"], "--sweeps is '0'"),
    "unseen above seen": (["--unseen-weight", "2"], "--unseen-weight is '2'"),
    "a part that is all": (["--validation-fraction", "1"], "--validation-fraction is '1'"),
    "time runs back": (["--checkpoint-every", "-1"], "--checkpoint-every is '-1'"),
    "liked but not ranked": (["--liked-from", "4"], "--liked-from means something under --objective ranking alone"),
    "unseen but not ranked": (["--unseen-weight", "0.1"], "--unseen-weight means something under --objective ranking"),
    "another objective": (["--objective", "fame"], "--objective is 'fame': Input should be 'rating' or 'ranking'"),
}


@pytest.mark.parametrize(("flags", "message"), WRONG.values(), ids=WRONG.keys())
def test_wrong_usage_is_refused_in_one_sentence(
    flags: list[str], message: str, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(source), str(tmp_path / "out"), *flags]) == 2
    assert message in refused(capsys)


def test_a_fit_that_diverges_writes_nothing(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = set(tmp_path.iterdir())
    flags = ["--regularisation", "1e-38", "--save-model", tmp_path / "keras", "--test-fraction", "0.1"]
    assert main(["train", *map(str, [source, tmp_path / "out", *flags, "--test-out", tmp_path / "test.csv"])]) == 1
    assert "give a larger --regularisation" in capsys.readouterr().err.splitlines()[-1]
    assert set(tmp_path.iterdir()) == before


def test_standard_error_is_for_people(source: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "matinee", "train", str(source), str(tmp_path / "out"), *FAST]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in done.stderr.splitlines()[-2:]] == ["fitting", "regularisation"]
    assert "tensorflow" not in done.stderr.lower()


def test_what_can_not_be_measured_is_refused_before_the_fit(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "test.csv").write_text("user_id,item_id,rating\nnobody,1,3\n")
    assert train(source, tmp_path / "out", "--test", tmp_path / "test.csv") == 1
    assert "none of the 1 test ratings can be judged" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_help_needs_no_tensorflow() -> None:
    code = "import sys, training.__main__; assert not {'tensorflow', 'keras'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)
