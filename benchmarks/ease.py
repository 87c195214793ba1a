"""EASE (Steck, "Embarrassingly shallow autoencoders for sparse data", 2019): python -m benchmarks.ease TRAIN.csv OUT.

    P = (Xᵀ X + λ I)⁻¹,   B[i, j] = −P[i, j] / P[j, j],   B[j, j] = 0,   scores = X B

X (n_users, n_items) is 1 where a user rated an item 4 or more. λ is the one of six with the best NDCG@10 on a tenth of
the training ratings; B is then solved for on all of them. A yardstick, not a product: it has n_items² numbers.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.item_item import ItemItem, save
from benchmarks.judge import RELEVANT, item_lists, ranks
from training.columns import Ragged
from training.data.ratings import Ratings, read_ratings
from training.data.split import random_split
from training.embeddings import Floats

SEED = 42
REGULARISATIONS = (10.0, 25.0, 50.0, 100.0, 200.0, 400.0)
_VALIDATION_USERS = 2_000


def fit(ratings: Ratings) -> tuple[Floats, dict[float, float]]:
    """B, and for each λ the NDCG@10 by which the best was chosen."""
    fitted, validation = (ratings.subset(part) for part in random_split(len(ratings), 0.1, SEED))
    seen, relevant = _all_items(fitted), _liked(validation)
    liked = _liked(fitted)
    together = gram(liked, ratings.n_items)
    found = {}
    for regularisation in REGULARISATIONS:
        predictor = ItemItem(solve(together, regularisation), liked)
        found[regularisation] = float(ranks(predictor, seen, relevant, _VALIDATION_USERS).ndcg(10).mean())
        print(f"EASE: λ {regularisation:g}  val_ndcg@10 {found[regularisation]:.4f}", file=sys.stderr, flush=True)
    best = max(found, key=lambda regularisation: found[regularisation])
    return solve(gram(_liked(ratings), ratings.n_items), best), found


def gram(liked: Ragged, n_items: int) -> NDArray[np.float64]:
    """Xᵀ X, float64 (n_items, n_items): how many users liked both of two items."""
    together = np.zeros((n_items, n_items))
    for user in range(len(liked)):
        together[np.ix_(liked[user], liked[user])] += 1
    return together


def solve(together: NDArray[np.float64], regularisation: float) -> Floats:
    """B, float32 (n_items, n_items), where `together` is Xᵀ X."""
    regularised = together.copy()
    regularised.flat[:: len(together) + 1] += regularisation
    inverse = np.linalg.inv(regularised)
    inverse /= -np.diag(inverse)
    weights: Floats = inverse.astype(np.float32)
    np.fill_diagonal(weights, 0)
    return weights


def _liked(ratings: Ratings) -> Ragged:
    return _all_items(ratings.subset(ratings.values >= RELEVANT))


def _all_items(ratings: Ratings) -> Ragged:
    return item_lists(ratings.user_rows, ratings.item_rows, ratings.n_users)


def main() -> None:
    """Fit once; the figures on standard output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    ratings = read_ratings(options.train)
    began = time.perf_counter()
    weights, found = fit(ratings)
    fit_s = round(time.perf_counter() - began, 2)
    save(weights, ratings.item_ids, options.out)
    json.dump({"fit_s": fit_s, "val_ndcg@10": found}, sys.stdout)


if __name__ == "__main__":
    main()
