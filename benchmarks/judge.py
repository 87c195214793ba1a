"""One judge for all trainers: `python -m benchmarks.judge DATA FITTED rating|ranking`.

DATA is a folder of benchmarks.data, FITTED what a trainer wrote. Errors are of predictions clipped to the scale of the
training ratings. Rankings are of all items of both parts that a user has not rated in the training part, for every
user with a held-out rating of 4 or more; those are relevant. Recall@k is over min(k, number of relevant items).

A user or item that a trainer does not know has zero embeddings and biases in its predictions, and such an item comes
last in its rankings.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.item_item import ItemItem, load
from training.columns import Ids, Ragged
from training.data.ratings import read_ratings
from training.embeddings import Embeddings, open_embeddings
from training.evaluation.metrics import rank, rmse
from training.evaluation.predictors import Model, Predictor
from training.evaluation.ranks import Ranks

RELEVANT = 4.0
_DEPTH = 20
_SAMPLE_USERS, _SEED = 5_000, 42

Rows = NDArray[np.integer[Any]]


def item_lists(user_rows: Rows, item_rows: Rows, n_users: int) -> Ragged:
    """The items of each of `n_users` users, in lists."""
    order = np.lexsort((item_rows, user_rows))
    offsets = np.zeros(n_users + 1, np.int64)
    np.cumsum(np.bincount(user_rows, minlength=n_users), out=offsets[1:])
    return Ragged(offsets, item_rows[order].astype(np.int32))


def ranks(predictor: Predictor, seen: Ragged, relevant: Ragged, most: int | None = None) -> Ranks:
    """Where the `relevant` items of each user who has any stand among what the user has not `seen`.

    The first `most` such users, or all; for metrics at k up to 20.
    """
    counts = np.diff(relevant.offsets)
    users = np.flatnonzero(counts)[:most]
    offsets = np.concatenate([[0], np.cumsum(counts[users])])
    return rank(predictor, users, Ragged(offsets, relevant.rows[: offsets[-1]]), seen, depth=_DEPTH)


@dataclass(frozen=True)
class Known:
    """The ids of the training part, then those that the held-out part alone has: who the judge's rows are."""

    trained: Ids
    held_out: Ids

    def held_out_rows(self) -> Rows:
        """For each held-out id its row."""
        rows = self.trained.rows(self.held_out)
        rows[rows < 0] = len(self.trained) + np.arange((rows < 0).sum())
        return rows

    def rows_in(self, ids: Ids) -> Rows:
        """For each of the judge's rows the row in `ids`, -1 where it is not there."""
        alone = self.trained.rows(self.held_out) < 0
        return np.concatenate([ids.rows(self.trained), ids.rows(self.held_out)[alone]])

    def __len__(self) -> int:
        return len(self.trained) + int((self.trained.rows(self.held_out) < 0).sum())


class Judge:
    """Both parts of the data; rows are those of `Known`, and so for the training part its own."""

    def __init__(self, folder: Path) -> None:
        self.train = read_ratings(folder / "train.csv")
        test = read_ratings(folder / "test.csv", least=1)
        self.users = Known(self.train.user_ids, test.user_ids)
        self.items = Known(self.train.item_ids, test.item_ids)
        self.test_users = self.users.held_out_rows()[test.user_rows]
        self.test_items = self.items.held_out_rows()[test.item_rows]
        self.test_values = test.values

    def opened(self, fitted: Path, objective: str) -> Predictor:
        """What a trainer wrote to `fitted`, in the judge's rows."""
        matrix = load(fitted)
        if matrix is None:
            return self.model(open_embeddings(fitted), objective)
        weights, item_ids = matrix
        rows = self.items.rows_in(item_ids)
        padded = np.pad(weights, ((0, 1), (0, 1)))
        padded[:, -1] = -np.inf
        padded[-1] = 0
        return ItemItem(padded[np.ix_(rows, rows)], self._liked())

    def model(self, embeddings: Embeddings, objective: str) -> Model:
        """`embeddings` in the judge's rows."""
        unknown = 0.0 if objective == "rating" else -np.inf
        return Model(_in_rows(embeddings, self.users, self.items, np.float32(unknown)))

    def judge(self, predictor: Predictor, objective: str) -> dict[str, float]:
        """The figures under `objective`."""
        return self.errors(predictor) if objective == "rating" else self.rankings(predictor)

    def errors(self, predictor: Predictor) -> dict[str, float]:
        """RMSE of predictions clipped to the scale, and as they come."""
        predicted = predictor.predict(self.test_users, self.test_items)
        clipped = np.clip(predicted, self.train.values.min(), self.train.values.max())
        return {
            "rmse": round(rmse(clipped - self.test_values), 5),
            "rmse_unclipped": round(rmse(predicted - self.test_values), 5),
        }

    def rankings(self, predictor: Predictor) -> dict[str, float]:
        """NDCG@10 with its standard error and Recall@20 of all users, and of a sample of 5,000 where there are more."""
        liked = self.test_values >= RELEVANT
        relevant = item_lists(self.test_users[liked], self.test_items[liked], len(self.users))
        seen = item_lists(self.train.user_rows, self.train.item_rows, len(self.users))
        found = ranks(predictor, seen, relevant)
        ndcg, recall = found.ndcg(10), found.recall(20)
        figures = {
            "n_users": len(ndcg),
            "ndcg@10": round(float(ndcg.mean()), 4),
            "ndcg@10_standard_error": round(float(ndcg.std() / np.sqrt(len(ndcg))), 4),
            "recall@20": round(float(recall.mean()), 4),
        }
        if len(ndcg) > _SAMPLE_USERS:
            sample = np.random.default_rng(_SEED).choice(len(ndcg), _SAMPLE_USERS, replace=False)
            figures["sample_ndcg@10"] = round(float(ndcg[sample].mean()), 4)
            figures["sample_recall@20"] = round(float(recall[sample].mean()), 4)
        return figures

    def _liked(self) -> Ragged:
        liked = self.train.values >= RELEVANT
        return item_lists(self.train.user_rows[liked], self.train.item_rows[liked], len(self.users))


def _in_rows(embeddings: Embeddings, users: Known, items: Known, unknown: np.float32) -> Embeddings:
    """`embeddings` with the judge's rows; an item that they do not know has the bias `unknown`, all else is zero.

    The catalogue stays as it is: the judge does not use it.
    """
    user_rows = users.rows_in(embeddings.catalogue.user_ids)
    item_rows = items.rows_in(embeddings.catalogue.item_ids)
    return Embeddings(
        user_embeddings=np.pad(embeddings.user_embeddings, ((0, 1), (0, 0)))[user_rows],
        item_embeddings=np.pad(embeddings.item_embeddings, ((0, 1), (0, 0)))[item_rows],
        user_biases=np.pad(embeddings.user_biases, (0, 1))[user_rows],
        item_biases=np.append(embeddings.item_biases, unknown)[item_rows],
        global_bias=embeddings.global_bias,
        catalogue=embeddings.catalogue,
    )


def main() -> None:
    """Judge once; the figures on standard output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("fitted", type=Path)
    parser.add_argument("objective", choices=("rating", "ranking"))
    options = parser.parse_args()
    judge = Judge(options.data)
    began = time.perf_counter()
    figures = judge.judge(judge.opened(options.fitted, options.objective), options.objective)
    json.dump({**figures, "judged_s": round(time.perf_counter() - began, 2)}, sys.stdout)


if __name__ == "__main__":
    main()
