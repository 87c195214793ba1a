"""Ratings that can't be learnt from, or not well: said before hours of work, each with what to do."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.by_user import count_rows
from training.data.table import Ratings
from training.errors import RatingsError
from training.fitting.config import FitConfig

LEAST_RATINGS = 10
"""With fewer, nothing can be held out to choose anything by."""
FEW_RATINGS = 1_000
"""With fewer, what is chosen on a tenth of them is chosen by chance."""
LARGE_SINGLE_SHARE = 0.5
"""Of the users, or of the items, with one rating. MovieLens's small set has 35 % such items and is well learnt."""
LARGE_USER_SHARE, LARGE_USER_FACTOR = 0.2, 10
"""A user with more than this share of all ratings, and so many times the mean, is no person."""
# Parameters for each rating. Regularised well, MovieLens's small set ranks better and better up to dim 512: 53 of them.
PARAMETERS_PER_RATING = {"rating": 20, "ranking": 100}
"""More for each rating than this only cost time and memory."""
LONG_TAIL = 20
"""A highest rating so many times the median is of counts, not of a scale."""

_MOST_STEPS = 101
"""A scale from 0 to 100 has so many."""
_MANY_VALUES = 1_000
# On a scale of fewer steps, such as dislike, neither, like, one may well stand apart.
_FEWEST_STEPS = 5
# As a multiple of the range of all other values.
_FAR = 2
_SAMPLE = 1 << 20


@dataclass(frozen=True)
class _Found:
    """What the checks look at."""

    ratings: Ratings
    config: FitConfig
    predicts: bool
    """Whether the ratings themselves are to be predicted, not only an order of items."""
    user_counts: NDArray[np.int64]
    """(n_users,) ratings of each; those held out do not count."""
    item_counts: NDArray[np.int64]
    """(n_items,) ratings of each."""
    low: float
    high: float
    sample: NDArray[np.float32]
    """Ratings evenly spaced in the order of the file, at most `_SAMPLE` and one more."""


def diagnose(ratings: Ratings, config: FitConfig) -> list[str]:
    """A sentence for each thing in `ratings` that will keep the model of `config` from being good; often none.

    Raises RatingsError where nothing can be learnt at all.
    """
    if len(ratings) < LEAST_RATINGS:
        raise RatingsError(
            f"there are {len(ratings)} ratings to train on; {LEAST_RATINGS} are the fewest that some can be held out "
            "of, and thousands are needed for good recommendations"
        )
    found = _Found(
        ratings,
        config,
        predicts=config.objective == "rating",
        user_counts=count_rows(ratings.user_rows, ratings.n_users),
        item_counts=count_rows(ratings.item_rows, ratings.n_items),
        low=float(ratings.values.min()),
        high=float(ratings.values.max()),
        sample=ratings.values[:: max(len(ratings) // _SAMPLE, 1)],
    )
    _refuse(found)
    return [sentence for check in (_few, _width, _singles, _crowd, _scale, _times) for sentence in check(found)]


def _refuse(found: _Found) -> None:
    if found.predicts and found.low == found.high:
        raise RatingsError(
            f"all {len(found.ratings):,} ratings are {found.low:g}, so there is nothing to predict; to learn from who "
            "rated what, give --objective ranking"
        )
    for kind, others, counts in (("user", "items", found.user_counts), ("item", "users", found.item_counts)):
        if counts.max() == 1:
            raise RatingsError(
                f"every {kind} has a single rating, so no two {others} share one and there are no tastes to learn; "
                f"is the column of the {kind} the right one? --{kind}-column names it"
            )


def _few(found: _Found) -> Iterator[str]:
    n = len(found.ratings)
    if n < FEW_RATINGS:
        yield (
            f"{n:,} ratings are few: what is chosen on a part of them is chosen by chance, and the popular items are "
            "likely to be as good; collect more before you rely on it"
        )


def _width(found: _Found) -> Iterator[str]:
    dim, ratings = found.config.dim, found.ratings
    n_users, n_items = int((found.user_counts > 0).sum()), int((found.item_counts > 0).sum())
    most = min(n_users, n_items)
    if dim > most:
        kind = "users" if n_users < n_items else "items"
        yield (
            f"dim is {dim}, but {most:,} {kind} can't differ in more than {most:,} ways; --dim {_power_of_two(most)} "
            "or less is enough"
        )
        return
    allowed = PARAMETERS_PER_RATING[found.config.objective]
    n_parameters = (dim + 1) * (n_users + n_items)
    if n_parameters > allowed * len(ratings):
        sensible = _power_of_two(max(allowed * len(ratings) // (n_users + n_items) - 1, 1))
        yield (
            f"dim {dim} makes {n_parameters:,} parameters of {len(ratings):,} ratings, "
            f"{n_parameters / len(ratings):,.0f} for each; --dim {sensible} is likely to be as good in less time"
        )


def _power_of_two(most: int) -> int:
    """The largest that is not above `most`, which is at least 1."""
    return 1 << (most.bit_length() - 1)


def _singles(found: _Found) -> Iterator[str]:
    for kind, counts in (("users", found.user_counts), ("items", found.item_counts)):
        n, n_single = int((counts > 0).sum()), int((counts == 1).sum())
        if n_single >= LARGE_SINGLE_SHARE * n:
            what = "their recommendations hardly differ" if kind == "users" else "they can hardly be recommended"
            yield (
                f"{n_single:,} of {n:,} {kind} ({n_single / n:.0%}) have a single rating: {what}; if more ratings of "
                f"theirs exist, add them, else leave such {kind} out"
            )


def _crowd(found: _Found) -> Iterator[str]:
    row = int(found.user_counts.argmax())
    n, count = len(found.ratings), int(found.user_counts[row])
    if count > LARGE_USER_SHARE * n and count > LARGE_USER_FACTOR * n / int((found.user_counts > 0).sum()):
        yield (
            f"user {found.ratings.user_ids[row]!r} gave {count:,} of {n:,} ratings ({count / n:.0%}) and bends the "
            "model to one taste; if that is a robot or stands for unknown users, remove its rows"
        )


def _scale(found: _Found) -> Iterator[str]:
    distinct = np.unique(found.sample)
    is_whole = bool((distinct == np.rint(distinct)).all())
    if is_whole and len(distinct) > max(_MOST_STEPS, min(_MANY_VALUES, len(found.sample) // 2)):
        yield (
            f"the ratings are whole numbers from {found.low:,.0f} to {found.high:,.0f}, at least {len(distinct):,} "
            "different ones: are they ids, times or counts? --rating-column names the column with the ratings"
        )
        return
    if not found.predicts:
        return
    median = float(np.median(found.sample))
    if median > 0 and found.high >= LONG_TAIL * median:
        yield (
            f"the highest rating is {found.high:,.6g}, {found.high / median:,.6g} times the median: a few such rows "
            "decide the squared error; for counts give --objective ranking, or take their logarithm"
        )
    yield from _outsiders(distinct)


def _outsiders(distinct: NDArray[np.float32]) -> Iterator[str]:
    """A value far off all others, or the one negative one, is likely to stand for no rating at all."""
    if len(distinct) < _FEWEST_STEPS:
        return
    first, second, last_but_one, last = (float(distinct[place]) for place in (0, 1, -2, -1))
    odd = None
    if second - first >= _FAR * (last - second) or first < 0 <= second:
        odd = first
    elif last - last_but_one >= _FAR * (last_but_one - first):
        odd = last
    if odd is not None:
        yield (
            f"the rating {odd:g} lies apart from all others, which go from {first if odd != first else second:g} to "
            f"{last if odd != last else last_but_one:g}: if it means 'not rated', remove its rows"
        )


def _times(found: _Found) -> Iterator[str]:
    times = found.ratings.timestamps
    if times is not None and times.min() == times.max():
        yield (
            f"all ratings are of one moment, {int(times[0])}: their order in time is that of the file, and holding out "
            "the latest means little; is the column of the times the right one? --timestamp-column names it"
        )
