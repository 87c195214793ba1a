"""`matinee import-notebook`: a real export scores as its Keras model does, and nothing that does not fit is written."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.exported import (
    DIM,
    N_ITEMS,
    N_USERS,
    mappings_of,
    random_arrays,
    ratings_table,
    save_export,
)
from tests.world import predicted_ratings
from training.__main__ import main
from training.columns import Ids
from training.embeddings import open_embeddings

NUMPY_1 = Path(__file__).parent / "exports" / "mappings-numpy-1.26-pandas-2.2.pkl"


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return save_export(tmp_path / "saved", mappings_of(ratings_table()), random_arrays())


def run(*arguments: object) -> int:
    return main(["import-notebook", *map(str, arguments)])


def keras_model() -> Any:
    """The notebook's layers: two embeddings, two columns of biases, their dot product and sum."""
    import tensorflow as tf

    # Where a fit before has asked for deterministic operations, nothing random goes without a seed.
    tf.keras.utils.set_random_seed(1)
    layers = tf.keras.layers
    user, item = (layers.Input((), dtype="int32", name=name) for name in ("user_id", "item_id"))
    penalty = tf.keras.regularizers.l2(1e-6)
    parts = {
        "user": layers.Embedding(N_USERS, DIM, embeddings_regularizer=penalty, name="user_embedding")(user),
        "item": layers.Embedding(N_ITEMS, DIM, embeddings_regularizer=penalty, name="item_embedding")(item),
        "user_bias": layers.Embedding(N_USERS, 1, name="user_bias")(user),
        "item_bias": layers.Embedding(N_ITEMS, 1, name="item_bias")(item),
    }
    dot = layers.Dot(axes=1)([parts["user"], parts["item"]])
    model = tf.keras.Model([user, item], layers.Add()([dot, parts["user_bias"], parts["item_bias"]]))
    model.compile(optimizer=tf.keras.optimizers.Adam(0.05), loss="mse")
    return model


def exported_arrays(model: Any) -> dict[str, Any]:
    arrays = {}
    for side in ("user", "item"):
        arrays[f"{side}_embeddings"] = model.get_layer(f"{side}_embedding").get_weights()[0]
        arrays[f"{side}_biases"] = model.get_layer(f"{side}_bias").get_weights()[0].flatten()
    return arrays


def test_a_real_export_scores_as_its_keras_model_and_is_indexed(tmp_path: Path) -> None:
    table = ratings_table()
    mappings, model = mappings_of(table), keras_model()
    users, movies = table["userId"].map(mappings["user_to_idx"]), table["movieId"].map(mappings["movie_to_idx"])
    model.fit([users.to_numpy(), movies.to_numpy()], table["rating"].to_numpy(np.float32), epochs=8, verbose=0)
    save_export(tmp_path / "saved", mappings, exported_arrays(model))

    assert run(tmp_path / "saved", tmp_path / "out") == 0
    embeddings = open_embeddings(tmp_path / "out")
    for user_id, user_row in mappings["user_to_idx"].items():
        predicted = model.predict([np.full(N_ITEMS, user_row), np.arange(N_ITEMS)], verbose=0).reshape(-1)
        here = embeddings.catalogue.user_ids.row(str(user_id))
        assert here is not None
        rows = embeddings.catalogue.item_ids.rows(Ids(np.array(list(mappings["movie_to_idx"]), np.int64)))
        scores = predicted_ratings(embeddings, here)[rows]
        assert np.abs(scores - predicted).max() <= 1e-4
    assert np.abs(embeddings.item_biases).max() > 1e-3

    command = [sys.executable, "-m", "matinee", "index", str(tmp_path / "out"), str(tmp_path / "store"), "--json"]
    indexed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert indexed.returncode == 0, indexed.stderr
    assert json.loads(indexed.stdout)["n_items"] == N_ITEMS


def test_ids_seen_items_and_titles_are_the_exports(export: Path, tmp_path: Path) -> None:
    assert run(export, tmp_path / "out") == 0
    table, catalogue = ratings_table(), open_embeddings(tmp_path / "out").catalogue
    assert [catalogue.user_ids[row] for row in range(N_USERS)] == [str(7 * n + 3) for n in range(N_USERS)]
    for row in range(N_USERS):
        rated = sorted(table["movieId"][table["userId"] == 7 * row + 3])
        assert [int(catalogue.item_ids[item]) for item in catalogue.seen[row]] == rated
    assert catalogue.item_titles[2] == "Film № 2"
    assert catalogue.item_titles[3] == ""


def test_the_manifest_says_where_they_are_from(
    export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(export, tmp_path / "out", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["origin"] == "notebook import"
    assert told["scores"] == "ratings"
    assert told["config"] == {"embedding_dim": DIM, "reg": 1e-6}
    assert told["n_titles"] == N_ITEMS - 1
    assert told["remarks"] == []
    embeddings = open_embeddings(tmp_path / "out")
    assert embeddings.scores_are_ratings
    assert embeddings.global_bias == 0
    assert "rating_scale" not in embeddings.description


def test_mappings_of_numpy_1_and_pandas_2_are_read(export: Path, tmp_path: Path) -> None:
    assert b"numpy.core.multiarray" in NUMPY_1.read_bytes()
    assert run(export, tmp_path / "new") == 0
    (export / "mappings.pkl").write_bytes(NUMPY_1.read_bytes())
    assert run(export, tmp_path / "old") == 0
    new, old = (json.loads((tmp_path / name / "manifest.json").read_bytes())["files"] for name in ("new", "old"))
    assert new == old


def test_rows_in_any_order_come_out_in_the_order_of_their_ids(tmp_path: Path) -> None:
    mappings, arrays = mappings_of(ratings_table()), random_arrays()
    save_export(tmp_path / "sorted", mappings, arrays)
    rng = np.random.default_rng(5)
    users, items = rng.permutation(N_USERS), rng.permutation(N_ITEMS)  # old row → new row
    moved = {
        "user_to_idx": {user: int(users[row]) for user, row in mappings["user_to_idx"].items()},
        "movie_to_idx": {movie: int(items[row]) for movie, row in mappings["movie_to_idx"].items()},
        "movie_titles": mappings["movie_titles"],
        "user_consumed": {
            int(users[row]): {int(items[item]) for item in seen} for row, seen in mappings["user_consumed"].items()
        },
    }
    order = {"user": np.argsort(users), "item": np.argsort(items)}
    save_export(tmp_path / "moved", moved, {name: array[order[name[:4]]] for name, array in arrays.items()})
    for name in ("sorted", "moved"):
        assert run(tmp_path / name, tmp_path / f"{name}-out") == 0
    one, other = (open_embeddings(tmp_path / f"{name}-out") for name in ("sorted", "moved"))
    assert one.catalogue.to_arrays().keys() == other.catalogue.to_arrays().keys()
    for name, array in one.catalogue.to_arrays().items():
        np.testing.assert_array_equal(array, other.catalogue.to_arrays()[name])
    np.testing.assert_array_equal(one.user_embeddings, other.user_embeddings)
    np.testing.assert_array_equal(one.item_biases, other.item_biases)


def test_ids_may_be_texts_and_biases_a_column(tmp_path: Path) -> None:
    mappings, arrays = mappings_of(ratings_table()), random_arrays()
    mappings["user_to_idx"] = {f"ü{user}": row for user, row in mappings["user_to_idx"].items()}
    mappings["idx_to_user"] = {row: np.str_(user) for user, row in mappings["user_to_idx"].items()}
    arrays["user_biases"] = arrays["user_biases"].reshape(-1, 1)
    save_export(tmp_path / "saved", mappings, arrays)
    assert run(tmp_path / "saved", tmp_path / "out") == 0
    embeddings = open_embeddings(tmp_path / "out")
    row = embeddings.catalogue.user_ids.row("ü10")
    assert row is not None
    assert embeddings.user_biases[row] == arrays["user_biases"][1, 0]


def without_seen(folder: Path) -> Path:
    mappings = mappings_of(ratings_table())
    del mappings["user_consumed"]
    return save_export(folder, mappings, random_arrays())


def test_seen_items_that_the_export_lacks_come_from_ratings(export: Path, tmp_path: Path) -> None:
    ratings_table().to_csv(tmp_path / "ratings.csv", index=False)
    assert run(export, tmp_path / "with") == 0
    assert run(without_seen(tmp_path / "less"), tmp_path / "out", "--ratings", tmp_path / "ratings.csv") == 0
    one, other = open_embeddings(tmp_path / "with"), open_embeddings(tmp_path / "out")
    np.testing.assert_array_equal(one.catalogue.seen.rows, other.catalogue.seen.rows)
    np.testing.assert_array_equal(one.catalogue.seen.offsets, other.catalogue.seen.offsets)
    assert other.description["rating_scale"] == [1.0, 5.0]


def test_without_any_seen_items_it_is_said_what_follows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(without_seen(tmp_path / "less"), tmp_path / "out") == 0
    assert "recommendations will contain items that a user has seen already" in capsys.readouterr().err
    assert len(open_embeddings(tmp_path / "out").catalogue.seen.rows) == 0


def test_ratings_of_others_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating\na,b,1\nc,d,2\n")
    assert run(without_seen(tmp_path / "less"), tmp_path / "out", "--ratings", tmp_path / "ratings.csv") == 1
    assert "none of its ratings is of a user and an item of the model" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_titles_and_tags_of_a_file_take_the_place_of_the_exports(export: Path, tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n5,Other,Drama|War\n")
    assert run(export, tmp_path / "out", "--items", tmp_path / "movies.csv") == 0
    catalogue = open_embeddings(tmp_path / "out").catalogue
    assert catalogue.item_titles[0] == "Other"
    assert [catalogue.tag_names[tag] for tag in catalogue.item_tags[0]] == ["Drama", "War"]


def test_an_earlier_import_is_replaced_only_on_request(export: Path, tmp_path: Path) -> None:
    assert run(export, tmp_path / "out") == 0
    assert run(export, tmp_path / "out") == 1
    assert run(export, tmp_path / "out", "--overwrite") == 0


def mapped(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        mappings = mappings_of(ratings_table())
        change(mappings)
        save_export(folder, mappings, random_arrays())

    return write


def array(name: str, value: Any) -> Callable[[Path], None]:
    return lambda folder: np.save(folder / f"{name}.npy", value)


def config(text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "model_config.json").write_text(text)

    return write


GOOD_CONFIG = {"num_users": N_USERS, "num_items": N_ITEMS, "embedding_dim": DIM}
REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "no biases": (lambda folder: (folder / "item_biases.npy").unlink(), "item_biases.npy: no such file; is"),
    "no mappings": (lambda folder: (folder / "mappings.pkl").unlink(), "mappings.pkl: no such file"),
    "objects": (array("item_biases", np.array([{}] * N_ITEMS, object)), "is not a NumPy array that can be read safely"),
    "whole numbers": (
        array("item_biases", np.zeros(N_ITEMS, int)),
        "item_biases.npy: is int64 (20,); it must be float",
    ),
    "NaN": (array("user_embeddings", np.full((N_USERS, DIM), np.nan)), "user_embeddings.npy: row 1: holds NaN"),
    "too large for float32": (array("user_biases", np.full(N_USERS, 1e300)), "user_biases.npy: row 1: holds NaN"),
    "few biases": (array("user_biases", np.zeros(3)), "user_biases.npy: has 3 biases, and there are 12 vectors"),
    "other width": (
        array("item_embeddings", np.zeros((N_ITEMS, 5))),
        "embedding_dim is 4, and item_embeddings.npy has",
    ),
    "flat": (array("item_embeddings", np.zeros(N_ITEMS)), "it must be float16, float32 or float64 (n, dim)"),
    "empty": (
        array("item_embeddings", np.zeros((0, DIM))),
        "it must be float16, float32 or float64 (n, dim), not empty",
    ),
    "config is no JSON": (config("{"), "model_config.json: is not JSON"),
    "config is a list": (config("[1]"), "model_config.json: holds a list"),
    "config is deep": (config("[" * 60_000), "model_config.json: is not JSON"),
    "config is huge": (config(" " * 70_000), "model_config.json: 70,000 bytes are more than any configuration has"),
    "other count": (
        config(json.dumps({**GOOD_CONFIG, "num_users": 13})),
        "num_users is 13, and user_embeddings.npy has",
    ),
    "count is true": (config(json.dumps({**GOOD_CONFIG, "num_users": True})), "num_users is True"),
    "reg is text": (config(json.dumps({**GOOD_CONFIG, "reg": "much"})), "reg is 'much'; it must be a number"),
    "a row twice": (mapped(lambda m: m["user_to_idx"].update({3: 1})), "user_to_idx: row 0 has 0 ids; each of 12 rows"),
    "a row less": (mapped(lambda m: m["movie_to_idx"].popitem()), "movie_to_idx: row 19 has 0 ids"),
    "a row too far": (mapped(lambda m: m["user_to_idx"].update({3: 12})), "user_to_idx: 12 is no row from 0 to 11"),
    "a row is true": (
        mapped(lambda m: m["user_to_idx"].update({10: True})),
        "user_to_idx: True is no row from 0 to 11",
    ),
    "a row is text": (mapped(lambda m: m["user_to_idx"].update({3: "0"})), "user_to_idx: '0' is no row from 0 to 11"),
    "an id is a float": (
        mapped(lambda m: m["user_to_idx"].update({1.5: m["user_to_idx"].pop(3)})),
        "user_to_idx: 1.5 is no id; ids are whole numbers or texts",
    ),
    "an id is empty": (
        mapped(lambda m: (m.pop("idx_to_user"), m["user_to_idx"].update({"": m["user_to_idx"].pop(3)}))),
        "the user has an empty id",
    ),
    "an id twice, once as text": (
        mapped(lambda m: (m.pop("idx_to_user"), m["user_to_idx"].update({"10": m["user_to_idx"].pop(3)}))),
        "user '10' is in row 1 too",
    ),
    "not inverse": (mapped(lambda m: m["idx_to_user"].update({0: 10, 1: 3})), "row 0 is of user 3 by user_to_idx, and"),
    "no ids": (mapped(lambda m: m.pop("movie_to_idx")), "movie_to_idx is missing; it must be a dict"),
    "ids are a number": (mapped(lambda m: m.update(movie_to_idx=7)), "movie_to_idx is 7; it must be a dict"),
    "another count": (mapped(lambda m: m.update(num_items=21)), "it counts 21 movies, and there are 20 rows"),
    "a title is a number": (mapped(lambda m: m["movie_titles"].update({5: 1})), "movie_titles: that of 5 is 1, not a"),
    "seen beyond": (
        mapped(lambda m: m["user_consumed"].update({0: {20}})),
        "that of row 0 holds 20, and there are 20 items",
    ),
    "seen is a number": (mapped(lambda m: m["user_consumed"].update({0: 4})), "that of row 0 is 4, not a set of rows"),
    "seen by a stranger": (
        mapped(lambda m: m["user_consumed"].update({12: m["user_consumed"].pop(0)})),
        "user_consumed: 12 is no row from 0",
    ),
}


@pytest.mark.parametrize(("change", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_what_does_not_fit_is_refused_in_one_sentence_and_nothing_is_written(
    change: Callable[[Path], None], sentence: str, export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(export)
    assert run(export, tmp_path / "out") == 1
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]
