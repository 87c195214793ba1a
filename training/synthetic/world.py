"""Who rates what, and how well it is liked: users with tastes, items with genres and quality."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matinee.errors import UsageError
from training.synthetic.counts import popularity, ratings_per_item, ratings_per_user
from training.synthetic.films import GENRE_SHARES

N_GENRES = len(GENRE_SHARES)

# Of a rating: its mean, and the standard deviations of what it is the sum of.
_MEAN, _USER_BIAS, _QUALITY, _TASTE, NOISE = 3.17, 0.40, 0.38, 0.42, 0.84
# How much more often a user picks from a liked genre, per standard deviation of taste.
_APPETITE = 0.5
# How much better an item is liked, per standard deviation of its log popularity.
_QUALITY_OF_POPULAR = 0.12


@dataclass(frozen=True)
class Shape:
    """How much is wanted. Raises UsageError where no such ratings exist."""

    n_users: int
    n_items: int
    n_ratings: int

    def __post_init__(self) -> None:
        least, most = max(self.n_users, self.n_items), self.n_users * self.n_items
        if min(self.n_users, self.n_items) < 1:
            raise UsageError(f"--n-users {self.n_users}, --n-items {self.n_items}: at least one of each is needed")
        if not least <= self.n_ratings <= most:
            raise UsageError(
                f"--n-ratings is {self.n_ratings}: {self.n_users} users and {self.n_items} items, each with a rating "
                f"and no pair twice, make {least} to {most}"
            )


@dataclass(frozen=True)
class World:
    """Users in the order of their ids; items in the order of their first genres, so that a genre is one stretch."""

    shape: Shape
    user_counts: NDArray[np.int64]
    """(n_users,) ratings of each user."""
    tastes: NDArray[np.float32]
    """(n_users, n_genres) how much a user likes each genre, standard normal."""
    user_biases: NDArray[np.float32]
    """(n_users,) how kindly a user rates, including the mean of all."""
    genres: NDArray[np.int64]
    """(n_items, 2) first and second genre; the same one twice where there is no second."""
    qualities: NDArray[np.float32]
    """(n_items,) how well an item is liked by all."""
    weights: NDArray[np.float64]
    """(n_items,) how often an item is picked, of sum 1."""
    item_ids: NDArray[np.int64]
    """(n_items,) 1 to n_items, in no order."""
    first_raters: NDArray[np.int64]
    """(n_items,) one user for each item, so that every item is rated."""

    def genre_starts(self) -> NDArray[np.int64]:
        """(n_genres + 1,) where each genre's stretch of items begins."""
        return np.searchsorted(self.genres[:, 0], np.arange(N_GENRES + 1))

    def appetites(self, users: slice) -> NDArray[np.float64]:
        """(n, n_genres) by how much each user's weight of a genre's items differs from that of all."""
        return np.exp(_APPETITE * self.tastes[users].astype(np.float64))

    def expected(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n,) what each user's rating of each item is but for noise.

        rating(u, i) = user_bias[u] + quality[i] + taste · (2 · tastes[u, first genre] + tastes[u, second]) / √5
        """
        first, second = self.genres[items, 0], self.genres[items, 1]
        liking = (2 * self.tastes[users, first] + self.tastes[users, second]) * np.float32(_TASTE / np.sqrt(5))
        expected: NDArray[np.float32] = self.user_biases[users] + self.qualities[items] + liking
        return expected


def planted(shape: Shape, rng: np.random.Generator) -> World:
    """A world of this shape."""
    user_counts = ratings_per_user(shape.n_users, shape.n_items, shape.n_ratings)
    item_counts = rng.permutation(ratings_per_item(shape.n_users, shape.n_items, shape.n_ratings))
    log_counts = np.log(item_counts)
    standard = (log_counts - log_counts.mean()) / max(log_counts.std(), 1e-9)
    # One rating of each item is given beforehand (first_raters), so the draws need to make one less.
    weights = popularity(user_counts, np.maximum(item_counts - 1.0, 0.05))
    user_counts = rng.permutation(user_counts)
    return World(
        shape=shape,
        user_counts=user_counts,
        tastes=rng.standard_normal((shape.n_users, N_GENRES), np.float32),
        user_biases=(_MEAN + _USER_BIAS * rng.standard_normal(shape.n_users)).astype(np.float32),
        genres=_genres(shape.n_items, rng),
        qualities=(_QUALITY * rng.standard_normal(shape.n_items) + _QUALITY_OF_POPULAR * standard).astype(np.float32),
        weights=weights,
        item_ids=rng.permutation(np.arange(1, shape.n_items + 1)),
        first_raters=_first_raters(user_counts, shape, rng),
    )


def _genres(n_items: int, rng: np.random.Generator) -> NDArray[np.int64]:
    shares = np.array(list(GENRE_SHARES.values()))
    shares /= shares.sum()
    first = np.sort(rng.choice(N_GENRES, n_items, p=shares))
    second = np.where(rng.random(n_items) < 0.6, rng.choice(N_GENRES, n_items, p=shares), first)
    return np.stack([first, second], axis=1)


def _first_raters(user_counts: NDArray[np.int64], shape: Shape, rng: np.random.Generator) -> NDArray[np.int64]:
    # Among all ratings, one for each item: so no user gets more of them than the ratings that it gives.
    chosen = rng.choice(shape.n_ratings, shape.n_items, replace=False)
    return np.searchsorted(np.cumsum(user_counts), chosen, side="right")
