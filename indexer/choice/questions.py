"""What an index is judged by: real users' and items' queries as the server makes them, and the true answers.

A user's question leaves out what that user has seen, and weighs the item biases by what a request may ask for; an
item's leaves out the item itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from indexer.index import FaissIndex
from indexer.scoring import Scorer
from indexer.search import Query
from indexer.selection import NONE, Rows
from indexer.vectors import LEAST_BIAS_WEIGHT, MOST_BIAS_WEIGHT, Floats, sampled
from training.columns import Ragged

K = 10
_SPARE = 16
_BATCH = 64
_MOST_QUESTIONS, _FEWEST_QUESTIONS, _SCORES = 1_200, 400, 2_000_000_000
_USUAL_WEIGHT = 1.0
# Half of the questions are the usual ones.
_WEIGHTS = (_USUAL_WEIGHT, LEAST_BIAS_WEIGHT, _USUAL_WEIGHT, 0.0, _USUAL_WEIGHT, MOST_BIAS_WEIGHT)


@dataclass(frozen=True, eq=False)
class Question:
    """One query and what is right to answer."""

    query: Query
    """As the server would ask."""
    excluded: Rows
    """What the answer must not hold."""
    group: str
    """What it stands for: recall is told for each group."""
    k: int = 0
    """How many rows are right: K where so many are left."""
    least: float = 0.0
    """The score of the last right one: a row that scores as high is as right."""


def n_questions(n_items: int) -> int:
    """How many can be afforded: each is answered by scoring every item once."""
    return int(np.clip(_SCORES // n_items, _FEWEST_QUESTIONS, _MOST_QUESTIONS))


def of_users(scorer: Scorer, seen: Ragged, n_users: int, n: int) -> list[Question]:
    """At most n users, always the same ones, half of them as usual and the others with other weights of the biases."""
    weights = _WEIGHTS if scorer.has_item_biases else (_USUAL_WEIGHT,)
    return [
        Question(
            scorer.user_query(user_row, weight),
            np.asarray(seen[user_row], np.int64),
            f"item_bias_weight {weight:g}" if len(weights) > 1 else "users",
        )
        for user_row, weight in zip(_shuffled(n_users, n), weights * (n // len(weights) + 1), strict=False)
    ]


def of_items(scorer: Scorer, n_items: int, n: int) -> list[Question]:
    """At most n items, always the same ones."""
    return [Question(scorer.item_query(row), np.array([row]), "items") for row in _shuffled(n_items, n)]


def _shuffled(n_rows: int, n: int) -> list[int]:
    rows: list[int] = np.random.default_rng(1).permutation(sampled(n_rows, n)).tolist()
    return rows


def answered(questions: Sequence[Question], flat: FaissIndex) -> list[Question]:
    """The same that tell anything apart, with their `k` and `least` by `flat`, which holds every vector whole.

    Where none does, as of a model that learnt nothing, the first one about all items.
    """
    asking = [question for question in questions if question.query.vector.any()]
    asking = sorted(asking, key=lambda question: len(question.excluded))
    asking = [question for question in asking if len(question.excluded) < flat.ntotal]
    asking = asking or [replace(questions[0], excluded=NONE)]
    told: list[Question] = []
    for start in range(0, len(asking), _BATCH):
        batch = asking[start : start + _BATCH]
        # FAISS scores a batch much faster than one after the other, but leaves out the same for all.
        n_fetched = min(K + _SPARE + len(batch[-1].excluded), flat.ntotal)
        vectors: Floats = np.stack([question.query.vector for question in batch])
        found = flat.search(vectors, n_fetched)[1]
        told += [_told(question, rows, flat.ntotal) for question, rows in zip(batch, found, strict=True)]
    return told


def _told(question: Question, found: Rows, n_items: int) -> Question:
    right = np.setdiff1d(found, question.excluded)
    k = min(K, n_items - len(question.excluded))
    return replace(question, k=k, least=float(np.sort(question.query.scores(right))[-k]))
