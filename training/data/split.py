"""Which ratings are held out: random splits that anybody can make again."""

import math

import numpy as np
from numpy.typing import NDArray

from training.errors import RatingsError

Positions = NDArray[np.int64]


def random_split(n: int, fraction: float, seed: int) -> tuple[Positions, Positions]:
    """Positions 0 … n − 1, shuffled and divided: (the rest, the held-out `fraction`), each int64.

    The same as scikit-learn's `train_test_split(…, test_size=fraction, random_state=seed)`, so that figures compare
    with those of others: the first ceil(fraction · n) of a permutation are held out. Raises RatingsError where either
    part would be empty.
    """
    n_held_out = math.ceil(fraction * n)
    if not 0 < n_held_out < n:
        raise RatingsError(f"{n:,} ratings can't be divided so that a fraction of {fraction} is held out")
    # The legacy generator is what scikit-learn uses; its stream is frozen for ever.
    order = np.random.RandomState(seed).permutation(n)
    return order[n_held_out:], order[:n_held_out]
