"""Filters, weights, strangers and many users at once: over every kind of index, against the oracle."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.build import BuildOptions, build_bundle
from indexer.choice.decide import Limits
from indexer.store import Store
from server.errors import NoFoldInError, OutOfRangeError, UnknownRatedItemsError, UnknownUserError
from server.filters import Filters
from server.retriever import Options, Recommendations, Retriever
from tests.server.running import cosines, every_share_seen, full_of_ties
from tests.world import fit_to_rank, oracle, predicted_ratings
from training.columns import Ragged, Strings
from training.embeddings import Embeddings

TAGS = ["common", "rare", "none", "half"]
EXACT = ["Flat"]
APPROXIMATE = ["SQfp16", "SQ8", "IVF4,Flat", "HNSW16", "PQ4x4fs", "Equalised,IVF4,Flat", "Equalised,HNSW16"]
RATING_FOLD_IN = {"penalty": 0.7, "bias_penalty": 0.3}
RANKING_FOLD_IN = {"penalty": 0.2, "unseen_weight": 0.05, "lowest": 1.0, "liked_from": 4.0}


def tagged(embeddings: Embeddings) -> Embeddings:
    """With a tag that all but a few items have, one that few have, one that none has, and one that every second has."""
    tags = [([0] if row % 9 else []) + ([1] if row % 31 == 5 else []) + ([3] if row % 2 else []) for row in range(120)]
    catalogue = replace(embeddings.catalogue, item_tags=Ragged.of(tags), tag_names=Strings.of(TAGS))
    return replace(embeddings, catalogue=catalogue)


WORLD = tagged(every_share_seen())
N_USERS, N_ITEMS = WORLD.n_users, WORLD.n_items
RATING = replace(WORLD, description={"scores": "ratings", "rating_scale": [0.5, 5.0], "fold_in": RATING_FOLD_IN})
RANKING = replace(fit_to_rank(WORLD), description={"scores": "preferences", "fold_in": RANKING_FOLD_IN})
WORLDS = {"ratings": RATING, "ties": tagged(full_of_ties(WORLD)), "preferences": RANKING}

item_ids = st.lists(st.integers(-2, N_ITEMS + 2).map("i{}".format), max_size=N_ITEMS + 20)
tags = st.lists(st.sampled_from([*TAGS, "never heard of"]), max_size=3)
some_filters = st.builds(Filters, item_ids | st.just([]), item_ids | st.just([]), tags, tags)
some_options = st.builds(
    Options,
    k=st.one_of(st.integers(1, 12), st.integers(1, 2 * N_ITEMS)),
    include_seen=st.booleans(),
    filters=some_filters,
    item_bias_weight=st.sampled_from([1.0, 0.0, -1.0, 2.0, 0.3]),
)


def retriever_over(folder: Path, embeddings: Embeddings, key: str) -> Retriever:
    options = BuildOptions(key, Limits(allow_low_recall=True))
    store = Store(folder)
    return Retriever(store.open(store.publish(lambda draft: build_bundle(embeddings, draft, options))))


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Retriever]:
    folder = tmp_path_factory.mktemp("exact")
    return {name: retriever_over(folder / name, world, "Flat") for name, world in WORLDS.items()}


@pytest.fixture(scope="module")
def approximate(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Retriever]:
    folder = tmp_path_factory.mktemp("approximate")
    return {key: retriever_over(folder / str(place), RATING, key) for place, key in enumerate(APPROXIMATE)}


@pytest.fixture(autouse=True, scope="module")
def index_asked_for_few_rows_too() -> Any:
    """Of a part of so small a catalogue every row would be scored, whatever the index."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("indexer.search._FEW", 3)
        yield


def rows_of(embeddings: Embeddings, ids: Any) -> list[int]:
    return [row for item_id in ids if (row := embeddings.catalogue.item_ids.row(item_id)) is not None]


def allowed(embeddings: Embeddings, filters: Filters) -> set[int]:
    """The rows that all four filters allow, one item after the other."""
    catalogue, only = embeddings.catalogue, rows_of(embeddings, filters.only_item_ids)
    tags_of = {row: {TAGS[tag] for tag in catalogue.item_tags[row].tolist()} for row in range(N_ITEMS)}
    return {
        row
        for row in range(N_ITEMS)
        if catalogue.item_ids[row] not in filters.exclude_item_ids
        and (not filters.only_item_ids or row in only)
        and (not filters.any_tags or tags_of[row] & set(filters.any_tags))
        and not tags_of[row] & set(filters.no_tags)
    }


def weighed(embeddings: Embeddings, weight: float) -> Embeddings:
    """The model whose own scores are those of `embeddings` with the item biases weighed."""
    return replace(embeddings, item_biases=embeddings.item_biases * np.float32(weight))


def expected(embeddings: Embeddings, user_row: int, options: Options) -> list[int]:
    seen = set() if options.include_seen else set(embeddings.catalogue.seen[user_row].tolist())
    left = allowed(embeddings, options.filters) - seen
    excluded = sorted(set(range(N_ITEMS)) - left)
    return oracle(weighed(embeddings, options.item_bias_weight), user_row, options.k, excluded)


def ids(embeddings: Embeddings, rows: list[int]) -> list[str]:
    return [embeddings.catalogue.item_ids[row] for row in rows]


def items_of(found: Recommendations) -> list[str]:
    return [item.item_id for item in found.items]


@settings(max_examples=300, deadline=None)
@given(world=st.sampled_from(sorted(WORLDS)), user_row=st.integers(0, N_USERS - 1), options=some_options)
def test_an_exact_index_answers_as_the_oracle_under_all_filters_together(
    exact: dict[str, Retriever], world: str, user_row: int, options: Options
) -> None:
    embeddings = WORLDS[world]
    found = exact[world].recommend(embeddings.catalogue.user_ids[user_row], options)
    rows = expected(embeddings, user_row, options)
    scores = predicted_ratings(weighed(embeddings, options.item_bias_weight), user_row)
    # Scores that differ by less than float32's rounding of the weighed bias may change places.
    np.testing.assert_allclose([item.score for item in found.items], scores[rows], atol=1e-5)
    if options.item_bias_weight in (1.0, 0.0, -1.0, 2.0):
        assert items_of(found) == ids(embeddings, rows)


@settings(max_examples=300, deadline=None)
@given(key=st.sampled_from(APPROXIMATE), user_row=st.integers(0, N_USERS - 1), options=some_options)
def test_any_index_answers_k_allowed_items_with_their_scores_where_k_are_allowed(
    approximate: dict[str, Retriever], key: str, user_row: int, options: Options
) -> None:
    found = approximate[key].recommend(RATING.catalogue.user_ids[user_row], options)
    rows = rows_of(RATING, items_of(found))
    seen = set() if options.include_seen else set(RATING.catalogue.seen[user_row].tolist())
    left = allowed(RATING, options.filters) - seen
    assert len(rows) == len(set(rows)) == min(options.k, len(left))
    assert set(rows) <= left
    scores = predicted_ratings(weighed(RATING, options.item_bias_weight), user_row)[rows]
    np.testing.assert_allclose([item.score for item in found.items], scores, atol=1e-5)
    assert np.all(np.diff(scores) <= 1e-6)


@settings(max_examples=200, deadline=None)
@given(
    key=st.sampled_from([*EXACT, *APPROXIMATE]),
    item_row=st.integers(0, N_ITEMS - 1),
    k=st.integers(1, N_ITEMS + 5),
    filters=some_filters,
)
def test_similar_items_keep_the_same_filters(
    exact: dict[str, Retriever], approximate: dict[str, Retriever], key: str, item_row: int, k: int, filters: Filters
) -> None:
    retriever = exact["ratings"] if key in EXACT else approximate[key]
    found = retriever.similar(RATING.catalogue.item_ids[item_row], k, filters)
    rows, left = rows_of(RATING, [item.item_id for item in found]), allowed(RATING, filters) - {item_row}
    assert len(rows) == len(set(rows)) == min(k, len(left))
    assert set(rows) <= left
    alike = cosines(RATING, item_row)
    np.testing.assert_allclose([item.score for item in found], alike[rows], atol=1e-6)
    if key in EXACT:
        best = sorted(alike[sorted(left)].tolist(), reverse=True)[:k]
        np.testing.assert_allclose(alike[rows], best, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    key=st.sampled_from([*EXACT, *APPROXIMATE]),
    user_rows=st.lists(st.integers(0, N_USERS + 1), min_size=1, max_size=60),
    options=some_options,
)
def test_many_users_get_together_what_each_gets_alone(
    exact: dict[str, Retriever], approximate: dict[str, Retriever], key: str, user_rows: list[int], options: Options
) -> None:
    retriever = exact["ratings"] if key in EXACT else approximate[key]
    user_ids = [str(row + 1) for row in user_rows]
    found = [each for block in retriever.recommend_to_many(user_ids, options) for each in block]
    assert [user_id for user_id, _ in found] == user_ids
    for user_id, together in found:
        if int(user_id) > N_USERS:
            assert (together is not None) == options.popular_if_unknown
            continue
        alone = retriever.recommend(user_id, options)
        assert together is not None
        assert len(together.items) == len(alone.items)
        if key in EXACT:
            assert together == alone


def test_a_million_users_are_answered_block_by_block(exact: dict[str, Retriever]) -> None:
    blocks = exact["ratings"].recommend_to_many(["3"] * 1_000_000, Options(k=1000))
    assert len(next(blocks)) == 10


def test_an_unknown_user_gets_the_items_that_most_users_have_rated(exact: dict[str, Retriever]) -> None:
    counts = np.bincount(WORLD.catalogue.seen.rows, minlength=N_ITEMS)
    order = np.lexsort((np.arange(N_ITEMS), -counts))
    for filters in (Filters(), Filters(any_tags=["rare"]), Filters(exclude_item_ids=ids(WORLD, order[:30].tolist()))):
        left = [row for row in order.tolist() if row in allowed(WORLD, filters)]
        for k in (1, 7, N_ITEMS, 1000):
            found = exact["ratings"].recommend("nobody", Options(k, filters=filters, popular_if_unknown=True))
            assert items_of(found) == ids(WORLD, left[:k])
            assert [item.score for item in found.items] == counts[left[:k]].tolist()
            assert found.score_kind == "popularity"
    with pytest.raises(UnknownUserError):
        exact["ratings"].recommend("nobody")


def test_scores_say_what_they_are(exact: dict[str, Retriever]) -> None:
    kinds = {
        (name, weight): exact[name].recommend("1", Options(item_bias_weight=weight)).score_kind
        for name in ("ratings", "preferences")
        for weight in (1.0, 0.5)
    }
    assert list(kinds.values()) == ["rating", "weighted", "preference", "preference"]


def stranger(values: list[float]) -> list[tuple[str, float]]:
    return [(f"i{item}", value) for item, value in enumerate(values)]


def test_a_stranger_is_solved_as_training_solves_users(exact: dict[str, Retriever]) -> None:
    ratings = stranger([4.0, 1.5, 3.0, 5.0])
    rows = rows_of(RATING, [item_id for item_id, _ in ratings])
    features = np.hstack([RATING.item_embeddings[rows], np.ones((4, 1))]).astype(np.float64)
    targets = np.array([value for _, value in ratings]) - RATING.global_bias - RATING.item_biases[rows]
    penalties = 2 * np.array([RATING_FOLD_IN["penalty"]] * RATING.dim + [RATING_FOLD_IN["bias_penalty"]])

    def loss(x: Any) -> float:
        return float(((targets - features @ x) ** 2).sum() + (penalties * x**2).sum())

    # Ridge regression by its definition: rows of roots of the penalties, with targets of 0.
    augmented = np.vstack([features, np.diag(np.sqrt(penalties))])
    solved = np.linalg.lstsq(augmented, np.concatenate([targets, np.zeros(RATING.dim + 1)]), rcond=None)[0]
    assert loss(solved) <= loss(solved + 1e-3)
    scores = RATING.global_bias + solved[-1] + RATING.item_biases + RATING.item_embeddings @ solved[:-1]
    order = [row for row in np.argsort(-scores).tolist() if row not in rows][:10]

    found, ignored = exact["ratings"].recommend_from_ratings([*ratings, ("unheard", 2.0)])
    assert items_of(found) == ids(RATING, order)
    np.testing.assert_allclose([item.score for item in found.items], scores[order], atol=1e-4)
    assert ignored == ["unheard"]
    assert found.score_kind == "rating"


def test_a_stranger_of_a_model_that_ranks_is_solved_with_the_unseen_weighed(exact: dict[str, Retriever]) -> None:
    ratings = stranger([5.0, 1.0, 2.5])
    rows, told = rows_of(RANKING, [item_id for item_id, _ in ratings]), RANKING_FOLD_IN
    items = RANKING.item_embeddings.astype(np.float64)
    strength = told["penalty"] * np.sqrt(3 + told["unseen_weight"] * N_ITEMS)
    augmented = np.vstack(
        [items[rows], np.sqrt(told["unseen_weight"]) * items, np.sqrt(strength) * np.eye(RANKING.dim)]
    )
    targets = np.concatenate([[1.0, 0.0, 0.5], np.zeros(N_ITEMS + RANKING.dim)])
    scores = items @ np.linalg.lstsq(augmented, targets, rcond=None)[0]
    order = [row for row in np.argsort(-scores).tolist() if row not in rows][:10]

    found, _ = exact["preferences"].recommend_from_ratings(ratings)
    assert items_of(found) == ids(RANKING, order)
    np.testing.assert_allclose([item.score for item in found.items], scores[order], atol=1e-5)


def test_a_strangers_rated_items_come_back_only_where_asked_for(exact: dict[str, Retriever]) -> None:
    ratings = stranger([4.0, 5.0])
    rated = {item_id for item_id, _ in ratings}
    without, _ = exact["ratings"].recommend_from_ratings(ratings, Options(k=N_ITEMS))
    within, _ = exact["ratings"].recommend_from_ratings(ratings, Options(k=N_ITEMS, include_seen=True))
    assert len(without.items) == N_ITEMS - 2
    assert not rated & set(items_of(without))
    assert rated <= set(items_of(within))


def test_a_stranger_is_refused_with_the_reason(exact: dict[str, Retriever]) -> None:
    with pytest.raises(UnknownRatedItemsError, match="none of the 2 rated items"):
        exact["ratings"].recommend_from_ratings([("x", 1.0), ("y", 2.0)])
    with pytest.raises(OutOfRangeError, match=r"ratings\[1\].rating is 7; it must be 0.5 to 5"):
        exact["ratings"].recommend_from_ratings(stranger([4.0, 7.0]))
    with pytest.raises(NoFoldInError, match="imported"):
        exact["ties"].recommend_from_ratings(stranger([4.0]))
