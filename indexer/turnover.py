"""Which users and items came and went between two versions, and which items are described otherwise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.selection import Rows
from training.columns import Ids, Strings
from training.embeddings import Catalogue

Pairs = list[tuple[int, int]]
"""The rows of items that are in both, in the old and in the new version."""


@dataclass(frozen=True)
class Named:
    """An item or a user."""

    id: str
    title: str | None = None
    """None of a user."""


@dataclass(frozen=True)
class Turnover:
    """Of the users or of the items."""

    shared: int
    """How many are in both."""
    came: int
    """How many are new."""
    went: int
    """How many are gone."""
    came_examples: list[Named]
    """The first few of those that came, by id."""
    went_examples: list[Named]
    """The first few of those that went, by id."""


@dataclass(frozen=True)
class Renewal:
    """What changed of who the rows are."""

    users: Turnover
    items: Turnover
    titles_changed: int
    """How many items that are in both have another title."""
    tags_changed: int
    """How many have other tags; their order does not count."""


def renewal(old: Catalogue, new: Catalogue, n_examples: int) -> Renewal:
    """What changed from `old` to `new`, with at most `n_examples` of what came and of what went."""
    user_went, user_came = _missing(old.user_ids, new.user_ids), _missing(new.user_ids, old.user_ids)
    places = new.item_ids.rows(old.item_ids)
    item_went, item_came = np.flatnonzero(places < 0), np.setdiff1d(np.arange(len(new.item_ids)), places)
    shared = np.flatnonzero(places >= 0)
    pairs = list(zip(shared.tolist(), places[shared].tolist(), strict=True))
    return Renewal(
        users=Turnover(
            shared=len(old.user_ids) - len(user_went),
            came=len(user_came),
            went=len(user_went),
            came_examples=[Named(new.user_ids[row]) for row in user_came[:n_examples].tolist()],
            went_examples=[Named(old.user_ids[row]) for row in user_went[:n_examples].tolist()],
        ),
        items=Turnover(
            shared=len(shared),
            came=len(item_came),
            went=len(item_went),
            came_examples=_titled(new, item_came[:n_examples]),
            went_examples=_titled(old, item_went[:n_examples]),
        ),
        titles_changed=_n_titles_changed(old, new, pairs),
        tags_changed=_n_tags_changed(old, new, pairs),
    )


def _missing(ids: Ids, others: Ids) -> Rows:
    """The rows of `ids` that `others` does not have, ascending."""
    return np.flatnonzero(others.rows(ids) < 0)


def _titled(catalogue: Catalogue, rows: Rows) -> list[Named]:
    return [Named(catalogue.item_ids[row], catalogue.item_titles[row]) for row in rows.tolist()]


def _n_titles_changed(old: Catalogue, new: Catalogue, pairs: Pairs) -> int:
    return sum(old.item_titles.encoded(was) != new.item_titles.encoded(now) for was, now in pairs)


def _n_tags_changed(old: Catalogue, new: Catalogue, pairs: Pairs) -> int:
    old_names, new_names = _names(old.tag_names), _names(new.tag_names)
    return sum(set(old_names[old.item_tags[was]]) != set(new_names[new.item_tags[now]]) for was, now in pairs)


def _names(tag_names: Strings) -> NDArray[np.object_]:
    return np.array([tag_names[row] for row in range(len(tag_names))], np.object_)
