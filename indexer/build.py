"""Embeddings → bundle: augment, index, measure, refuse what falls short, write."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from indexer.bundle import finish_bundle, read_indexes, write_indexes
from indexer.errors import IndexGateError
from indexer.index import build_index
from indexer.recall import recall_at_k
from indexer.vectors import Floats, augment, query, unit_rows
from training.artefact import Manifest
from training.embeddings import Embeddings

RECALL_K = 10
_MAX_QUERIES = 1000
_SEED = 0


@dataclass(frozen=True)
class BuildOptions:
    """What may be chosen about a bundle."""

    index_key: str = "Flat"
    """FAISS's factory string."""
    target_recall: float = 0.99
    """Below this recall@10 of either index, 0 to 1, there is no bundle."""


def quiet(_: str) -> None:
    """Say nothing of the progress."""


def build_bundle(
    embeddings: Embeddings,
    folder: Path,
    options: BuildOptions = BuildOptions(),
    progress: Callable[[str], None] = quiet,
) -> Manifest:
    """Fill the empty `folder` with the bundle of `embeddings`; the manifest. `progress` is told each step.

    Raises IndexGateError where an index finds too few of the true top items.
    """
    started = time.monotonic()
    progress(f"building {options.index_key} indexes over {embeddings.n_items:,} items")
    item_vectors = augment(embeddings.item_embeddings, embeddings.item_biases)
    units = unit_rows(embeddings.item_embeddings, item_vectors.shape[1])
    write_indexes(folder, *(build_index(vectors, options.index_key) for vectors in (item_vectors, units)))
    progress(f"measuring recall@{RECALL_K}")
    recall = _measure(folder, options.index_key, embeddings, item_vectors, units)
    for name, value in recall.items():
        if value < options.target_recall:
            raise IndexGateError(name, value, options.target_recall)
    progress("writing the bundle")
    facts = {
        **embeddings.description,
        "index_key": options.index_key,
        "metric": "inner product",
        "recall": recall,
        "target_recall": options.target_recall,
        "build_s": round(time.monotonic() - started, 3),
        "embeddings_sha256": embeddings.content_sha256,
        "libraries": {
            **embeddings.description.get("libraries", {}),
            **{name: version(name) for name in ("faiss-cpu", "numpy")},
        },
    }
    return finish_bundle(folder, embeddings, item_vectors, facts)


def _measure(
    folder: Path, index_key: str, embeddings: Embeddings, item_vectors: Floats, units: Floats
) -> dict[str, float]:
    """recall@10 of both indexes as `folder` holds them: of users' vectors, and of items' as queries for alike items."""
    recommend_index, similar_index = read_indexes(folder, index_key, *item_vectors.shape)
    users = query(_sample(embeddings.user_embeddings), item_vectors.shape[1])
    return {
        f"recall@{RECALL_K}": recall_at_k(recommend_index, item_vectors, users, RECALL_K),
        f"similar_recall@{RECALL_K}": recall_at_k(similar_index, units, _sample(units), RECALL_K),
    }


def _sample(vectors: Floats) -> Floats:
    """At most _MAX_QUERIES of the rows, always the same ones."""
    n_queries = min(_MAX_QUERIES, len(vectors))
    rows = np.random.default_rng(_SEED).choice(len(vectors), n_queries, replace=False)
    return vectors[np.sort(rows)]
