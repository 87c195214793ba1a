from pathlib import Path

import keras
import numpy as np
import pytest

from tests.training.tastes import two_tastes
from tests.world import predicted_ratings
from training.embeddings import Catalogue
from training.errors import ArtefactError
from training.fitting.model import MatrixFactorisation, load_model, save_model
from training.fitting.objectives import Parameters


def random_model(n_users: int = 5, n_items: int = 7, dim: int = 3) -> MatrixFactorisation:
    model = MatrixFactorisation(n_users, n_items, dim)
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


def test_keras_makes_the_same_model_of_its_config() -> None:
    model = random_model()
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    assert copy.get_config() == model.get_config()
    copy.set_weights(model.get_weights())
    pairs = inputs([0, 4], [6, 0])
    np.testing.assert_array_equal(copy.predict(pairs, verbose=0), model.predict(pairs, verbose=0))


def test_a_saved_model_predicts_the_same(tmp_path: Path) -> None:
    model = random_model()
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


def test_what_a_fit_has_found_is_what_the_model_predicts_by() -> None:
    rng = np.random.default_rng(1)
    shapes = (5, 3), (7, 3), (5,), (7,)
    users, items, user_biases, item_biases = (rng.normal(size=shape).astype(np.float32) for shape in shapes)
    model = MatrixFactorisation(5, 7, 3)
    assert not any(np.any(weights) for weights in model.get_weights())
    model.assign(Parameters(users, items, user_biases, item_biases, 3.5))
    found = model.embeddings(empty_catalogue())
    np.testing.assert_array_equal(found.user_embeddings, users)
    np.testing.assert_array_equal(found.item_embeddings, items)
    np.testing.assert_array_equal(found.user_biases, user_biases)
    np.testing.assert_array_equal(found.item_biases, item_biases)
    assert found.global_bias == 3.5


def test_parameters_of_another_shape_are_refused() -> None:
    users, items = np.zeros((5, 4), np.float32), np.zeros((7, 4), np.float32)
    wide = Parameters(users, items, np.zeros(5, np.float32), np.zeros(7, np.float32), 0.0)
    with pytest.raises(ValueError, match="shape"):
        MatrixFactorisation(5, 7, 3).assign(wide)
