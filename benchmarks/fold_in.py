"""Strangers solved by the server beside strangers trained on: python -m benchmarks.fold_in [--data NAME …].

A tenth of the users are strangers: a model is trained without them, and each is solved from nine tenths of their own
ratings as RecommendFromRatings does. Beside it a full retraining on the same ratings and everybody else's. Both are
judged on the strangers' remaining tenth: RMSE of the model that predicts ratings, clipped to the scale; NDCG@10 of the
model that ranks, relevant being held-out ratings of at least 4, among all items that a stranger has not rated. The last
line of standard output is one JSON document.
"""

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.data import NAMES, prepared
from benchmarks.machine import machine
from benchmarks.process import matinee, wide_console
from indexer.fold_in import solver
from indexer.vectors import augment
from training.columns import Ids, Ragged
from training.embeddings import Embeddings, open_embeddings
from training.evaluation.metrics import rank, rmse
from training.evaluation.predictors import Model

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]
DIM, SEED, SHARE, RELEVANT, K = "64", 0, 0.1, 4.0, 10


def divided(ratings: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Everybody else's ratings, the strangers' known ones, and those held out."""
    ratings = ratings.drop_duplicates(["user_id", "item_id"], keep="last")
    rng = np.random.default_rng(SEED)
    users = ratings["user_id"].unique()
    strange = ratings["user_id"].isin(rng.choice(users, int(len(users) * SHARE), replace=False))
    held_out = strange & (rng.random(len(ratings)) < SHARE)
    return ratings[~strange], ratings[strange & ~held_out], ratings[held_out]


def trained(folder: Path, name: str, ratings: pd.DataFrame, objective: str) -> tuple[Embeddings, float]:
    """The model of `ratings`, and the seconds that it took."""
    table = folder / f"{name}.csv"
    ratings.to_csv(table, index=False)
    out = folder / f"{name}-{objective}"
    run = matinee("train", table, out, "--dim", DIM, "--objective", objective, "--overwrite")
    return open_embeddings(out), float(run["seconds"])


@dataclass(frozen=True)
class Strangers:
    """Those who have a known and a held-out rating of an item that the model has."""

    user_ids: list[str]
    """(n,)."""
    known: list[tuple[Rows, Floats]]
    """(n,): item rows and ratings."""
    held_out: list[tuple[Rows, Floats]]
    """(n,): item rows and ratings."""

    @classmethod
    def of(cls, item_ids: Ids, known: pd.DataFrame, held_out: pd.DataFrame) -> "Strangers":
        """Those of both tables."""
        mine = {str(user): _rated(item_ids, ratings) for user, ratings in known.groupby("user_id")}
        theirs = {str(user): _rated(item_ids, ratings) for user, ratings in held_out.groupby("user_id")}
        users = [user for user in theirs if len(theirs[user][0]) and len(mine.get(user, ((),))[0])]
        return cls(users, [mine[user] for user in users], [theirs[user] for user in users])


def _rated(item_ids: Ids, ratings: pd.DataFrame) -> tuple[Rows, Floats]:
    rows = [item_ids.row(str(item)) for item in ratings["item_id"]]
    known = np.array([row is not None for row in rows], bool)
    return np.array([row for row in rows if row is not None], np.int64), ratings["rating"].to_numpy(float)[known]


def solved(embeddings: Embeddings, strangers: Strangers) -> tuple[Embeddings, float]:
    """The model with the strangers, solved, for its users; and the seconds that it took."""
    vectors = augment(embeddings.item_embeddings, embeddings.item_biases)
    solving = solver(embeddings.description, vectors, embeddings.dim, embeddings.global_bias)
    assert solving is not None
    started = time.perf_counter()
    users = [solving.user(rows, ratings) for rows, ratings in strangers.known]
    seconds = time.perf_counter() - started
    user_embeddings, user_biases = (np.array(column, np.float32) for column in zip(*users, strict=True))
    return replace(embeddings, user_embeddings=user_embeddings, user_biases=user_biases), seconds


def judged(embeddings: Embeddings, user_rows: Rows, strangers: Strangers) -> float:
    """The RMSE of a model that predicts ratings, else the mean NDCG@10; the strangers are at `user_rows` (n,)."""
    if embeddings.scores_are_ratings:
        scale = embeddings.description["rating_scale"]
        rows, ratings = (np.concatenate(column) for column in zip(*strangers.held_out, strict=True))
        asked = np.repeat(user_rows, [len(rows) for rows, _ in strangers.held_out])
        return rmse(np.clip(Model(embeddings).predict(asked, rows), *scale) - ratings)
    relevant = [rows[ratings >= RELEVANT] for rows, ratings in strangers.held_out]
    found = [place for place, rows in enumerate(relevant) if len(rows)]
    seen: list[Rows] = [np.empty(0, np.int64)] * embeddings.n_users
    for place in found:
        seen[user_rows[place]] = strangers.known[place][0]
    wanted = Ragged.of([np.sort(relevant[place]).tolist() for place in found])
    ranks = rank(
        Model(embeddings), user_rows[found], wanted, Ragged.of([np.sort(rows).tolist() for rows in seen]), depth=K
    )
    return float(ranks.ndcg(K).mean())


def measured(name: str, console: Console) -> list[dict[str, Any]]:
    """The figures of both objectives."""
    data = prepared(name, console)
    if data is None:
        return []
    everybody, known, held_out = divided(pd.concat([pd.read_csv(data.train), pd.read_csv(data.test)]))
    folder, results = data.folder / "fold-in", []
    folder.mkdir(exist_ok=True)
    for objective in ("rating", "ranking"):
        console.print(f"{name}: {objective}")
        without, _ = trained(folder, "everybody-else", everybody, objective)
        full, seconds = trained(folder, "everybody", pd.concat([everybody, known]), objective)
        strangers, same = (Strangers.of(model.catalogue.item_ids, known, held_out) for model in (without, full))
        alone, solving_s = solved(without, strangers)
        rows = (full.catalogue.user_ids.row(user_id) for user_id in same.user_ids)
        retrained = np.array([row for row in rows if row is not None], np.int64)
        results.append(
            {
                "data": data.name,
                "objective": objective,
                "n_strangers": len(strangers.user_ids),
                "metric": "rmse" if objective == "rating" else "ndcg",
                "solved": round(judged(alone, np.arange(len(strangers.user_ids)), strangers), 4),
                "retrained": round(judged(full, retrained, same), 4),
                "us_per_stranger": round(1e6 * solving_s / len(strangers.user_ids)),
                "retraining_s": round(seconds, 1),
            }
        )
    return results


def main() -> None:
    """Measure, print a table, and one JSON document last."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["ml-latest-small", "goodbooks-10k"], help=f"{NAMES} or a path")
    options = parser.parse_args()
    console = wide_console()
    results = [result for name in options.data for result in measured(name, console)]
    table = Table("data", "objective", "strangers", "metric", "solved", "retrained", "µs a stranger", "retraining s")
    for result in results:
        table.add_row(*map(str, result.values()))
    console.print(table)
    print(json.dumps({"machine": machine(), "results": results}))


if __name__ == "__main__":
    main()
