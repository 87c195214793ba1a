"""How good predictions and rankings are: exact, in NumPy, a block of users at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from training.columns import Ragged
from training.evaluation import alike, personal
from training.evaluation.predictors import Predictor, Rows, SameForAll
from training.evaluation.ranks import Counts, Ranks

Watch = Callable[[int], object]
"""Told of how many more users are done, as they are done."""


class Block(Protocol):
    """The rankings of some users."""

    def places(self, relevant: Ragged) -> tuple[Counts, Counts]:
        """For each relevant item of each user, how many unseen items are better and how many equal."""

    def list_counts(self, k: int) -> Counts:
        """In how many of the users' lists of k each item is: int64 (n_items,)."""


def rmse(errors: NDArray[np.floating[Any]]) -> float:
    """The root of the mean squared error, in the unit of the errors: √(Σ e² / n)."""
    return float(np.sqrt(np.mean(np.square(errors, dtype=np.float64))))


def mae(errors: NDArray[np.floating[Any]]) -> float:
    """The mean absolute error, in the unit of the errors: Σ |e| / n."""
    return float(np.mean(np.abs(errors), dtype=np.float64))


def unwatched(n_users: int) -> None:
    """A `Watch` that looks away."""


@dataclass(frozen=True)
class Judged:
    """The users whose rankings are judged."""

    user_rows: Rows
    """(n,) the rows of the users."""
    relevant: Ragged
    """For each of them the items that are to be found; no list is empty."""
    seen: Ragged
    """For each user that there is the items that are left out of the ranking."""


def rank(predictor: Predictor, user_rows: Rows, relevant: Ragged, seen: Ragged, *, depth: int | None = None) -> Ranks:
    """Where each user's relevant items stand among the items that the user has not seen.

    `relevant` has one list, not empty, for each of `user_rows`; `seen` one for each user that there is. No item may
    be in both. Where only the first `depth` positions matter, saying so makes it several times faster; metrics can
    then be asked for at k up to `depth`.
    """
    return _judge(predictor, Judged(user_rows, relevant, seen), depth, {}, unwatched)


def list_counts(predictor: Predictor, user_rows: Rows, seen: Ragged, k: int) -> Counts:
    """In how many of the users' lists of k each item is: int64 (n_items,).

    A list holds the k best items that the user has not seen, equal ones in the order of their rows.
    """
    counts = _no_counts(predictor, user_rows)
    for _, block in _blocks(predictor, user_rows, seen, k):
        counts += block.list_counts(k)
    return counts


def judge(
    predictor: Predictor, judged: Judged, ks: Sequence[int], watch: Watch = unwatched
) -> tuple[Ranks, dict[int, Counts]]:
    """What `rank` says, to the depth of the largest of `ks`, and `list_counts` for each of them; scored but once."""
    counts = {k: _no_counts(predictor, judged.user_rows) for k in ks}
    return _judge(predictor, judged, max(ks), counts, watch), counts


def _judge(predictor: Predictor, judged: Judged, depth: int | None, counts: dict[int, Counts], watch: Watch) -> Ranks:
    """The ranks; the lists of each k in `counts` are added to what is there."""
    relevant = judged.relevant
    n_better, n_equal = np.empty((2, len(relevant.rows)), np.int64)
    for users, block in _blocks(predictor, judged.user_rows, judged.seen, depth):
        items = slice(relevant.offsets[users.start], relevant.offsets[users.stop])
        n_better[items], n_equal[items] = block.places(relevant.take(np.arange(users.start, users.stop)))
        for k, count in counts.items():
            count += block.list_counts(k)
        watch(users.stop - users.start)
    return Ranks(relevant.offsets, n_better, n_equal, depth)


def _blocks(predictor: Predictor, user_rows: Rows, seen: Ragged, depth: int | None) -> Iterator[tuple[slice, Block]]:
    if isinstance(predictor, SameForAll):
        yield from alike.blocks(alike.Ranking(predictor.item_scores), user_rows, seen)
    else:
        yield from personal.blocks(predictor, user_rows, seen, depth)


def _no_counts(predictor: Predictor, user_rows: Rows) -> Counts:
    """Of no lists: int64 (n_items,)."""
    return np.zeros(predictor.scores(user_rows[:1]).shape[1], np.int64)
