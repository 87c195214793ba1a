"""`matinee train --warm-start`: what was chosen holds, and users and items may have come and gone."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matinee.command import DONE, FAILED, WRONG_USAGE
from tests.training.tastes import table, two_tastes
from training.__main__ import main
from training.columns import Ids
from training.data.ratings import Ratings, read_ratings, write_ratings
from training.embeddings import Embeddings, open_embeddings, write_embeddings
from training.evaluation.metrics import rmse
from training.evaluation.predictors import Model
from training.fitting.checkpoint import Checkpoint
from training.fitting.config import FitConfig
from training.fitting.fit import UPDATE_SWEEPS
from training.fitting.objectives import first_rows, objective_of
from training.fitting.warm_start import start_from

N_USERS, N_ITEMS = 80, 60
COME, GO = 20, 10
"""Of users and of items: tonight the last so many are new and the first so many are gone."""
KEPT_SHARE = 0.9
ALL = np.ones(N_USERS * N_ITEMS, np.bool_)


def world() -> Ratings:
    """Two tastes, half a star off at random."""
    ratings = two_tastes(N_USERS, N_ITEMS, share=0.6)
    noise = np.random.default_rng(1).integers(-1, 2, len(ratings)) / 2
    return table(ratings.user_rows, ratings.item_rows, np.clip(ratings.values + noise, 1, 5), N_USERS, N_ITEMS)


def part(file: Path, first: int, left_out: int, chosen: Any = ALL) -> Path:
    """The ratings of the world without the users and items before `first` and the last `left_out`, where `chosen`."""
    ratings = world()
    inside = np.ones(len(ratings), np.bool_)
    for rows, n in ((ratings.user_rows, N_USERS), (ratings.item_rows, N_ITEMS)):
        inside &= (rows >= first) & (rows < n - left_out)
    kept = np.flatnonzero(inside)
    kept = kept[chosen[: len(kept)]]
    write_ratings(table(ratings.user_rows[kept], ratings.item_rows[kept], ratings.values[kept], N_USERS, N_ITEMS), file)
    return file


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with last-night.csv, tonight.csv and held-out.csv, and a model of the first under each objective."""
    folder = tmp_path_factory.mktemp("nights")
    # Every tenth rating of those who were there already comes tonight.
    part(folder / "last-night.csv", 0, COME, np.arange(len(ALL)) % 10 > 0)
    drawn = np.random.default_rng(2).random(len(ALL)) < KEPT_SHARE
    part(folder / "held-out.csv", GO, 0, ~drawn)
    part(folder / "tonight.csv", GO, 0, drawn)
    for objective in ("rating", "ranking"):
        train(folder, "last-night.csv", objective, "--objective", objective)
    return folder


def train(folder: Path, ratings: str, out: str, *flags: str) -> None:
    assert main(["train", str(folder / ratings), str(folder / out), "--dim", "4", "--overwrite", *flags]) == DONE


def error(embeddings: Embeddings, file: Path) -> float:
    """RMSE on the ratings in `file`."""
    ratings, catalogue = read_ratings(file), embeddings.catalogue
    users = catalogue.user_ids.rows(ratings.user_ids)[ratings.user_rows]
    items = catalogue.item_ids.rows(ratings.item_ids)[ratings.item_rows]
    assert users.min() >= 0
    assert items.min() >= 0
    return rmse(Model(embeddings).predict(users, items) - ratings.values)


def listed(ids: Ids) -> list[str]:
    return sorted((ids[row] for row in range(len(ids))), key=int)


def test_users_and_items_that_came_are_learnt_and_those_that_went_are_gone(nights: Path) -> None:
    train(nights, "tonight.csv", "warm", "--warm-start", str(nights / "rating"))
    train(nights, "tonight.csv", "scratch")
    warm, scratch = open_embeddings(nights / "warm"), open_embeddings(nights / "scratch")
    assert listed(warm.catalogue.user_ids) == [str(user + 1) for user in range(GO, N_USERS)]
    assert listed(warm.catalogue.item_ids) == [str(item) for item in range(GO, N_ITEMS)]
    assert error(warm, nights / "held-out.csv") == pytest.approx(error(scratch, nights / "held-out.csv"), abs=0.02)
    assert error(warm, nights / "held-out.csv") < 0.8


def test_nothing_is_searched_for_and_a_few_sweeps_are_made(nights: Path) -> None:
    train(nights, "tonight.csv", "warm", "--warm-start", str(nights / "rating"))
    warm, earlier = (open_embeddings(nights / name).description for name in ("warm", "rating"))
    assert warm["search"] == []
    assert len(warm["history"]) == UPDATE_SWEEPS
    assert len(earlier["history"]) + len(earlier["search"]) > UPDATE_SWEEPS
    assert warm["config"]["regularisation"] == earlier["config"]["regularisation"]


def test_a_model_that_ranks_keeps_its_number_of_sweeps_but_begins_at_random(nights: Path) -> None:
    train(nights, "tonight.csv", "warm-ranking", "--objective", "ranking", "--warm-start", str(nights / "ranking"))
    warm, earlier = (open_embeddings(nights / name).description for name in ("warm-ranking", "ranking"))
    assert len(warm["history"]) == warm["config"]["sweeps"] == earlier["config"]["sweeps"]
    for name in ("regularisation", "unseen_weight"):
        assert warm["config"][name] == earlier["config"][name]


def test_known_items_begin_where_they_ended_by_their_ids_and_new_ones_at_random(nights: Path) -> None:
    ratings, earlier = read_ratings(nights / "tonight.csv"), open_embeddings(nights / "rating")
    config = FitConfig(dim=4)
    start = start_from(nights / "rating", earlier, ratings, config)
    first = first_rows(objective_of(ratings, config), ratings.n_items, config.seed)
    scale = np.sqrt(ratings.values.std(dtype=np.float64))
    n_known = 0
    for row in range(ratings.n_items):
        old = earlier.catalogue.item_ids.row(ratings.item_ids[row])
        if old is None:
            np.testing.assert_array_equal(start.item_rows[row], first[row])
        else:
            n_known += 1
            np.testing.assert_allclose(start.item_rows[row, :4] * scale, earlier.item_embeddings[old], rtol=1e-5)
    assert n_known == N_ITEMS - COME - GO


def test_what_the_earlier_model_foretold_is_told(nights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(nights, "tonight.csv", "warm", "--warm-start", str(nights / "rating"), "--json")
    before = json.loads(capsys.readouterr().out)["metrics"]["before"]
    earlier, ratings = open_embeddings(nights / "rating"), read_ratings(nights / "tonight.csv")
    users = earlier.catalogue.user_ids.rows(ratings.user_ids)[ratings.user_rows]
    items = earlier.catalogue.item_ids.rows(ratings.item_ids)[ratings.item_rows]
    known = (users >= 0) & (items >= 0)
    new = np.array(
        [ok and item not in earlier.catalogue.seen[user] for user, item, ok in zip(users, items, known, strict=True)]
    )
    predicted = np.clip(Model(earlier).predict(users[new], items[new]), 1, 5)
    assert before["n_unknown"] == (~known).sum() > 0
    assert before["n_ratings"] == new.sum() > 0
    assert before["rmse"] == pytest.approx(rmse(predicted - ratings.values[new]), rel=1e-5)


@pytest.mark.parametrize(
    ("flags", "status", "sentence"),
    [
        (["--dim", "8"], WRONG_USAGE, r"rating has dim 4, .* and not 8: give --dim 4, or train from scratch"),
        (["--objective", "ranking"], WRONG_USAGE, r"has objective rating, .*: give --objective rating, or train"),
        (["--warm-start", "nowhere"], FAILED, r"nowhere"),
    ],
)
def test_what_does_not_go_on_is_refused_and_nothing_is_written(
    flags: list[str], status: int, sentence: str, nights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", str(nights / "tonight.csv"), str(tmp_path / "out"), "--warm-start", str(nights / "rating")]
    assert main([*command, "--dim", "4", *flags]) == status
    said = capsys.readouterr().err.splitlines()[-1]
    assert re.search(sentence, said), said
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_quite_other_items_is_refused(nights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ratings = read_ratings(nights / "tonight.csv")
    lines = [
        f"{user},x{item},{value:g}"
        for user, item, value in zip(ratings.user_rows, ratings.item_rows, ratings.values, strict=True)
    ]
    (nights / "others.csv").write_text("\n".join(["user_id,item_id,rating", *lines, ""]))
    command = ["train", str(nights / "others.csv"), str(nights / "others"), "--dim", "4"]
    assert main([*command, "--warm-start", str(nights / "rating")]) == FAILED
    assert "has none of the items that are rated here; train from scratch" in capsys.readouterr().err


def test_a_model_that_does_not_say_what_it_chose_needs_the_flag(
    nights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = open_embeddings(nights / "rating")
    told = {name: value for name, value in earlier.description.items() if name != "config"}
    write_embeddings(replace(earlier, description=told), tmp_path / "earlier")
    command = ["train", str(nights / "tonight.csv"), str(tmp_path / "out"), "--dim", "4"]
    command += ["--warm-start", str(tmp_path / "earlier")]
    assert main(command) == WRONG_USAGE
    assert "does not say its regularisation; give --regularisation, or train from scratch" in capsys.readouterr().err
    assert main([*command, "--regularisation", "1"]) == DONE


def test_a_checkpoint_does_not_go_on_from_another_earlier_model(
    nights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = tmp_path / "earlier"
    command = ["train", str(nights / "tonight.csv"), str(tmp_path / "out"), "--dim", "4", "--checkpoint-every", "0"]
    command += ["--warm-start", str(earlier), "--overwrite"]
    train(nights, "last-night.csv", str(earlier), "--regularisation", "1", "--sweeps", "3")
    monkeypatch.setattr(Checkpoint, "remove", lambda _: None)
    assert main(command) == DONE
    monkeypatch.undo()
    train(nights, "last-night.csv", str(earlier), "--regularisation", "2", "--sweeps", "3")
    before = open_embeddings(tmp_path / "out").content_sha256
    capsys.readouterr()
    assert main([*command, "--resume"]) == FAILED
    assert "is of another fit, with warm start from" in capsys.readouterr().err
    assert open_embeddings(tmp_path / "out").content_sha256 == before
