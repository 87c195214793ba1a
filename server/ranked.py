"""Ranked lists: the rows of the best items and their scores, put into words, or on the wire, only when asked to."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol, overload

import numpy as np

from indexer.search import Scores
from indexer.selection import Rows
from matinee.v1 import recommender_pb2 as pb
from server.wire import tag, varint

_AT_HAND = 1 << 13
_SCORE = np.dtype("<f4")


class ScoredItem(NamedTuple):
    """One item of a ranked list; the title is empty where the data had none."""

    item_id: str
    score: float
    title: str


class Texts(Protocol):
    """Texts by the rows of items."""

    def __getitem__(self, row: int, /) -> str:
        """That of one item."""


class Labels:
    """What answers say of the items of one model: their ids and titles."""

    def __init__(self, ids: Texts, titles: Texts) -> None:
        score_tag = tag(pb.ScoredItem, "score")

        # Of the items that are answered again and again nothing is encoded twice.
        @lru_cache(_AT_HAND)
        def encoded(row: int) -> bytes:
            label = pb.ScoredItem(item_id=ids[row], title=titles[row]).SerializeToString() + score_tag
            return varint(len(label) + _SCORE.itemsize) + label

        self.encoded = encoded
        """A ScoredItem as it follows its tag, up to its score, which is to follow as a little-endian float."""
        self._ids, self._titles = ids, titles

    def scored(self, row: int, score: float) -> ScoredItem:
        """The item of this row, with a score."""
        return ScoredItem(self._ids[row], score, self._titles[row])


class Ranked(Sequence[ScoredItem]):
    """A ranked list, best first."""

    def __init__(self, rows: Rows, scores: Scores, labels: Labels) -> None:
        self.rows = rows
        """Of the items: int64 (n,)."""
        self.scores = scores
        """float64 (n,)."""
        self._labels = labels

    def encoded(self, tag: bytes) -> bytes:
        """It as a repeated field of ScoredItems that has this tag."""
        with np.errstate(over="ignore"):
            scores = self.scores.astype(_SCORE).tobytes()
        label = self._labels.encoded
        parts: list[bytes] = []
        for at, row in enumerate(self.rows.tolist()):
            parts += tag, label(row), scores[4 * at : 4 * at + 4]
        return b"".join(parts)

    def __len__(self) -> int:
        return len(self.rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranked | list) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as of other lists

    @overload
    def __getitem__(self, at: int) -> ScoredItem: ...
    @overload
    def __getitem__(self, at: slice) -> "Ranked": ...
    def __getitem__(self, at: int | slice) -> "ScoredItem | Ranked":
        if isinstance(at, slice):
            return Ranked(self.rows[at], self.scores[at], self._labels)
        return self._labels.scored(int(self.rows[at]), float(self.scores[at]))

    def __iter__(self) -> Iterator[ScoredItem]:
        return map(self._labels.scored, self.rows.tolist(), self.scores.tolist())
