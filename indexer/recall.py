"""Recall@k: how many of the true k best items an index finds, measured against exact scores."""

import numpy as np
from numpy.typing import NDArray

from indexer.index import Index, search
from indexer.vectors import Floats

# Scores held at a time: 64 MiB of float32.
_MAX_SCORES = 1 << 24


def recall_at_k(index: Index, vectors: Floats, queries: Floats, k: int) -> float:
    """The share of the k best of `vectors`, float32 (n_items, width), that `index` finds for `queries`, (n, width).

    Items that score the same as the k-th best count as found whichever of them comes back.
    """
    k = min(k, len(vectors))
    step = max(1, _MAX_SCORES // len(vectors))
    hits = 0
    for start in range(0, len(queries), step):
        batch = queries[start : start + step]
        hits += _hits(search(index, batch, k), batch @ vectors.T, _rounding(batch, vectors))
    return hits / (len(queries) * k)


def _hits(found: NDArray[np.int64], scores: Floats, rounding: Floats) -> int:
    """How many of the rows `found`, int64 (n, k), score at least the k-th best of `scores`, float32 (n, n_items)."""
    k = found.shape[1]
    least = np.partition(scores, -k, axis=1)[:, -k]
    of_found = np.take_along_axis(scores, np.maximum(found, 0), axis=1)
    reaches = of_found >= (least - rounding)[:, np.newaxis]
    return int(np.sum(reaches & (found >= 0)))


def _rounding(queries: Floats, vectors: Floats) -> Floats:
    """How far two float32 inner products of the same vectors may be apart, for each query: (n,)."""
    longest = np.linalg.norm(vectors, axis=1).max()
    rounding: Floats = np.linalg.norm(queries, axis=1) * longest * np.float32(1e-6)
    return rounding
