"""The rungs of a call inside the process: python -m benchmarks.serving.ladder STORE [--rounds N].

`Method.unary`, which a transport calls with the request's bytes, is called here without one, in one thread, for users
spread over how much they have seen, by turns. Once with every function on its way timed, where each moment counts for
one rung; once without, since timing takes time too. The last line of standard output is one JSON document.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import faiss
import numpy as np

import indexer.index
import indexer.scoring
import indexer.search
import server.servicer
from benchmarks.serving.figures import spread
from benchmarks.serving.questions import Question, spread_over_seen
from benchmarks.serving.spans import Place, Spans
from indexer.index import Index
from indexer.scoring import Scorer
from indexer.store import Store
from matinee.v1 import recommender_pb2 as pb
from server.filters import Allowed
from server.live import Live
from server.ranked import Ranked
from server.retriever import Retriever
from server.rpc import Method, methods_of
from server.servicer import Recommender
from training.columns import Ids

RUNGS = ("decode", "id look-up", "query", "search", "exclude", "re-rank", "encode", "other")
_PLACES: tuple[Place, ...] = (
    ("decode", Method, "_checked"),
    ("decode", server.servicer, "_options"),
    ("id look-up", Ids, "row"),
    ("query", Scorer, "user_query"),
    ("search", Index, "candidates"),
    ("search", Index, "_found"),
    ("exclude", Retriever, "_seen"),
    ("exclude", Allowed, "without"),
    ("exclude", Index, "_selector"),
    ("exclude", indexer.index, "_kept"),
    ("re-rank", indexer.search, "_best"),
    ("re-rank", indexer.scoring, "exact_products"),
    ("encode", Method, "unary"),
    ("encode", Recommender, "Recommend"),
    ("encode", Ranked, "encoded"),
    ("other", Retriever, "recommend"),
)
N_USERS = 16


class NoDeadline:
    """A caller who waits for ever."""

    def time_remaining(self) -> float | None:
        """None: there is no deadline."""
        return None

    def invocation_metadata(self) -> Any:
        """Nothing came with the call."""
        return ()


def rungs(retriever: Retriever, questions: Sequence[Question], rounds: int) -> dict[str, Any]:
    """Each rung, their sum, and the whole without the timers; each with p50 and p99."""
    faiss.omp_set_num_threads(1)
    live = Live()
    live.flip(retriever)
    spans, messages, caller = Spans(), [question.message for question in questions], NoDeadline()
    with spans.around(_PLACES):
        recommend = _method(live)
        for message in messages * rounds:
            spans.begin()
            recommend.unary(message, caller)
    recommend, whole = _method(live), []
    for message in messages * rounds:
        began = perf_counter_ns()
        recommend.unary(message, caller)
        whole.append(perf_counter_ns() - began)
    told = spans.told(RUNGS)
    return {"rungs": told, "whole": spread(np.array(whole) / 1000), "n_users": len(questions)}


def _method(live: Live) -> Method:
    service = pb.DESCRIPTOR.services_by_name["Recommender"]
    return next(method for method in methods_of(service, Recommender(live)) if method.name == "Recommend")


def main() -> None:
    """Measure; the rungs on standard output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    bundle = Store(options.store).open_current()
    retriever = Retriever(bundle)
    retriever.warm_up()
    print(json.dumps(rungs(retriever, spread_over_seen(bundle, N_USERS), options.rounds)))


if __name__ == "__main__":
    main()
