from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer.build import BuildOptions, build_bundle
from indexer.store import Store
from tests.indexer.test_commands import Told
from tests.world import fit_to_rank, random_embeddings
from training.columns import Ids, Strings
from training.embeddings import Embeddings

OLD = random_embeddings(n_users=6, n_items=30)


def described(embeddings: Embeddings, **description: object) -> Embeddings:
    return replace(embeddings, description={**embeddings.description, **description})


def renamed(embeddings: Embeddings) -> Embeddings:
    """The same model with another user in place of user 1, and a title that reads like markup."""
    catalogue = embeddings.catalogue
    users = Ids.of([str(user) for user in range(2, 8)])[0]
    titles = [catalogue.item_titles[row] for row in range(30)]
    return replace(
        embeddings, catalogue=replace(catalogue, user_ids=users, item_titles=Strings.of(["[bold]", *titles[1:]]))
    )


def publish(store: Store, embeddings: Embeddings, *, activate: bool = True) -> str:
    options = BuildOptions(index_key="Flat")
    return store.publish(lambda draft: build_bundle(embeddings, draft, options), activate=activate)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Of three versions: the old one, which is current, one whose users are others, and one that is fit to rank."""
    store = Store(tmp_path_factory.mktemp("three") / "store")
    publish(store, described(OLD, metrics={"test": {"rmse": 0.9}}))
    publish(store, described(renamed(OLD), metrics={"test": {"rmse": 0.8}}), activate=False)
    publish(store, fit_to_rank(OLD), activate=False)
    return store


def test_without_versions_it_is_current_and_the_newest_other(three: Store, capsys: pytest.CaptureFixture[str]) -> None:
    first, _, third = three.versions()
    document = Told(capsys, "store", "diff", three.folder, "--json").document
    assert (document["old"]["version"], document["new"]["version"]) == (first, third)


def test_with_one_version_it_is_what_activating_that_changes(three: Store, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, _ = three.versions()
    document = Told(capsys, "store", "diff", three.folder, second, "--json").document
    assert (document["old"]["version"], document["new"]["version"]) == (first, second)
    assert (document["users"]["shared"], document["users"]["came"], document["users"]["went"]) == (5, 1, 1)
    assert document["users"]["came_examples"] == [{"id": "7", "title": None}]
    assert (document["items"]["shared"], document["items"]["came"], document["titles_changed"]) == (30, 0, 1)
    assert document["old"]["metrics"] == {"test.rmse": 0.9}
    assert document["new"]["metrics"] == {"test.rmse": 0.8}
    assert document["old"]["recall"] == {"recall@10": 1.0, "similar_recall@10": 1.0}
    assert document["movement"]["n_users"] == 5


def test_with_two_versions_the_first_is_the_old_one(three: Store, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, _ = three.versions()
    document = Told(capsys, "store", "diff", three.folder, second, first, "--n-users", "3", "--json").document
    assert (document["old"]["version"], document["new"]["version"]) == (second, first)
    assert document["movement"]["n_users"] == 3
    same = Told(capsys, "store", "diff", three.folder, second, second, "--json").document
    assert same["movement"]["overlap"] == 1.0


def test_people_get_both_side_by_side_and_what_moved(three: Store, capsys: pytest.CaptureFixture[str]) -> None:
    told = Told(capsys, "store", "diff", three.folder, three.versions()[1])
    assert told.status == 0
    lines = [line.split() for line in told.output.splitlines()]
    assert ["test.rmse", "0.9000", "0.8000", "−0.1000"] in lines
    assert ["n_users", "6", "6"] in lines
    for words in (
        "users: 5 in both, 1 came, 1 went",
        "came: 7",
        "went: 1",
        "1 have another title",
        "kept",
        "users keep",
    ):
        assert words in told.output


def test_ratings_beside_preferences_are_told_as_what_they_are(three: Store, capsys: pytest.CaptureFixture[str]) -> None:
    told = Told(capsys, "store", "diff", three.folder)
    assert "scores are ratings in the old one and preferences in the new one" in told.output
    document = Told(capsys, "store", "diff", three.folder, "--json").document
    assert (document["old"]["scores"], document["new"]["scores"]) == ("ratings", "preferences")


def test_titles_are_shown_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(tmp_path / "store")
    publish(store, OLD)
    loved = OLD.item_biases + 100 * (np.arange(30) == 0).astype(np.float32)
    publish(store, renamed(replace(OLD, item_biases=loved)), activate=False)
    told = Told(capsys, "store", "diff", store.folder)
    assert "[bold]" in told.output


def test_one_version_alone_has_nothing_to_be_compared_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(tmp_path / "store")
    assert "nothing is published there yet" in Told(capsys, "store", "diff", store.folder).complaint
    version = publish(store, OLD)
    told = Told(capsys, "store", "diff", store.folder)
    assert (told.status, told.complaint.count("\n")) == (1, 1)
    assert f"{version} is the only version" in told.complaint


def test_what_is_not_there_or_damaged_is_one_sentence(three: Store, capsys: pytest.CaptureFixture[str]) -> None:
    told = Told(capsys, "store", "diff", three.folder, "nope")
    assert (told.status, told.complaint.count("\n")) == (1, 1)
    assert "has no version 'nope'; see: matinee store list" in told.complaint
    assert Told(capsys, "store", "diff", three.folder, "--n-users", "0").status == 2
