"""The yardstick: the notebook's way to train, written again from its description.

    python -m benchmarks.notebook TRAIN.csv TEST.csv [--steps N] [--epochs N] [--out FOLDER]

Two tables of 64 columns with L2 of 1e-6 on the whole of each, two of biases, no global bias; Adam at 1e-3 on the mean
squared error; single ratings shuffled in a buffer of a million and put into batches of 4096; at most 20 epochs, given
up after three without a better validation RMSE, the best weights kept. As there, the held-out part is what validates,
so that the RMSE it stops at is the best that it ever shows on that part.

The speed leaves out the first steps of each epoch, in which graphs are traced and the buffer fills: in its favour.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import ops

from training.columns import Ids, Ragged, Strings
from training.embeddings import Catalogue, Embeddings, write_embeddings

SEED, DIM, BATCH, BUFFER, L2 = 42, 64, 4096, 1_000_000, 1e-6
EPOCHS, PATIENCE = 20, 3
_WARM_UP_STEPS = 50


class DotProduct(keras.Model):  # type: ignore[misc]  # Keras ships no types
    """rating(u, i) = b_u + b_i + p_u · q_i."""

    def __init__(self, n_users: int, n_items: int) -> None:
        super().__init__()
        self.users = keras.layers.Embedding(n_users, DIM, embeddings_regularizer=keras.regularizers.L2(L2))
        self.items = keras.layers.Embedding(n_items, DIM, embeddings_regularizer=keras.regularizers.L2(L2))
        self.user_biases = keras.layers.Embedding(n_users, 1)
        self.item_biases = keras.layers.Embedding(n_items, 1)

    def call(self, pairs: Mapping[str, Any]) -> Any:
        """The predicted rating of each pair."""
        user, item = pairs["user"], pairs["item"]
        products = ops.sum(self.users(user) * self.items(item), axis=1)
        return products + ops.squeeze(self.user_biases(user), axis=1) + ops.squeeze(self.item_biases(item), axis=1)


class Stopwatch(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Seconds since the fit began at the end of each epoch, its validation included; and the time of the steps."""

    def __init__(self) -> None:
        super().__init__()
        # Without this Keras would wait after every step for its figures, which the notebook's code does not make it do.
        self.async_safe = True
        self.history: list[dict[str, float]] = []
        self.steps = 0
        self.steps_s = 0.0
        self._began = time.perf_counter()
        self._warm = self._last = 0.0

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:  # noqa: ARG002  # Keras's signature
        """Look at the clock."""
        self._last = time.perf_counter()
        if batch == self._warm_up:
            self._warm = self._last

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Note the epoch, and say so."""
        self.steps += self.params["steps"] - 1 - self._warm_up
        self.steps_s += self._last - self._warm
        figures = {name: round(float(logs[name]), 5) for name in ("rmse", "val_rmse") if name in logs}
        self.history.append({"epoch": epoch + 1, "seconds": round(time.perf_counter() - self._began, 2), **figures})
        print("notebook", self.history[-1], file=sys.stderr, flush=True)

    @property
    def _warm_up(self) -> int:
        return min(_WARM_UP_STEPS, int(self.params["steps"]) // 4)


def batches(ratings: pd.DataFrame, *, shuffled: bool) -> tf.data.Dataset:
    """Ratings with the columns user, item and rating, one by one, as the notebook's pipeline takes them."""
    pairs = {name: ratings[name].to_numpy(np.int32) for name in ("user", "item")}
    elements = tf.data.Dataset.from_tensor_slices((pairs, ratings["rating"].to_numpy(np.float32)))
    if shuffled:
        elements = elements.shuffle(min(len(ratings), BUFFER), seed=SEED, reshuffle_each_iteration=True)
    return elements.batch(BATCH).prefetch(tf.data.AUTOTUNE)


def compiled(n_users: int, n_items: int) -> DotProduct:
    """The model before its first step."""
    model = DotProduct(n_users, n_items)
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=keras.losses.MeanSquaredError(),
        metrics=[keras.metrics.RootMeanSquaredError(name="rmse")],
    )
    return model


def numbered(train: pd.DataFrame, test: pd.DataFrame) -> list[list[Any]]:
    """Give both tables the columns user and item, rows by ascending id; the ids of each."""
    found = []
    for column, name in (("user_id", "user"), ("item_id", "item")):
        ids = sorted({*train[column].unique(), *test[column].unique()})
        rows = {value: row for row, value in enumerate(ids)}
        for table in (train, test):
            table[name] = table[column].map(rows)
        found.append(ids)
    return found


def save(model: DotProduct, user_ids: list[Any], item_ids: list[Any], folder: Path) -> None:
    """Write what was learnt so that the judge can read it; what was seen is left out, the judge knows it."""
    tables = [layer.get_weights()[0] for layer in (model.users, model.items, model.user_biases, model.item_biases)]
    catalogue = Catalogue(
        user_ids=Ids.of([str(value) for value in user_ids])[0],
        item_ids=Ids.of([str(value) for value in item_ids])[0],
        seen=Ragged.of([[] for _ in user_ids]),
        item_titles=Strings.of("" for _ in item_ids),
        item_tags=Ragged.of([[] for _ in item_ids]),
        tag_names=Strings.of([]),
    )
    embeddings = Embeddings(tables[0], tables[1], tables[2][:, 0], tables[3][:, 0], 0.0, catalogue)
    write_embeddings(embeddings, folder, overwrite=True)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Read, fit, write: the figures."""
    keras.utils.set_random_seed(SEED)
    began = time.perf_counter()
    train, test = pd.read_csv(options.train), pd.read_csv(options.test)
    user_ids, item_ids = numbered(train, test)
    model = compiled(len(user_ids), len(item_ids))
    read_s = time.perf_counter() - began
    watch = Stopwatch()
    stop = keras.callbacks.EarlyStopping("val_rmse", mode="min", patience=PATIENCE, restore_best_weights=True)
    validated: dict[str, Any] = (
        {"epochs": 1, "steps_per_epoch": options.steps, "callbacks": [watch]}
        if options.steps
        else {"epochs": options.epochs, "validation_data": batches(test, shuffled=False), "callbacks": [watch, stop]}
    )
    began = time.perf_counter()
    # The pipeline shuffles; Keras would only warn that it does not.
    model.fit(batches(train, shuffled=True), shuffle=False, verbose=0, **validated)
    fit_s = time.perf_counter() - began
    if options.out is not None:
        save(model, user_ids, item_ids, options.out)
    return {
        "read_s": round(read_s, 2),
        "fit_s": round(fit_s, 2),
        "steps_timed": watch.steps,
        "ratings_per_s": round(watch.steps * BATCH / watch.steps_s),
        "history": watch.history,
    }


def main() -> None:
    """Train once; the figures on standard output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--steps", type=int, help="stop after so many steps, and validate nothing: for its speed alone")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="at most so many")
    parser.add_argument("--out", type=Path, help="folder for what was learnt")
    json.dump(run(parser.parse_args()), sys.stdout)


if __name__ == "__main__":
    main()
