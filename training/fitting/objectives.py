"""What is learnt: targets, penalties, and what the solved rows mean. Two objectives, one solver.

Rating. Koren, Bell and Volinsky, "Matrix factorization techniques", 2009, over the ratings that there are:

    Σ (r_ui − rating(u, i))²  +  λ Σ_u n_u^½ (|p_u|² + b_u²)  +  λ Σ_i n_i^½ (|q_i|² + b_i²)

Between a penalty that is the same for all (exponent 0) and one in proportion to the ratings n of a row (1; Zhou et al.,
"Large-scale parallel collaborative filtering for the Netflix Prize", 2008) lies the exponent ½, which was as good as
either or better on each data set tried. Ratings are first scaled to mean 0 and deviation 1, so that one λ serves every
rating scale.

Ranking. Least squares on implicit feedback (Hu, Koren and Volinsky, 2008), with the penalty that follows frequency of
Rendle, Krichene, Zhang and Koren, "Revisiting the performance of iALS on item recommendation benchmarks", 2022:

    Σ_rated (t_ui − p_u · q_i)²  +  α Σ_all (p_u · q_i)²  +  λ Σ_u (n_u + α N_items)^½ |p_u|²  +  the same of items

A target t is 1 where the user liked the item and falls to 0 at the lowest rating: what somebody watched and disliked is
as far from a recommendation as what nobody watched, but it is known with weight 1 instead of α. Scores are preferences,
about 0 to 1; they are no ratings. There are no biases.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from training.data.ratings import Ratings
from training.embeddings import PREFERENCES, RATINGS
from training.fitting.config import FitConfig
from training.fitting.interactions import Floats

Values = Mapping[str, float]
"""Hyper-parameters by the names that FitConfig has for them."""

Counts = NDArray[np.int64]

_EXPONENT = 0.5
_FIRST_LENGTH = 0.2
"""Of an item's first embedding, against ratings of deviation 1."""


@dataclass(frozen=True)
class Parameters:
    """What a model consists of; arrays as in `Embeddings`."""

    user_embeddings: Floats
    item_embeddings: Floats
    user_biases: Floats
    item_biases: Floats
    global_bias: float


@dataclass(frozen=True)
class Rating:
    """Predicts ratings: users are [p, b_u, 1], items [q, 1, b_i]."""

    dim: int
    mean: float
    """Of the ratings."""
    deviation: float
    """Of the ratings."""

    start: ClassVar[Values] = {"regularisation": 1.0}
    """The hyper-parameters that there are, and where their search begins."""
    scores: ClassVar[str] = RATINGS
    """What the model predicts."""
    goes_on: ClassVar[bool] = True
    """Whether sweeps only come nearer to one optimum, so that a fit can begin where another ended."""
    patience: ClassVar[int] = 1
    """A trial ends after so many sweeps without progress."""

    @property
    def unit(self) -> float:
        """What a residual of 1 is, in ratings."""
        return self.deviation

    @property
    def user_free(self) -> Floats:
        """All but the last column."""
        return np.array([1] * self.dim + [1, 0], np.float32)

    @property
    def item_free(self) -> Floats:
        """All but the last but one."""
        return np.array([1] * self.dim + [0, 1], np.float32)

    def targets(self, ratings: Floats) -> Floats:
        """(r − mean) / deviation."""
        return ((ratings - np.float32(self.mean)) / np.float32(self.deviation)).astype(np.float32)

    def penalties(self, counts: Counts, n_others: int, values: Values) -> Floats:  # noqa: ARG002  # as in Ranking
        """Of rows with `counts` (n,) ratings, where the other side has `n_others` rows: λ n^½, float32 (n,)."""
        return (values["regularisation"] * counts**_EXPONENT).astype(np.float32)

    def unseen_weight(self, values: Values) -> float:  # noqa: ARG002  # the same for all
        """None."""
        return 0.0

    def parameters(self, users: Floats, items: Floats) -> Parameters:
        """On the scale of the ratings again: half of the deviation goes into each side's embeddings."""
        half, dim = np.float32(np.sqrt(self.deviation)), self.dim
        return Parameters(
            user_embeddings=users[:, :dim] * half,
            item_embeddings=items[:, :dim] * half,
            user_biases=users[:, dim] * np.float32(self.deviation),
            item_biases=items[:, dim + 1] * np.float32(self.deviation),
            global_bias=self.mean,
        )

    def fold_in(self, values: Values) -> dict[str, float]:
        """What solves a user's row afterwards, on the scale of the ratings: as `indexer.fold_in` has it."""
        strength = values["regularisation"]
        return {"penalty": strength * self.deviation, "bias_penalty": strength}

    def item_rows(self, parameters: Parameters) -> Floats:
        """[q, 1, b_i], scaled; where another mean was fitted to, the first solve of the users makes up for it."""
        half = np.float32(np.sqrt(self.deviation))
        biases = parameters.item_biases[:, None] / np.float32(self.deviation)
        return np.concatenate([parameters.item_embeddings / half, np.ones_like(biases), biases], axis=1)


@dataclass(frozen=True)
class Ranking:
    """Puts what a user will like first: rows are the embeddings."""

    dim: int
    lowest: float
    """The lowest rating: a target of 0."""
    liked_from: float
    """The rating from which on the target is 1."""

    start: ClassVar[Values] = {"regularisation": 0.1, "unseen_weight": 0.05}
    scores: ClassVar[str] = PREFERENCES
    # The early sweeps, still near their random beginning, often rank better than the optimum does.
    goes_on: ClassVar[bool] = False
    patience: ClassVar[int] = 2
    unit: ClassVar[float] = 1.0

    @property
    def user_free(self) -> Floats:
        """All columns."""
        return np.ones(self.dim, np.float32)

    @property
    def item_free(self) -> Floats:
        """All columns."""
        return self.user_free

    def targets(self, ratings: Floats) -> Floats:
        """0 at the lowest rating, 1 where liked, in between in proportion."""
        if self.liked_from <= self.lowest:
            return np.ones(len(ratings), np.float32)
        targets: Floats = (ratings - np.float32(self.lowest)) / np.float32(self.liked_from - self.lowest)
        return np.clip(targets, 0, 1, out=targets)

    def penalties(self, counts: Counts, n_others: int, values: Values) -> Floats:
        """Of rows with `counts` (n,) ratings, where the other side has `n_others` rows: λ (n + α N)^½, float32 (n,)."""
        weights = counts + values["unseen_weight"] * n_others
        return (values["regularisation"] * weights**_EXPONENT).astype(np.float32)

    def unseen_weight(self, values: Values) -> float:
        """α."""
        return values["unseen_weight"]

    def parameters(self, users: Floats, items: Floats) -> Parameters:
        """Without biases."""
        return Parameters(users, items, np.zeros(len(users), np.float32), np.zeros(len(items), np.float32), 0.0)

    def fold_in(self, values: Values) -> dict[str, float]:
        """What solves a user's row afterwards: as `indexer.fold_in` has it."""
        told = {"penalty": values["regularisation"], "unseen_weight": values["unseen_weight"]}
        return {**told, "lowest": self.lowest, "liked_from": self.liked_from}

    def item_rows(self, parameters: Parameters) -> Floats:
        """The embeddings."""
        return parameters.item_embeddings


Objective = Rating | Ranking


def objective_of(ratings: Ratings, config: FitConfig) -> Objective:
    """The objective that `config` names, for the scale of these ratings."""
    if config.objective == "rating":
        mean = float(ratings.values.mean(dtype=np.float64))
        return Rating(config.dim, mean, float(ratings.values.std(dtype=np.float64)))
    low, high = float(ratings.values.min()), float(ratings.values.max())
    liked_from = low + 0.75 * (high - low) if config.liked_from is None else config.liked_from
    return Ranking(config.dim, low, liked_from)


def first_rows(objective: Objective, n_items: int, seed: int) -> Floats:
    """Small random embeddings (n_items, width), constants where columns are not free, biases of 0."""
    free, dim = objective.item_free, objective.dim
    rows = np.zeros((n_items, len(free)), np.float32)
    rows[:, :dim] = np.random.default_rng(seed).normal(0, _FIRST_LENGTH / np.sqrt(dim), (n_items, dim))
    rows += 1 - free
    return rows
