import errno
import fcntl
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from indexer.bundle import open_bundle
from indexer.errors import (
    BundleError,
    CurrentError,
    EmptyStoreError,
    StoreBusyError,
    StoreError,
    StoreWriteError,
    UnknownVersionError,
)
from indexer.lock import alone, unread
from indexer.store import Store
from tests.indexer.small import published


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_what_is_published_is_current_and_opens(store: Store) -> None:
    version = published(store)
    assert store.current() == version
    assert store.open_current().version == version
    assert (store.folder / "CURRENT").read_text() == f"{version}\n"
    assert store.manifest(version)["content_sha256"].startswith(version.partition("-")[2])


def test_versions_are_listed_in_the_order_of_publishing_though_in_one_second(store: Store) -> None:
    versions = [published(store, seed) for seed in (2, 0, 1)]
    assert store.versions() == versions
    assert len(set(versions)) == 3


def test_a_version_follows_those_of_a_clock_that_was_ahead(store: Store) -> None:
    ahead = (datetime.now(UTC) + timedelta(days=400)).strftime("%Y%m%dT%H%M%SZ-00000000")
    first = published(store)
    store.path(first).rename(store.folder / "versions" / ahead)
    second = published(store, 1)
    assert store.versions() == [ahead, second]


def test_publishing_the_same_again_makes_a_version_of_its_own(store: Store) -> None:
    assert published(store) != published(store)


def test_a_version_may_be_published_without_being_served(store: Store) -> None:
    first, second = published(store), published(store, 1, activate=False)
    assert store.versions() == [first, second]
    assert store.current() == first
    store.activate(second)
    assert store.open_current().version == second


def test_a_bundle_that_does_not_open_is_never_published(store: Store) -> None:
    first = published(store)
    with pytest.raises(BundleError):
        store.publish(lambda draft: (draft / "user_ids.npy").write_bytes(b"half"))
    assert (store.versions(), store.current()) == ([first], first)
    assert list(store.folder.glob("**/.*")) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_what_the_disk_refuses_is_one_sentence_and_leaves_the_store_as_it_was(store: Store, code: int) -> None:
    first = published(store)

    def fill(draft: Path) -> None:
        (draft / "user_ids.npy").write_bytes(b"half")
        raise OSError(code, os.strerror(code), str(draft / "user_ids.npy"))

    with pytest.raises(StoreWriteError, match=rf"user_ids.npy: {os.strerror(code)}; .* run the command again"):
        store.publish(fill)
    assert (store.versions(), store.current()) == ([first], first)
    assert list(store.folder.glob("**/.*")) == []


def test_an_empty_store_says_how_to_publish(store: Store) -> None:
    assert store.current() is None
    assert store.versions() == []
    for ask in (store.open_current, store.rollback, lambda: store.prune(1)):
        with pytest.raises(EmptyStoreError, match="publish with: matinee index EMBEDDINGS"):
            ask()
    assert not store.folder.exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(StoreError, match="is not a store, and not empty"):
        published(Store(tmp_path))
    with pytest.raises(StoreError, match="is not a store"):
        published(Store(tmp_path / "thesis.txt"))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


SPOILT = {
    "empty": b"",
    "garbage": b"\xff\x00\x93NUMPY",
    "an escape": b"../../../../etc\n",
    "a path": b"/etc\n",
    "two lines": b"20261123T214500Z-3f2a9c1b\n20261123T214501Z-3f2a9c1b\n",
    "a version that is not there": b"20261123T214500Z-3f2a9c1b\n",
    "a draft": b".bundle.abc.draft\n",
    "huge": b"2" * 10_000_000,
}


@pytest.mark.parametrize("content", SPOILT.values(), ids=SPOILT)
def test_a_damaged_current_is_told_with_its_repair_and_the_repair_works(store: Store, content: bytes) -> None:
    version = published(store)
    (store.folder / "CURRENT").write_bytes(content)
    for ask in (store.current, store.open_current, store.rollback, lambda: store.prune(1)):
        with pytest.raises(CurrentError, match=r"repair it with: matinee store activate \S+ VERSION") as told:
            ask()
        assert len(str(told.value)) < 500
        assert "\n" not in str(told.value)
    store.activate(version)
    assert store.open_current().version == version


@pytest.mark.parametrize("kind", ["folder", "fifo", "dangling link"])
def test_a_current_that_is_no_file_is_told(store: Store, kind: str) -> None:
    published(store)
    path = store.folder / "CURRENT"
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("nowhere")
    with pytest.raises(CurrentError, match="is not a file"):
        store.current()


def test_publishing_repairs_a_damaged_current(store: Store) -> None:
    published(store)
    (store.folder / "CURRENT").write_text("nonsense")
    assert published(store, 1) == store.current()


@pytest.mark.parametrize("version", ["nope", "../versions", "", ".", "20261123T214500Z-3f2a9c1b", "CURRENT"])
def test_an_unknown_version_can_be_neither_opened_nor_activated(store: Store, version: str) -> None:
    current = published(store)
    for ask in (store.open, store.activate, store.verify, store.path, store.manifest):
        with pytest.raises(UnknownVersionError, match="see: matinee store list"):
            ask(version)
    assert store.current() == current


def test_a_damaged_version_is_not_activated(store: Store) -> None:
    first, second = published(store), published(store, 1)
    path = store.path(first) / "item_vectors.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    for ask in (lambda: store.activate(first), store.rollback, lambda: store.verify(first)):
        with pytest.raises(BundleError, match=r"item_vectors\.npy: damaged"):
            ask()
    assert store.current() == second


def test_a_version_under_the_name_of_another_is_refused(store: Store) -> None:
    first, second = published(store), published(store, 1)
    store.path(first).rename(store.folder / "aside")
    store.path(second).rename(store.folder / "versions" / first)
    with pytest.raises(BundleError, match="holds the content of another version"):
        store.activate(first)


def test_rolling_back_goes_from_version_to_version_towards_the_oldest(store: Store) -> None:
    first, second, third = (published(store, seed) for seed in range(3))
    assert store.rollback() == (third, second)
    assert store.rollback() == (second, first)
    with pytest.raises(StoreError, match="no version that was current before"):
        store.rollback()
    assert store.current() == first
    assert store.versions() == [first, second, third]


def test_pruning_keeps_the_newest_and_what_is_current(store: Store) -> None:
    versions = [published(store, seed) for seed in range(5)]
    store.activate(versions[1])
    assert store.prune(2) == ([versions[0], versions[2]], [])
    assert store.versions() == [versions[1], *versions[3:]]
    assert store.prune(2) == ([], [])
    assert store.open_current().version == versions[1]
    assert sorted(path.name for path in (store.folder / "versions").iterdir()) == store.versions()


def test_pruning_more_than_there_are_removes_nothing(store: Store) -> None:
    published(store)
    assert store.prune(7) == ([], [])


def test_what_is_open_is_not_pruned_until_it_is_closed(store: Store) -> None:
    first, _ = published(store), published(store, 1)
    bundle = store.open(first)
    assert store.prune(1) == ([], [first])
    assert bundle.item_vectors.sum() == store.open(first).item_vectors.sum()
    del bundle
    assert store.prune(1) == ([first], [])


def test_a_damaged_version_without_a_manifest_is_pruned(store: Store) -> None:
    first, _ = published(store), published(store, 1)
    (store.path(first) / "manifest.json").unlink()
    assert store.prune(1) == ([first], [])


def test_a_bundle_is_not_opened_while_it_is_being_removed(store: Store) -> None:
    path = store.path(published(store))
    with unread(path / "manifest.json") as alone_with_it:
        assert alone_with_it
        with pytest.raises(BundleError, match="is being removed"):
            open_bundle(path)
    open_bundle(path)


def test_a_second_change_at_the_same_time_is_refused_naming_who_makes_the_first(store: Store) -> None:
    current = published(store)
    with alone(store.folder, 0):
        for ask in (lambda: published(store), lambda: store.activate(current), store.rollback, lambda: store.prune(1)):
            with pytest.raises(StoreBusyError, match=rf"process {os.getpid()} on \S+ is changing it"):
                ask()
    store.activate(current)


def test_everything_is_on_the_disk_before_it_gets_its_name(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    published(store)
    told: list[str] = []
    fsync, rename, replace = os.fsync, os.rename, os.replace

    def syncing(fd: int) -> None:
        told.append(f"sync {Path(f'/proc/self/fd/{fd}').resolve().name}")
        fsync(fd)

    def renaming(source: Path, target: Path) -> None:
        told.append(f"rename {target.name}")
        rename(source, target)

    def replacing(source: Path, target: Path) -> None:
        told.append(f"replace {target.name}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(os, "rename", renaming)
    monkeypatch.setattr(os, "replace", replacing)
    version = published(store, 1)
    # The draft's own files get their names before they are on the disk.
    told = [step for step in told if not step.startswith("rename ") or step == f"rename {version}"]
    named = told.index(f"rename {version}")
    draft = told[named - 1]
    assert draft.endswith(".draft")
    assert {f"sync {path.name}" for path in store.path(version).iterdir()} == set(told[: named - 1])
    assert told[named + 1 :] == [
        "sync versions",
        *("sync .HISTORY.draft", "replace HISTORY", "sync store"),
        *("sync .CURRENT.draft", "replace CURRENT", "sync store"),
    ]


def test_a_file_system_without_locks_is_one_sentence(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    version = published(store)

    def none(_descriptor: int, _kind: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with pytest.raises(OSError, match=r"can't be locked \(No locks available\).*manifest\.json"):
        store.open(version)
    with pytest.raises(StoreWriteError, match=r"lock: can't be locked \(No locks available\)"):
        store.activate(version)


def test_nothing_in_a_version_is_open_while_its_files_are_removed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = published(store), published(store, 1)
    remove = shutil.rmtree
    left_open: list[Path] = []

    def removing(folder: Path) -> None:
        # NFS would keep what is open under another name, and the folder could not be removed.
        left_open.extend(path for path in Path("/proc/self/fd").iterdir() if str(folder) in os.path.realpath(path))
        remove(folder)

    monkeypatch.setattr(shutil, "rmtree", removing)
    assert store.prune(1) == ([first], [])
    assert left_open == []
