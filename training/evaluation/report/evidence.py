"""All that the sections of a report draw on: the model, its baselines, the held-out ratings, the table of figures."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from training.columns import Ragged
from training.embeddings import Embeddings, Floats
from training.evaluation.breakdowns import Rows
from training.evaluation.evaluate import MODEL, clipped_predictions, contestants
from training.evaluation.held_out import HeldOut, relevant_items
from training.evaluation.predictors import Predictor

BIAS_ONLY = "bias only"

_MOST_USERS = 20_000
_METRIC_AT_K = re.compile(r"(?P<metric>[^@]+)@(?P<k>[0-9]+)\Z")
_SEED = 0


@dataclass(frozen=True)
class Evidence:
    """What was measured, and what it was measured with."""

    embeddings: Embeddings
    held_out: HeldOut
    result: Mapping[str, Any]
    """What `evaluate` returned."""

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """The table of figures: one row a contestant, the model first."""
        rows: Sequence[Mapping[str, Any]] = self.result["rows"]
        return rows

    @property
    def scores_are_ratings(self) -> bool:
        """Whether what the model predicts is a rating, so that it can be wrong by so much."""
        return bool(self.result["scores"] == "ratings")

    @property
    def scale(self) -> tuple[float, float]:
        """The lowest and the highest rating."""
        low, high = self.result["rating_scale"]
        return float(low), float(high)

    @cached_property
    def contestants(self) -> dict[str, Predictor]:
        """The model and its baselines, in the order of the table."""
        return contestants(self.embeddings)

    def tone(self, name: str) -> int:
        """The colour of a contestant: the same in every chart."""
        return [row["name"] for row in self.rows].index(name)

    @cached_property
    def predictions(self) -> dict[str, Floats]:
        """What the model and, where there is one, bias-only predict for each held-out rating, clipped to the scale."""
        judged = {name: self.contestants[name] for name in (MODEL, BIAS_ONLY) if name in self.contestants}
        return {name: clipped_predictions(each, self.held_out, self.scale) for name, each in judged.items()}

    @cached_property
    def errors(self) -> dict[str, Floats]:
        """Predicted − real, for each held-out rating."""
        return {name: predicted - self.held_out.values for name, predicted in self.predictions.items()}

    @cached_property
    def ranked(self) -> tuple[Rows, Ragged]:
        """The users whose lists are looked at, and the relevant items of each.

        As many as the table has, but at most 20,000, drawn at random.
        """
        users, relevant = relevant_items(self.held_out, float(self.result["threshold"]))
        n_users = min(int(self.rows[0]["n_users"]), _MOST_USERS)
        if len(users) <= n_users:
            return users, relevant
        chosen = np.sort(np.random.default_rng(_SEED).choice(len(users), n_users, replace=False))
        return users[chosen], relevant.take(chosen)

    @cached_property
    def n_seen(self) -> Rows:
        """How many ratings of each user the model was fit to: int64 (n_users,)."""
        return np.diff(self.embeddings.catalogue.seen.offsets)

    @cached_property
    def popularity(self) -> Rows:
        """How many ratings of each item the model was fit to: int64 (n_items,)."""
        return np.bincount(self.embeddings.catalogue.seen.rows, minlength=self.embeddings.n_items).astype(np.int64)

    @cached_property
    def ks(self) -> list[int]:
        """The lengths of lists that were measured, ascending."""
        found = (_METRIC_AT_K.match(name) for name in self.rows[0])
        return sorted({int(match["k"]) for match in found if match})

    @property
    def k(self) -> int | None:
        """The length of list that is looked at closely: 10 where it was measured, else the nearest to it."""
        return min(self.ks, key=lambda k: abs(k - 10), default=None)

    @cached_property
    def ranking_metrics(self) -> list[str]:
        """The names of what was measured at each k, such as "ndcg", in the order of the table."""
        found = (_METRIC_AT_K.match(name) for name in self.rows[0])
        return list(dict.fromkeys(match["metric"] for match in found if match))


def figure(row: Mapping[str, Any], name: str) -> float:
    """One figure of a contestant, NaN where it was not measured."""
    value = row.get(name)
    return float(value) if isinstance(value, int | float) else math.nan


def interval(row: Mapping[str, Any], name: str) -> tuple[float, float]:
    """Its interval of 95 %, NaN where there is none."""
    match (row.get("ci") or {}).get(name):
        case [int() | float() as low, int() | float() as high]:
            return float(low), float(high)
    return math.nan, math.nan
