"""Ratings that a model was not fit to, in the model's rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.columns import Ragged
from training.data.ratings import Ratings
from training.embeddings import Catalogue, Floats
from training.errors import RatingsError
from training.evaluation.alike import seen_blocks
from training.evaluation.order import Lists, keys

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class HeldOut:
    """Ratings that a model was not fit to, in the model's rows; sorted by user."""

    user_rows: Rows
    """(n,)."""
    item_rows: Rows
    """(n,)."""
    values: Floats
    """(n,)."""
    n_unknown: int
    """How many more there are whose user or item the model does not know."""
    n_seen: int
    """How many more there are that the model was fit to."""
    n_cold: int = 0
    """How many of them are of a user or an item that the model was fit to no rating of."""

    def counts(self) -> dict[str, Any]:
        """n_ratings, n_unknown, n_seen and n_cold."""
        return {
            "n_ratings": len(self.values),
            "n_unknown": self.n_unknown,
            "n_seen": self.n_seen,
            "n_cold": self.n_cold,
        }

    @classmethod
    def of(cls, test: Ratings, catalogue: Catalogue) -> "HeldOut":
        """Those of `test` that can be judged. Raises RatingsError where there are none."""
        users = catalogue.user_ids.rows(test.user_ids)[test.user_rows]
        items = catalogue.item_ids.rows(test.item_ids)[test.item_rows]
        known = np.flatnonzero((users >= 0) & (items >= 0))
        known = known[np.argsort(users[known], kind="stable")]
        chosen = known[~_contains(catalogue.seen, users[known], items[known])]
        n_unknown, n_seen = len(test) - len(known), len(known) - len(chosen)
        if len(chosen) == 0:
            raise RatingsError(
                f"none of the {len(test):,} test ratings can be judged: of {n_unknown:,} the model does not know the "
                f"user or item, and on {n_seen:,} it was trained; hold ratings out with --test-fraction and --test-out"
            )
        users, items = users[chosen], items[chosen]
        warm_items = np.bincount(catalogue.seen.rows, minlength=len(catalogue.item_ids)) > 0
        n_warm = np.count_nonzero(warm_items[items] & (np.diff(catalogue.seen.offsets) > 0)[users])
        return cls(users, items, test.values[chosen], n_unknown, n_seen, len(users) - int(n_warm))


def _contains(seen: Ragged, users: Rows, items: Rows) -> NDArray[np.bool_]:
    """Whether each item is in the list of its user, users ascending: bool (n,)."""
    found = np.empty(len(users), np.bool_)
    distinct, starts = np.unique(users, return_index=True)
    starts = np.append(starts, len(users))
    for block, lists in seen_blocks(distinct, seen):
        pairs = slice(starts[block.start], starts[block.stop])
        owners = np.searchsorted(distinct[block], users[pairs])
        sorted_lists = Lists(keys(lists.owners(), lists.rows), len(lists))
        found[pairs] = sorted_lists.count(owners, keys(owners, items[pairs]))[1] > 0
    return found


def relevant_items(held_out: HeldOut, threshold: float) -> tuple[Rows, Ragged]:
    """The users with a rating of `threshold` or more, int64 (n,) ascending, and for each the items rated so."""
    liked = held_out.values >= threshold
    users, starts = np.unique(held_out.user_rows[liked], return_index=True)
    offsets = np.append(starts, liked.sum()).astype(np.int64)
    return users, Ragged(offsets, held_out.item_rows[liked].astype(np.int32))
