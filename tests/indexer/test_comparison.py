from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import indexer.exact
from indexer.build import BuildOptions, build_bundle
from indexer.bundle import Bundle, open_bundle
from indexer.comparison import facts, metrics, movement, overlaps, shared_users
from indexer.exact import best_unseen
from indexer.turnover import Named, renewal
from tests.world import fit_to_rank, oracle, random_embeddings, with_zeros
from training.columns import Ids, Ragged, Strings
from training.embeddings import Catalogue, Embeddings

Built = Callable[[Embeddings], Bundle]


@pytest.fixture
def built(tmp_path: Path) -> Built:
    """Bundles of models, each in a folder of its own."""

    def build(embeddings: Embeddings) -> Bundle:
        folder = tmp_path / f"bundle{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        build_bundle(embeddings, folder, BuildOptions(index_key="Flat"))
        return open_bundle(folder)

    return build


def without_items(embeddings: Embeddings, gone: list[int]) -> Embeddings:
    """The same model, some of whose items are not there, so that the rows of the others move up."""
    kept = np.setdiff1d(np.arange(embeddings.n_items), gone)
    places = np.full(embeddings.n_items, -1)
    places[kept] = np.arange(len(kept))
    catalogue = embeddings.catalogue
    ids = Ids.of([catalogue.item_ids[row] for row in kept])[0]
    seen = [[int(places[row]) for row in rows if places[row] >= 0] for rows in lists(catalogue.seen)]
    return replace(
        embeddings,
        item_embeddings=embeddings.item_embeddings[kept],
        item_biases=embeddings.item_biases[kept],
        catalogue=replace(
            catalogue,
            item_ids=ids,
            seen=Ragged.of(seen),
            item_titles=Strings.of(catalogue.item_titles[row] for row in kept),
            item_tags=catalogue.item_tags.take(kept),
        ),
    )


def lists(ragged: Ragged) -> list[list[int]]:
    return [ragged[row].tolist() for row in range(len(ragged))]


MODELS = {
    "ratings": random_embeddings(),
    "preferences": fit_to_rank(random_embeddings()),
    "few": random_embeddings(n_items=8),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("n_block", [7, 1000])
def test_the_best_are_those_of_the_oracle_whatever_the_blocks(
    model: Embeddings, n_block: int, built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer.exact, "_BLOCK_ITEMS", n_block)
    monkeypatch.setattr(indexer.exact, "_BLOCK_USERS", n_block)
    found = best_unseen(built(model), np.arange(model.n_users), 10)
    for user_row, rows in enumerate(found.tolist()):
        expected = oracle(model, user_row, 10, model.catalogue.seen[user_row])
        assert rows == expected + [-1] * (10 - len(expected))


def test_equal_scores_are_in_the_order_of_the_rows(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer.exact, "_BLOCK_ITEMS", 16)
    model = with_zeros(fit_to_rank(random_embeddings()))
    model = replace(model, user_embeddings=np.zeros_like(model.user_embeddings))
    for user_row, rows in enumerate(best_unseen(built(model), np.arange(model.n_users), 10).tolist()):
        assert rows == oracle(model, user_row, 10, model.catalogue.seen[user_row])


def test_a_version_does_not_move_from_itself(built: Built) -> None:
    bundle = built(random_embeddings())
    told = movement(bundle, bundle)
    assert (told.n_users, told.overlap, told.up, told.down) == (30, 1.0, [], [])
    assert told.kept == {"all": 30, "half": 0, "fewer": 0, "none": 0}


def test_movement_is_what_the_oracle_counts_though_rows_move(built: Built) -> None:
    old, gone = random_embeddings(), [0, 3, 17, 49]
    new = without_items(replace(old, item_biases=old.item_biases[::-1].copy()), gone)
    told = movement(built(old), built(new))
    ids = old.catalogue.item_ids, new.catalogue.item_ids
    expected = []
    for user_row in range(old.n_users):
        before, after = (
            {of[row] for row in oracle(model, user_row, 10, model.catalogue.seen[user_row])}
            for model, of in zip((old, new), ids, strict=True)
        )
        expected.append(len(before & after) / 10)
    assert told.overlap == pytest.approx(np.mean(expected))
    assert told.kept["none"] == expected.count(0)
    assert told.kept["half"] == sum(0.5 <= share < 1 for share in expected)
    assert sum(told.kept.values()) == told.n_users == 30


def test_an_item_that_is_gone_is_the_one_that_falls_most(built: Built) -> None:
    old = random_embeddings()
    loved = replace(old, item_biases=old.item_biases + 100 * (np.arange(old.n_items) == 9).astype(np.float32))
    told = movement(built(loved), built(without_items(loved, [9])))
    item_id = old.catalogue.item_ids[9]
    n_unseen = sum(9 not in rows for rows in lists(old.catalogue.seen))
    assert told.down[0].item_id == item_id
    assert (told.down[0].title, told.down[0].before, told.down[0].after) == (f"Title of {item_id}", n_unseen, 0)
    assert told.overlap == pytest.approx(1 - n_unseen / 30 / 10)
    assert told.up[0].after > told.up[0].before


def test_nobody_in_both_is_no_overlap_and_not_one_of_nothing(built: Built) -> None:
    old = random_embeddings()
    others = Ids.of([str(user) for user in range(1001, 1031)])[0]
    new = replace(old, catalogue=replace(old.catalogue, user_ids=others))
    told = movement(built(old), built(new))
    assert (told.n_users, told.overlap) == (0, None)


def test_the_sample_is_the_same_each_time_and_as_large_as_asked_for() -> None:
    old, new = (Ids.of([str(user) for user in range(*users)])[0] for users in ((0, 60), (20, 90)))
    rows = shared_users(old, new, 25)
    again = shared_users(old, new, 25)
    assert [one.tolist() for one in rows] == [one.tolist() for one in again]
    pairs = list(zip(*(one.tolist() for one in rows), strict=True))
    assert len(set(pairs)) == 25
    assert all(old[was] == new[now] for was, now in pairs)
    assert len(shared_users(old, new, 1000)[0]) == 40


def test_overlap_counts_no_empty_place_and_no_item_that_is_gone() -> None:
    before = np.array([[1, 2, -1], [-2, -2, 3], [-1, -1, -1], [1, 2, 3], [1, -1, -1]])
    after = np.array([[2, 1, -1], [1, 2, 3], [-1, -1, -1], [4, 5, 6], [1, 2, -1]])
    assert overlaps(before, after).tolist() == pytest.approx([1, 1 / 3, np.nan, 0, 1 / 2], nan_ok=True)


@given(st.lists(st.integers(0, 30), min_size=5, max_size=5, unique=True), st.permutations(range(5)))
def test_overlap_does_not_depend_on_the_order(rows: list[int], order: list[int]) -> None:
    other = np.array([[0, 1, 2, 3, 4]])
    shuffled = np.array([rows])[:, list(order)]
    assert overlaps(np.array([rows]), other) == overlaps(shuffled, other) == overlaps(other, shuffled)
    assert overlaps(np.array([rows]), other) == [len({*rows} & {0, 1, 2, 3, 4}) / 5]


def catalogue(users: list[str], items: dict[str, tuple[str, list[int]]], tags: list[str]) -> Catalogue:
    """Of users, of items with title and tags, and of the tags' names; the items sorted by id."""
    return Catalogue(
        user_ids=Ids.of(users)[0],
        item_ids=Ids.of(list(items))[0],
        seen=Ragged.of([[] for _ in users]),
        item_titles=Strings.of(title for title, _ in items.values()),
        item_tags=Ragged.of([tags for _, tags in items.values()]),
        tag_names=Strings.of(tags),
    )


def test_who_came_and_went_and_what_is_described_otherwise() -> None:
    old = catalogue(["1", "2", "3"], {"a": ("A", [0, 1]), "b": ("B", [0]), "c": ("C", [])}, ["drama", "war"])
    new = catalogue(
        ["2", "3", "4", "x"], {"b": ("B!", [1]), "c": ("C", [0]), "d": ("D", []), "e": ("E", [1])}, ["war", "drama"]
    )
    told = renewal(old, new, 1)
    assert (told.users.shared, told.users.came, told.users.went) == (2, 2, 1)
    assert (told.users.came_examples, told.users.went_examples) == ([Named("4")], [Named("1")])
    assert (told.items.shared, told.items.came, told.items.went) == (2, 2, 1)
    assert (told.items.came_examples, told.items.went_examples) == ([Named("d", "D")], [Named("a", "A")])
    # The tag of b has another row and the same name; c got one.
    assert (told.titles_changed, told.tags_changed) == (1, 1)


def test_the_order_of_tags_is_no_change() -> None:
    old, new = (catalogue([], {"1": ("A", tags)}, ["drama", "war"]) for tags in ([0, 1], [1, 0]))
    assert renewal(old, new, 5).tags_changed == 0


def test_metrics_inside_of_others_have_a_name_of_their_own() -> None:
    manifest = {
        "n_users": 3,
        "recall": {"recall@10": 1.0},
        "metrics": {"val_rmse": 0.9, "best": True, "test": {"rmse": 0.8, "n_ratings": 3, "why": "x"}},
    }
    assert metrics(manifest) == {"val_rmse": 0.9, "test.rmse": 0.8, "test.n_ratings": 3}
    assert facts(manifest) == {"n_users": 3, "recall": {"recall@10": 1.0}, "metrics": metrics(manifest)}
    assert metrics({}) == {}
