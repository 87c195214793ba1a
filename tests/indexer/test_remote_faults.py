"""Remote stores on a real S3 server that answers wrongly, late, in part or not at all; and killed processes."""

import os
import signal
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from indexer.errors import BundleError, RemoteError, StoreBusyError, UnknownVersionError
from indexer.remote.backend import Patience
from indexer.remote.lease import leased
from indexer.remote.objects import Objects
from indexer.remote.store import RemoteStore
from tests.indexer.bucket import CREDENTIALS, Fault, Proxy, make_bucket, moto, until
from tests.indexer.small import quickly_published
from tests.indexer.test_processes import release, running

PATIENCE = Patience(timeout_s=20.0, attempts=3, first_delay_s=0.01)
IMPATIENT = Patience(timeout_s=0.3, attempts=1)
OPEN = """
import sys
from pathlib import Path
from indexer.remote.store import RemoteStore
from tests.indexer.small import quickly_published

def store(lease_s=90.0, wait_s=0.0):
    at = RemoteStore.at(sys.argv[1], Path(sys.argv[2]))
    return RemoteStore(at.objects, at.folder, wait_s, lease_s)

"""
PUBLISH = OPEN + "print('begins', flush=True)\nquickly_published(store(lease_s=float(sys.argv[3])), 7)"
READ = OPEN + "print('begins', flush=True)\nstore().open_current()"
PUBLISH_SLOWLY = (
    OPEN
    + """
def fill(draft):
    from indexer.build import build_bundle
    from tests.world import random_embeddings
    build_bundle(random_embeddings(4, 12, dim=2, seed=7, seen=2), draft)
    print("filled", flush=True)
    sys.stdin.readline()

store(lease_s=float(sys.argv[3])).publish(fill)
"""
)
WAIT_AND_PUBLISH = OPEN + "print('begins', flush=True)\nprint(quickly_published(store(wait_s=60), 1))"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with moto() as port:
        yield port


@dataclass(frozen=True)
class Scene:
    """A store in a bucket behind a proxy."""

    store: RemoteStore
    proxy: Proxy

    def another(self, cache: Path, patience: Patience = PATIENCE, lease_s: float = 90.0) -> RemoteStore:
        """The same store as another machine has it."""
        return replace(RemoteStore.at(self.store.url, cache, patience=patience), lease_s=lease_s)


@pytest.fixture
def scene(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    proxy = Proxy(port)
    with proxy.running() as address:
        for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": address}.items():
            monkeypatch.setenv(name, value)
        bucket = f"bucket-{uuid.uuid4().hex}"
        make_bucket(port, bucket)
        yield Scene(RemoteStore.at(f"s3://{bucket}/films", tmp_path / "cache", patience=PATIENCE), proxy)


PASSING = [
    Fault("error", "PUT", "/lock/"),
    Fault("error", "PUT", "/user_ids.npy"),
    Fault("drop", "PUT", "/item_vectors.npy"),
    Fault("lost", "PUT", "/lock/"),
    Fault("lost", "PUT", "/recommend.faiss"),
    Fault("lost", "PUT", "/manifest.json"),
    Fault("error", "PUT", "/manifest.json"),
    Fault("lost", "PUT", "/CURRENT"),
    Fault("drop", "PUT", "/CURRENT"),
    Fault("error", "GET", "list-type"),
    Fault("cut", "GET", "/item_vectors.npy"),
    Fault("error", "GET", "/user_ids.npy"),
    Fault("cut", "GET", "/manifest.json"),
    Fault("cut", "GET", "/CURRENT"),
]


def test_faults_that_pass_are_got_over(scene: Scene) -> None:
    scene.proxy.faults.extend(replace(fault, times=1) for fault in PASSING)
    version = quickly_published(scene.store)
    assert scene.store.open_current().version == version
    assert [fault for fault in scene.proxy.faults if fault.times] == []
    scene.store.verify(version)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("error", "/item_vectors.npy"),
        ("hang", "/seen_rows.npy"),
        ("refuse", "/recommend.faiss"),
        ("error", "/CURRENT"),
    ],
)
def test_a_fault_that_stays_is_one_sentence_and_what_was_current_stays(
    scene: Scene, tmp_path: Path, kind: str, path: str
) -> None:
    first = quickly_published(scene.store)
    fault = Fault(kind, "PUT", path)
    scene.proxy.faults.append(fault)
    patience = IMPATIENT if kind == "hang" else replace(PATIENCE, attempts=2)
    with pytest.raises(RemoteError, match=path[1:]) as error:
        quickly_published(scene.another(tmp_path / "other", patience), 1)
    assert "\n" not in str(error.value)
    scene.proxy.faults.clear()
    assert scene.store.current() == first
    for version in scene.store.versions():
        scene.store.verify(version)
    assert quickly_published(scene.store, 2) == scene.store.current()


@pytest.mark.parametrize("kind", ["cut", "hang", "refuse"])
def test_what_cant_be_fetched_whole_is_never_in_the_cache(scene: Scene, tmp_path: Path, kind: str) -> None:
    version = quickly_published(scene.store)
    scene.proxy.faults.append(Fault(kind, "GET", "/item_vectors.npy"))
    reader = scene.another(tmp_path / "reader", IMPATIENT if kind == "hang" else replace(PATIENCE, attempts=2))
    with pytest.raises(RemoteError, match="item_vectors"):
        reader.open_current()
    assert reader.cache.versions() == []
    assert list((reader.cache.folder / "versions").iterdir()) == []
    scene.proxy.faults.clear()
    assert scene.another(tmp_path / "reader").open_current().version == version


def test_what_is_cut_off_by_the_server_itself_is_found_by_its_size(scene: Scene) -> None:
    version = quickly_published(scene.store)
    scene.store.objects.write(f"versions/{version}/item_vectors.npy", b"short")
    with pytest.raises(BundleError, match="has 5 bytes, not"):
        scene.store.open_current()


def test_a_publisher_killed_while_it_uploads_leaves_nothing_that_is_listed(scene: Scene, tmp_path: Path) -> None:
    first = quickly_published(scene.store)
    held = Fault("hang", "PUT", "/item_vectors.npy")
    scene.proxy.faults.append(held)
    with running(PUBLISH, scene.store.url, tmp_path / "other", 3) as publisher:
        until(lambda: scene.proxy.requests("PUT", "/item_vectors.npy") == 2)
        with pytest.raises(StoreBusyError, match=f"process {publisher.pid} on "):
            quickly_published(scene.store, 1)
        publisher.send_signal(signal.SIGKILL)
        publisher.wait()
    scene.proxy.faults.clear()
    assert (scene.store.versions(), scene.store.current()) == ([first], first)
    # Nobody waits for a dead process for longer than its lease.
    second = quickly_published(replace(scene.store, wait_s=60.0), 1)
    assert (scene.store.versions(), scene.store.current()) == ([first, second], second)


def test_a_publisher_killed_before_it_flips_leaves_the_old_version_current(scene: Scene, tmp_path: Path) -> None:
    first = quickly_published(scene.store)
    scene.proxy.faults.append(Fault("hang", "PUT", "/CURRENT"))
    with running(PUBLISH, scene.store.url, tmp_path / "other", 1) as publisher:
        until(lambda: scene.proxy.requests("PUT", "/CURRENT") == 2)
        publisher.send_signal(signal.SIGKILL)
        publisher.wait()
    scene.proxy.faults.clear()
    versions = scene.store.versions()
    assert (len(versions), scene.store.current()) == (2, first)
    waiting = replace(scene.store, wait_s=60.0)
    waiting.activate(versions[-1])
    assert scene.store.open_current().version == versions[-1]


def test_a_reader_killed_while_it_copies_leaves_nothing_that_can_be_opened(scene: Scene, tmp_path: Path) -> None:
    version = quickly_published(scene.store)
    scene.proxy.faults.append(Fault("hang", "GET", "/item_vectors.npy"))
    cache = tmp_path / "reader"
    with running(READ, scene.store.url, cache) as reader:
        until(lambda: scene.proxy.requests("GET", "/item_vectors.npy") > 0)
        reader.send_signal(signal.SIGKILL)
        reader.wait()
    scene.proxy.faults.clear()
    store = scene.another(cache)
    assert store.cache.versions() == []
    assert list((store.cache.folder / "versions").glob(".*")) != []
    assert store.open_current().version == version
    assert list((store.cache.folder / "versions").glob(".*")) == []


def test_of_two_publishers_the_second_is_refused_or_waits(scene: Scene, tmp_path: Path) -> None:
    with running(PUBLISH_SLOWLY, scene.store.url, tmp_path / "other", 90) as publisher:
        with pytest.raises(StoreBusyError, match=f"process {publisher.pid} on "):
            quickly_published(scene.store)
        with running(WAIT_AND_PUBLISH, scene.store.url, tmp_path / "third") as waiting:
            release(publisher)
            second = release(waiting).strip()
    assert len(scene.store.versions()) == 2
    assert scene.store.current() == scene.store.versions()[-1] == second


def test_a_publisher_that_was_not_heard_of_in_time_flips_nothing(scene: Scene, tmp_path: Path) -> None:
    first = quickly_published(scene.store)
    slow = scene.another(tmp_path / "slow", lease_s=0.5)
    taken: list[str] = []

    def fill(draft: Path) -> None:
        # Its renewals are lost, and another publisher comes.
        scene.proxy.faults.append(Fault("error", "PUT", "/lock/000000000002"))
        taken.append(quickly_published(replace(scene.store, wait_s=60.0), 1))
        scene.proxy.faults.clear()
        from tests.indexer.small import bundle_files

        for name, data in bundle_files(2).items():
            (draft / name).write_bytes(data)

    with pytest.raises(RemoteError, match="another process took over"):
        slow.publish(fill)
    assert scene.store.versions() == [first, *taken]
    assert scene.store.current() == taken[0]


def test_of_many_who_want_the_lease_at_once_never_two_have_it(scene: Scene) -> None:
    holders: list[int] = []
    most: list[int] = []

    def hold(number: int) -> None:
        objects = Objects(scene.store.url, PATIENCE)
        with leased(objects, wait_s=120.0, lease_s=60.0) as lease:
            holders.append(number)
            most.append(len(holders))
            lease.check()
            holders.remove(number)

    threads = [threading.Thread(target=hold, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 5
    assert len(scene.store.objects.sizes("lock")) == 1


def test_a_lease_that_says_nonsense_does_not_hold_for_ever(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.remote.lease._LONGEST_S", -60.0)
    for record in (b"", b"{", b"[" * 900, b'{"holder": 1, "released": false, "lease_s": NaN}', b'"x"'):
        numbers = sorted(scene.store.objects.sizes("lock"))
        scene.store.objects.write(f"lock/{len(numbers) + 100 + len(record):012d}", record or b"\n")
        with leased(scene.store.objects, 0.0, 60.0):
            pass
        for name in scene.store.objects.sizes("lock"):
            scene.store.objects.remove(name)


def test_what_is_stopping_waits_for_nothing(scene: Scene, tmp_path: Path) -> None:
    patience = Patience(timeout_s=20.0, attempts=10, first_delay_s=3600.0)
    store = scene.another(tmp_path / "stopping", patience)
    scene.proxy.faults.append(Fault("refuse", "PUT", "/x"))
    patience.stopping.set()
    with pytest.raises(RemoteError, match="stopping"):
        store.current()


def test_a_version_that_goes_while_it_is_copied_is_one_sentence(scene: Scene, tmp_path: Path) -> None:
    version = quickly_published(scene.store)
    scene.store.objects.remove(f"versions/{version}/item_vectors.npy")
    with pytest.raises(BundleError, match=r"item_vectors\.npy: is missing"):
        scene.another(tmp_path / "other").open_current()
    scene.store.objects.remove(f"versions/{version}/manifest.json")
    with pytest.raises((BundleError, UnknownVersionError)):
        scene.another(tmp_path / "other").open(version)
    assert os.listdir(tmp_path / "other" / "copies" / "versions") == []  # noqa: PTH208  hidden ones too
