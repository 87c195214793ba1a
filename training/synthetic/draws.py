"""Which items each user rates: by popularity and taste, none twice."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.synthetic.world import World

_ROUNDS = 40
# From this share of all items on, drawing again and again what is already there costs more than ranking all.
_RANKED_SHARE = 0.125

Pairs = NDArray[np.int64]


@dataclass(frozen=True)
class _Crowd:
    """Some users and the items to draw from; a pair is one number, user · n_items + item, users counted from 0."""

    counts: NDArray[np.int64]
    """(n,) how many items each user rates."""
    appetites: NDArray[np.float64]
    """(n, n_genres)"""
    genre_starts: NDArray[np.int64]
    weights: NDArray[np.float64]

    @property
    def n_items(self) -> int:
        return len(self.weights)


def draw_pairs(world: World, users: slice, given: Pairs, rng: np.random.Generator) -> Pairs:
    """The pairs that `users` rate, int64 (n,), sorted, as user · n_items + item with users counted from 0.

    given: pairs that must be among them. Each user gets exactly the number of its ratings.
    """
    crowd = _Crowd(world.user_counts[users], world.appetites(users), world.genre_starts(), world.weights)
    pairs = np.sort(given)
    wanted = crowd.counts.copy()
    ranked = crowd.counts > _RANKED_SHARE * crowd.n_items
    wanted[ranked] = 0
    for _ in range(_ROUNDS):
        missing = np.maximum(wanted - _per_user(pairs, crowd), 0)
        if not missing.any():
            break
        pairs = _distinct(np.concatenate([pairs, _drawn(crowd, missing, rng)]))
    missing = crowd.counts - _per_user(pairs, crowd)
    best = [_ranked(crowd, user, int(missing[user]), pairs, rng) for user in np.flatnonzero(missing).tolist()]
    return np.sort(np.concatenate([pairs, *best]))


def _drawn(crowd: _Crowd, n_draws: NDArray[np.int64], rng: np.random.Generator) -> Pairs:
    """`n_draws` pairs of each user, repeated ones among them: a genre by appetite, in it an item by weight."""
    ends = np.concatenate([[0.0], np.cumsum(crowd.weights)])[crowd.genre_starts]
    by_user = np.cumsum(np.diff(ends) * crowd.appetites, axis=1)
    by_user /= by_user[:, -1:]
    users = np.repeat(np.arange(len(n_draws)), n_draws)
    # The users' distributions one after the other, each 1 long, make one search of all.
    n_genres = by_user.shape[1]
    line = (by_user + np.arange(len(n_draws))[:, None]).ravel()
    places = np.searchsorted(line, users + rng.random(len(users)), side="right")
    genres = np.clip(places - users * n_genres, 0, n_genres - 1)
    targets = ends[genres] + rng.random(len(users)) * (ends[genres + 1] - ends[genres])
    items = np.searchsorted(np.cumsum(crowd.weights), targets, side="right")
    pairs: Pairs = users * crowd.n_items + np.minimum(items, crowd.n_items - 1)
    return pairs


def _ranked(crowd: _Crowd, user: int, n: int, pairs: Pairs, rng: np.random.Generator) -> Pairs:
    """More pairs of one user, n of them: items race at the speed of their weights, the first to arrive are taken."""
    start, end = np.searchsorted(pairs, [user * crowd.n_items, (user + 1) * crowd.n_items])
    speeds = crowd.weights * np.repeat(crowd.appetites[user], np.diff(crowd.genre_starts))
    arrivals = rng.standard_exponential(crowd.n_items) / speeds
    arrivals[pairs[start:end] - user * crowd.n_items] = np.inf
    first: Pairs = np.argpartition(arrivals, n - 1)[:n]
    return user * crowd.n_items + first


def _per_user(pairs: Pairs, crowd: _Crowd) -> NDArray[np.int64]:
    starts = np.searchsorted(pairs, np.arange(len(crowd.counts) + 1) * crowd.n_items)
    return np.diff(starts)


def _distinct(pairs: Pairs) -> Pairs:
    pairs.sort()
    is_first = np.concatenate([[True], pairs[1:] != pairs[:-1]])
    distinct: Pairs = pairs[is_first]
    return distinct
