"""Small ratings with a known answer: even users like even items, odd users odd ones."""

import numpy as np

from training.columns import Ids, Ragged, Strings
from training.data.ratings import Ratings


def two_tastes(n_users: int = 60, n_items: int = 40, share: float = 0.6, seed: int = 0) -> Ratings:
    """A random `share` of all pairs: 5 where user and item are of one parity, else 1; every user and item occurs."""
    rng = np.random.default_rng(seed)
    rated = rng.random((n_users, n_items)) < share
    rated[np.arange(n_users), np.arange(n_users) % n_items] = True
    rated[np.arange(n_items) % n_users, np.arange(n_items)] = True
    users, items = np.nonzero(rated)
    values = np.where(users % 2 == items % 2, 5, 1)
    order = rng.permutation(len(users))
    return table(users[order], items[order], values[order], n_users, n_items)


def table(users: object, items: object, values: object, n_users: int, n_items: int) -> Ratings:
    """Ratings of users "1", "2", … and items "0", "1", …, titled after their parity."""
    return Ratings(
        user_rows=np.array(users, np.int32),
        item_rows=np.array(items, np.int32),
        values=np.array(values, np.float32),
        timestamps=None,
        user_ids=Ids.of([str(user + 1) for user in range(n_users)])[0],
        item_ids=Ids.of([str(item) for item in range(n_items)])[0],
        item_titles=Strings.of(("even", "odd")[item % 2] for item in range(n_items)),
        item_tags=Ragged.of([[item % 2] for item in range(n_items)]),
        tag_names=Strings.of(["even", "odd"]),
    )
