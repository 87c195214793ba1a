"""On real ratings, what the server says is what the Keras model predicts, for every user."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from matinee.client import Client
from tests.server.running import asking, running
from tests.world import oracle
from training.embeddings import Embeddings, open_embeddings

RATINGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "ml-latest-small"
TOLERANCE = 1e-4

pytestmark = pytest.mark.skipif(not RATINGS.is_dir(), reason=f"no real ratings at {RATINGS}")


@dataclass(frozen=True)
class Chain:
    """What each link of the chain has of the same model."""

    client: Client
    embeddings: Embeddings
    model: Any
    is_exact: bool

    def predictions(self, user_row: int) -> NDArray[np.float32]:
        """What Keras predicts for one user and every item: float32 (n_items,)."""
        n_items = self.embeddings.n_items
        rows = {"user_rows": np.full(n_items, user_row, np.int32), "item_rows": np.arange(n_items, dtype=np.int32)}
        predicted: NDArray[np.float32] = self.model(rows).numpy()
        return predicted


# An exact index, lists, and lists of shortened vectors: whatever finds the candidates, the scores are the model's.
@pytest.fixture(scope="module", params=["Flat", "Equalised,IVF64,Flat", "Equalised,IVF64,PQ36x4fs"])
def chain(
    request: pytest.FixtureRequest, trained: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Chain]:
    (embeddings, keras_model), store = trained, tmp_path_factory.mktemp("chain") / "store"
    matinee("index", embeddings, store, "--index-key", request.param, "--target-recall", "0.98")

    from training.fitting.model import load_model

    with running(store) as server, asking(server) as client:
        yield Chain(client, open_embeddings(embeddings), load_model(keras_model), is_exact=request.param == "Flat")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The embeddings and the Keras model."""
    folder = tmp_path_factory.mktemp("trained")
    embeddings, keras_model = folder / "embeddings", folder / "keras"
    matinee("train", RATINGS, embeddings, "--regularisation", "2", "--sweeps", "3", "--save-model", keras_model)
    return embeddings, keras_model


def matinee(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "matinee", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_users_scores_are_the_models_and_their_order_the_oracles(chain: Chain) -> None:
    catalogue = chain.embeddings.catalogue
    assert len(catalogue.user_ids) == 610
    n_found = 0
    for user_row in range(610):
        answer = chain.client.recommend(catalogue.user_ids[user_row], k=10 if user_row % 2 else 100)
        k = len(answer.items)
        expected = oracle(chain.embeddings, user_row, k, catalogue.seen[user_row])
        rows = [int(catalogue.item_ids.row(item.item_id) or 0) for item in answer.items]
        if chain.is_exact:
            assert rows == expected
        n_found += len({*rows} & {*expected})
        assert not {*rows} & {*catalogue.seen[user_row].tolist()}
        assert [item.title for item in answer.items] == [catalogue.item_titles[row] for row in rows]
        scores = [item.score for item in answer.items]
        assert scores == sorted(scores, reverse=True)
        np.testing.assert_allclose(scores, chain.predictions(user_row)[rows], atol=TOLERANCE, rtol=0)
    assert n_found >= 0.97 * 305 * (10 + 100)


def test_the_predicted_ratings_of_all_items_are_the_models(chain: Chain) -> None:
    catalogue = chain.embeddings.catalogue
    item_ids = [catalogue.item_ids[row] for row in range(chain.embeddings.n_items)]
    for user_row in range(0, 610, 61):
        answer = chain.client.predict_ratings(catalogue.user_ids[user_row], item_ids)
        ratings = [rating.rating for rating in answer.ratings]
        np.testing.assert_allclose(ratings, chain.predictions(user_row), atol=TOLERANCE, rtol=0)
