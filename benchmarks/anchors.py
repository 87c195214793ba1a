"""Other people's trainers, as their authors offer them: python -m benchmarks.anchors NAME TRAIN.csv OUT [NAME=VALUE …].

Each reads the ratings, fits, and writes embeddings, which the judge reads like ours. The packages come with the bench
extra.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.judge import RELEVANT, item_lists
from training.columns import Ragged, Strings
from training.data.ratings import Ratings, read_ratings
from training.embeddings import Catalogue, Embeddings, write_embeddings

SEED = 42


def most_popular(ratings: Ratings) -> Embeddings:
    """How many users have rated each item, as its bias, and nothing else."""
    popularity = np.bincount(ratings.item_rows, minlength=ratings.n_items)
    nothing = np.zeros((ratings.n_users, 1)), np.zeros((ratings.n_items, 1))
    return _embeddings(ratings, nothing, (np.zeros(ratings.n_users), popularity))


def surprise_svd(ratings: Ratings) -> Embeddings:
    """Surprise's SVD as it comes: 100 factors, 20 epochs of stochastic gradient descent."""
    import pandas as pd
    from surprise import SVD, Dataset, Reader

    table = pd.DataFrame({"user": ratings.user_rows, "item": ratings.item_rows, "rating": ratings.values})
    scale = float(ratings.values.min()), float(ratings.values.max())
    trained_on = Dataset.load_from_df(table, Reader(rating_scale=scale)).build_full_trainset()
    fitted = SVD(random_state=SEED).fit(trained_on)
    # Surprise numbers users and items as it meets them.
    users = [trained_on.to_inner_uid(row) for row in range(ratings.n_users)]
    items = [trained_on.to_inner_iid(row) for row in range(ratings.n_items)]
    return _embeddings(
        ratings, (fitted.pu[users], fitted.qi[items]), (fitted.bu[users], fitted.bi[items]), trained_on.global_mean
    )


def cmfrec_als(ratings: Ratings, regularisation: float) -> Embeddings:
    """Cmfrec's explicit alternating least squares: 64 factors and biases, exact solves."""
    from cmfrec import CMF

    fitted = CMF(k=64, method="als", lambda_=regularisation, use_cg=False, verbose=False)
    fitted.fit(_matrix(ratings, ratings.values))
    return _embeddings(ratings, (fitted.A_, fitted.B_), (fitted.user_bias_, fitted.item_bias_), fitted.glob_mean_)


def implicit_als(ratings: Ratings, factors: float, alpha: float, regularisation: float) -> Embeddings:
    """Implicit's alternating least squares on ratings of 4 and more, all of one confidence."""
    from implicit.als import AlternatingLeastSquares

    liked = ratings.subset(ratings.values >= RELEVANT)
    fitted = AlternatingLeastSquares(int(factors), regularization=regularisation, alpha=alpha, random_state=SEED)
    fitted.fit(_matrix(liked, np.ones(len(liked), np.float32)).tocsr(), show_progress=False)
    nothing = np.zeros(ratings.n_users), np.zeros(ratings.n_items)
    return _embeddings(ratings, (fitted.user_factors, fitted.item_factors), nothing)


TRAINERS: dict[str, Callable[..., Embeddings]] = {
    "most-popular": most_popular,
    "surprise-svd": surprise_svd,
    "cmfrec-als": cmfrec_als,
    "implicit-als": implicit_als,
}


def _matrix(ratings: Ratings, values: NDArray[np.float32]) -> Any:
    import scipy.sparse

    shape = ratings.n_users, ratings.n_items
    return scipy.sparse.coo_matrix((values, (ratings.user_rows, ratings.item_rows)), shape)


def _embeddings(
    ratings: Ratings,
    embeddings: tuple[ArrayLike, ArrayLike],
    biases: tuple[ArrayLike, ArrayLike],
    global_bias: float = 0.0,
) -> Embeddings:
    """Users' and items' embeddings and biases, in the rows of `ratings`."""
    arrays = [np.asarray(array, np.float32) for array in (*embeddings, *biases)]
    catalogue = Catalogue(
        user_ids=ratings.user_ids,
        item_ids=ratings.item_ids,
        seen=item_lists(ratings.user_rows, ratings.item_rows, ratings.n_users),
        item_titles=Strings.of("" for _ in range(ratings.n_items)),
        item_tags=Ragged.of([[] for _ in range(ratings.n_items)]),
        tag_names=Strings.of([]),
    )
    return Embeddings(arrays[0], arrays[1], arrays[2], arrays[3], float(global_bias), catalogue)


def main() -> None:
    """Fit once; the figures on standard output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=TRAINERS)
    parser.add_argument("train", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE", help="numbers that the trainer takes")
    options = parser.parse_args()
    ratings = read_ratings(options.train)
    settings = {name: float(value) for name, value in (text.split("=") for text in options.settings)}
    began = time.perf_counter()
    fitted = TRAINERS[options.name](ratings, **settings)
    fit_s = round(time.perf_counter() - began, 2)
    write_embeddings(fitted, options.out, overwrite=True)
    json.dump({"fit_s": fit_s}, sys.stdout)


if __name__ == "__main__":
    main()
