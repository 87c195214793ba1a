"""How many ratings each user gives and each item gets: heavy tails like those of MovieLens 20M."""

import math

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

# Quantile → ratings. Quartiles and maxima are those of MovieLens 20M; the points between are chosen for its means.
_USER_CURVE = ((0, 20), (0.25, 35), (0.5, 68), (0.75, 155), (0.9, 334), (0.99, 1115), (0.999, 2600), (1, 9254))
_ITEM_CURVE = ((0, 1), (0.25, 3), (0.5, 18), (0.75, 205), (0.9, 1306), (0.95, 3950), (0.99, 15200), (1, 67310))

_LEAST_PER_USER = 20


def ratings_per_user(n_users: int, n_items: int, n_ratings: int) -> Counts:
    """int64 (n_users,), ascending, of sum `n_ratings`; none below 20 where that is possible."""
    least = _LEAST_PER_USER if n_items >= _LEAST_PER_USER and n_ratings >= _LEAST_PER_USER * n_users else 1
    return _fitted(_quantiles(_USER_CURVE, n_users), n_ratings, least, _most(n_items, n_ratings / n_users))


def ratings_per_item(n_users: int, n_items: int, n_ratings: int) -> Counts:
    """int64 (n_items,), ascending, of sum `n_ratings`, none below 1."""
    return _fitted(_quantiles(_ITEM_CURVE, n_items), n_ratings, 1, _most(n_users, n_ratings / n_items))


def _most(n_others: int, mean: float) -> int:
    """At most half of all others, so that something is left to recommend; more where the mean asks for it."""
    return min(n_others, max(n_others // 2, math.ceil(mean)))


def _quantiles(curve: tuple[tuple[float, float], ...], n: int) -> Floats:
    """The n quantiles of a curve: float64 (n,); straight lines between log odds and log counts, so tails are heavy."""
    knots, counts = np.array(curve).T
    edge = 0.5 / max(n, 2)
    odds = np.clip(knots, edge, 1 - edge)
    middles = np.clip((np.arange(n) + 0.5) / n, edge, 1 - edge)
    log_counts = np.interp(np.log(middles / (1 - middles)), np.log(odds / (1 - odds)), np.log(counts))
    return np.asarray(np.exp(log_counts), np.float64)


def _fitted(weights: Floats, total: int, least: int, most: int) -> Counts:
    """Whole numbers of sum `total` from `least` to `most`, as nearly proportional to `weights` as that allows."""

    def counts(scale: float) -> Counts:
        return np.clip(weights * scale, least, most).astype(np.int64)

    low, high = 0.0, 2.0 * most / weights.min()
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if counts(middle).sum() <= total else (low, middle)
    fitted = counts(low)
    while missing := total - int(fitted.sum()):
        # The largest first: among them one more shows least.
        fitted[np.flatnonzero(fitted < most)[::-1][:missing]] += 1
    return np.sort(fitted)


def popularity(user_counts: Counts, item_counts: Floats) -> Floats:
    """Weights of the items, float64 (n_items,), for drawing each user's items without putting any back.

    Drawn without putting back, item i is among the n of a user with probability 1 − exp(−λ(n) · weight[i]), where
    Σ_i of it is n. The weights are those for which its sum over all users is `item_counts`, found by scaling the
    weights and λ in turn.
    """
    groups = np.array_split(user_counts.astype(np.float64), min(len(user_counts), 24))
    sizes, counts = np.array([len(group) for group in groups]), np.array([group.mean() for group in groups])
    weights, rates = item_counts / item_counts.sum(), counts.copy()
    for _ in range(60):
        drawn = -np.expm1(-rates[:, None] * weights)
        rates *= counts / drawn.sum(axis=1)
        drawn = -np.expm1(-rates[:, None] * weights)
        weights *= item_counts / (sizes @ drawn)
    return np.asarray(weights / weights.sum(), np.float64)
