"""Small worlds to write reports of: random models with held-out ratings, baselines and a history."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.world import random_embeddings
from training.data.ratings import Ratings
from training.embeddings import Baseline, Embeddings
from training.evaluation.evaluate import evaluate
from training.evaluation.held_out import HeldOut
from training.evaluation.report.page import write_report

DESCRIPTION: dict[str, Any] = {
    "rating_scale": [1.0, 5.0],
    "objective": "rating",
    "config": {"dim": 6, "seed": 42, "objective": "rating"},
    "history": [{"sweep": n, "rmse": 1 / n, "val_rmse": 0.8 + 0.1 / n, "seconds": 0.5} for n in range(1, 9)],
    "search": [{"regularisation": 3.0, "val_rmse": 0.9}, {"regularisation": 10.0, "val_rmse": 0.87}],
    "data_fingerprint": "5eed" * 16,
    "libraries": {"matinee": "0.1.0", "numpy": "2.4.6"},
}


def world(n_users: int = 120, n_items: int = 90, **description: object) -> Embeddings:
    """A random model with a baseline; what `description` gives replaces what is there, None takes it away."""
    embeddings = random_embeddings(n_users, n_items, seen=min(5, n_items // 2))
    rng = np.random.default_rng(1)
    described = {name: value for name, value in (DESCRIPTION | description).items() if value is not None}
    biases = rng.normal(size=n_users).astype(np.float32), rng.normal(size=n_items).astype(np.float32)
    return replace(embeddings, description=described, baseline=Baseline(*biases, 3.5))


def held_out_ratings(embeddings: Embeddings, n: int = 600, values: tuple[float, ...] = (1, 2, 3, 4, 5)) -> Ratings:
    """At most `n` random ratings of items that their users have not seen."""
    rng = np.random.default_rng(2)
    unseen = np.ones((embeddings.n_users, embeddings.n_items), np.bool_)
    for user in range(embeddings.n_users):
        unseen[user, embeddings.catalogue.seen[user]] = False
    pairs = rng.permutation(np.flatnonzero(unseen))[:n]
    catalogue = embeddings.catalogue
    return Ratings(
        user_rows=(pairs // embeddings.n_items).astype(np.int32),
        item_rows=(pairs % embeddings.n_items).astype(np.int32),
        values=rng.choice(np.array(values, np.float32), len(pairs)),
        timestamps=None,
        user_ids=catalogue.user_ids,
        item_ids=catalogue.item_ids,
        item_titles=catalogue.item_titles,
        item_tags=catalogue.item_tags,
        tag_names=catalogue.tag_names,
    )


def reported(
    file: Path, embeddings: Embeddings, test: Ratings | None = None, ks: tuple[int, ...] = (5, 10, 20)
) -> tuple[str, dict[str, Any]]:
    """The page of `embeddings` as written to `file`, and the figures that it is of."""
    test = held_out_ratings(embeddings) if test is None else test
    result = evaluate(embeddings, test, ks, None)
    write_report(file, embeddings, HeldOut.of(test, embeddings.catalogue), result)
    return file.read_text(encoding="utf-8"), result
