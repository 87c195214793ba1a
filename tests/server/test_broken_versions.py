"""Whatever is wrong with a new version, the old one goes on answering, and the log says so once."""

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from indexer.store import Store
from matinee.errors import MatineeError
from server.retriever import Retriever
from tests.server.hammer import wait_for_version, wait_until
from tests.server.running import asking, building, publish, running
from tests.world import random_embeddings
from training.artefact import seal


@contextmanager
def serving_on(store: Path, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The version that serves at the beginning serves at the end, whatever is done to `store` in between."""
    caplog.set_level(logging.INFO, "server")
    with running(store) as server, asking(server) as client:
        version = client.recommend("1").model_version
        yield
        wait_until(lambda: any(record.levelno == logging.ERROR for record in caplog.records))
        # Some more looks at the store add nothing to the log.
        time.sleep(0.2)
        assert client.recommend("1").model_version == version
        client.wait_until_ready(timeout_s=5.0)
        told = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert len(told) == 1
        assert f"{version} goes on serving" in told[0].getMessage()
        assert told[0].exc_info is None
        caplog.clear()
        after = publish(store, random_embeddings(seed=9))
        wait_for_version(server, after)
        assert client.recommend("1").model_version == after


def point_to(store: Path, current: bytes) -> None:
    """Put this into CURRENT in one step: half of it would be another fault."""
    (store / "draft").write_bytes(current)
    (store / "draft").replace(store / "CURRENT")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a file is cut off": lambda bundle: os.truncate(bundle / "item_vectors.npy", 200),
    "a bit is flipped": lambda bundle: flip_a_bit(bundle / "user_embeddings.npy"),
    "the index is foreign": lambda bundle: (bundle / "recommend.faiss").write_bytes(b"IxFI" + bytes(100)),
    "a file is missing": lambda bundle: (bundle / "similar.faiss").unlink(),
    "the folder is empty": lambda bundle: empty(bundle),
    "the users are of another dim, checksums and all": lambda bundle: widen(bundle, "user_embeddings.npy"),
    "the manifest is missing": lambda bundle: (bundle / "manifest.json").unlink(),
    "the manifest is no JSON": lambda bundle: (bundle / "manifest.json").write_text("{"),
    "the manifest is of another format": lambda bundle: reformat(bundle / "manifest.json"),
}


def flip_a_bit(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


def empty(bundle: Path) -> None:
    for file in bundle.iterdir():
        file.unlink()


def widen(bundle: Path, name: str) -> None:
    """Give one array a column more, in a bundle that is otherwise whole."""
    np.save(bundle / name, np.pad(np.load(bundle / name), ((0, 0), (0, 1))))
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").unlink()
    told = {key: value for key, value in manifest.items() if key not in ("files", "content_sha256")}
    seal(bundle, manifest["format"], manifest["format_version"], told)


def reformat(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 99}, indent=2) + "\n")


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_broken_bundle_is_refused_once_and_the_old_one_serves_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    publish(tmp_path, random_embeddings(seed=1))
    with serving_on(tmp_path, caplog):
        broken = Store(tmp_path).publish(building(random_embeddings(seed=2)), activate=False)
        DAMAGE[damage](tmp_path / "versions" / broken)
        point_to(tmp_path, f"{broken}\n".encode())


@pytest.mark.parametrize("current", [b"", b"\0\xff", b"../..\n", b"20261124T000000Z-00000000\n", b"x" * 10_000])
def test_a_damaged_current_is_told_once_and_the_old_one_serves_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, current: bytes
) -> None:
    publish(tmp_path, random_embeddings(seed=1))
    with serving_on(tmp_path, caplog):
        point_to(tmp_path, current)


def test_a_store_that_vanishes_does_not_matter_to_the_version_that_serves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = tmp_path / "store"
    publish(store, random_embeddings(seed=1))
    with serving_on(store, caplog):
        store.rename(tmp_path / "gone")
        shutil.rmtree(tmp_path / "gone")


def test_a_broken_bundle_is_never_served_in_part(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    version = publish(tmp_path, random_embeddings())
    flip_a_bit(tmp_path / "versions" / version / "item_vectors.npy")
    with running(tmp_path) as server, asking(server) as client:
        assert server.live.version is None
        with pytest.raises(MatineeError, match="no model version is loaded"):
            client.recommend("1")
    assert "nothing is served yet" in caplog.text


def test_a_version_that_is_mended_is_served(tmp_path: Path) -> None:
    version = publish(tmp_path, random_embeddings())
    vectors = tmp_path / "versions" / version / "item_vectors.npy"
    flip_a_bit(vectors)
    with running(tmp_path) as server:
        flip_a_bit(vectors)
        wait_for_version(server, version)


def test_a_bug_in_loading_is_logged_with_its_traceback_and_the_old_one_serves_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish(tmp_path, random_embeddings(seed=1))
    with running(tmp_path) as server, asking(server) as client:

        def warm_up(self: Retriever) -> None:
            raise ZeroDivisionError("a bug")

        monkeypatch.setattr(Retriever, "warm_up", warm_up)
        publish(tmp_path, random_embeddings(seed=2))
        wait_until(lambda: "a bug" in caplog.text)
        assert "ZeroDivisionError" in caplog.text
        assert client.recommend("1").model_version == first
