"""Which items a request allows, by their ids and their tags, as rows of one model."""

from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexer.bundle import Bundle
from indexer.selection import NONE, Bits, Rows, Selection, all_bits, any_of, bits_of

_CACHE_BYTES, _MOST_CACHED = 64 << 20, 1_024


class Filters(NamedTuple):
    """An item may be returned where all four allow it; ids and tags that the model does not know match nothing."""

    exclude_item_ids: Sequence[str] = ()
    """Never these."""
    only_item_ids: Sequence[str] = ()
    """Only these; where empty, all."""
    any_tags: Sequence[str] = ()
    """Only with one of these; where empty, all."""
    no_tags: Sequence[str] = ()
    """Never with one of these."""


EVERYTHING = Filters()


class Allowed(NamedTuple):
    """What filters come to: those of `bits`, or all where that is None, without the `excluded` ones."""

    n_items: int
    excluded: Rows
    bits: Bits | None

    def without(self, rows: Rows) -> Selection:
        """What is left without `rows` too: int64, unique, ascending."""
        excluded = np.union1d(self.excluded, rows) if len(self.excluded) else rows
        return Selection(self.n_items, excluded, self.bits)


class Shelves:
    """The items of one model as filters ask for them; a tag's are found once and kept."""

    def __init__(self, bundle: Bundle) -> None:
        self._catalogue = bundle.catalogue
        self._n_items = bundle.n_items
        names = bundle.catalogue.tag_names
        self._tag_rows = {names[row]: row for row in range(len(names))}
        self._everything = Allowed(self._n_items, NONE, None)
        n_cached = _CACHE_BYTES // (self._n_items // 8 + 1)
        # Not of a method of its own: it would hold itself, and the model, until Python looks for cycles.
        tags = bundle.catalogue.item_tags
        find = partial(_find_tagged, tags.rows, tags.offsets, self._n_items)
        self._tagged = lru_cache(min(n_cached, _MOST_CACHED))(find)

    def allowed(self, filters: Filters) -> Allowed:
        """What `filters` allow."""
        if filters == EVERYTHING:
            return self._everything
        return Allowed(self._n_items, np.unique(self._known_rows(filters.exclude_item_ids)), self._bits(filters))

    def _bits(self, filters: Filters) -> Bits | None:
        kept = []
        if filters.only_item_ids:
            kept.append(bits_of(self._known_rows(filters.only_item_ids), self._n_items))
        if filters.any_tags:
            kept.append(self._with_any(filters.any_tags))
        if filters.no_tags:
            kept.append(all_bits(self._n_items) & ~self._with_any(filters.no_tags))
        return np.bitwise_and.reduce(kept) if kept else None

    def _with_any(self, tags: Iterable[str]) -> Bits:
        rows = (self._tag_rows.get(tag) for tag in tags)
        return any_of((self._tagged(row) for row in rows if row is not None), self._n_items)

    def _known_rows(self, item_ids: Iterable[str]) -> Rows:
        rows = (self._catalogue.item_ids.row(item_id) for item_id in item_ids)
        return np.array([row for row in rows if row is not None], np.int64)


def _find_tagged(rows: NDArray[np.int32], offsets: NDArray[np.int64], n_items: int, tag_row: int) -> Bits:
    places = np.flatnonzero(rows == tag_row)
    return bits_of(np.searchsorted(offsets, places, side="right") - 1, n_items)
