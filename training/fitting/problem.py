"""Ratings as a least squares problem: what a solver needs of them, and one sweep of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.ratings import Ratings
from training.fitting.interactions import Floats, Interactions
from training.fitting.least_squares import Side, Touched
from training.fitting.objectives import Objective, Values


class Problem:
    """Some ratings under an objective; it serves any number of fits."""

    def __init__(self, ratings: Ratings, chosen: NDArray[Any] | slice, objective: Objective) -> None:
        """The ratings at the positions `chosen`."""
        users, items = ratings.user_rows[chosen], ratings.item_rows[chosen]
        targets = objective.targets(ratings.values[chosen])
        width = len(objective.user_free)
        self.objective = objective
        # One side after the other: their arrays are needed no more once TensorFlow has them.
        self._users = Touched(Interactions.of(users, items, targets, ratings.n_users), width)
        self._items = Touched(Interactions.of(items, users, targets, ratings.n_items), width)

    @property
    def work(self) -> int:
        """Interactions that a sweep goes through: each rating by its user and by its item."""
        return 2 * self._users.n

    def sides(self, item_rows: Floats, values: Values) -> tuple[Side, Side]:
        """Users and items to begin with: `item_rows` (n_items, width), and users that the first solve makes.

        Who has no rating here stays at zero: embedding, bias and all.
        """
        objective = self.objective
        n_users, n_items = len(self._users.counts), len(self._items.counts)
        return (
            Side(
                self._users,
                np.zeros((n_users, 1), np.float32) + (1 - objective.user_free),
                objective.user_free,
                objective.penalties(self._users.counts, n_items, values),
            ),
            Side(
                self._items,
                np.where((self._items.counts > 0)[:, None], item_rows, 1 - objective.item_free),
                objective.item_free,
                objective.penalties(self._items.counts, n_users, values),
            ),
        )

    def sweep(self, users: Side, items: Side, values: Values, advance: Callable[[int], None]) -> float:
        """Solve all users, then all items; the root of the mean squared residual, in units of the targets."""
        unseen_weight = self.objective.unseen_weight(values)
        users.solve(items, unseen_weight, advance)
        return items.solve(users, unseen_weight, advance)
