"""`matinee serve s3://…`, a real process, and a real S3 server: publish, follow, outage, recovery, with the client."""

import json
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from indexer.places import cache_of
from indexer.remote.backend import Patience
from indexer.remote.store import RemoteStore
from matinee.client import Client
from tests.indexer.bucket import CREDENTIALS, Fault, Proxy, make_bucket, moto, until
from tests.indexer.small import quickly_published

TIMEOUT_S = 60
PATIENCE = Patience(timeout_s=20.0, attempts=3, first_delay_s=0.01)


@dataclass
class Running:
    """A server process, what it says, and a client of it."""

    process: "subprocess.Popen[str]"
    address: str
    client: Client
    told: list[str] = field(default_factory=list)

    def serves(self, version: str) -> bool:
        """Whether it answers from `version` now."""
        return self.client.recommend(1).model_version == version

    def says(self, words: str) -> int:
        """How many lines of its log have `words`."""
        return sum(words in line for line in list(self.told))


@dataclass(frozen=True)
class Scene:
    """A store in a bucket, a proxy before it, and where copies are kept."""

    store: RemoteStore
    proxy: Proxy
    cache: Path

    @contextmanager
    def serving(self) -> Iterator[Running]:
        """A server that follows the store through the proxy."""
        command = [sys.executable, "-m", "matinee", "serve", self.store.url, "--cache", str(self.cache), "--json"]
        flags = "--address 127.0.0.1:0 --poll-interval-s 0.05 --remote-poll-interval-s 0.1 --remote-timeout-s 1"
        with subprocess.Popen(
            [*command, *flags.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            told: list[str] = []
            assert process.stdout is not None
            assert process.stderr is not None
            listening = threading.Thread(target=lambda lines: told.extend(lines), args=(process.stderr,))
            listening.start()
            try:
                address = json.loads(process.stdout.readline())["address"]
                with Client(address, timeout_s=TIMEOUT_S) as client:
                    yield Running(process, address, client, told)
            finally:
                process.kill()
                listening.join()

    @property
    def copies(self) -> list[str]:
        """The versions that are in the cache."""
        return RemoteStore.at(self.store.url, cache_of(self.store.url, self.cache)).cache.versions()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with moto() as port:
        yield port


@pytest.fixture
def scene(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    proxy = Proxy(port)
    with proxy.running() as address:
        for name, value in CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        bucket = f"bucket-{uuid.uuid4().hex}"
        make_bucket(port, bucket)
        # The publisher reaches the bucket past the proxy.
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        store = RemoteStore.at(f"s3://{bucket}/films", tmp_path / "publisher", patience=PATIENCE)
        store.current()
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        yield Scene(store, proxy, tmp_path / "cache")


def test_published_followed_lost_and_found_again(scene: Scene) -> None:
    with scene.serving() as server:
        first = quickly_published(scene.store)
        server.client.wait_until_ready(TIMEOUT_S)
        assert server.serves(first)
        second = quickly_published(scene.store, 1)
        until(lambda: server.serves(second))

        scene.proxy.faults.append(Fault("drop"))
        until(lambda: server.says(f"the copy of {second} stays") == 1)
        third = quickly_published(scene.store, 2)
        n_asked = len(scene.proxy.asked)
        until(lambda: len(scene.proxy.asked) >= n_asked + 3)
        assert server.serves(second)
        assert server.says("ERROR") == 1

        scene.proxy.faults.clear()
        until(lambda: server.serves(third))
        until(lambda: server.says("answers again") == 1)
        assert server.says("ERROR") == 1
        until(lambda: scene.copies == [second, third])

        scene.store.rollback()
        until(lambda: server.serves(second))
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(TIMEOUT_S) == 0


@pytest.mark.parametrize("kind", ["drop", "hang"])
def test_what_was_copied_is_served_by_a_server_that_starts_without_the_remote(scene: Scene, kind: str) -> None:
    first = quickly_published(scene.store)
    RemoteStore.at(scene.store.url, cache_of(scene.store.url, scene.cache)).open_current()
    scene.proxy.faults.append(Fault(kind))
    with scene.serving() as server:
        server.client.wait_until_ready(TIMEOUT_S)
        assert server.serves(first)
        until(lambda: server.says("stays") == 1)
        scene.proxy.faults.clear()
        scene.proxy.released.set()
        second = quickly_published(scene.store, 1)
        until(lambda: server.serves(second))


def test_a_server_killed_while_it_copies_serves_after_a_restart(scene: Scene) -> None:
    first = quickly_published(scene.store)
    with scene.serving() as server:
        server.client.wait_until_ready(TIMEOUT_S)
        scene.proxy.faults.append(Fault("hang", "GET", "/item_vectors.npy"))
        second = quickly_published(scene.store, 1)
        until(lambda: scene.proxy.requests("GET", f"{second}/item_vectors.npy") > 0)
        server.process.kill()
    assert scene.copies == [first]
    with scene.serving() as server:
        server.client.wait_until_ready(TIMEOUT_S)
        assert server.serves(first)
        scene.proxy.faults.clear()
        scene.proxy.released.set()
        until(lambda: server.serves(second))


def test_a_damaged_version_is_never_served_and_said_once(scene: Scene) -> None:
    first = quickly_published(scene.store)
    with scene.serving() as server:
        server.client.wait_until_ready(TIMEOUT_S)
        second = quickly_published(scene.store, 1, activate=False)
        name = f"versions/{second}/item_vectors.npy"
        whole = scene.store.objects.read(name, 1 << 20) or b""
        scene.store.objects.write(name, whole[:-1] + bytes([whole[-1] ^ 1]))
        scene.store.objects.write("CURRENT", f"{second}\n".encode())
        until(lambda: server.says("item_vectors.npy") == 1)
        n_asked = scene.proxy.requests("GET", name)
        until(lambda: scene.proxy.requests("GET", name) > n_asked)
        assert server.serves(first)
        assert scene.copies == [first]
        assert server.says("ERROR") == 1
        scene.store.objects.write(name, whole)
        until(lambda: server.serves(second))


def test_a_stop_does_not_wait_for_a_remote_that_hangs(scene: Scene) -> None:
    quickly_published(scene.store)
    with scene.serving() as server:
        server.client.wait_until_ready(TIMEOUT_S)
        scene.proxy.faults.append(Fault("hang"))
        n_asked = len(scene.proxy.asked)
        until(lambda: len(scene.proxy.asked) > n_asked)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(TIMEOUT_S) == 0
        assert server.says("Traceback") == 0
