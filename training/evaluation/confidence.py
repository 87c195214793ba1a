"""How far a figure may be from what as many other users would have given: intervals of 95 %.

Users are drawn independently, their ratings are not: so users are what is counted, and of one there is no interval.
The normal approximation holds for some hundreds of users and more; the model and the split are taken as they are.
"""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Interval = tuple[float, float]

Z = 1.959963984540054


def of_mean(values: Values) -> Interval | None:
    """Of the mean of `values` (n_users,): x̄ ± 1.96 · s / √n."""
    if len(values) < 2:
        return None
    margin = Z * float(values.std(ddof=1)) / np.sqrt(len(values))
    return _around(float(values.mean()), margin)


def of_pooled_mean(values: Values, owners: NDArray[np.int64]) -> Interval | None:
    """Of the mean of all `values` (n,), of which those of one of `owners` (n,) are drawn together.

    The mean is a ratio of sums over users, Σ_u x_u / Σ_u n_u; its variance by linearisation is
    U / (U − 1) · Σ_u (x_u − x̄ n_u)² / (Σ_u n_u)² of U users (Cochran, "Sampling techniques", 1977, section 6).
    """
    _, clusters = np.unique(owners, return_inverse=True)
    sums, sizes = np.bincount(clusters, values), np.bincount(clusters)
    if len(sizes) < 2:
        return None
    mean = float(values.mean())
    squares = float(np.square(sums - mean * sizes).sum()) * len(sizes) / (len(sizes) - 1)
    return _around(mean, Z * np.sqrt(squares) / len(values))


def _around(centre: float, margin: float) -> Interval:
    return float(centre - margin), float(centre + margin)
