"""The judge of the benchmarks: its figures by hand, and what a trainer does not know."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.data import divide
from benchmarks.judge import Judge
from training.columns import Ids, Ragged, Strings
from training.embeddings import Catalogue, Embeddings, write_embeddings

TRAIN = "user_id,item_id,rating\n1,10,5\n1,11,2\n2,10,3\n2,12,4\n"
# User 3 and item 13 are in the held-out part alone.
TEST = "user_id,item_id,rating\n1,12,5\n2,11,4\n2,13,1\n3,11,4\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "train.csv").write_text(TRAIN)
    (tmp_path / "test.csv").write_text(TEST)
    return tmp_path


def _fitted(folder: Path) -> Path:
    """Users 1 and 2, items 10 to 12; nothing but biases."""
    catalogue = Catalogue(
        user_ids=Ids.of(["1", "2"])[0],
        item_ids=Ids.of(["10", "11", "12"])[0],
        seen=Ragged.of([[], []]),
        item_titles=Strings.of([""] * 3),
        item_tags=Ragged.of([[]] * 3),
        tag_names=Strings.of([]),
    )
    user_biases, item_biases = np.array([1, -1], np.float32), np.array([0, -0.5, 4], np.float32)
    nothing = np.zeros((2, 1), np.float32), np.zeros((3, 1), np.float32)
    write_embeddings(Embeddings(*nothing, user_biases, item_biases, 3.0, catalogue), folder)
    return folder


def test_the_unknown_have_zero_biases_and_predictions_are_clipped(data: Path) -> None:
    judge = Judge(data)
    figures = judge.errors(judge.opened(_fitted(data / "fitted"), "rating"))
    predicted, clipped = np.array([8, 1.5, 2, 2.5]), np.array([5, 2, 2, 2.5])
    truth = np.array([5, 4, 1, 4])
    assert figures["rmse"] == pytest.approx(np.sqrt(np.mean((clipped - truth) ** 2)), abs=1e-5)
    assert figures["rmse_unclipped"] == pytest.approx(np.sqrt(np.mean((predicted - truth) ** 2)), abs=1e-5)


def test_an_unknown_item_comes_last(data: Path) -> None:
    judge = Judge(data)
    figures = judge.rankings(judge.opened(_fitted(data / "fitted"), "ranking"))
    # User 1 has 12, 13 to be ranked and 12 leads; user 2 has 11, 13; user 3, who is new, has 12, 10, 11, 13.
    ndcg = [1, 1, 1 / np.log2(4)]
    assert figures["n_users"] == 3
    assert figures["ndcg@10"] == pytest.approx(np.mean(ndcg), abs=1e-4)
    assert figures["recall@20"] == 1


def test_the_parts_are_the_whole_and_are_made_alike_again(tmp_path: Path) -> None:
    rows = [f"{user},{item},{1 + (user + item) % 5}" for user in range(20) for item in range(10)]
    source = tmp_path / "ratings.csv"
    source.write_text("\n".join(["user_id,item_id,rating", *rows]) + "\n")
    counts = divide(source, tmp_path / "once")
    divide(source, tmp_path / "twice")
    assert (counts["n_train"], counts["n_test"]) == (180, 20)
    parts = {}
    for name in ("train", "test", "known"):
        parts[name] = (tmp_path / "once" / f"{name}.csv").read_text()
        assert parts[name] == (tmp_path / "twice" / f"{name}.csv").read_text()
    lines = {name: set(text.splitlines()[1:]) for name, text in parts.items()}
    assert lines["train"] | lines["test"] == set(rows)
    assert lines["known"] < lines["train"]
    assert not lines["train"] & lines["test"]
