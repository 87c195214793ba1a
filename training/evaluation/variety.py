"""What is recommended at all: how much of the catalogue, how popular, how unequally."""

import numpy as np
from numpy.typing import NDArray

from training.evaluation.breakdowns import gini
from training.evaluation.ranks import Counts, Values

VARIETY = ("coverage", "popularity", "ratings_per_item", "gini")


def variety(list_counts: Counts, n_ratings: NDArray[np.int64]) -> dict[str, float | None]:
    """Figures of the lists in which each item is `list_counts` (n_items,) times, with `n_ratings` (n_items,) each.

    - coverage: the share of the catalogue that is in any list
    - popularity: the mean over all recommendations of the share of the other items that have fewer ratings in
      training, those with as many counting half; 0.5 where items were drawn by lot, 1 for the most popular one alone
    - ratings_per_item: the mean over all recommendations of the item's number of ratings in training
    - gini: how unequally items are recommended: 0 all equally often, near 1 one alone

    None where nothing was recommended.
    """
    n_listed = int(list_counts.sum())
    if n_listed == 0:
        return dict.fromkeys(VARIETY)
    return {
        "coverage": float(np.count_nonzero(list_counts) / len(list_counts)),
        "popularity": float(list_counts @ popularity_ranks(n_ratings) / n_listed),
        "ratings_per_item": float(list_counts @ n_ratings / n_listed),
        "gini": gini(list_counts),
    }


def popularity_ranks(n_ratings: NDArray[np.int64]) -> Values:
    """For each item the share of the others that have fewer ratings, those with as many counting half: (n_items,)."""
    ascending = np.sort(n_ratings)
    n_fewer, n_not_more = (np.searchsorted(ascending, n_ratings, side=side) for side in ("left", "right"))
    ranks: Values = (n_fewer + n_not_more - 1) / 2 / max(len(n_ratings) - 1, 1)
    return ranks
