"""A user that is solved by the server gets the vector that training would have found."""

from pathlib import Path

import numpy as np
import pytest

from indexer.fold_in import fold_in
from tests.server.running import opened
from tests.training.test_fit import embeddings_of, noisy
from tests.world import predicted_ratings
from training.fitting.config import FitConfig

CONVERGED = {
    "rating": FitConfig(dim=4, regularisation=1.0, sweeps=200),
    "ranking": FitConfig(dim=4, objective="ranking", regularisation=0.1, unseen_weight=0.05, sweeps=200),
}


@pytest.mark.parametrize("objective", CONVERGED)
def test_a_user_of_training_is_solved_again_to_the_same_scores(tmp_path: Path, objective: str) -> None:
    ratings = noisy()
    embeddings = embeddings_of(ratings, CONVERGED[objective])
    solving = fold_in(opened(tmp_path, embeddings))
    assert solving is not None
    for user_row in range(0, ratings.n_users, 7):
        own = np.flatnonzero(ratings.user_rows == user_row)
        vector, bias = solving.user(ratings.item_rows[own].astype(np.int64), ratings.values[own].astype(np.float64))
        scores = embeddings.global_bias + bias + embeddings.item_biases + embeddings.item_embeddings @ vector
        np.testing.assert_allclose(scores, predicted_ratings(embeddings, user_row), atol=2e-3)
