"""What a request's fields may hold. Every function raises OutOfRangeError naming field, value and range."""

import math
from collections.abc import Sequence
from typing import Protocol

from indexer.vectors import LEAST_BIAS_WEIGHT, MOST_BIAS_WEIGHT
from server.errors import OutOfRangeError, shown
from server.filters import EVERYTHING, Filters

DEFAULT_K = 10
MAX_K = 1_000
MAX_ID_BYTES = 1_024
MAX_IDS = 10_000
MAX_TAGS = 100
MAX_USERS = 1_000_000


class Rated(Protocol):
    """What somebody thinks of one item."""

    @property
    def item_id(self) -> str:
        """Which item."""

    @property
    def rating(self) -> float:
        """What they think."""


class Filtering(Protocol):
    """A request that says which items may be returned."""

    @property
    def exclude_item_ids(self) -> Sequence[str]:
        """Never these."""

    @property
    def only_item_ids(self) -> Sequence[str]:
        """Only these."""

    @property
    def any_tags(self) -> Sequence[str]:
        """Only with one of these."""

    @property
    def no_tags(self) -> Sequence[str]:
        """Never with one of these."""


def checked_k(k: int | None) -> int:
    """`k`, or the default where it is None."""
    if k is None:
        return DEFAULT_K
    if not 1 <= k <= MAX_K:
        raise OutOfRangeError("k", str(k), f"1 to {MAX_K}")
    return k


def checked_weight(weight: float | None) -> float:
    """`weight` of the item biases, or 1 where it is None."""
    if weight is None:
        return 1.0
    # NaN is in no range.
    if not LEAST_BIAS_WEIGHT <= weight <= MOST_BIAS_WEIGHT:
        raise OutOfRangeError("item_bias_weight", f"{weight:g}", f"{LEAST_BIAS_WEIGHT:g} to {MOST_BIAS_WEIGHT:g}")
    return weight


def checked_id(field: str, value: str, what: str = "an id") -> str:
    """`value`, which is one id, or one of what `what` says."""
    if not value:
        raise OutOfRangeError(field, "empty", what)
    # A character has at most four bytes, so most ids need not be encoded to be counted.
    if len(value) * 4 > MAX_ID_BYTES and len(value.encode()) > MAX_ID_BYTES:
        raise OutOfRangeError(field, shown(value), f"at most {MAX_ID_BYTES} bytes")
    return value


def checked_ids(field: str, values: Sequence[str], least: int, most: int = MAX_IDS) -> Sequence[str]:
    """`values`, which are at least `least` ids."""
    if not least <= len(values) <= most:
        raise OutOfRangeError(field, f"a list of {len(values)}", f"{least} to {most} ids")
    return _checked_each(field, values, "an id")


def checked_filters(request: Filtering) -> Filters:
    """Which items `request` allows."""
    filters = Filters(request.exclude_item_ids, request.only_item_ids, request.any_tags, request.no_tags)
    if not any(filters):
        return EVERYTHING
    checked_ids("exclude_item_ids", filters.exclude_item_ids, least=0)
    checked_ids("only_item_ids", filters.only_item_ids, least=0)
    for field, tags in (("any_tags", filters.any_tags), ("no_tags", filters.no_tags)):
        if len(tags) > MAX_TAGS:
            raise OutOfRangeError(field, f"a list of {len(tags)}", f"0 to {MAX_TAGS} tags")
        _checked_each(field, tags, "a tag")
    return filters


def checked_ratings(ratings: Sequence[Rated]) -> list[tuple[str, float]]:
    """`ratings`, which are at least one, and of each item one."""
    if not 1 <= len(ratings) <= MAX_IDS:
        raise OutOfRangeError("ratings", f"a list of {len(ratings)}", f"1 to {MAX_IDS} ratings")
    rated = set()
    for place, each in enumerate(ratings):
        checked_id(f"ratings[{place}].item_id", each.item_id)
        if each.item_id in rated:
            raise OutOfRangeError(f"ratings[{place}].item_id", f"{shown(each.item_id)} again", "an item once")
        if not math.isfinite(each.rating):
            raise OutOfRangeError(f"ratings[{place}].rating", f"{each.rating:g}", "a number")
        rated.add(each.item_id)
    return [(each.item_id, each.rating) for each in ratings]


def _checked_each(field: str, values: Sequence[str], what: str) -> Sequence[str]:
    for position, value in enumerate(values):
        # The name of the entry is made only where it is wrong: a list may be long.
        if not value or len(value) * 4 > MAX_ID_BYTES:
            checked_id(f"{field}[{position}]", value, what)
    return values
