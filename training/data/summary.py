"""What a table of ratings looks like, and what one user has rated."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.by_user import count_rows
from training.data.ratings import Ratings
from training.errors import RatingsError

Statistics = dict[str, float]


def summarise(ratings: Ratings) -> dict[str, Any]:
    """Counts, and `describe` of the ratings, of the ratings of each user and of each item."""
    return {
        "n_ratings": len(ratings),
        "n_users": ratings.n_users,
        "n_items": ratings.n_items,
        "n_titles": int(np.count_nonzero(np.diff(ratings.item_titles.offsets))),
        "n_repeated": ratings.n_repeated,
        "fingerprint": ratings.fingerprint,
        "rating": describe(ratings.values),
        "ratings_per_user": describe(count_rows(ratings.user_rows, ratings.n_users)),
        "ratings_per_item": describe(count_rows(ratings.item_rows, ratings.n_items)),
    }


def describe(values: NDArray[Any]) -> Statistics:
    """Count, mean, sample standard deviation, least, quartiles and most of `values` (n,), n at least 1."""
    least, first, median, third, most = np.quantile(values, (0, 0.25, 0.5, 0.75, 1)).tolist()
    return {
        "count": len(values),
        "mean": float(np.mean(values, dtype=np.float64)),
        "std": float(np.std(values, dtype=np.float64, ddof=1)) if len(values) > 1 else 0.0,
        "min": least,
        "25%": first,
        "50%": median,
        "75%": third,
        "max": most,
    }


def history(ratings: Ratings, user_id: str, k: int) -> list[Mapping[str, Any]]:
    """The k items that a user rated best, the latest first among equals. Raises RatingsError for an unknown user."""
    user_row = ratings.user_ids.row(user_id)
    if user_row is None:
        raise RatingsError(
            f"user {user_id!r} has no ratings here; ids go from {ratings.user_ids[0]!r} "
            f"to {ratings.user_ids[ratings.n_users - 1]!r}"
        )
    rows = np.flatnonzero(ratings.user_rows == user_row)
    times = rows if ratings.timestamps is None else ratings.timestamps[rows]
    best = rows[np.lexsort((ratings.item_rows[rows], -times, -ratings.values[rows]))][:k]
    return [_rated(ratings, int(row)) for row in best]


def _rated(ratings: Ratings, row: int) -> Mapping[str, Any]:
    item_row = int(ratings.item_rows[row])
    return {
        "item_id": ratings.item_ids[item_row],
        "title": ratings.item_titles[item_row],
        "tags": [ratings.tag_names[tag] for tag in ratings.item_tags[item_row]],
        "rating": float(ratings.values[row]),
        "timestamp": None if ratings.timestamps is None else int(ratings.timestamps[row]),
    }
