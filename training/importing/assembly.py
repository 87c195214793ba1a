"""Vectors, ids and what is known beside them → embeddings."""

from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from training.columns import Ids, Ragged, Strings
from training.data.forms import Columns
from training.data.ratings import Ratings
from training.data.sources import locate_titles
from training.data.titles import Titles, read_titles
from training.embeddings import Catalogue, Embeddings, Floats
from training.errors import ImportingError
from training.importing.ids import Rows, texts_of

NOTHING_SEEN = (
    "nobody's seen items are known, so recommendations will contain items that a user has seen already;"
    " --ratings FILE brings them"
)


@dataclass(frozen=True)
class Side:
    """The users of a model, or its items."""

    ids: Ids
    vectors: Floats
    """(n, dim)."""
    biases: Floats
    """(n,)."""


@dataclass(frozen=True)
class Model:
    """What any model is made of, whoever trained it."""

    users: Side
    items: Side
    global_bias: float = 0.0
    seen: Ragged | None = None
    """For each user row the item rows that the user has seen, ascending; None where that is not known."""
    titles: Titles = field(default_factory=Titles)


@dataclass(frozen=True)
class Beside:
    """What is known besides the model."""

    ratings: Ratings | None
    """For what was seen, the rating scale, and the titles that lie beside it."""
    where: Path | None
    """Where `ratings` are from."""
    columns: Columns
    """Of the file with the titles, where it names one; its titles take the place of the model's."""


def assembled(model: Model, beside: Beside, description: dict[str, Any]) -> tuple[Embeddings, list[str]]:
    """The embeddings, and what a person should know of them, a sentence each.

    Raises ImportingError where the ratings beside are of other users or items, RatingsError where titles can't be read.
    """
    remarks: list[str] = []
    item_titles, item_tags, tag_names = _columns(_titles(model, beside, remarks), model.items.ids)
    embeddings = Embeddings(
        user_embeddings=model.users.vectors,
        item_embeddings=model.items.vectors,
        user_biases=model.users.biases,
        item_biases=model.items.biases,
        global_bias=model.global_bias,
        catalogue=Catalogue(
            user_ids=model.users.ids,
            item_ids=model.items.ids,
            seen=_seen(model, beside, remarks),
            item_titles=item_titles,
            item_tags=item_tags,
            tag_names=tag_names,
        ),
        description={
            **_scale(beside.ratings),
            **description,
            "libraries": {name: version(name) for name in ("matinee", "numpy")},
        },
    )
    return embeddings, remarks


def seen_in(ratings: Ratings, users: Ids, items: Ids, where: object) -> tuple[Ragged, int]:
    """For each of `users` the rows of the `items` that it rated, ascending; how many ratings are of others.

    Raises ImportingError where all are.
    """
    user_rows, item_rows = users.rows(ratings.user_ids).astype(np.int32), items.rows(ratings.item_ids).astype(np.int32)
    known = (user_rows[ratings.user_rows] >= 0) & (item_rows[ratings.item_rows] >= 0)
    if not known.any():
        raise ImportingError(
            f"{where}: none of its ratings is of a user and an item of the model: user {ratings.user_ids[0]!r} and item"
            f" {ratings.item_ids[0]!r} there, {users[0]!r} and {items[0]!r} here; are the ids of the same kind?"
        )
    kept = ratings.subset(known)
    here = replace(
        kept,
        user_rows=user_rows[kept.user_rows],
        item_rows=item_rows[kept.item_rows],
        user_ids=users,
        item_ids=items,
    )
    return here.seen(), len(ratings) - len(kept)


def _seen(model: Model, beside: Beside, remarks: list[str]) -> Ragged:
    if model.seen is not None:
        return model.seen
    if beside.ratings is None:
        remarks.append(f"warning: {NOTHING_SEEN}")
        return _empty(len(model.users.ids))
    seen, n_left_out = seen_in(beside.ratings, model.users.ids, model.items.ids, beside.where)
    if n_left_out:
        remarks.append(f"{n_left_out:,} ratings are of users or items that the model does not have; they are left out")
    return seen


def _titles(model: Model, beside: Beside, remarks: list[str]) -> Titles:
    columns = beside.columns
    if columns.items is not None:
        titles = read_titles(locate_titles(columns.items), columns, "item_id", set(texts_of(model.items.ids)))
        if titles.remark:
            remarks.append(titles.remark)
        return titles
    if model.titles.by_id or beside.ratings is None:
        return model.titles
    return _titles_with(beside.ratings)


def _columns(titles: Titles, item_ids: Ids) -> tuple[Strings, Ragged, Strings]:
    if titles.by_id:
        return titles.columns(texts_of(item_ids))
    # Ten million items without a title need no ten million texts.
    empty = _empty(len(item_ids))
    return Strings(empty.offsets, np.zeros(0, np.uint8)), empty, Strings.of([])


def _empty(n: int) -> Ragged:
    return Ragged(np.zeros(n + 1, np.int64), np.zeros(0, np.int32))


def _titles_with(ratings: Ratings) -> Titles:
    names = [ratings.tag_names[row] for row in range(len(ratings.tag_names))]
    by_id = {}
    for row in range(ratings.n_items):
        by_id[ratings.item_ids[row]] = (ratings.item_titles[row], [names[tag] for tag in ratings.item_tags[row]])
    return Titles(by_id)


def _scale(ratings: Ratings | None) -> dict[str, Any]:
    return {} if ratings is None else {"rating_scale": [float(ratings.values.min()), float(ratings.values.max())]}


def no_biases(n: int) -> Floats:
    """float32 (n,) of zeros: those of a model without biases."""
    return np.zeros(n, np.float32)


def numbered(n: int) -> tuple[Ids, Rows]:
    """The ids 0 … n - 1 for rows that have none, each at its own row."""
    return Ids(np.arange(n)), np.arange(n)
