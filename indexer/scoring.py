"""A model's exact scores, in float64, and the queries that look for the best of them.

    score(u, i) = global_bias + user_bias[u] + w · item_bias[i] + user_embedding[u] · item_embedding[i]

w, the weight of the item biases, is 1 for the model's own score.
"""

import math
from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from indexer.background import give_turn
from indexer.search import Queries, Query, Scores, exact_lengths, exact_products
from indexer.selection import Rows
from indexer.vectors import Floats
from indexer.vectors import query as query_vector

_UNIT_NORM = 1.001
_BLOCK_ROWS = 1 << 11


class Scorer:
    """The scores of one model; every method is safe in many threads.

    `user_embeddings` (n_users, dim), `user_biases` (n_users,), `item_vectors` (n_items, width) as
    `indexer.vectors.augment` makes them; all float32.
    """

    def __init__(self, user_embeddings: Floats, user_biases: Floats, item_vectors: Floats, global_bias: float) -> None:
        self._user_embeddings = user_embeddings
        self._user_biases = user_biases
        self._item_vectors = item_vectors
        self._global_bias = global_bias
        self._dim = int(user_embeddings.shape[1])
        # Biases that are all 0 need not be asked for; a user of zeros then asks for nothing, which is answered at once.
        self.has_item_biases = any(block[:, self._dim].any() for block in _blocks(item_vectors))

    def user_query(self, user_row: int, item_bias_weight: float = 1.0) -> Query:
        """What finds the items that score best for a user."""
        return self.query(self._user_embeddings[user_row], float(self._user_biases[user_row]), item_bias_weight)

    def query(self, user_embedding: Floats, user_bias: float, item_bias_weight: float = 1.0) -> Query:
        """What finds the items that score best for a user with this embedding, float32 (dim,), and this bias."""
        weight = item_bias_weight if self.has_item_biases else 0.0
        vector = query_vector(user_embedding, self._item_vectors.shape[1], weight)
        exact = vector[: self._dim + 1].astype(np.float64)
        offset = self._global_bias + user_bias
        return Query(
            vector=vector,
            scores=lambda rows: offset + exact_products(self._item_vectors, rows, exact),
            offset=offset,
            largest_norm=self._largest_norm,
            tells_apart=weight != 0.0 or bool(user_embedding.any()),
            is_usual=item_bias_weight == 1.0,
        )

    def user_queries(self, user_rows: Rows, item_bias_weight: float = 1.0) -> Queries:
        """`user_query` of each user."""
        weight = item_bias_weight if self.has_item_biases else 0.0
        vectors = query_vector(self._user_embeddings[user_rows], self._item_vectors.shape[1], weight)
        exact = vectors[:, : self._dim + 1].astype(np.float64)
        offsets = self._global_bias + self._user_biases[user_rows].astype(np.float64)

        def scores(chosen: Rows, rows: Rows) -> Scores:
            blocks = self._item_vectors.take(rows, axis=0)[..., : self._dim + 1].astype(np.float64)
            products: Scores = np.vecdot(blocks, exact[chosen, np.newaxis])
            return offsets[chosen, np.newaxis] + products

        return Queries(
            vectors=vectors,
            scores=scores,
            alone=lambda each: self.user_query(int(user_rows[each]), item_bias_weight),
            is_usual=item_bias_weight == 1.0,
        )

    def scores(self, user_row: int, rows: Rows) -> Scores:
        """The score of some items for a user: float64 (len(rows),)."""
        return self.user_query(user_row).scores(rows)

    def item_query(self, item_row: int) -> Query:
        """What finds the items whose embeddings have the highest cosine with this item's."""
        embedding = self._item_vectors[item_row, : self._dim].astype(np.float64)
        length = exact_lengths(self._item_vectors, np.array([item_row]), self._dim)[0]
        # The cosine with an item whose embedding is all zero is 0.
        unit = embedding / length if length > 0 else embedding
        vector = np.zeros(self._item_vectors.shape[1], np.float32)
        vector[: self._dim] = unit
        return Query(
            vector=vector,
            scores=lambda rows: self._cosines(unit, rows),
            offset=0.0,
            largest_norm=lambda: _UNIT_NORM,
            tells_apart=bool(length > 0),
        )

    def _largest_norm(self) -> float:
        return self._longest

    @cached_property
    def _longest(self) -> float:
        # Found when an exact index asks first: others never do.
        squares = (np.einsum("ij,ij->i", block, block, dtype=np.float64).max() for block in _blocks(self._item_vectors))
        return math.sqrt(max(squares, default=0.0))

    def _cosines(self, unit: NDArray[np.float64], rows: Rows) -> Scores:
        products = exact_products(self._item_vectors, rows, unit)
        lengths = exact_lengths(self._item_vectors, rows, self._dim)
        return np.divide(products, lengths, out=np.zeros(len(rows)), where=lengths > 0)


def _blocks(vectors: Floats) -> Iterator[Floats]:
    for start in range(0, len(vectors), _BLOCK_ROWS):
        yield vectors[start : start + _BLOCK_ROWS]
        give_turn()
