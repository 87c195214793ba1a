"""A matrix of weights between items as a trainer's result, where others have embeddings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.columns import Ids, Ragged
from training.embeddings import Floats
from training.evaluation.predictors import Rows


@dataclass(frozen=True)
class ItemItem:
    """A matrix of weights, and what each user liked."""

    weights: Floats
    """(n_items, n_items) from liked item to scored item."""
    liked: Ragged
    """For each user row the item rows that the user liked."""

    def scores(self, user_rows: Rows) -> Floats:
        """Σ of the weights from the liked items: float32 (n_users, n_items)."""
        return np.stack([self.weights[self.liked[row]].sum(axis=0) for row in user_rows])

    def predict(self, user_rows: Rows, item_rows: Rows) -> Floats:
        """It ranks, and predicts no ratings: raises NotImplementedError."""
        raise NotImplementedError


def save(weights: Floats, item_ids: Ids, folder: Path) -> None:
    """Write `weights` and the ids of their items; `load` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {"weights": weights, **item_ids.to_arrays("item_ids")}
    np.savez(folder / "item_item.npz", **arrays)


def load(folder: Path) -> tuple[Floats, Ids] | None:
    """The weights and the ids of their items, or None where `folder` holds none."""
    file = folder / "item_item.npz"
    if not file.exists():
        return None
    with np.load(file) as arrays:
        return arrays["weights"], Ids.from_arrays(arrays, "item_ids")
