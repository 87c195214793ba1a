"""What can be evaluated: anything that predicts ratings and scores items."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
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
        """For each user the score of every item, higher is better: float32 (n_users, n_items), the caller's own."""


class SameForAll(ABC):
    """A predictor that scores items for everybody alike, so that they need to be ranked but once."""

    @property
    @abstractmethod
    def item_scores(self) -> Floats:
        """The score of every item: float32 (n_items,)."""

    @abstractmethod
    def predict(self, user_rows: Rows, item_rows: Rows) -> Floats:
        """The predicted rating of each pair: float32 (n,)."""

    def scores(self, user_rows: Rows) -> Floats:
        """The same row for each user."""
        return np.tile(self.item_scores, (len(user_rows), 1))


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
        users = self.embeddings.user_embeddings[user_rows]
        scores: Floats = np.column_stack([users, np.ones(len(users), np.float32)]) @ self._item_vectors
        return scores

    @cached_property
    def _item_vectors(self) -> Floats:
        """[q_i, b_i] as columns: with the bias in the product, the scores are gone through once less."""
        return np.vstack([self.embeddings.item_embeddings.T, self.embeddings.item_biases])
