"""One bundle's answers. Knows ids, rows and scores, and nothing of gRPC; every method is safe in many threads."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np

from indexer.background import give_turn
from indexer.bundle import Bundle
from indexer.fold_in import fold_in
from indexer.index import Index
from indexer.scoring import Scorer
from indexer.search import Query, Scores, top_rows, top_rows_of_many
from indexer.selection import NONE, Rows, Selection
from server.errors import (
    NoFoldInError,
    NotRatingsError,
    OutOfRangeError,
    UnknownItemError,
    UnknownRatedItemsError,
    UnknownUserError,
)
from server.filters import EVERYTHING, Allowed, Filters, Shelves
from server.ranked import Labels, Ranked

ScoreKind = Literal["rating", "preference", "weighted", "popularity"]
"""A predicted rating; a preference; a predicted rating with weighted item biases; how many users have rated it."""

_ITEMS_A_BLOCK, _MOST_USERS_A_BLOCK = 10_000, 256


class Item(NamedTuple):
    """What is known of one item."""

    item_id: str
    title: str
    tags: list[str]


class Options(NamedTuple):
    """What may be asked for beside the user."""

    k: int = 10
    """How many items."""
    include_seen: bool = False
    """Whether items that the user has already rated may be recommended."""
    filters: Filters = EVERYTHING
    """Which items may be recommended."""
    item_bias_weight: float = 1.0
    """How much item biases count; 1 as in the model."""
    popular_if_unknown: bool = False
    """Whether an unknown user gets the items that most users have rated."""


USUAL = Options()


class Recommendations(NamedTuple):
    """What a user gets."""

    items: Ranked
    """Best first, equal scores in the order of the item rows."""
    score_kind: ScoreKind
    """What their scores are."""


class Answered(Protocol):
    """Told of every ranked answer by a model's scores; must be quick, safe in many threads and raise nothing."""

    def __call__(self, method: str, query: Query, k: int, selection: Selection, scores: Scores) -> None:
        """`scores`, float64, best first, are those of the at most k rows of `selection` that were found.

        `method` as in the schema; many users at once are not told of.
        """


def unobserved(method: str, query: Query, k: int, selection: Selection, scores: Scores) -> None:
    """An `Answered` that does nothing."""


class Retriever:
    """Answers from one bundle.

    score(u, i) = global_bias + user_bias[u] + w · item_bias[i] + user_embedding[u] · item_embedding[i]

    w is 1, or the weight that is asked for. Fewer than k items come back only where fewer are allowed.
    """

    def __init__(self, bundle: Bundle, answered: Answered = unobserved) -> None:
        self.version = bundle.version
        self.n_users = bundle.n_users
        self.n_items = bundle.n_items
        self.scores_are_ratings = bundle.scores_are_ratings
        self._answered = answered
        self._bundle = bundle
        self._catalogue = bundle.catalogue
        self._scorer = Scorer(bundle.user_embeddings, bundle.user_biases, bundle.item_vectors, bundle.global_bias)
        self._shelves = Shelves(bundle)
        self._labels = Labels(bundle.catalogue.item_ids, bundle.catalogue.item_titles)
        self._fold_in = fold_in(bundle)

    def recommend(self, user_id: str, options: Options = USUAL) -> Recommendations:
        """The items with the highest score. Raises UnknownUserError unless the popular ones will do."""
        allowed = self._shelves.allowed(options.filters)
        user_row = self._catalogue.user_ids.row(user_id)
        if user_row is None:
            if not options.popular_if_unknown:
                raise UnknownUserError("user_id", user_id)
            return self._popular(options.k, allowed)
        query = self._scorer.user_query(user_row, options.item_bias_weight)
        selection = allowed.without(NONE if options.include_seen else self._seen(user_row))
        found = self._top_rows("Recommend", self._bundle.recommend_index, query, options.k, selection)
        return Recommendations(self._ranked(*found), self._score_kind(options))

    def similar(self, item_id: str, k: int = 10, filters: Filters = EVERYTHING) -> Ranked:
        """The k items whose embeddings have the highest cosine with this item's, best first; never the item itself.

        Raises UnknownItemError.
        """
        item_row = self._item_row("item_id", item_id)
        selection = self._shelves.allowed(filters).without(np.array([item_row]))
        query = self._scorer.item_query(item_row)
        return self._ranked(*self._top_rows("SimilarItems", self._bundle.similar_index, query, k, selection))

    def recommend_from_ratings(
        self, ratings: Sequence[tuple[str, float]], options: Options = USUAL
    ) -> tuple[Recommendations, list[str]]:
        """What suits somebody who gave these ratings, of each item one; and the ids that the model does not know.

        Raises NoFoldInError, UnknownRatedItemsError where none is known, OutOfRangeError for a rating off the scale.
        """
        if self._fold_in is None:
            raise NoFoldInError
        rows = [self._catalogue.item_ids.row(item_id) for item_id, _ in ratings]
        known = np.array([row for row in rows if row is not None], np.int64)
        if len(known) == 0:
            raise UnknownRatedItemsError(len(ratings))
        self._check_scale(ratings)
        values = np.array([rating for (_, rating), row in zip(ratings, rows, strict=True) if row is not None])
        query = self._scorer.query(*self._fold_in.user(known, values), options.item_bias_weight)
        selection = self._shelves.allowed(options.filters).without(NONE if options.include_seen else np.sort(known))
        found = self._top_rows("RecommendFromRatings", self._bundle.recommend_index, query, options.k, selection)
        ignored = [item_id for (item_id, _), row in zip(ratings, rows, strict=True) if row is None]
        return Recommendations(self._ranked(*found), self._score_kind(options)), ignored

    def recommend_to_many(
        self, user_ids: Sequence[str], options: Options = USUAL
    ) -> Iterator[list[tuple[str, Recommendations | None]]]:
        """`recommend` for each user, in blocks of some; None for an unknown one, unless the popular items will do."""
        allowed = self._shelves.allowed(options.filters)
        n_users = max(1, min(_MOST_USERS_A_BLOCK, _ITEMS_A_BLOCK // options.k))
        for start in range(0, len(user_ids), n_users):
            block = user_ids[start : start + n_users]
            yield list(zip(block, self._recommend_to_block(block, options, allowed), strict=True))

    def recommend_together(self, user_ids: Sequence[str], options: Options = USUAL) -> list[Recommendations | None]:
        """`recommend` for each of a few users, searched as one; None for an unknown one, unless the popular will do."""
        return self._recommend_to_block(user_ids, options, self._shelves.allowed(options.filters), self._answered)

    def _recommend_to_block(
        self, user_ids: Sequence[str], options: Options, allowed: Allowed, answered: Answered = unobserved
    ) -> list[Recommendations | None]:
        user_rows = [self._catalogue.user_ids.row(user_id) for user_id in user_ids]
        known = [row for row in user_rows if row is not None]
        queries = self._scorer.user_queries(np.array(known, np.int64), options.item_bias_weight)
        selections = [allowed.without(NONE if options.include_seen else self._seen(row)) for row in known]
        found = top_rows_of_many(self._bundle.recommend_index, queries, options.k, selections)
        if answered is not unobserved:
            for each, (selection, (_, scores)) in enumerate(zip(selections, found, strict=True)):
                answered("Recommend", queries.alone(each), options.k, selection, scores)
        kind = self._score_kind(options)
        is_popular = options.popular_if_unknown and len(known) < len(user_rows)
        unknown = self._popular(options.k, allowed) if is_popular else None
        answers = iter(found)
        return [unknown if row is None else Recommendations(self._ranked(*next(answers)), kind) for row in user_rows]

    def predict(self, user_id: str, item_ids: Sequence[str]) -> list[float]:
        """The predicted rating of each item, in the order asked for.

        Raises NotRatingsError where the model's scores are none, UnknownUserError, UnknownItemError.
        """
        if not self.scores_are_ratings:
            raise NotRatingsError
        user_row = self._catalogue.user_ids.row(user_id)
        if user_row is None:
            raise UnknownUserError("user_id", user_id)
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
        """Answer for users and items spread over the bundle, so that the first caller waits for no page of it.

        Requests go before it, in the background.
        """
        for user_row in _spread(self.n_users, n_searches):
            self.recommend(self._catalogue.user_ids[user_row])
            give_turn()
        for item_row in _spread(self.n_items, n_searches):
            self.similar(self._catalogue.item_ids[item_row])
            give_turn()
        if self._fold_in is not None:
            self._fold_in.user(np.zeros(1, np.int64), np.zeros(1))

    def _top_rows(self, method: str, index: Index, query: Query, k: int, selection: Selection) -> tuple[Rows, Scores]:
        rows, scores = top_rows(index, query, k, selection)
        self._answered(method, query, k, selection, scores)
        return rows, scores

    def _popular(self, k: int, allowed: Allowed) -> Recommendations:
        popularity = self._bundle.popularity
        rows = popularity.top_rows(k, allowed.without(NONE))
        return Recommendations(self._ranked(rows, popularity.counts[rows].astype(np.float64)), "popularity")

    def _ranked(self, rows: Rows, scores: Scores) -> Ranked:
        return Ranked(rows, scores, self._labels)

    def _score_kind(self, options: Options) -> ScoreKind:
        if not self.scores_are_ratings:
            return "preference"
        return "rating" if options.item_bias_weight == 1.0 else "weighted"

    def _check_scale(self, ratings: Sequence[tuple[str, float]]) -> None:
        scale = self._bundle.manifest.get("rating_scale")
        if scale is None:
            return
        least, most = scale
        for place, (_, rating) in enumerate(ratings):
            if not least <= rating <= most:
                raise OutOfRangeError(f"ratings[{place}].rating", f"{rating:g}", f"{least:g} to {most:g}")

    def _seen(self, user_row: int) -> Rows:
        return self._catalogue.seen[user_row].astype(np.int64)

    def _item_row(self, field: str, item_id: str) -> int:
        row = self._catalogue.item_ids.row(item_id)
        if row is None:
            raise UnknownItemError(field, item_id)
        return row

    def _item_rows(self, item_ids: Sequence[str]) -> Rows:
        rows = (self._item_row(f"item_ids[{position}]", item_id) for position, item_id in enumerate(item_ids))
        return np.fromiter(rows, np.int64, len(item_ids))


def _spread(n: int, count: int) -> list[int]:
    return sorted({int(row) for row in np.linspace(0, n - 1, count)})
