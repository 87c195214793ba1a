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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.data import NAMES, prepared
from benchmarks.machine import machine
from benchmarks.process import matinee, wide_console
from indexer.fold_in import FoldIn, solver
from indexer.vectors import augment
from training.embeddings import Embeddings, open_embeddings

DIM, SEED, SHARE, RELEVANT, K = "64", 0, 0.1, 4.0, 10
_DISCOUNTS = 1 / np.log2(np.arange(2, K + 2))


def divided(ratings: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Everybody else's ratings, the strangers' known ones, and those held out."""
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


def scores_of_trained(embeddings: Embeddings, user_id: int) -> Any:
    """Of every item for a user of training: float64 (n_items,)."""
    row = embeddings.catalogue.user_ids.row(str(user_id))
    assert row is not None
    products = embeddings.item_embeddings @ embeddings.user_embeddings[row]
    return embeddings.global_bias + float(embeddings.user_biases[row]) + embeddings.item_biases + products


class Solved:
    """Scores for those that a model was not trained on; `seconds` is what solving them took."""

    def __init__(self, embeddings: Embeddings) -> None:
        self.seconds, self._embeddings = 0.0, embeddings
        vectors = augment(embeddings.item_embeddings, embeddings.item_biases)
        solving = solver(embeddings.description, vectors, embeddings.dim, embeddings.global_bias)
        assert solving is not None
        self._solving: FoldIn = solving

    def scores(self, rows: Any, ratings: Any) -> Any:
        """Of every item for somebody who gave `ratings` (n,) to the items at `rows` (n,): float64 (n_items,)."""
        started = time.perf_counter()
        vector, bias = self._solving.user(rows, ratings)
        self.seconds += time.perf_counter() - started
        embeddings = self._embeddings
        return embeddings.global_bias + bias + embeddings.item_biases + embeddings.item_embeddings @ vector


def ndcg(scores: Any, known: Any, relevant: Any) -> float:
    """NDCG@10 with the `known` rows left out and binary gains for the `relevant` ones."""
    scores = scores.copy()
    scores[known] = -np.inf
    best = np.argsort(-scores, kind="stable")[:K]
    return float(_DISCOUNTS[np.isin(best, relevant)].sum() / _DISCOUNTS[: len(relevant)].sum())


def judged(
    embeddings: Embeddings, known: pd.DataFrame, held_out: pd.DataFrame, solved: Solved | None
) -> dict[str, float]:
    """RMSE and NDCG@10 over the strangers of which at least one known and one held-out item is in the model."""
    errors, gains = [], []
    low, high = embeddings.description["rating_scale"]
    for user_id, mine, theirs in _strangers(embeddings, known, held_out):
        (rows, ratings), (their_rows, their_ratings) = mine, theirs
        scores = solved.scores(rows, ratings) if solved else scores_of_trained(embeddings, user_id)
        errors.append(np.clip(scores[their_rows], low, high) - their_ratings)
        relevant = their_rows[their_ratings >= RELEVANT]
        if len(relevant):
            gains.append(ndcg(scores, rows, relevant))
    return {
        "rmse": float(np.sqrt(np.mean(np.concatenate(errors) ** 2))),
        "ndcg": float(np.mean(gains)),
        "n": len(errors),
    }


def _strangers(embeddings: Embeddings, known: pd.DataFrame, held_out: pd.DataFrame) -> Iterator[tuple[int, Any, Any]]:
    grouped = known.groupby("user_id")
    for user_id, theirs in held_out.groupby("user_id"):
        if user_id not in grouped.groups:
            continue
        mine, of_theirs = _rows(embeddings, grouped.get_group(user_id)), _rows(embeddings, theirs)
        if len(mine[0]) and len(of_theirs[0]):
            yield int(str(user_id)), mine, of_theirs


def _rows(embeddings: Embeddings, ratings: pd.DataFrame) -> tuple[Any, Any]:
    rows = [embeddings.catalogue.item_ids.row(str(item)) for item in ratings["item_id"]]
    in_model = np.array([row is not None for row in rows], bool)
    return np.array([row for row in rows if row is not None], np.int64), ratings["rating"].to_numpy(float)[in_model]


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
        solved = Solved(without)
        mine, theirs = judged(without, known, held_out, solved), judged(full, known, held_out, None)
        results.append(
            {
                "data": data.name,
                "objective": objective,
                "n_strangers": int(mine["n"]),
                "metric": (metric := "rmse" if objective == "rating" else "ndcg"),
                "solved": round(mine[metric], 4),
                "retrained": round(theirs[metric], 4),
                "us_per_stranger": round(1e6 * solved.seconds / mine["n"]),
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
