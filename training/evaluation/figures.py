"""One contestant's figures, each with its interval of 95 % where it has one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.embeddings import Floats
from training.evaluation import confidence
from training.evaluation.confidence import Interval
from training.evaluation.metrics import mae, rmse
from training.evaluation.ranks import Counts, Ranks, Values
from training.evaluation.variety import VARIETY, variety

RANKING_METRICS: Mapping[str, Callable[[Ranks, int], Values]] = {
    "ndcg": Ranks.ndcg,
    "recall": Ranks.recall,
    "precision": Ranks.precision,
    "map": Ranks.average_precision,
    "mrr": Ranks.reciprocal_rank,
}
"""By name the figure of each user whose mean is shown."""


@dataclass(frozen=True)
class Figures:
    """What was measured of one contestant, by name."""

    values: dict[str, float | None] = field(default_factory=dict)
    """None where there is nothing to measure."""
    intervals: dict[str, Interval] = field(default_factory=dict)

    def add(self, name: str, value: float | None, interval: Interval | None = None) -> None:
        """One more."""
        self.values[name] = value
        if interval is not None:
            self.intervals[name] = interval

    def to_json(self) -> dict[str, Any]:
        """The values, and under "ci" the intervals as lists."""
        return {**self.values, "ci": {name: list(interval) for name, interval in self.intervals.items()}}


def add_errors(figures: Figures, errors: Floats, user_rows: NDArray[np.int64]) -> None:
    """RMSE and MAE of the `errors` (n,) of predictions for `user_rows` (n,)."""
    squares = confidence.of_pooled_mean(np.square(errors, dtype=np.float64), user_rows)
    figures.add("rmse", rmse(errors), squares and (max(squares[0], 0.0) ** 0.5, squares[1] ** 0.5))
    figures.add("mae", mae(errors), confidence.of_pooled_mean(np.abs(errors, dtype=np.float64), user_rows))


def add_rankings(figures: Figures, ranks: Ranks, list_counts: Mapping[int, Counts], n_ratings: Counts) -> None:
    """Every ranking metric and every figure of variety at each k of `list_counts`, what `judge` says.

    `n_ratings` (n_items,) is how many ratings each item has in training.
    """
    for name, metric in RANKING_METRICS.items():
        for k in list_counts:
            each = metric(ranks, k)
            figures.add(f"{name}@{k}", float(each.mean()), confidence.of_mean(each))
    varieties = {k: variety(counts, n_ratings) for k, counts in list_counts.items()}
    for name in VARIETY:
        for k, found in varieties.items():
            figures.add(f"{name}@{k}", found[name])
