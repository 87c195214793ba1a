"""One bundle's answers. Knows ids, rows and scores, and nothing of gRPC; every method is safe in many threads."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from indexer.bundle import Bundle
from indexer.index import NONE, Rows
from indexer.scoring import Scorer
from indexer.search import Scores, top_rows
from server.errors import NotRatingsError, UnknownItemError, UnknownUserError


class ScoredItem(NamedTuple):
    """One item of a ranked list; the title is empty where the data had none."""

    item_id: str
    score: float
    title: str


class Item(NamedTuple):
    """What is known of one item."""

    item_id: str
    title: str
    tags: list[str]


class Retriever:
    """Answers from one bundle.

    score(u, i) = global_bias + user_bias[u] + item_bias[i] + user_embedding[u] · item_embedding[i]
    """

    def __init__(self, bundle: Bundle) -> None:
        self.version = bundle.version
        self.n_users = bundle.n_users
        self.n_items = bundle.n_items
        self.scores_are_ratings = bundle.scores_are_ratings
        self._bundle = bundle
        self._catalogue = bundle.catalogue
        self._scorer = Scorer(bundle.user_embeddings, bundle.user_biases, bundle.item_vectors, bundle.global_bias)

    def recommend(
        self, user_id: str, k: int, *, include_seen: bool = False, exclude_item_ids: Sequence[str] = ()
    ) -> list[ScoredItem]:
        """The k items with the highest score, best first, equal scores in the order of the item rows.

        Items that the user has seen are left out unless `include_seen`; unknown `exclude_item_ids` are ignored. Fewer
        than k come back only where fewer are left. Raises UnknownUserError.
        """
        user_row = self._user_row(user_id)
        seen = NONE if include_seen else self._catalogue.seen[user_row].astype(np.int64)
        excluded = np.union1d(self._known_rows(exclude_item_ids), seen) if exclude_item_ids else seen
        return self._scored(*top_rows(self._bundle.recommend_index, self._scorer.user_query(user_row), k, excluded))

    def similar(self, item_id: str, k: int, *, exclude_item_ids: Sequence[str] = ()) -> list[ScoredItem]:
        """The k items whose embeddings have the highest cosine with this item's, best first; never the item itself.

        Raises UnknownItemError.
        """
        item_row = self._item_row("item_id", item_id)
        excluded = np.union1d(self._known_rows(exclude_item_ids), [item_row])
        return self._scored(*top_rows(self._bundle.similar_index, self._scorer.item_query(item_row), k, excluded))

    def predict(self, user_id: str, item_ids: Sequence[str]) -> list[float]:
        """The predicted rating of each item, in the order asked for.

        Raises NotRatingsError where the model's scores are none, UnknownUserError, UnknownItemError.
        """
        if not self.scores_are_ratings:
            raise NotRatingsError
        user_row = self._user_row(user_id)
        ratings: list[float] = self._scorer.scores(user_row, self._item_rows(item_ids)).tolist()
        return ratings

    def items(self, item_ids: Sequence[str]) -> list[Item]:
        """What is known of each item, in the order asked for. Raises UnknownItemError."""
        titles, tags, names = self._catalogue.item_titles, self._catalogue.item_tags, self._catalogue.tag_names
        return [
            Item(item_id, titles[row], [names[tag] for tag in tags[row]])
            for item_id, row in zip(item_ids, self._item_rows(item_ids).tolist(), strict=True)
        ]

    def warm_up(self, n_searches: int = 8) -> None:
        """Answer for users and items spread over the bundle, so that the first caller waits for no page of it."""
        for user_row in _spread(self.n_users, n_searches):
            self.recommend(self._catalogue.user_ids[user_row], 10)
        for item_row in _spread(self.n_items, n_searches):
            self.similar(self._catalogue.item_ids[item_row], 10)

    def _scored(self, rows: Rows, scores: Scores) -> list[ScoredItem]:
        ids, titles = self._catalogue.item_ids, self._catalogue.item_titles
        return [
            ScoredItem(ids[row], score, titles[row]) for row, score in zip(rows.tolist(), scores.tolist(), strict=True)
        ]

    def _user_row(self, user_id: str) -> int:
        row = self._catalogue.user_ids.row(user_id)
        if row is None:
            raise UnknownUserError("user_id", user_id)
        return row

    def _item_row(self, field: str, item_id: str) -> int:
        row = self._catalogue.item_ids.row(item_id)
        if row is None:
            raise UnknownItemError(field, item_id)
        return row

    def _item_rows(self, item_ids: Sequence[str]) -> Rows:
        rows = (self._item_row(f"item_ids[{position}]", item_id) for position, item_id in enumerate(item_ids))
        return np.fromiter(rows, np.int64, len(item_ids))

    def _known_rows(self, item_ids: Iterable[str]) -> Rows:
        rows = (self._catalogue.item_ids.row(item_id) for item_id in item_ids)
        return np.array([row for row in rows if row is not None], np.int64)


def _spread(n: int, count: int) -> list[int]:
    return sorted({int(row) for row in np.linspace(0, n - 1, count)})
