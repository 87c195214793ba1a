"""`matinee evaluate`: small worlds with known figures, and the figures that others measured on MovieLens."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.world import checker_board
from training.__main__ import main
from training.columns import Ragged
from training.embeddings import Baseline, Embeddings, open_embeddings, write_embeddings
from training.evaluation.evaluate import rating_scale

MOVIELENS = Path(__file__).parents[3] / "shared" / "data" / "ml-latest-small"

BASELINE = Baseline(np.zeros(20, np.float32), np.zeros(30, np.float32), 3.0)


def even_and_odd() -> Embeddings:
    """Predicts 4 for items of the user's colour, else 2; users have seen the first two items of their colour."""
    return replace(checker_board(), description={"rating_scale": [1.0, 5.0]}, baseline=BASELINE)


def evaluated(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["evaluate", *map(str, arguments), "--json"]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_embeddings(even_and_odd(), tmp_path / "embeddings")
    return tmp_path / "embeddings"


def held_out(folder: Path, *lines: str) -> Path:
    file = folder.parent / "test.csv"
    file.write_text("\n".join(["user_id,item_id,rating", *lines]) + "\n")
    return file


def test_figures_of_a_small_world(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    test = held_out(folder, "0,10,5", "0,11,1", "1,11,4", "1,10,3")
    result = evaluated(capsys, folder, test, "--k", "13")
    assert (result["n_ratings"], result["n_unknown"], result["n_seen"]) == (4, 0, 0)
    assert result["threshold"] == 4
    model, bias_only, popular = result["rows"]
    assert [row["name"] for row in result["rows"]] == ["model", "bias only", "most popular"]
    assert [row["n_users"] for row in result["rows"]] == [2, 2, 2]
    assert model["rmse"] == pytest.approx(np.sqrt((1 + 1 + 0 + 1) / 4))
    assert model["mae"] == pytest.approx(3 / 4)
    # Each user's 13 unseen items of one colour share the first 13 places.
    assert model["recall@13"] == 1
    assert model["ndcg@13"] == pytest.approx(np.mean(1 / np.log2(np.arange(2, 15))))
    assert bias_only["rmse"] == popular["rmse"] == pytest.approx(np.sqrt((4 + 4 + 1 + 0) / 4))
    # All 28 unseen items share all places; of the 30, popularity knows four, two of which each user has seen.
    assert bias_only["recall@13"] == pytest.approx(13 / 28)
    assert popular["recall@13"] == pytest.approx(11 / 26)
    assert model["precision@13"] == pytest.approx(1 / 13)
    assert model["map@13"] == model["mrr@13"] == pytest.approx(np.mean(1 / np.arange(1, 14)))
    # Both colours have been recommended, but for the two items of each that its users have seen.
    assert model["coverage@13"] == pytest.approx(26 / 30)
    # The last two are in everybody's list of 13 without them; those who know both know what is left.
    assert popular["coverage@13"] == pytest.approx(15 / 30)
    assert popular["ratings_per_item@13"] == pytest.approx(2 * 10 / 13)


def test_several_lengths_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = evaluated(capsys, folder, held_out(folder, "0,10,5"), "--k", "1", "--k", "13")
    assert result["rows"][0]["recall@1"] == pytest.approx(1 / 13)
    assert result["rows"][0]["recall@13"] == 1


def test_unknown_users_and_items_and_what_was_trained_on_are_counted_and_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = held_out(folder, "0,10,4", "nobody,10,1", "0,nothing,1", "0,0,1", "01,10,1")
    result = evaluated(capsys, folder, test)
    assert (result["n_ratings"], result["n_unknown"], result["n_seen"]) == (1, 3, 1)
    assert result["rows"][0]["rmse"] == 0


def test_ratings_of_users_and_items_that_nothing_is_known_of_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = Ragged.of([[user % 2, user % 2 + 2] if user else [] for user in range(20)])
    world = replace(even_and_odd(), catalogue=replace(even_and_odd().catalogue, seen=seen))
    write_embeddings(world, tmp_path / "embeddings")
    # A user without ratings, an item without any, and one of each that has some.
    result = evaluated(capsys, tmp_path / "embeddings", held_out(tmp_path / "embeddings", "0,1,5", "1,9,5", "2,3,5"))
    assert (result["n_ratings"], result["n_cold"]) == (3, 2)
    assert main(["evaluate", str(tmp_path / "embeddings"), str(tmp_path / "test.csv")]) == 0
    assert "3 ratings; 2 of them of users or items without a rating in training" in capsys.readouterr().out


def test_predictions_are_clipped_to_the_scale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_embeddings(replace(even_and_odd(), global_bias=30.0), tmp_path / "embeddings")
    result = evaluated(capsys, tmp_path / "embeddings", held_out(tmp_path / "embeddings", "0,10,5"))
    assert result["rows"][0]["rmse"] == 0


def test_the_threshold_says_what_is_relevant(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    test = held_out(folder, "0,10,5", "1,11,4", "2,10,3")
    assert [
        evaluated(capsys, folder, test, *flags)["rows"][0]["n_users"]
        for flags in ([], ["--threshold", "4.5"], ["--threshold", "3"])
    ] == [2, 1, 3]


def test_without_a_relevant_item_ratings_alone_are_measured(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = evaluated(capsys, folder, held_out(folder, "0,10,1"))["rows"][0]
    assert row == {"name": "model", "rmse": 3, "mae": 3, "n_users": 0, "ci": {}}
    assert main(["evaluate", str(folder), str(folder.parent / "test.csv")]) == 0
    assert "for 0 users with an item rated 4 or more" in capsys.readouterr().out


def test_preferences_are_not_measured_as_ratings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = replace(even_and_odd(), description={"rating_scale": [1.0, 5.0], "scores": "preferences"})
    write_embeddings(world, tmp_path / "embeddings")
    test = held_out(tmp_path / "embeddings", "0,10,5", "1,11,4")
    result = evaluated(capsys, tmp_path / "embeddings", test)
    model, bias_only, _ = result["rows"]
    assert result["scores"] == "preferences"
    assert model["rmse"] is model["mae"] is None
    assert not {"rmse", "mae"} & model["ci"].keys()
    assert model["ndcg@10"] > 0
    assert bias_only["rmse"] > 0
    assert main(["evaluate", str(tmp_path / "embeddings"), str(test)]) == 0
    out = capsys.readouterr().out
    assert "no RMSE or MAE of the model: it was fitted to rank, and its scores are preferences, not ratings" in out
    assert [line.split("│")[2].strip() for line in out.splitlines() if "RMSE  " in line] == ["–"]


def test_every_mean_has_an_interval_that_holds_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    test = held_out(folder, *(f"{user},{item},{1 + user * item % 5}" for user in range(20) for item in range(10, 20)))
    for row in evaluated(capsys, folder, test, "--k", "3", "--k", "5")["rows"]:
        means = [f"{metric}@{k}" for metric in ("ndcg", "recall", "precision", "map", "mrr") for k in (3, 5)]
        assert [*row["ci"]] == ["rmse", "mae", *means]
        assert all(low <= row[name] <= high for name, (low, high) in row["ci"].items())


def test_a_sample_of_users_is_the_same_for_the_same_seed_and_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = held_out(folder, *(f"{user},{10 + user % 7},5" for user in range(20)))
    first, again, other = (
        evaluated(capsys, folder, test, "--users", "6", "--seed", seed)["rows"] for seed in ("1", "1", "2")
    )
    assert first == again != other
    assert first[0]["n_users"] == 6
    assert main(["evaluate", str(folder), str(test), "--users", "6"]) == 0
    assert "for 6 users, drawn at random from 20 with an item rated 4 or more" in capsys.readouterr().out
    everybody = evaluated(capsys, folder, test)
    assert evaluated(capsys, folder, test, "--users", "20") == everybody
    assert everybody["rows"][0]["rmse"] == first[0]["rmse"]


def test_a_report_is_written_and_not_over_another(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "evaluate",
        str(folder),
        str(held_out(folder, "0,10,5", "1,11,1")),
        "--report",
        str(folder.parent / "r.html"),
    ]
    assert main(arguments) == 0
    assert "report written to" in capsys.readouterr().out
    assert (folder.parent / "r.html").read_text().startswith("<!doctype html>")
    assert main(arguments) == 1
    assert "r.html: exists already; choose another place, or replace it with --overwrite" in capsys.readouterr().err
    assert main([*arguments, "--overwrite"]) == 0


def test_embeddings_without_a_baseline_or_scale_are_measured_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_embeddings(checker_board(), tmp_path / "embeddings")
    result = evaluated(capsys, tmp_path / "embeddings", held_out(tmp_path / "embeddings", "0,10,5", "0,11,1"))
    assert [row["name"] for row in result["rows"]] == ["model", "most popular"]
    assert result["rating_scale"] == [1, 5]


@pytest.mark.parametrize("scale", [None, "5", [1], [1, "5"], [5, 1], [1, 2, 3], {"low": 1}])
def test_a_scale_that_is_none_is_not_believed(scale: object) -> None:
    assert rating_scale({"rating_scale": scale}) is None


def test_when_nothing_can_be_judged_that_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(folder), str(held_out(folder, "nobody,10,1", "0,0,1", "0,2,5"))]) == 1
    said = capsys.readouterr().err
    assert "none of the 3 test ratings can be judged" in said
    assert "of 1 the model does not know the user or item, and on 2 it was trained" in said


@pytest.mark.parametrize(("flags", "message"), [(["--k", "0"], "--k is 0"), (["--threshold", "inf"], "--threshold")])
def test_wrong_usage_is_refused(
    flags: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(folder), str(held_out(folder, "0,10,5")), *flags]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_that_holds_no_embeddings_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(tmp_path), str(tmp_path)]) == 1
    assert "no manifest.json there, so it is no matinee-embeddings folder" in capsys.readouterr().err


@pytest.fixture(scope="module")
def movielens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MovieLens, trained with the defaults on the split that everybody makes: train_test_split(0.1, 42)."""
    if not MOVIELENS.is_dir():
        pytest.skip("ml-latest-small is not there")
    folder = tmp_path_factory.mktemp("movielens")
    flags = ["--test-fraction", "0.1", "--test-out", str(folder / "test.csv")]
    assert main(["train", str(MOVIELENS), str(folder / "embeddings"), *flags]) == 0
    return folder


def test_figures_on_movielens_are_those_that_others_measured(
    movielens: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = evaluated(capsys, movielens / "embeddings", movielens / "test.csv", "--k", "10", "--k", "20")
    model, bias_only, popular = result["rows"]
    assert result["n_ratings"] == 10_084
    assert popular["n_users"] == 560
    # With argpartition's order of equal counts, NDCG@10 is 0.1166 and recall@20 0.1748. Over random orders they are
    # 0.1168 and 0.1738 on average, with standard deviations of 0.0004 and 0.0011.
    assert popular["ndcg@10"] == pytest.approx(0.1168, abs=1e-4)
    assert popular["recall@20"] == pytest.approx(0.1740, abs=1e-4)
    # Surprise's SVD has 0.8828 there and a tuned ALS 0.8565.
    assert model["rmse"] < 0.862
    assert model["rmse"] < bias_only["rmse"] < popular["rmse"]


def test_neighbours_on_movielens_are_what_a_person_would_say(movielens: Path) -> None:
    embeddings = open_embeddings(movielens / "embeddings")
    often = np.bincount(embeddings.catalogue.seen.rows, minlength=embeddings.n_items) >= 20
    titles = [embeddings.catalogue.item_titles[row] for row in range(embeddings.n_items)]
    norms = np.linalg.norm(embeddings.item_embeddings, axis=1)
    assert np.median(norms) > 0.1
    wars = titles.index("Star Wars: Episode IV - A New Hope (1977)")
    cosines = embeddings.item_embeddings @ embeddings.item_embeddings[wars] / np.maximum(norms, 1e-9)
    nearest = [titles[row] for row in np.argsort(-np.where(often, cosines, -np.inf))[1:4]]
    assert sum("Star Wars: Episode V" in title for title in nearest) == 2
