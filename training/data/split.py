"""Which ratings are held out: at random, the last of each user, or the latest of all; anybody can make them again."""

import math
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from training.data.by_user import stretches
from training.data.table import Ratings
from training.errors import RatingsError

Positions = NDArray[np.int64]
Split = tuple[Positions, Positions]


def random_split(n: int, fraction: float, seed: int) -> Split:
    """Positions 0 … n − 1, shuffled and divided: (the rest, the held-out `fraction`), each int64.

    The same as scikit-learn's `train_test_split(…, test_size=fraction, random_state=seed)`, so that figures compare
    with those of others: the first ceil(fraction · n) of a permutation are held out. Raises RatingsError where either
    part would be empty.
    """
    n_held_out = _share(n, fraction)
    # The legacy generator is what scikit-learn uses; its stream is frozen for ever.
    order = np.random.RandomState(seed).permutation(n)
    return order[n_held_out:], order[:n_held_out]


def last_split(ratings: Ratings, n_last: int) -> Split:
    """(The rest, the `n_last` latest ratings of each user): positions in `ratings`, int64, ascending.

    Of ratings of one moment the later in the file is the later. A user with `n_last` ratings or fewer keeps them all
    in the rest, so that everybody has something to be learnt from. Raises RatingsError where there are no timestamps
    or nobody has more ratings than that.
    """
    timestamps = _timestamps(ratings, "the last ratings of each user")
    held_out = np.zeros(len(ratings), np.bool_)
    for positions in stretches(ratings.user_rows, ratings.n_users):
        users = ratings.user_rows[positions]
        # lexsort is stable: equal moments stay in the order of the file.
        order = np.lexsort((timestamps[positions], users))
        sizes = np.bincount(users)
        n_later = np.repeat(np.cumsum(sizes), sizes) - 1 - np.arange(len(users))
        held_out[positions[order]] = (n_later < n_last) & (np.repeat(sizes, sizes) > n_last)
    if not held_out.any():
        raise RatingsError(f"no user has more than {n_last:,} ratings, so no last {n_last:,} can be held out")
    return _divided(held_out)


def latest_split(ratings: Ratings, fraction: float) -> Split:
    """(The rest, the latest `fraction` of all ratings): positions in `ratings`, int64, ascending.

    ceil(fraction · n) are held out; of ratings of one moment the later in the file is the later. Raises RatingsError
    where there are no timestamps or either part would be empty.
    """
    timestamps = _timestamps(ratings, "the latest ratings")
    n_held_out = _share(len(ratings), fraction)
    first = np.partition(timestamps, -n_held_out)[-n_held_out]
    held_out = timestamps > first
    of_that_moment = np.flatnonzero(timestamps == first)
    held_out[of_that_moment[len(of_that_moment) - (n_held_out - int(held_out.sum())) :]] = True
    return _divided(held_out)


def split_at(ratings: Ratings, moment: datetime) -> Split:
    """(The ratings before `moment`, those from it on): positions in `ratings`, int64, ascending.

    Raises RatingsError where there are no timestamps or either part would be empty.
    """
    timestamps = _timestamps(ratings, "the latest ratings")
    held_out = timestamps >= moment.timestamp()
    if held_out.all() or not held_out.any():
        raise RatingsError(
            f"{_said(moment.timestamp())} does not divide the ratings: they are from {_said(timestamps.min())} to "
            f"{_said(timestamps.max())}; choose a moment between"
        )
    return _divided(held_out)


def _share(n: int, fraction: float) -> int:
    """ceil(fraction · n). Raises RatingsError where that is none or all."""
    n_held_out = math.ceil(fraction * n)
    if not 0 < n_held_out < n:
        raise RatingsError(f"{n:,} ratings can't be divided so that a fraction of {fraction} is held out")
    return n_held_out


def _timestamps(ratings: Ratings, wanted: str) -> NDArray[np.int64]:
    if ratings.timestamps is None:
        raise RatingsError(
            f"the ratings have no timestamps, so {wanted} can't be told; name their column with --timestamp-column, "
            "or hold ratings out at random"
        )
    return ratings.timestamps


def _divided(held_out: NDArray[np.bool_]) -> Split:
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _said(epoch_s: float) -> str:
    return f"{datetime.fromtimestamp(epoch_s, UTC):%Y-%m-%d %H:%M:%S}"
