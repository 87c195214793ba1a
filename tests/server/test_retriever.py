from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import UnknownItemError, UnknownUserError
from server.filters import Filters
from server.retriever import Options, Retriever
from tests.server.running import cosines, every_share_seen, full_of_ties, opened, similar_oracle
from tests.world import checker_board, oracle, predicted_ratings, random_embeddings, with_zeros
from training.embeddings import Embeddings

PLAIN = every_share_seen()
WORLDS = {"plain": PLAIN, "ties": full_of_ties(PLAIN), "zeros": with_zeros(PLAIN)}
N_USERS, N_ITEMS = PLAIN.n_users, PLAIN.n_items

worlds = st.sampled_from(sorted(WORLDS))
ks = st.one_of(st.integers(1, 12), st.integers(1, 2 * N_ITEMS))
# Known ids, some of them twice, among others that no model knows.
excluded_ids = st.lists(st.integers(-3, N_ITEMS + 3).map("i{}".format), max_size=N_ITEMS * 2)


@pytest.fixture(scope="module")
def retrievers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Retriever]:
    folder = tmp_path_factory.mktemp("stores")
    return {name: Retriever(opened(folder / name, embeddings)) for name, embeddings in WORLDS.items()}


def retriever_of(folder: Path, embeddings: Embeddings) -> Retriever:
    return Retriever(opened(folder, embeddings))


def ids_of(embeddings: Embeddings, rows: list[int]) -> list[str]:
    return [embeddings.catalogue.item_ids[row] for row in rows]


def known_rows(embeddings: Embeddings, item_ids: list[str]) -> list[int]:
    rows = map(embeddings.catalogue.item_ids.row, item_ids)
    return [row for row in rows if row is not None]


@settings(max_examples=300, deadline=None)
@given(world=worlds, user_row=st.integers(0, N_USERS - 1), k=ks, excluded=excluded_ids, include_seen=st.booleans())
def test_recommendations_are_the_oracles_whatever_is_left_out(
    retrievers: dict[str, Retriever], world: str, user_row: int, k: int, excluded: list[str], include_seen: bool
) -> None:
    embeddings = WORLDS[world]
    user_id = embeddings.catalogue.user_ids[user_row]
    seen = [] if include_seen else embeddings.catalogue.seen[user_row].tolist()
    expected = oracle(embeddings, user_row, k, [*known_rows(embeddings, excluded), *seen])

    found = retrievers[world].recommend(user_id, Options(k, include_seen, Filters(excluded))).items

    assert [item.item_id for item in found] == ids_of(embeddings, expected)
    scores = predicted_ratings(embeddings, user_row)[expected]
    np.testing.assert_allclose([item.score for item in found], scores, atol=1e-5)
    assert [item.title for item in found] == [embeddings.catalogue.item_titles[row] for row in expected]


@settings(max_examples=200, deadline=None)
@given(world=worlds, item_row=st.integers(0, N_ITEMS - 1), k=ks, excluded=excluded_ids)
def test_similar_items_are_the_oracles_and_never_the_item_itself(
    retrievers: dict[str, Retriever], world: str, item_row: int, k: int, excluded: list[str]
) -> None:
    embeddings = WORLDS[world]
    item_id = embeddings.catalogue.item_ids[item_row]
    expected = similar_oracle(embeddings, item_row, k, known_rows(embeddings, excluded))

    found = retrievers[world].similar(item_id, k, Filters(excluded))

    if world == "plain":
        assert [item.item_id for item in found] == ids_of(embeddings, expected)
    # Among parallel vectors the last bit of the cosine depends on how it is computed: the ranks' values still agree.
    rows = known_rows(embeddings, [item.item_id for item in found])
    assert len(set(rows)) == len(rows) == len(expected)
    assert not set(rows) & {item_row, *known_rows(embeddings, excluded)}
    alike = cosines(embeddings, item_row)
    np.testing.assert_allclose([item.score for item in found], alike[expected], atol=1e-12)
    np.testing.assert_allclose(alike[rows], alike[expected], atol=1e-12)


def test_equal_scores_come_in_the_order_of_the_rows_however_many_there_are(tmp_path: Path) -> None:
    embeddings = random_embeddings(n_items=3000, seen=0)
    flat = replace(
        embeddings,
        item_embeddings=np.zeros_like(embeddings.item_embeddings),
        item_biases=np.zeros_like(embeddings.item_biases),
    )
    retriever = retriever_of(tmp_path, flat)
    assert [item.item_id for item in retriever.recommend("1").items] == ids_of(flat, list(range(10)))
    assert [
        item.item_id for item in retriever.recommend("1", Options(filters=Filters(ids_of(flat, [0, 3])))).items
    ] == ids_of(flat, [1, 2, 4, 5, 6, 7, 8, 9, 10, 11])
    assert [item.item_id for item in retriever.similar(flat.catalogue.item_ids[2], 3)] == ids_of(flat, [0, 1, 3])


def test_scores_that_float32_can_not_tell_apart_are_ranked(tmp_path: Path) -> None:
    embeddings = random_embeddings(n_items=100, seen=0)
    close = replace(
        embeddings,
        global_bias=1000.0,
        item_embeddings=np.zeros_like(embeddings.item_embeddings),
        item_biases=np.arange(100, dtype=np.float32) * np.float32(1e-7),
    )
    found = retriever_of(tmp_path, close).recommend("1", Options(k=5)).items
    assert [item.item_id for item in found] == ids_of(close, [99, 98, 97, 96, 95])


@pytest.mark.parametrize("scale", [1e-30, 1e12])
def test_tiny_and_huge_scores_rank_every_item(tmp_path: Path, scale: float) -> None:
    embeddings = random_embeddings(n_items=200, seen=0)
    scaled = replace(
        embeddings,
        user_embeddings=(embeddings.user_embeddings * np.float32(scale)),
        item_embeddings=(embeddings.item_embeddings * np.float32(scale)),
    )
    retriever = retriever_of(tmp_path, scaled)
    for k in (1, 10, 200):
        assert [item.item_id for item in retriever.recommend("3", Options(k=k)).items] == ids_of(
            scaled, oracle(scaled, 2, k, [])
        )


def test_top_k_is_a_prefix_of_top_k_plus_one_and_asking_twice_changes_nothing(
    retrievers: dict[str, Retriever],
) -> None:
    for retriever in retrievers.values():
        longest = retriever.recommend("4", Options(k=N_ITEMS)).items
        assert [retriever.recommend("4", Options(k=k)).items for k in range(1, N_ITEMS)] == [
            longest[:k] for k in range(1, N_ITEMS)
        ]
        assert retriever.recommend("4", Options(k=N_ITEMS)).items == longest


def test_even_users_get_even_items(tmp_path: Path) -> None:
    retriever = retriever_of(tmp_path, checker_board())
    for user in range(20):
        best = retriever.recommend(str(user), Options(k=13)).items
        assert [item.item_id for item in best] == [str(item) for item in range(user % 2 + 4, 30, 2)]
        assert {item.score for item in best} == {4.0}
    assert [item.item_id for item in retriever.similar("5", 4)] == ["1", "3", "7", "9"]


def test_predictions_are_the_models_in_the_order_asked_for(retrievers: dict[str, Retriever]) -> None:
    item_ids = ["i7", "i0", "i7", "i119"]
    for name, retriever in retrievers.items():
        expected = predicted_ratings(WORLDS[name], 11)[known_rows(WORLDS[name], item_ids)]
        np.testing.assert_allclose(retriever.predict("12", item_ids), expected, atol=1e-5)


def test_items_come_with_titles_and_tags(retrievers: dict[str, Retriever]) -> None:
    ids = PLAIN.catalogue.item_ids
    found = retrievers["plain"].items([ids[5], ids[0]])
    assert [tuple(item) for item in found] == [
        (ids[5], f"Title of {ids[5]}", ["odd"]),
        (ids[0], f"Title of {ids[0]}", ["even"]),
    ]


def test_unknown_ids_are_named(retrievers: dict[str, Retriever]) -> None:
    retriever = retrievers["plain"]
    with pytest.raises(UnknownUserError, match="user_id '99'"):
        retriever.recommend("99")
    with pytest.raises(UnknownItemError, match="item_id 'x'"):
        retriever.similar("x", 10)
    with pytest.raises(UnknownItemError, match=r"item_ids\[1\] '7'"):
        retriever.predict("1", ["i1", "7"])
    with pytest.raises(UnknownItemError, match=r"item_ids\[0\] 'i01'"):
        retriever.items(["i01"])


def test_the_smallest_catalogue_answers(tmp_path: Path) -> None:
    retriever = retriever_of(tmp_path, random_embeddings(n_users=1, n_items=1, seen=0))
    retriever.warm_up()
    assert [item.item_id for item in retriever.recommend("1").items] == ["i0"]
    assert retriever.similar("i0", 10) == []
    assert retriever.recommend("1", Options(filters=Filters(["i0"]))).items == []
