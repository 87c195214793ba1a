"""The Keras model, and its folder of weights and configuration."""

import json
from pathlib import Path
from typing import Any

import keras
from keras import ops

from training.artefact import read_manifest, verify_files, write_artefact
from training.embeddings import Catalogue, Embeddings
from training.fitting.objectives import Parameters

KIND = "matinee-keras-model"
FORMAT_VERSION = 2

_WEIGHTS, _CONFIG = "model.weights.h5", "config.json"


@keras.saving.register_keras_serializable("matinee")
class MatrixFactorisation(keras.Model):  # type: ignore[misc]  # Keras ships no types
    """Biases and a product of embeddings, after Koren, Bell and Volinsky, "Matrix factorization techniques", 2009.

        rating(u, i) = global_bias + b_u + b_i + p_u · q_i

    Its weights are zero until `assign` gives it what a fit has found.

    Input: {"user_rows": int32 (n,), "item_rows": int32 (n,)}. Output: float32 (n,).
    """

    def __init__(self, n_users: int, n_items: int, dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.settings = {"n_users": n_users, "n_items": n_items, "dim": dim}
        self.user_embedding = keras.layers.Embedding(n_users, dim, "zeros", name="user_embedding")
        self.item_embedding = keras.layers.Embedding(n_items, dim, "zeros", name="item_embedding")
        self.user_bias = keras.layers.Embedding(n_users, 1, "zeros", name="user_bias")
        self.item_bias = keras.layers.Embedding(n_items, 1, "zeros", name="item_bias")
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

    def assign(self, parameters: Parameters) -> None:
        """Take over what was fitted; shapes must be the model's."""
        self.user_embedding.embeddings.assign(parameters.user_embeddings)
        self.item_embedding.embeddings.assign(parameters.item_embeddings)
        self.user_bias.embeddings.assign(parameters.user_biases[:, None])
        self.item_bias.embeddings.assign(parameters.item_biases[:, None])
        self.global_bias.assign(parameters.global_bias)

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
