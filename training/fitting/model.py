"""The Keras model, and its folder of weights and configuration."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from training.artefact import read_manifest, verify_files, write_artefact
from training.embeddings import Catalogue, Embeddings

KIND = "matinee-keras-model"
FORMAT_VERSION = 1

_WEIGHTS, _CONFIG = "model.weights.h5", "config.json"
_FIRST_STDDEV = 0.05


@keras.saving.register_keras_serializable("matinee")
class MatrixFactorisation(keras.Model):  # type: ignore[misc]  # Keras ships no types
    """Biases and a product of embeddings, after Koren, Bell and Volinsky, "Matrix factorization techniques", 2009.

        rating(u, i) = global_bias + b_u + b_i + p_u · q_i

    The loss of a batch is the mean over its ratings r of

        (r − rating(u, i))² + regularisation · (|p_u|² + |q_i|²) + bias_regularisation · (b_u² + b_i²)

    so that only rows which a batch looks up are regularised: each in proportion to its ratings (Zhou et al., 2008),
    and no step has to walk through whole tables for it.

    Input: {"user_rows": int32 (n,), "item_rows": int32 (n,)}. Output: float32 (n,).
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        dim: int,
        *,
        regularisation: float = 0.0,
        bias_regularisation: float = 0.0,
        seed: int = 42,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.settings: dict[str, Any] = {
            "n_users": n_users,
            "n_items": n_items,
            "dim": dim,
            "regularisation": regularisation,
            "bias_regularisation": bias_regularisation,
            "seed": seed,
        }
        # Two seeds, so that users and items do not start as copies of each other.
        self.user_embedding = _table(n_users, dim, regularisation, "user_embedding", seed=2 * seed)
        self.item_embedding = _table(n_items, dim, regularisation, "item_embedding", seed=2 * seed + 1)
        self.user_bias = _table(n_users, 1, bias_regularisation, "user_bias")
        self.item_bias = _table(n_items, 1, bias_regularisation, "item_bias")
        self.global_bias = self.add_weight(shape=(), initializer="zeros", name="global_bias")
        for layer in (self.user_embedding, self.item_embedding, self.user_bias, self.item_bias):
            layer.build()
        self.built = True

    def call(self, inputs: dict[str, Any]) -> Any:
        """The predicted rating of each pair."""
        users, items = inputs["user_rows"], inputs["item_rows"]
        products = ops.sum(self.user_embedding(users) * self.item_embedding(items), axis=1)
        biases = ops.squeeze(self.user_bias(users), axis=1) + ops.squeeze(self.item_bias(items), axis=1)
        return self.global_bias + biases + products

    def start_from(
        self, global_bias: float, n_user_ratings: NDArray[np.int64], n_item_ratings: NDArray[np.int64]
    ) -> None:
        """Set the global bias, and to zero the embeddings of users and items without ratings, (n_users,), (n_items,).

        No step looks such a row up, so zero it stays: its predictions are global bias plus the other's bias.
        """
        self.global_bias.assign(global_bias)
        for layer, counts in ((self.user_embedding, n_user_ratings), (self.item_embedding, n_item_ratings)):
            layer.embeddings.assign(layer.embeddings * (counts > 0)[:, None].astype(np.float32))

    def embeddings(self, catalogue: Catalogue) -> Embeddings:
        """What it has learnt, for the users and items of `catalogue`."""
        return Embeddings(
            user_embeddings=self.user_embedding.embeddings.numpy(),
            item_embeddings=self.item_embedding.embeddings.numpy(),
            user_biases=self.user_bias.embeddings.numpy()[:, 0],
            item_biases=self.item_bias.embeddings.numpy()[:, 0],
            global_bias=float(self.global_bias.numpy()),
            catalogue=catalogue,
        )

    def get_config(self) -> dict[str, Any]:
        """What `from_config` makes the same model of, weights aside."""
        return {**super().get_config(), **self.settings}


def _table(n_rows: int, width: int, regularisation: float, name: str, seed: int | None = None) -> Any:
    """A layer that looks rows up; zero at first where it has no `seed`."""
    first = "zeros" if seed is None else keras.initializers.RandomNormal(stddev=_FIRST_STDDEV, seed=seed)
    # Keras divides the regulariser of an activity by the batch, which makes it the mean over the looked-up rows.
    regulariser = keras.regularizers.L2(regularisation)
    return keras.layers.Embedding(n_rows, width, first, activity_regularizer=regulariser, name=name)


def save_model(model: MatrixFactorisation, folder: Path, *, overwrite: bool = False) -> None:
    """Write Keras weights and configuration to `folder`, whole or not at all; `load_model` reads them.

    Raises ArtefactError where `folder` exists and is not to be replaced.
    """

    def fill(draft: Path) -> None:
        model.save_weights(draft / _WEIGHTS)
        (draft / _CONFIG).write_text(json.dumps(dict(model.settings), indent=2) + "\n")

    write_artefact(folder, KIND, FORMAT_VERSION, {"keras": keras.__version__}, fill, overwrite=overwrite)


def load_model(folder: Path) -> MatrixFactorisation:
    """The model that `save_model` wrote. Raises ArtefactError where `folder` is damaged or something else."""
    verify_files(folder, read_manifest(folder, KIND, FORMAT_VERSION))
    model = MatrixFactorisation(**json.loads((folder / _CONFIG).read_text()))
    model.load_weights(folder / _WEIGHTS)
    return model
