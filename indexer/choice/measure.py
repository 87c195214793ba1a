"""Recall and latency of an index, asked one question after the other by one thread, as the server asks."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import faiss
import numpy as np

from indexer.choice.questions import Question
from indexer.index import Index
from indexer.search import top_rows
from indexer.selection import Selection

_WARM_UP, _MOST, _LONGEST_S, _ROUNDS = 4, 500, 0.4, 5


@dataclass(frozen=True)
class Latency:
    """Of one answer, exact scoring of the candidates included; microseconds."""

    p50_us: float
    p99_us: float


def recall(index: Index, questions: Sequence[Question]) -> float:
    """The share of the right rows that `index` finds; 0 to 1."""
    n_right = sum(question.k for question in questions)
    return sum(_found(index, question) for question in questions) / n_right if n_right else 1.0


def recalls(index: Index, questions: Sequence[Question]) -> dict[str, float]:
    """`recall` of each group of questions."""
    groups: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        groups[question.group].append(question)
    return {name: recall(index, group) for name, group in groups.items()}


def _found(index: Index, question: Question) -> int:
    # Scores are exact, and the same for the same row: any that reaches the last right one is right.
    scores = top_rows(index, question.query, question.k, Selection(index.n_items, question.excluded))[1]
    return int(np.count_nonzero(scores >= question.least))


def latency(index: Index, questions: Sequence[Question]) -> Latency:
    """Of some hundred answers, or of what is given in less than a second."""
    return _latency(_taken_s(index, questions, _MOST, _LONGEST_S))


def latencies(indexes: Sequence[Index], questions: Sequence[Question]) -> list[Latency]:
    """The same of several, by turns: where the machine is slower at times, it is so for all of them."""
    taken_s: list[list[float]] = [[] for _ in indexes]
    for _ in range(_ROUNDS):
        for index, taken in zip(indexes, taken_s, strict=True):
            taken += _taken_s(index, questions, _MOST // _ROUNDS, _LONGEST_S / _ROUNDS)
    return [_latency(taken) for taken in taken_s]


def _taken_s(index: Index, questions: Sequence[Question], most: int, longest_s: float) -> list[float]:
    taken: list[float] = []
    # Spread over them, since they come in the order of how much they leave out.
    stride = max(1, len(questions) // most)
    for turn in range(-_WARM_UP, most):
        question = questions[turn * stride % len(questions)]
        began = time.perf_counter()
        top_rows(index, question.query, question.k, Selection(index.n_items, question.excluded))
        if turn >= 0:
            taken.append(time.perf_counter() - began)
        if sum(taken) > longest_s:
            break
    return taken


def _latency(taken_s: Sequence[float]) -> Latency:
    p50, p99 = np.percentile(taken_s, (50, 99)) * 1e6
    return Latency(round(float(p50), 1), round(float(p99), 1))


@contextmanager
def one_thread() -> Iterator[None]:
    """FAISS uses one thread inside, as in the server, and as many as before afterwards."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
