"""The live recall: some answers are compared, behind the callers' backs, with what exact search finds.

    recall@k = found / expected

over the compared answers of a method: `expected` is how many items exact search found, `found` how many of the answers'
items score as high as the last of those. Scores are exact, and the same for the same item, so that among equal ones any
is right.
"""

import logging
import random
import threading
from contextlib import suppress
from queue import Empty, Full, Queue
from time import perf_counter
from typing import NamedTuple

import numpy as np

from indexer.search import Query, Scores
from indexer.selection import Selection
from server.observing.recorder import Recorder

_logger = logging.getLogger(__name__)

_LONGEST_QUEUE = 64
_LOOK_S = 0.1
_SHARE = 0.2
"""At most this share of one core is spent. Not by a lower priority: a thread that does not run while it holds the
interpreter's lock stops all others."""


class _Answer(NamedTuple):
    method: str
    query: Query
    k: int
    selection: Selection
    scores: Scores


class Shadow:
    """Compares the share `rate` of all answers on one thread, and drops what is more than that has time for."""

    def __init__(self, rate: float, recorder: Recorder) -> None:
        self._rate = rate
        self._recorder = recorder
        # An answer keeps its version open, so few may wait.
        self._answers: Queue[_Answer] = Queue(_LONGEST_QUEUE)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._compare_all, name="matinee-shadow", daemon=True)
        self._thread.start()

    def answered(self, method: str, query: Query, k: int, selection: Selection, scores: Scores) -> None:
        """An `Answered` of `server/retriever.py`."""
        if random.random() >= self._rate:  # noqa: S311  a sample, no secret
            return
        try:
            self._answers.put_nowait(_Answer(method, query, k, selection, scores))
        except Full:
            self._recorder.dropped(method)

    @property
    def n_waiting(self) -> int:
        """How many answers wait to be compared."""
        return self._answers.qsize()

    def close(self) -> None:
        """End the thread; what waits is not compared."""
        self._stopping.set()
        self._thread.join()

    def _compare_all(self) -> None:
        while not self._stopping.is_set():
            with suppress(Empty):
                answer = self._answers.get(timeout=_LOOK_S)
                began = perf_counter()
                self._compare(answer)
                # It keeps its version open.
                del answer
                self._stopping.wait((perf_counter() - began) * (1 / _SHARE - 1))

    def _compare(self, answer: _Answer) -> None:
        try:
            self._recorder.compared(answer.method, *compare(answer.query, answer.k, answer.selection, answer.scores))
        except Exception:
            # A bug, which is no reason to stop comparing.
            _logger.exception("an answer of %s could not be compared with exact search", answer.method)


def compare(query: Query, k: int, selection: Selection, scores: Scores) -> tuple[int, int]:
    """How many items exact search finds, and how many of `scores` are as high as the last of those."""
    rows = selection.rows()
    n_expected = min(k, len(rows))
    if n_expected == 0:
        return 0, 0
    exact = query.scores(rows)
    least = np.partition(exact, len(rows) - n_expected)[len(rows) - n_expected]
    return n_expected, int(np.count_nonzero(scores >= least))
