import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import indexer.store
from indexer.errors import StoreError, StoreWriteError
from indexer.history import read_history, write_history
from indexer.store import Store
from tests.indexer.small import published

NEVER = "20261123T214500Z-3f2a9c1b"


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("three") / "store")
    for seed in range(3):
        published(store, seed)
    return store


@pytest.fixture
def store(three: Store, tmp_path: Path) -> Store:
    """Of three versions, published one after the other."""
    shutil.copytree(three.folder, tmp_path / "store")
    return Store(tmp_path / "store")


def test_rolling_back_returns_to_what_was_served_before_though_it_is_newer(store: Store) -> None:
    first, _, third = store.versions()
    store.activate(first)
    assert store.rollback() == (first, third)
    assert store.current() == third


def test_a_version_that_was_never_current_is_not_rolled_back_to(store: Store) -> None:
    third = store.versions()[-1]
    never = published(store, 5, activate=False)
    last = published(store, 6)
    assert never < last
    assert store.rollback() == (last, third)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 2), max_size=5))
def test_rolling_back_undoes_any_activations_one_by_one(store: Store, activated: list[int]) -> None:
    versions = store.versions()
    store.activate(versions[0])
    write_history(store.folder, [])
    served = [versions[0]]
    for version in (versions[number] for number in activated):
        store.activate(version)
        if version != served[-1]:
            served.append(version)
    while len(served) > 1:
        was = served.pop()
        assert store.rollback() == (was, served[-1])
    with pytest.raises(StoreError, match="no version that was current before"):
        store.rollback()
    assert store.current() == versions[0]


def test_what_was_pruned_is_passed_over(store: Store) -> None:
    first, second, third = store.versions()
    store.activate(second)
    store.activate(first)
    store.activate(third)
    shutil.rmtree(store.path(first))
    assert store.rollback() == (third, second)


def test_a_store_without_a_history_goes_to_what_was_published_before(store: Store) -> None:
    first, second, third = store.versions()
    (store.folder / "HISTORY").unlink()
    assert store.rollback() == (third, second)
    assert store.rollback() == (second, first)


def test_a_store_without_a_history_gets_one_that_begins_with_what_was_published_before(store: Store) -> None:
    first, second, third = store.versions()
    (store.folder / "HISTORY").unlink()
    fourth = published(store, 4)
    assert [store.rollback() for _ in range(3)] == [(fourth, third), (third, second), (second, first)]


@pytest.mark.parametrize("damage", [b"", b"\xff\x00", b"../../etc\n", b"2" * 1_000_000, f"{NEVER}\n".encode()])
def test_damage_to_the_history_stops_nothing_but_the_rollback_and_is_one_sentence(store: Store, damage: bytes) -> None:
    first, _, third = store.versions()
    (store.folder / "HISTORY").write_bytes(damage)
    with pytest.raises(StoreError, match="choose one with: matinee store list"):
        store.rollback()
    store.activate(first)
    assert store.rollback() == (first, third)


def test_a_torn_end_of_the_history_is_left_out(store: Store) -> None:
    first, _, third = store.versions()
    (store.folder / "HISTORY").write_text(f"{first}\n{third[:9]}")
    assert store.rollback() == (third, first)


@pytest.mark.parametrize("kind", ["folder", "fifo"])
def test_a_history_that_is_no_file_stops_no_rollback(store: Store, kind: str) -> None:
    _, second, third = store.versions()
    path = store.folder / "HISTORY"
    path.unlink()
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    assert store.rollback() == (third, second)


def test_stopped_between_history_and_current_the_next_rollback_is_right(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = store.versions()

    def full(folder: Path, version: str) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(indexer.store, "write_current", full)
        with pytest.raises(StoreWriteError):
            store.activate(first)
    assert read_history(store.folder) == [first, second, third]
    assert store.current() == third
    assert store.rollback() == (third, second)


def test_stopped_between_current_and_history_the_next_rollback_is_right(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = store.versions()

    def full(folder: Path, versions: list[str]) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(indexer.store, "write_history", full)
        assert store.rollback() == (third, second)
    assert read_history(store.folder) == [first, second]
    assert store.rollback() == (second, first)


def test_activating_what_is_current_is_not_remembered(store: Store) -> None:
    second, third = store.versions()[1:]
    store.activate(third)
    assert store.rollback() == (third, second)


def test_the_history_has_an_end(store: Store) -> None:
    many = [f"2026{month:02}{day:02}T000000Z-3f2a9c1b" for month in range(1, 13) for day in range(1, 29)]
    write_history(store.folder, many)
    assert read_history(store.folder) == many[-100:]


def test_pruning_keeps_what_a_rollback_goes_back_to(store: Store) -> None:
    first, second, third = store.versions()
    store.activate(first)
    store.activate(third)
    assert store.prune(2) == ([], [])
    fourth = published(store, 4, activate=False)
    assert store.prune(2) == ([second], [])
    assert store.versions() == [first, third, fourth]
    assert store.rollback() == (third, first)


def test_pruning_to_one_keeps_nothing_to_go_back_to(store: Store) -> None:
    first, second, third = store.versions()
    assert store.prune(1) == ([first, second], [])
    with pytest.raises(StoreError, match="is left"):
        store.rollback()
    assert store.current() == third
