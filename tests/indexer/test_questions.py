"""The questions are right, and recall counts what is right."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.choice.measure import recall, recalls
from indexer.choice.questions import K, Question, answered, n_questions, of_items, of_users
from indexer.index import Index
from indexer.keys import parse_key
from indexer.scoring import Scorer
from indexer.selection import NONE, Rows
from indexer.vectors import Floats, augment, unit_rows
from tests.indexer.small import index_over
from tests.server.running import every_share_seen, full_of_ties, similar_oracle
from tests.world import fit_to_rank, oracle, random_embeddings
from training.embeddings import Embeddings

WORLD = every_share_seen()


def asked_of(embeddings: Embeddings, n: int = 1000) -> tuple[list[Question], Floats]:
    """Every user's question with its answer, and the item vectors."""
    vectors = augment(embeddings.item_embeddings, embeddings.item_biases)
    scorer = Scorer(embeddings.user_embeddings, embeddings.user_biases, vectors, embeddings.global_bias)
    questions = of_users(scorer, embeddings.catalogue.seen, embeddings.n_users, n)
    return answered(questions, index_over(vectors, "Flat").faiss), vectors


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_least_right_score_is_that_of_the_oracles_last_item(seed: int, ties: bool) -> None:
    embeddings = every_share_seen(seed=seed)
    questions, _ = asked_of(full_of_ties(embeddings) if ties else embeddings)
    for question in questions:
        rows = np.setdiff1d(np.arange(embeddings.n_items), question.excluded)
        scores = np.sort(question.query.scores(rows))[::-1]
        assert question.k == min(K, len(rows))
        assert question.least == scores[question.k - 1]


def test_usual_questions_are_answered_as_the_oracle_does() -> None:
    questions, _ = asked_of(WORLD)
    usual = [question for question in questions if question.query.is_usual]
    assert len(usual) >= len(questions) / 2 - 1
    truths = {tuple(oracle(WORLD, user, K, WORLD.catalogue.seen[user])) for user in range(WORLD.n_users)}
    for question in usual:
        rows = np.setdiff1d(np.arange(WORLD.n_items), question.excluded)
        order = np.lexsort((rows, -question.query.scores(rows)))[:K]
        assert tuple(rows[order].tolist()) in truths


def test_questions_of_items_leave_out_the_item_and_are_answered_as_the_oracle_does() -> None:
    vectors = augment(WORLD.item_embeddings, WORLD.item_biases)
    scorer = Scorer(WORLD.user_embeddings, WORLD.user_biases, vectors, WORLD.global_bias)
    units = unit_rows(WORLD.item_embeddings, vectors.shape[1])
    questions = answered(of_items(scorer, WORLD.n_items, 1000), index_over(units, "Flat", dim=WORLD.dim).faiss)
    assert sorted(question.excluded.tolist() for question in questions) == [[row] for row in range(WORLD.n_items)]
    for question in questions:
        last = similar_oracle(WORLD, int(question.excluded[0]), K, [])[-1]
        assert question.least == pytest.approx(question.query.scores(np.array([last]))[0], abs=1e-12)


def test_every_weight_of_the_biases_is_a_group_of_its_own() -> None:
    questions, _ = asked_of(random_embeddings(n_users=200))
    assert {question.group for question in questions} == {f"item_bias_weight {weight}" for weight in (-1, 0, 1, 2)}
    assert {question.group for question in asked_of(fit_to_rank(random_embeddings()))[0]} == {"users"}


def test_users_who_have_nothing_left_or_tell_nothing_apart_are_not_asked_unless_all_are_so() -> None:
    everything_seen = [question for question in asked_of(WORLD)[0] if len(question.excluded) == WORLD.n_items]
    assert everything_seen == []
    silent = fit_to_rank(replace(WORLD, user_embeddings=np.zeros_like(WORLD.user_embeddings)))
    assert [question.excluded.tolist() for question in asked_of(silent)[0]] == [[]]


@pytest.mark.parametrize(("n_items", "n"), [(100, 1200), (2_000_000, 1000), (10_000_000, 400)])
def test_of_more_items_fewer_questions_are_asked(n_items: int, n: int) -> None:
    assert n_questions(n_items) == n


@dataclass(frozen=True, eq=False)
class Finding(Index):
    """An index that finds the rows that it is told."""

    told: Rows = field(default_factory=lambda: NONE)

    def _found(self, _: Floats, n: int, parameters: object) -> tuple[Floats, Rows]:
        assert parameters is not None
        return np.zeros(len(self.told), np.float32)[:n], self.told[:n]


def question_about(scores: list[float]) -> Question:
    exact = np.array(scores)
    query = asked_of(WORLD)[0][0].query
    return Question(replace(query, scores=lambda rows: exact[rows]), np.empty(0, np.int64), "made", 2, exact[2 - 1])


@pytest.mark.parametrize(
    ("found", "right"), [([0, 1], 1.0), ([0, 2], 1.0), ([3, 2], 1.0), ([0, 4], 0.5), ([4, 5], 0.0)]
)
def test_any_of_the_items_that_tie_for_the_last_place_counts_as_found(found: list[int], right: float) -> None:
    question = question_about([4, 3, 3, 3, 1, 0, *[-1] * 100])
    index = Finding(parse_key("HNSW8"), SimpleNamespace(ntotal=106), told=np.array(found))
    assert recall(index, [question]) == right
    assert recalls(index, [question, replace(question, group="other")]) == {"made": right, "other": right}


def test_an_exact_index_finds_all() -> None:
    questions, vectors = asked_of(WORLD)
    assert recall(index_over(vectors, "Flat"), questions) == 1.0
