"""The user vector of somebody who was not in training, from a few ratings: training's own problem for one user's row.

With the items as they are, a user's embedding p and bias b have a closed form, which is what a sweep of training gives
every user (fold-in: Sarwar, Karypis, Konstan and Riedl, "Incremental SVD-based algorithms for highly scalable
recommender systems", 2002, as ridge regression). Over the n items i that were rated r_i, as the objective has it:

    ratings      Σ (r_i − global_bias − item_bias_i − b − p · q_i)²  +  n^½ (penalty |p|² + bias_penalty b²)
    preferences  Σ (t_i − p · q_i)²  +  α Σ_all (p · q)²  +  (n + α n_items)^½ penalty |p|²

where t_i is 0 at the lowest rating and 1 from `liked_from` on. The manifest's "fold_in" has the numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.bundle import Bundle
from indexer.selection import Rows
from indexer.vectors import Floats
from training.artefact import check_number
from training.embeddings import scores_are_ratings
from training.errors import ArtefactError

_BLOCK_ROWS = 1 << 16


@dataclass(frozen=True, eq=False)
class FoldIn:
    """Solves users for one model."""

    item_vectors: Floats
    """(n_items, width): embedding, bias, zeros."""
    dim: int
    """The width of the embeddings."""
    global_bias: float
    """Of the model."""
    penalty: float
    """Of a user embedding's squares."""
    bias_penalty: float | None
    """Of a user bias's square; None of a model of preferences, which has no biases."""
    unseen_weight: float = 0.0
    """α."""
    lowest: float = 0.0
    """The rating of target 0, of a model of preferences."""
    liked_from: float = 0.0
    """The rating of target 1, of a model of preferences."""

    def user(self, rows: Rows, ratings: NDArray[np.float64]) -> tuple[Floats, float]:
        """The embedding, float32 (dim,), and the bias of who gave `ratings` (n,) to the items at `rows` (n,), n ≥ 1."""
        vectors = self.item_vectors[rows].astype(np.float64)
        features, n = vectors[:, : self.dim], len(rows)
        if self.bias_penalty is None:
            strength = self.penalty * np.sqrt(n + self.unseen_weight * len(self.item_vectors))
            normal = features.T @ features + self._unseen + strength * np.eye(self.dim)
            return np.linalg.solve(normal, features.T @ self._liking(ratings)).astype(np.float32), 0.0
        features = np.concatenate([features, np.ones((n, 1))], axis=1)
        penalties = np.sqrt(n) * np.array([self.penalty] * self.dim + [self.bias_penalty])
        targets = ratings - self.global_bias - vectors[:, self.dim]
        solved = np.linalg.solve(features.T @ features + np.diag(penalties), features.T @ targets)
        return solved[:-1].astype(np.float32), float(solved[-1])

    def _liking(self, ratings: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.liked_from <= self.lowest:
            return np.ones(len(ratings))
        return np.clip((ratings - self.lowest) / (self.liked_from - self.lowest), 0, 1)

    @cached_property
    def _unseen(self) -> NDArray[np.float64]:
        """α Σ_all q qᵀ: (dim, dim)."""
        gram = np.zeros((self.dim, self.dim))
        for start in range(0, len(self.item_vectors), _BLOCK_ROWS):
            block = self.item_vectors[start : start + _BLOCK_ROWS, : self.dim]
            gram += block.T @ block
        return self.unseen_weight * gram


def fold_in(bundle: Bundle) -> FoldIn | None:
    """What solves users for the model of `bundle`: `solver`."""
    return solver(bundle.manifest, bundle.item_vectors, bundle.dim, bundle.global_bias)


def solver(manifest: Mapping[str, Any], item_vectors: Floats, dim: int, global_bias: float) -> FoldIn | None:
    """What solves users for the model that `manifest` describes, the rest as in FoldIn.

    None where it does not say how users were fitted, as after an import. Raises ArtefactError where that is unsound.
    """
    told = manifest.get("fold_in")
    if told is None:
        return None
    if not isinstance(told, Mapping):
        raise ArtefactError("fold_in is no table in the manifest; publish again")
    if scores_are_ratings(manifest):
        numbers: dict[str, Any] = {"bias_penalty": _positive(told, "bias_penalty")}
    else:
        numbers = {name: check_number(told, name) for name in ("lowest", "liked_from")}
        numbers |= {"bias_penalty": None, "unseen_weight": _positive(told, "unseen_weight")}
    return FoldIn(item_vectors, dim, global_bias, _positive(told, "penalty"), **numbers)


def _positive(told: Mapping[str, Any], name: str) -> float:
    value = check_number(told, name)
    if value <= 0:
        raise ArtefactError(f"{name} of fold_in is {value} in the manifest; it must be more than 0")
    return value
