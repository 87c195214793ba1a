from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.tastes import two_tastes
from tests.world import predicted_ratings
from training.embeddings import Catalogue
from training.errors import ArtefactError
from training.fitting.adam import FusedAdam
from training.fitting.model import MatrixFactorisation, load_model, save_model


def random_model(n_users: int = 5, n_items: int = 7, dim: int = 3, **settings: float) -> MatrixFactorisation:
    model = MatrixFactorisation(n_users, n_items, dim, **settings)  # type: ignore[arg-type]  # regularisation alone
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=weight.shape).astype(np.float32) for weight in model.weights])
    return model


def inputs(users: object, items: object) -> dict[str, object]:
    return {"user_rows": np.array(users, np.int32), "item_rows": np.array(items, np.int32)}


def empty_catalogue() -> Catalogue:
    ratings = two_tastes(5, 7)
    return Catalogue(
        ratings.user_ids, ratings.item_ids, ratings.seen(), ratings.item_titles, ratings.item_tags, ratings.tag_names
    )


def test_the_prediction_is_the_equation_and_that_of_the_embeddings() -> None:
    model = random_model()
    users, items = np.divmod(np.arange(35), 7)
    predicted = model.predict(inputs(users, items), verbose=0)
    embeddings = model.embeddings(empty_catalogue())
    by_hand = [
        embeddings.global_bias
        + embeddings.user_biases[user]
        + embeddings.item_biases[item]
        + embeddings.user_embeddings[user] @ embeddings.item_embeddings[item]
        for user, item in zip(users, items, strict=True)
    ]
    np.testing.assert_allclose(predicted, by_hand, atol=1e-5)
    np.testing.assert_allclose(
        predicted, np.concatenate([predicted_ratings(embeddings, user) for user in range(5)]), atol=1e-5
    )


def test_the_loss_regularises_what_a_batch_looks_up_and_nothing_else() -> None:
    model = random_model(regularisation=0.3, bias_regularisation=0.2)
    model.compile(loss="mse")
    users, items, values = [0, 0, 2], [1, 2, 2], np.array([1, 2, 3], np.float32)
    loss = model.evaluate(inputs(users, items), values, verbose=0)
    arrays = model.embeddings(empty_catalogue())
    errors = values - [predicted_ratings(arrays, user)[item] for user, item in zip(users, items, strict=True)]
    vectors = np.square(arrays.user_embeddings[users]).sum(1) + np.square(arrays.item_embeddings[items]).sum(1)
    biases = np.square(arrays.user_biases[users]) + np.square(arrays.item_biases[items])
    assert loss == pytest.approx(float(np.mean(errors**2 + 0.3 * vectors + 0.2 * biases)), rel=1e-5)


def test_keras_makes_the_same_model_of_its_config() -> None:
    model = random_model(regularisation=0.3)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    assert copy.get_config() == model.get_config()
    copy.set_weights(model.get_weights())
    pairs = inputs([0, 4], [6, 0])
    np.testing.assert_array_equal(copy.predict(pairs, verbose=0), model.predict(pairs, verbose=0))


def test_a_saved_model_predicts_the_same(tmp_path: Path) -> None:
    model = random_model(bias_regularisation=0.1)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    pairs = inputs([0, 1, 4], [6, 3, 0])
    np.testing.assert_array_equal(loaded.predict(pairs, verbose=0), model.predict(pairs, verbose=0))
    assert loaded.settings == model.settings


def test_a_damaged_saved_model_is_refused(tmp_path: Path) -> None:
    save_model(random_model(), tmp_path / "model")
    weights = tmp_path / "model" / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(ArtefactError, match=r"model\.weights\.h5: has \d+ bytes"):
        load_model(tmp_path / "model")


def test_the_first_embeddings_follow_the_seed_and_differ_between_users_and_items() -> None:
    first, again, other = (MatrixFactorisation(5, 5, 3, seed=seed).embeddings(empty_catalogue()) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.user_embeddings, again.user_embeddings)
    assert not np.array_equal(first.user_embeddings, other.user_embeddings)
    assert not np.array_equal(first.user_embeddings, first.item_embeddings)


def test_fused_adam_steps_as_keras_adam_does() -> None:
    rng = np.random.default_rng(0)
    start = rng.normal(size=(6, 3)).astype(np.float32)
    ours, theirs = keras.Variable(start), keras.Variable(start)
    fused, reference = FusedAdam(0.01), keras.optimizers.Adam(0.01)
    for _ in range(20):
        # Rows that are looked up more than once, and some never: their gradients add up, or are zero.
        rows, values = rng.integers(0, 5, 8), rng.normal(size=(8, 3)).astype(np.float32)
        summed = np.zeros((6, 3), np.float32)
        np.add.at(summed, rows, values)
        fused.apply([tf.IndexedSlices(tf.constant(values), tf.constant(rows), tf.constant([6, 3]))], [ours])
        reference.apply([tf.constant(summed)], [theirs])
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(ours.numpy()[5], start[5])
