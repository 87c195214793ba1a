"""What can be evaluated: anything that predicts ratings and scores items."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from training.embeddings import Embeddings, Floats

Rows = NDArray[np.integer[Any]]


class Predictor(Protocol):
    """Ratings of pairs, and the scores by which the items of a user rank."""

    def predict(self, user_rows: Rows, item_rows: Rows) -> Floats:
        """The predicted rating of each pair: float32 (n,)."""

    def scores(self, user_rows: Rows) -> Floats:
        """For each user the score of every item, higher is better: float32 (n_users, n_items), maybe read-only."""


@dataclass(frozen=True)
class Model:
    """The embeddings themselves."""

    embeddings: Embeddings

    def predict(self, user_rows: Rows, item_rows: Rows) -> Floats:
        """global_bias + b_u + b_i + p_u · q_i."""
        model = self.embeddings
        biases = model.user_biases[user_rows] + model.item_biases[item_rows] + np.float32(model.global_bias)
        products: Floats = np.einsum("nd,nd->n", model.user_embeddings[user_rows], model.item_embeddings[item_rows])
        return biases + products

    def scores(self, user_rows: Rows) -> Floats:
        """b_i + p_u · q_i: what is the same for all items of a user is left out."""
        scores: Floats = self.embeddings.user_embeddings[user_rows] @ self.embeddings.item_embeddings.T
        scores += self.embeddings.item_biases
        return scores
