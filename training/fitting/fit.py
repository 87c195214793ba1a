"""Ratings → a fitted Keras model."""

from contextlib import closing
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console

from training.data.ratings import Ratings
from training.data.split import Positions, random_split
from training.fitting.adam import FusedAdam
from training.fitting.batches import EVALUATION_BATCH, Batches
from training.fitting.config import FitConfig, chosen_batch_size
from training.fitting.model import MatrixFactorisation
from training.fitting.progress import Report


@dataclass(frozen=True)
class Fit:
    """A fitted model and how it went."""

    model: MatrixFactorisation
    """With the weights of the best epoch."""
    epochs: list[dict[str, float]]
    """For each epoch its rmse and val_rmse in rating units, and its seconds."""
    batch_size: int
    """Ratings a step."""

    @property
    def best_epoch(self) -> int:
        """The position in `epochs` whose weights the model has."""
        return int(np.argmin([epoch["val_rmse"] for epoch in self.epochs]))

    def metrics(self) -> dict[str, Any]:
        """For the manifest: best_epoch (from 1), val_rmse, and every epoch."""
        best = self.best_epoch
        return {"best_epoch": best + 1, "val_rmse": self.epochs[best]["val_rmse"], "epochs": self.epochs}


def devices() -> str:
    """What TensorFlow will compute on, such as "CPU" or "GPU"; the first call is when it looks for them."""
    kinds = {device.device_type for device in tf.config.list_logical_devices()}
    return ", ".join(sorted(kinds - {"CPU"})) or "CPU"


def fit(ratings: Ratings, config: FitConfig, console: Console) -> Fit:
    """The model that fits `ratings` best, judged by a part of them that is held out for it; progress to `console`.

    Users and items that have no rating in the part fitted to end with zero embeddings and biases. The same ratings,
    config, machine and TensorFlow give the same weights, bit for bit; another processor may round differently. To
    that end TensorFlow's deterministic operations are switched on, for the whole process. Raises DivergedError where
    the loss is not finite, RatingsError where there are too few ratings to hold any out.
    """
    tf.config.experimental.enable_op_determinism()
    fitted, held_out = random_split(len(ratings), config.validation_fraction, config.seed)
    batch_size = config.batch_size or chosen_batch_size(len(fitted))
    model = _first_model(ratings, fitted, config)
    stop_early = keras.callbacks.EarlyStopping(
        "val_rmse", mode="min", patience=config.patience, restore_best_weights=True
    )
    with closing(Report(console)) as report:
        model.fit(
            Batches(ratings, fitted, batch_size, seed=config.seed),
            validation_data=Batches(ratings, held_out, EVALUATION_BATCH),
            epochs=config.epochs,
            # Report comes first: it must raise before a broken epoch can count as the best.
            callbacks=[report, stop_early],
            shuffle=False,
            verbose=0,
        )
    return Fit(model, report.epochs, batch_size)


def _first_model(ratings: Ratings, fitted: Positions, config: FitConfig) -> MatrixFactorisation:
    """The model before its first step, compiled."""
    model = MatrixFactorisation(
        ratings.n_users,
        ratings.n_items,
        config.dim,
        regularisation=config.regularisation,
        bias_regularisation=config.bias_regularisation,
        seed=config.seed,
    )
    model.start_from(
        float(ratings.values[fitted].mean(dtype=np.float64)),
        np.bincount(ratings.user_rows[fitted], minlength=ratings.n_users),
        np.bincount(ratings.item_rows[fitted], minlength=ratings.n_items),
    )
    model.compile(
        optimizer=FusedAdam(config.learning_rate),
        loss=keras.losses.MeanSquaredError(),
        metrics=[keras.metrics.RootMeanSquaredError(name="rmse")],
    )
    return model
