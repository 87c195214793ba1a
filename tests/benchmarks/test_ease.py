"""The closed form of EASE is the minimum that it claims to be."""

import numpy as np

from benchmarks.ease import gram, solve
from training.columns import Ragged


def test_no_matrix_with_an_empty_diagonal_fits_better() -> None:
    rng = np.random.default_rng(0)
    liked = rng.random((40, 12)) < 0.3
    together = gram(Ragged.of([np.flatnonzero(user).tolist() for user in liked]), 12)
    np.testing.assert_array_equal(together, liked.astype(float).T @ liked)
    weights = solve(together, 5.0).astype(np.float64)
    gradient = together @ weights - together + 5.0 * weights
    np.fill_diagonal(gradient, 0)
    assert np.all(np.diag(weights) == 0)
    np.testing.assert_allclose(gradient, 0, atol=1e-5)
