"""FAISS leaves out what it is told to, and the exact order holds: some index types ignore selectors without a word."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from indexer.index import Index, Settings, _Amidst, fill_index, new_index
from indexer.keys import parse_key
from indexer.scoring import Scorer
from indexer.search import Queries, Query, exact_products, top_rows, top_rows_of_many
from indexer.selection import NONE, Rows, Selection, bits_of
from indexer.vectors import augment
from tests.indexer.small import index_over
from tests.world import oracle, random_embeddings

N_ROWS, WIDTH, DIM = 500, 24, 22
VECTORS = np.random.default_rng(1).normal(size=(N_ROWS, WIDTH)).astype(np.float32)
# Free for the equalising column.
VECTORS[:, DIM + 1 :] = 0
LOOKING_EVERYWHERE = {
    "Flat": Settings(),
    "IVF8,Flat": Settings(8),
    "Equalised,IVF8,Flat": Settings(8),
}
LOOKING_AROUND = {
    "SQfp16": Settings(),
    "SQ8": Settings(),
    "PQ12x4fs": Settings(1, 4),
    "PQ3x4fs": Settings(1, 2),
    "HNSW8": Settings(16),
    "Equalised,HNSW8": Settings(16),
    "IVF8,SQ8": Settings(2),
    "IVF8,PQ12x4fs": Settings(2, 4),
    "Equalised,IVF16,Flat": Settings(1),
    "Equalised,IVF8,SQfp16": Settings(2),
    "Equalised,IVF8,PQ12x4fs": Settings(2, 8),
}
INDEXES = {
    key: index_over(VECTORS, key, looking, DIM) for key, looking in {**LOOKING_EVERYWHERE, **LOOKING_AROUND}.items()
}

seeds, n_lefts, ks = st.integers(0, 2**32 - 1), st.integers(0, N_ROWS), st.integers(1, N_ROWS + 20)


def looking_for(vector: NDArray[np.float32], vectors: NDArray[np.float32] = VECTORS) -> Query:
    return Query(
        vector=vector,
        scores=lambda rows: exact_products(vectors, rows, vector.astype(np.float64)),
        offset=0.0,
        largest_norm=lambda: float(np.linalg.norm(vectors.astype(np.float64), axis=1).max()),
        tells_apart=bool(vector.any()),
    )


def together(queries: list[Query]) -> Queries:
    def scores(chosen: Rows, rows: Rows) -> NDArray[np.float64]:
        return np.stack([queries[each].scores(of_one) for each, of_one in zip(chosen.tolist(), rows, strict=True)])

    return Queries(np.stack([query.vector for query in queries]), scores, queries.__getitem__)


def asked(seed: int, n_left: int) -> tuple[NDArray[np.float32], Rows, NDArray[np.float64]]:
    """A query, the rows to leave out, and every row's exact score."""
    rng = np.random.default_rng(seed)
    vector = rng.normal(size=WIDTH).astype(np.float32)
    vector[DIM + 1 :] = 0
    excluded = np.sort(rng.choice(N_ROWS, N_ROWS - n_left, replace=False))
    return vector, excluded, (VECTORS.astype(np.float64) * vector.astype(np.float64)).sum(axis=1)


@pytest.mark.parametrize("key", LOOKING_EVERYWHERE)
@settings(max_examples=100, deadline=None)
@given(seed=seeds, n_left=n_lefts, k=ks)
def test_an_index_that_looks_everywhere_finds_the_k_best_that_are_left(
    key: str, seed: int, n_left: int, k: int
) -> None:
    vector, excluded, scores = asked(seed, n_left)
    expected = [row for row in np.argsort(-scores) if row not in set(excluded.tolist())][:k]

    rows, found = top_rows(INDEXES[key], looking_for(vector), k, Selection(N_ROWS, excluded))

    assert rows.tolist() == expected
    np.testing.assert_allclose(found, scores[expected], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("key", LOOKING_AROUND)
@settings(max_examples=40, deadline=None)
@given(seed=seeds, n_left=n_lefts, k=ks)
def test_any_index_gives_k_that_are_left_once_each_with_exact_scores_best_first(
    key: str, seed: int, n_left: int, k: int
) -> None:
    vector, excluded, scores = asked(seed, n_left)
    rows, found = top_rows(INDEXES[key], looking_for(vector), k, Selection(N_ROWS, excluded))
    assert len(rows) == len(set(rows.tolist())) == min(k, n_left)
    assert not np.isin(rows, excluded).any()
    np.testing.assert_allclose(found, scores[rows], rtol=1e-12, atol=1e-13)
    assert np.all(np.diff(found) <= 0)


@pytest.mark.parametrize("key", [*LOOKING_EVERYWHERE, *LOOKING_AROUND])
@settings(max_examples=40, deadline=None)
@given(seed=seeds, n_left=n_lefts, n_allowed=n_lefts, k=ks)
def test_any_index_gives_the_best_of_a_part_of_the_rows(
    key: str, seed: int, n_left: int, n_allowed: int, k: int
) -> None:
    vector, excluded, scores = asked(seed, n_left)
    allowed = np.random.default_rng(seed + 1).choice(N_ROWS, n_allowed, replace=False)
    left = np.setdiff1d(allowed, excluded)
    # So few rows are scored one by one otherwise, whatever the index.
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("indexer.search._FEW", 0)
        selection = Selection(N_ROWS, excluded, bits_of(allowed, N_ROWS))
        rows, found = top_rows(INDEXES[key], looking_for(vector), k, selection)

    assert len(rows) == len(set(rows.tolist())) == min(k, len(left))
    assert np.isin(rows, left).all()
    np.testing.assert_allclose(found, scores[rows], rtol=1e-12, atol=1e-13)
    assert np.all(np.diff(found) <= 0)
    if key in LOOKING_EVERYWHERE:
        assert rows.tolist() == left[np.argsort(-scores[left])][:k].tolist()


@pytest.mark.parametrize("key", [*LOOKING_EVERYWHERE, *LOOKING_AROUND])
@settings(max_examples=10, deadline=None)
@given(seed=seeds, k=ks)
def test_many_are_answered_as_each_of_them_is(key: str, seed: int, k: int) -> None:
    questions = [asked(seed + each, n_left) for each, n_left in enumerate((0, 3, 250, 380, 430, 499, 500, 500))]
    queries = [looking_for(vector) for vector, _, _ in questions]
    queries[-1] = looking_for(np.zeros(WIDTH, np.float32))
    selections = [Selection(N_ROWS, excluded) for _, excluded, _ in questions]
    selections[4] = Selection(N_ROWS, questions[4][1], bits_of(np.arange(0, N_ROWS, 2), N_ROWS))

    answers = top_rows_of_many(INDEXES[key], together(queries), k, selections)

    for (rows, found), query, selection in zip(answers, queries, selections, strict=True):
        assert len(rows) == len(set(rows.tolist())) == min(k, selection.n_left)
        assert selection.keeps(rows).all()
        np.testing.assert_allclose(found, query.scores(rows), rtol=1e-12, atol=1e-13)
        if key in LOOKING_EVERYWHERE:
            assert rows.tolist() == top_rows(INDEXES[key], query, k, selection)[0].tolist()


@pytest.mark.parametrize("key", [*LOOKING_EVERYWHERE, *LOOKING_AROUND])
def test_more_effort_finds_more_and_at_last_all(key: str) -> None:
    def recall(effort: int, k_factor: int) -> float:
        index = INDEXES[key]
        looking = Settings(effort, k_factor)
        eager = Index(index.key, index.faiss, looking, looking, index.of_queries)
        hits = 0
        for seed in range(40):
            vector, excluded, scores = asked(seed, N_ROWS - 30)
            scores[excluded] = -np.inf
            found, _ = top_rows(eager, looking_for(vector), 10, Selection(N_ROWS, excluded))
            hits += len({*np.argsort(-scores)[:10].tolist()} & {*found.tolist()})

        return hits / 400

    least, more, most = recall(1, 1), recall(4, 4), recall(512, 60)
    assert least <= more + 0.02
    assert most == 1.0


def test_the_slack_covers_what_faiss_rounds_away() -> None:
    rng = np.random.default_rng(2)
    for scale in (1e-3, 1.0, 1e4):
        queries = (rng.normal(size=(50, WIDTH)) * scale).astype(np.float32)
        products, rows = INDEXES["Flat"].faiss.search(queries, N_ROWS)
        for query, product, row in zip(queries, products, rows, strict=True):
            looking = looking_for(query)
            assert np.abs(looking.scores(row) - product).max() <= looking.slack


def test_products_that_overflow_float32_still_rank_every_row() -> None:
    vectors = VECTORS * np.float32(1e25)
    vector = vectors[0]
    scores = (vectors.astype(np.float64) * vector.astype(np.float64)).sum(axis=1)
    rows, _ = top_rows(index_over(vectors, "Flat"), looking_for(vector, vectors), 20, Selection(N_ROWS, NONE))
    assert rows.tolist() == np.argsort(-scores)[:20].tolist()


@given(n_left=n_lefts, k=ks)
def test_a_query_of_zeros_finds_the_first_rows_that_are_left_and_searches_for_nothing(n_left: int, k: int) -> None:
    excluded = np.arange(N_ROWS - n_left)
    index = INDEXES["Flat"]

    def never(*_: object, **__: object) -> None:
        raise AssertionError("was asked")

    deaf = Index(index.key, Deaf(never), index.settings)
    rows, scores = top_rows(deaf, looking_for(np.zeros(WIDTH, np.float32)), k, Selection(N_ROWS, excluded))
    assert rows.tolist() == list(range(N_ROWS - n_left, N_ROWS))[:k]
    assert scores.tolist() == [0.0] * len(rows)


class Deaf:
    """An index that must not be asked."""

    ntotal = N_ROWS

    def __init__(self, search: Callable[..., None]) -> None:
        self.search = search


def test_equal_rows_score_equal_wherever_they_stand() -> None:
    vectors = np.tile(VECTORS[:1], (1003, 1))
    products = exact_products(vectors, np.arange(1003), VECTORS[1].astype(np.float64))
    assert len(set(products.tolist())) == 1


@given(seed=seeds, user_row=st.integers(0, 29), k=st.integers(1, 60))
def test_a_scorers_queries_find_what_the_oracle_finds(seed: int, user_row: int, k: int) -> None:
    embeddings = random_embeddings(seed=seed)
    vectors = augment(embeddings.item_embeddings, embeddings.item_biases)
    scorer = Scorer(embeddings.user_embeddings, embeddings.user_biases, vectors, embeddings.global_bias)
    seen = embeddings.catalogue.seen[user_row].astype(np.int64)
    rows, _ = top_rows(index_over(vectors, "Flat"), scorer.user_query(user_row), k, Selection(embeddings.n_items, seen))
    assert rows.tolist() == oracle(embeddings, user_row, k, seen)


@pytest.mark.parametrize("key", ["IVF8,Flat", "Equalised,IVF8,Flat"])
def test_rows_left_out_that_are_the_best_of_all_cost_no_answer(key: str) -> None:
    index = replace(INDEXES[key], _amidst=_Amidst())
    for seed in range(30):
        vector, _, scores = asked(seed, N_ROWS)
        order = np.argsort(-scores, kind="stable")
        # First hardly any are fetched beside the wanted, then more and more, since it was too few.
        rows, _ = top_rows(index, looking_for(vector), 10, Selection(N_ROWS, np.sort(order[:90])))
        assert rows.tolist() == order[90:100].tolist()


@pytest.mark.parametrize("n_rows", [2, 3])
def test_where_the_lists_that_are_looked_into_are_empty_more_are(n_rows: int) -> None:
    key, few = parse_key("IVF8,Flat"), VECTORS[:n_rows]
    index = Index(key, fill_index(new_index(key, WIDTH, VECTORS), [few]), Settings(effort=1, k_factor=1))
    n_found = []
    for seed in range(50):
        query = looking_for(np.random.default_rng(seed).normal(size=WIDTH).astype(np.float32), few)
        for excluded in (NONE, np.array([0])):
            selection = Selection(n_rows, excluded)
            n_found.append(len(index.candidates(query.vector, 2, 1, index.settings, selection)[1]))
            assert len(top_rows(index, query, 2, selection)[0]) == min(2, selection.n_left)
    assert min(n_found) == 0


def test_how_many_lie_amidst_the_best_is_learnt() -> None:
    amidst = _Amidst()
    for _ in range(20):
        amidst.learn(was_enough=False)
    assert amidst.most(1000) == 1000
    for _ in range(5000):
        amidst.learn(was_enough=True)
    assert amidst.most(1000) < 20
    assert amidst.most(0) == 0
