"""The export of the notebook that Matinee grew from: four arrays, a pickle of mappings, a configuration.

    rating(u, i) = user_biases[u] + item_biases[i] + user_embeddings[u] · item_embeddings[i]

The files that are read: `user_embeddings.npy` (num_users, embedding_dim), `item_embeddings.npy`, `user_biases.npy`
(num_users,), `item_biases.npy`, `mappings.pkl` and `model_config.json`. The Keras weights beside them are the same
numbers again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.errors import ImportingError
from training.importing.assembly import Model, Side
from training.importing.ids import sorted_ids
from training.importing.mappings import Mappings
from training.importing.pickled import read_pickle
from training.importing.vectors import ArrayVectors, placed, placed_biases

MAPPINGS = "mappings.pkl"
CONFIG = "model_config.json"
_MOST_CONFIG_BYTES = 1 << 16


@dataclass(frozen=True)
class Export:
    """What a folder of the notebook holds."""

    model: Model
    config: Mapping[str, Any]
    """What of `model_config.json` tells how the model was trained."""


def read_export(folder: Path) -> Export:
    """The export in `folder`, proved to fit together.

    Raises ImportingError, or ArtefactError where a `.npy` is none, naming the file and what in it is not right.
    """
    for name in (CONFIG, MAPPINGS, *(f"{side}_{what}.npy" for side in ("user", "item") for what in _ARRAYS)):
        if not (folder / name).is_file():
            raise ImportingError(f"{folder / name}: no such file; is {folder} what the notebook saved?")
    users, items = (ArrayVectors(folder / f"{side}_embeddings.npy") for side in ("user", "item"))
    config = _read_config(folder / CONFIG)
    _check_config(config, users, items, folder)
    mappings = Mappings.of(read_pickle(folder / MAPPINGS, most_sets=users.n), folder / MAPPINGS)
    user_ids, user_rows = sorted_ids(mappings.ids("user", users.n), folder / MAPPINGS, "user")
    item_ids, item_rows = sorted_ids(mappings.ids("movie", items.n), folder / MAPPINGS, "item")
    model = Model(
        users=Side(user_ids, placed(users, user_rows), placed_biases(folder / "user_biases.npy", users.n, user_rows)),
        items=Side(item_ids, placed(items, item_rows), placed_biases(folder / "item_biases.npy", items.n, item_rows)),
        seen=mappings.seen(user_rows, item_rows),
        titles=mappings.titles(),
    )
    return Export(model, {name: config[name] for name in ("embedding_dim", "reg") if name in config})


def _read_config(file: Path) -> dict[str, Any]:
    if file.stat().st_size > _MOST_CONFIG_BYTES:
        raise ImportingError(f"{file}: {file.stat().st_size:,} bytes are more than any configuration has")
    try:
        config = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ImportingError(f"{file}: is not JSON; save it again") from error
    if not isinstance(config, dict):
        raise ImportingError(f"{file}: holds a {type(config).__name__}, not names and values")
    return config


def _check_config(config: Mapping[str, Any], users: ArrayVectors, items: ArrayVectors, folder: Path) -> None:
    expected = (("num_users", users.n, users), ("num_items", items.n, items), ("embedding_dim", users.dim, users),
                ("embedding_dim", items.dim, items))  # fmt: skip
    for name, found, vectors in expected:
        told = config.get(name)
        if type(told) is not int or told != found:
            raise ImportingError(
                f"{folder / CONFIG}: {name} is {told!r}, and {vectors.file.name} has {vectors.array.shape};"
                " save both from one model"
            )
    reg = config.get("reg", 0.0)
    if type(reg) not in (int, float) or not 0 <= reg < float("inf"):
        raise ImportingError(f"{folder / CONFIG}: reg is {reg!r}; it must be a number from 0")


_ARRAYS = ("embeddings", "biases")
