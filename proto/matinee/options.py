"""What a call may be asked with, by keyword; both clients take the same."""

from collections.abc import Iterable
from typing import TypedDict

Id = str | int
"""The id of a user or an item as the ratings have it; an int is written in decimal."""


class CallOptions(TypedDict, total=False):
    """What every call takes."""

    timeout_s: float
    """The deadline of this call, instead of the client's."""
    request_id: str
    """What the server's log is to call the request, such as the id of the request that you are answering: 1 to 128
    letters, digits and ._:/@+=-. Where absent, a new one is made."""


class Filters(CallOptions, total=False):
    """Which items may come back: those that all of these allow."""

    exclude_item_ids: Iterable[Id]
    """Items never to return, at most 10,000; those that the model does not know are ignored."""
    only_item_ids: Iterable[Id]
    """Only these items may be returned, at most 10,000; where empty, all."""
    any_tags: Iterable[str]
    """Only items with at least one of these tags, at most 100; where empty, all."""
    no_tags: Iterable[str]
    """No items with any of these tags, at most 100."""


class UserFilters(Filters, total=False):
    """What recommendations take."""

    include_seen: bool
    """Whether items that were rated already may be recommended; default False."""
    item_bias_weight: float | None
    """How much the item biases, and so popularity, count: -1 to 2; 1, the model's own score, where absent. 0 is taste
    alone, less than 0 the long tail."""


class KnownUserFilters(UserFilters, total=False):
    """What recommendations for users of the model take."""

    popular_if_unknown: bool
    """Whether a user whom the model does not know gets the items that most users have rated; default False."""
