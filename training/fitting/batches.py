"""Ratings as the batches that Keras asks for: slices of shuffled positions, never one rating at a time."""

from typing import Any

import keras
import numpy as np

from training.data.ratings import Ratings
from training.data.split import Positions

EVALUATION_BATCH = 32_768


class Batches(keras.utils.PyDataset):  # type: ignore[misc]  # Keras ships no types
    """The ratings at `positions`, `batch_size` at a time; in a new order every epoch where it has a `seed`."""

    def __init__(self, ratings: Ratings, positions: Positions, batch_size: int, seed: int | None = None) -> None:
        super().__init__()
        self._ratings = ratings
        # Half the memory of int64, and a copy: the order changes.
        self._order = positions.astype(np.int32 if len(ratings) < 2**31 else np.int64)
        self._batch_size = batch_size
        self._generator = None if seed is None else np.random.default_rng(seed)

    def __len__(self) -> int:
        return -(-len(self._order) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[dict[str, Any], Any]:
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        inputs = {"user_rows": self._ratings.user_rows[chosen], "item_rows": self._ratings.item_rows[chosen]}
        return inputs, self._ratings.values[chosen]

    def on_epoch_begin(self) -> None:
        """Shuffle, where it has a seed."""
        if self._generator is not None:
            self._generator.shuffle(self._order)
