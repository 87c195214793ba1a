"""Exports as the notebook writes them: the same steps with pandas, pickle and np.save, on a small world of ratings."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

N_USERS, N_ITEMS, DIM = 12, 20, 4
ARRAYS = {
    "user_embeddings": (N_USERS, DIM),
    "item_embeddings": (N_ITEMS, DIM),
    "user_biases": (N_USERS,),
    "item_biases": (N_ITEMS,),
}


def ratings_table(seed: int = 0) -> pd.DataFrame:
    """Ratings of 12 users (ids 3, 10, 17, …) and 20 items (ids 5, 16, 27, …): each is in it."""
    rng = np.random.default_rng(seed)
    pairs = [(user, item) for user in range(N_USERS) for item in range(N_ITEMS) if (user + item) % 4 == 0 or item < 2]
    table = pd.DataFrame(pairs, columns=["user", "item"]).sample(frac=1, random_state=seed)
    return pd.DataFrame(
        {
            "userId": table["user"].to_numpy() * 7 + 3,
            "movieId": table["item"].to_numpy() * 11 + 5,
            "rating": rng.choice([1.0, 2.5, 4.0, 5.0], len(table)),
        }
    )


def mappings_of(table: pd.DataFrame) -> dict[str, Any]:
    """What the notebook keeps of its ratings: NumPy ids ↔ Python rows, titles by id, the rows that a user row rated."""
    to_row = {kind: dict(_numbered(table[column])) for kind, column in (("user", "userId"), ("movie", "movieId"))}
    rows = pd.DataFrame({"u": table["userId"].map(to_row["user"]), "m": table["movieId"].map(to_row["movie"])})
    rows = rows.astype(np.int32)
    films = pd.DataFrame({"movieId": sorted(to_row["movie"]), "title": [f"Film № {n}" for n in range(N_ITEMS)]})
    films.loc[3, "title"] = None
    return {
        "user_to_idx": to_row["user"],
        "idx_to_user": {row: user for user, row in to_row["user"].items()},
        "movie_to_idx": to_row["movie"],
        "idx_to_movie": {row: movie for movie, row in to_row["movie"].items()},
        "movie_titles": films.set_index("movieId")["title"].to_dict(),
        "user_consumed": rows.groupby("u")["m"].apply(set).to_dict(),
        "num_users": len(to_row["user"]),
        "num_items": len(to_row["movie"]),
    }


def _numbered(column: "pd.Series[int]") -> Any:
    return ((value, row) for row, value in enumerate(np.sort(column.unique())))


def random_arrays(seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Embeddings and biases in the notebook's shapes."""
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in ARRAYS.items()}


def save_export(folder: Path, mappings: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Path:
    """Save as the notebook does; the folder."""
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    config = {"num_users": N_USERS, "num_items": N_ITEMS, "embedding_dim": DIM, "reg": 1e-6}
    (folder / "model_config.json").write_text(json.dumps(config))
    with (folder / "mappings.pkl").open("wb") as file:
        pickle.dump(mappings, file)
    return folder
