"""Other libraries' indexes over a bundle's item vectors: python -m benchmarks.peers STORE TARGET_RECALL.

Each is built as its documentation suggests for inner products, set to the least effort that finds TARGET_RECALL of the
true top 10 of the usual questions (users with what they have seen left out: as many more are fetched, and dropped), and
timed on one thread. Their answers are ids with approximate or float32 products; ours are exact scores.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.bundle import Bundle
from indexer.choice.questions import Question, answered, n_questions, of_users
from indexer.index import FaissIndex, fill_index, new_index
from indexer.keys import parse_key
from indexer.scoring import Scorer
from indexer.store import Store
from indexer.vectors import Floats, Source

Search = Callable[[Floats, int], NDArray[np.int64]]
"""A query (width,) and how many rows → the rows."""
_MOST_TIMED = 500


class Hnswlib:
    """hnswlib, a graph by inner product."""

    name = "hnswlib"
    efforts = (16, 32, 64, 128, 256, 512, 1024)

    def __init__(self, vectors: Floats) -> None:
        import hnswlib

        self.index = hnswlib.Index(space="ip", dim=vectors.shape[1])
        self.index.init_index(max_elements=len(vectors), M=32, ef_construction=100, random_seed=1)
        self.index.add_items(vectors)
        self.index.set_num_threads(1)

    def at(self, effort: int) -> Search:
        """With ef = effort, or as many as are fetched."""

        def search(query: Floats, n: int) -> NDArray[np.int64]:
            self.index.set_ef(max(effort, n))
            return np.asarray(self.index.knn_query(query, n)[0][0], np.int64)

        return search

    def bytes(self) -> int:
        """Of its file."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "index"
            self.index.save_index(str(path))
            return path.stat().st_size


class Usearch:
    """usearch, a graph by inner product."""

    name = "usearch"
    efforts = Hnswlib.efforts

    def __init__(self, vectors: Floats) -> None:
        from usearch.index import Index

        self.index = Index(ndim=vectors.shape[1], metric="ip", dtype="f32", connectivity=32, expansion_add=100)
        self.index.add(np.arange(len(vectors)), vectors)

    def at(self, effort: int) -> Search:
        """With expansion_search = effort, or as many as are fetched."""

        def search(query: Floats, n: int) -> NDArray[np.int64]:
            self.index.expansion_search = max(effort, n)
            return np.asarray(self.index.search(query, n, threads=1).keys, np.int64)

        return search

    def bytes(self) -> int:
        """In memory."""
        return int(self.index.memory_usage)


class Scann:
    """ScaNN: a tree, asymmetric hashing, and reordering by the vectors themselves."""

    name = "scann"
    efforts = (1, 2, 4, 8, 16, 32, 64, 128, 256)

    def __init__(self, vectors: Floats) -> None:
        # Its operators for TensorFlow are built for one release of it, and are not wanted here.
        sys.modules.setdefault("tensorflow", None)  # type: ignore[arg-type]  # what makes an import fail
        import scann

        leaves = int(np.sqrt(len(vectors)))
        builder = scann.scann_ops_pybind.builder(vectors, 10, "dot_product")
        builder = builder.tree(num_leaves=leaves, num_leaves_to_search=16, training_sample_size=250_000)
        self.index = builder.score_ah(2, anisotropic_quantization_threshold=0.2).reorder(100).build()
        self.n_bytes = len(vectors) * (vectors.shape[1] // 4 + 4 * vectors.shape[1])

    def at(self, effort: int) -> Search:
        """With so many leaves searched, and 100 more than are fetched reordered."""

        def search(query: Floats, n: int) -> NDArray[np.int64]:
            found, _ = self.index.search(
                query, final_num_neighbors=n, leaves_to_search=effort, pre_reorder_num_neighbors=n + 100
            )
            return np.asarray(found, np.int64)

        return search

    def bytes(self) -> int:
        """Its codes and the vectors that it reorders by."""
        return self.n_bytes


def asked(bundle: Bundle) -> list[Question]:
    """The usual questions, answered."""
    scorer = Scorer(bundle.user_embeddings, bundle.user_biases, bundle.item_vectors, bundle.global_bias)
    flat: FaissIndex = new_index(parse_key("Flat"), bundle.width, bundle.item_vectors[:1])
    fill_index(flat, Source(bundle.item_vectors, bundle.dim, unit=False).blocks())
    questions = of_users(scorer, bundle.catalogue.seen, bundle.n_users, n_questions(bundle.n_items))
    return [question for question in answered(questions, flat) if question.query.is_usual]


def answers(search: Search, question: Question) -> NDArray[np.int64]:
    """Ten rows that are not to be left out."""
    rows = search(question.query.vector, question.k + len(question.excluded))
    return rows[~np.isin(rows, question.excluded)][: question.k]


def recall(search: Search, questions: Sequence[Question]) -> float:
    """The share of the right rows that is found."""
    found = (np.count_nonzero(one.query.scores(answers(search, one)) >= one.least) for one in questions)
    return sum(map(int, found)) / sum(question.k for question in questions)


def times_us(search: Search, questions: Sequence[Question]) -> Iterator[float]:
    """Of one answer after the other."""
    for question in questions[:: max(1, len(questions) // _MOST_TIMED)]:
        began = time.perf_counter()
        answers(search, question)
        yield 1e6 * (time.perf_counter() - began)


def measure(kind: type[Hnswlib | Usearch | Scann], bundle: Bundle, questions: Sequence[Question], target: float) -> Any:
    """The figures of one library, at the least effort that finds `target`, or at the most that there is."""
    began = time.monotonic()
    peer = kind(np.ascontiguousarray(bundle.item_vectors))
    build_s = time.monotonic() - began
    for effort in kind.efforts:
        found = recall(peer.at(effort), questions)
        if found >= target:
            break
    p50, p99 = np.percentile(list(times_us(peer.at(effort), questions)), (50, 99))
    return {
        "name": kind.name,
        "set to": effort,
        "recall": round(found, 4),
        "p50_us": round(float(p50), 1),
        "p99_us": round(float(p99), 1),
        "bytes": peer.bytes(),
        "build_s": round(build_s, 1),
    }


def main() -> None:
    """Measure all; the figures on standard output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("target", type=float)
    options = parser.parse_args()
    bundle = Store(options.store).open_current()
    questions = asked(bundle)
    json.dump([measure(kind, bundle, questions, options.target) for kind in (Hnswlib, Usearch, Scann)], sys.stdout)
    sys.stdout.flush()
    # Some of them do not end their threads.
    os._exit(0)


if __name__ == "__main__":
    main()
