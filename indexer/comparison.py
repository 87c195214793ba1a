"""How far one version is from another: what users get recommended in both, and what both manifests say.

    overlap@10(u) = |A_u ∩ B_u| / 10

where A_u and B_u are the ten best unseen items of user u in the two versions: the agreement at depth 10 of Webber,
Moffat and Zobel, "A similarity measure for indefinite rankings" (2010). It counts what came and went, not the order
within. Where fewer than ten are left for a user, they are divided by the longer list's length.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.bundle import Bundle
from indexer.exact import best_unseen
from indexer.selection import Rows
from training.columns import Ids

K = 10
N_USERS = 1_000
N_EXAMPLES = 5
_SEED = 0
_FACTS = (
    "index_key", "scores", "objective", "n_users", "n_items", "dim", "bytes", "build_s", "data_fingerprint",
)  # fmt: skip


@dataclass(frozen=True)
class Mover:
    """An item that is recommended more or less often."""

    item_id: str
    title: str
    before: int
    """In how many of the sampled users' lists it was."""
    after: int
    """In how many it is."""


@dataclass(frozen=True)
class Movement:
    """How much the sampled users' ten best items changed."""

    n_users: int
    """How many users were compared: those of the sample that are in both versions and have items left."""
    overlap: float | None
    """The mean overlap@10, 0 to 1; None where no user could be compared."""
    kept: Mapping[str, int]
    """How many users kept all of their items, at least half, fewer, none."""
    up: list[Mover]
    """Those that gained most, at most N_EXAMPLES."""
    down: list[Mover]
    """Those that lost most."""


def movement(old: Bundle, new: Bundle, n_users: int = N_USERS) -> Movement:
    """How far `new` moves at most `n_users` users, always the same ones, from what `old` recommends."""
    old_users, new_users = shared_users(old.catalogue.user_ids, new.catalogue.user_ids, n_users)
    before, after = best_unseen(old, old_users, K), best_unseen(new, new_users, K)
    shares = overlaps(_translated(before, old.catalogue.item_ids, new.catalogue.item_ids), after)
    shares = shares[~np.isnan(shares)]
    movers = _movers(old, before, new, after)
    return Movement(
        n_users=len(shares),
        overlap=float(shares.mean()) if len(shares) else None,
        kept={
            "all": int(np.count_nonzero(shares == 1)),
            "half": int(np.count_nonzero((shares >= 0.5) & (shares < 1))),
            "fewer": int(np.count_nonzero((shares > 0) & (shares < 0.5))),
            "none": int(np.count_nonzero(shares == 0)),
        },
        up=[mover for mover in movers[::-1][:N_EXAMPLES] if mover.after > mover.before],
        down=[mover for mover in movers[:N_EXAMPLES] if mover.after < mover.before],
    )


def shared_users(old: Ids, new: Ids, n: int) -> tuple[Rows, Rows]:
    """At most `n` users who are in both, always the same ones: their rows in `old` and in `new`, int64 (m,)."""
    pairs: list[tuple[int, int]] = []
    for new_row in np.random.default_rng(_SEED).permutation(len(new)).tolist():
        if len(pairs) == n:
            break
        old_row = old.row(new[new_row])
        if old_row is not None:
            pairs.append((old_row, new_row))
    rows = np.array(pairs, np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


def overlaps(before: Rows, after: Rows) -> NDArray[np.float64]:
    """What share of each list stayed: float64 (n,), NaN where both are empty.

    Both int64 (n, k), each row without repeats; what is negative stands for no item, -2 for one that is gone.
    """
    alike = before[:, :, np.newaxis] == after[:, np.newaxis, :]
    n_kept = np.count_nonzero(alike & (after >= 0)[:, np.newaxis, :], axis=(1, 2))
    longest = np.maximum(np.count_nonzero(before != -1, axis=1), np.count_nonzero(after != -1, axis=1))
    shares = np.full(len(before), np.nan)
    np.divide(n_kept, longest, out=shares, where=longest > 0)
    return shares


def _translated(lists: Rows, ids: Ids, others: Ids) -> Rows:
    """`lists` of rows of `ids`, -1 for none, as rows of `others`; -2 for an id that is not there."""
    rows, places = np.unique(lists, return_inverse=True)
    found = [-1 if row < 0 else others.row(ids[row]) for row in rows.tolist()]
    return np.array([-2 if row is None else row for row in found], np.int64)[places].reshape(lists.shape)


def _movers(old: Bundle, before: Rows, new: Bundle, after: Rows) -> list[Mover]:
    """Every item of the lists, the one that lost most first."""
    counts = _counts(old, before), _counts(new, after)
    titles = {**_titles(old, before), **_titles(new, after)}
    movers = [Mover(item_id, title, counts[0][item_id], counts[1][item_id]) for item_id, title in titles.items()]
    return sorted(movers, key=lambda mover: (mover.after - mover.before, mover.item_id))


def _counts(bundle: Bundle, lists: Rows) -> Counter[str]:
    rows, counts = np.unique(lists[lists >= 0], return_counts=True)
    item_ids = bundle.catalogue.item_ids
    return Counter({item_ids[row]: count for row, count in zip(rows.tolist(), counts.tolist(), strict=True)})


def _titles(bundle: Bundle, lists: Rows) -> dict[str, str]:
    catalogue = bundle.catalogue
    return {catalogue.item_ids[row]: catalogue.item_titles[row] for row in np.unique(lists[lists >= 0]).tolist()}


def facts(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What to set side by side of a version: index, recall, size, how it was trained, and its metrics."""
    told = {name: manifest[name] for name in _FACTS if name in manifest}
    return {**told, "recall": manifest.get("recall", {}), "metrics": metrics(manifest)}


def metrics(manifest: Mapping[str, Any]) -> dict[str, float]:
    """The metrics that training measured, by name; those inside of others as "test.rmse"."""
    return dict(_flat(manifest.get("metrics", {}), ""))


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{name}", value
