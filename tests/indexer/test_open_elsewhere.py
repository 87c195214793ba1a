import fcntl
from pathlib import Path

import pytest

from indexer.lock import unread
from indexer.store import Store
from tests.indexer.small import published
from tests.indexer.test_commands import Told
from tests.indexer.test_processes import READ, release, running


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_list_tells_what_another_process_has_open_until_it_ends(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = published(store), published(store, 1)
    with running(READ, store.folder, first) as reader:
        document = Told(capsys, "store", "list", store.folder, "--json").document
        assert {told["version"]: told["serving"] for told in document["versions"]} == {first: True, second: False}
        lines = Told(capsys, "store", "list", store.folder).output.splitlines()
        assert lines[0].split()[-1] == "serving?"
        assert [line.split()[-1] for line in lines[1:]] == ["yes", "current"]
        assert release(reader) == "1\n"
    assert store.is_open(first) is False


def test_asking_takes_no_lock_that_a_server_or_a_prune_could_meet(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = published(store)
    asked: list[int] = []
    ask = fcntl.fcntl

    def asking(descriptor: int, command: int, argument: bytes) -> bytes:
        asked.append(command)
        answer: bytes = ask(descriptor, command, argument)
        return answer

    def locking(descriptor: int, kind: int) -> None:
        raise AssertionError("takes a lock")

    monkeypatch.setattr(fcntl, "fcntl", asking)
    monkeypatch.setattr(fcntl, "flock", locking)
    assert store.is_open(version) is False
    assert asked == [fcntl.F_OFD_GETLK]


def test_asking_in_the_middle_of_a_removal_does_not_disturb_it(store: Store) -> None:
    path = store.path(published(store)) / "manifest.json"
    with unread(path) as alone_with_it:
        assert alone_with_it
        assert store.is_open(path.parent.name) is False
    with unread(path) as alone_with_it:
        assert alone_with_it


def test_where_the_system_can_not_tell_list_says_so(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    version = published(store)
    monkeypatch.delattr(fcntl, "F_OFD_GETLK")
    monkeypatch.delattr(fcntl, "F_OFD_SETLK")
    bundle = store.open(version)
    assert bundle.version == version
    assert store.is_open(version) is None
    assert "?" in Told(capsys, "store", "list", store.folder).output.splitlines()[1].split()


def test_a_version_without_a_manifest_is_listed_though_nobody_can_have_it_open(store: Store) -> None:
    version = published(store)
    (store.path(version) / "manifest.json").unlink()
    assert store.is_open(version) is None
