"""New versions are proved in a process of their own; whatever becomes of it, nothing unproved is served."""

import logging
import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.errors import BundleError
from indexer.store import Store
from server.live import Live
from server.watcher import Watcher
from tests.server.hammer import wait_for_version, wait_until
from tests.server.running import asking, building, publish, running
from tests.server.test_serve import serving
from tests.world import random_embeddings


@pytest.fixture
def interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a shell script in place of the interpreter that proves."""

    def put(script: str) -> Path:
        path = tmp_path / "interpreter"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))
        return path

    return put


def unproved(store: Path) -> str:
    """A version that is current now, and was proved by nobody but who published it."""
    return publish(store, random_embeddings(seed=2))


DEATHS = {
    "is killed": ("kill -9 $$", "was ended by SIGKILL"),
    "crashes": ("kill -SEGV $$", "was ended by SIGSEGV"),
    "fails": ("echo no such luck >&2; exit 3", "ended with status 3: no such luck"),
    "says nothing": ("exit 0", "ended with status 0"),
    "says what is no JSON": ("echo proved", "ended with status 0"),
    "says something else": ("""echo '{"proof": 7}'""", "ended with status 0"),
    "says so and dies": ("""echo '{"proof": {}}'; kill -9 $$""", "was ended by SIGKILL"),
    "proves other files": ("""echo '{"proof": {"item_vectors.npy": [1, 2, 3, 4, 5]}}'""", "was changed while"),
}


@pytest.mark.parametrize("death", DEATHS)
def test_what_was_not_proved_is_refused_and_the_old_version_serves_on_until_it_is(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    interpreter: Callable[[str], Path],
    death: str,
) -> None:
    script, sentence = DEATHS[death]
    store = tmp_path / "store"
    first, python = publish(store, random_embeddings(seed=1)), sys.executable
    with running(store) as server, asking(server) as client:
        interpreter(script)
        second = unproved(store)
        wait_until(lambda: server.refusal is not None)
        assert client.recommend("1").model_version == first
        (told,) = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert sentence in told.getMessage()
        assert told.exc_info is None
        monkeypatch.setattr(sys, "executable", python)
        wait_for_version(server, second)


def test_a_server_that_can_start_no_process_proves_the_version_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path, random_embeddings(seed=1))
    with running(tmp_path) as server:
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        broken = Store(tmp_path).publish(building(random_embeddings(seed=2)), activate=False)
        (tmp_path / "versions" / broken / "similar.faiss").unlink()
        (tmp_path / "CURRENT").write_text(f"{broken}\n")
        wait_until(lambda: server.refusal is not None and "similar.faiss: missing" in server.refusal.reason)
        wait_for_version(server, publish(tmp_path, random_embeddings(seed=3)))
    assert "no process could be started" in caplog.text


def test_a_broken_version_is_refused_with_the_words_of_who_opens_it(tmp_path: Path) -> None:
    publish(tmp_path, random_embeddings(seed=1))
    with running(tmp_path) as server:
        broken = Store(tmp_path).publish(building(random_embeddings(seed=2)), activate=False)
        vectors = tmp_path / "versions" / broken / "item_vectors.npy"
        vectors.write_bytes(vectors.read_bytes()[:-1] + b"x")
        with pytest.raises(BundleError) as refused:
            Store(tmp_path).open(broken)
        (tmp_path / "CURRENT").write_text(f"{broken}\n")
        wait_until(lambda: server.refusal is not None and server.refusal.version == broken)
        assert server.refusal is not None
        assert server.refusal.reason == str(refused.value)


def test_a_server_stops_while_a_version_is_proved_for_ever(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, interpreter: Callable[[str], Path]
) -> None:
    store, pid = tmp_path / "store", tmp_path / "pid"
    publish(store, random_embeddings(seed=1))
    with running(store):
        interpreter(f"echo $$ > {pid}.draft; mv {pid}.draft {pid}; exec sleep 1000")
        unproved(store)
        wait_until(pid.exists)
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def proving_under(pid: int) -> int | None:
    """The process that proves for `pid`, once it has begun, at the lowest priority."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command, maps = stat.with_name("cmdline").read_bytes(), stat.with_name("maps").read_bytes()
        except OSError:
            continue
        has_begun = b"indexer.proving" in command and b"numpy" in maps
        if int(fields[1]) == pid and has_begun and fields[16] == "19":
            return int(stat.parent.name)
    return None


def test_no_process_is_left_that_proves_for_a_server_that_was_killed(tmp_path: Path) -> None:
    publish(tmp_path, random_embeddings(seed=1))
    with serving(tmp_path) as (server, _):
        unproved(tmp_path)
        found: list[int] = []

        def is_proving() -> bool:
            found.extend(pid for pid in [proving_under(server.pid)] if pid is not None)
            return bool(found)

        wait_until(is_proving)
        child = found[0]
        # It would end by itself otherwise.
        os.kill(child, signal.SIGSTOP)
        server.kill()
        try:
            wait_until(lambda: not is_running(child))
        finally:
            if is_running(child):
                os.kill(child, signal.SIGKILL)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_watcher_frees_the_old_version_once_its_last_request_has_ended(tmp_path: Path) -> None:
    first = publish(tmp_path, random_embeddings(seed=1))
    live, freed_by = Live(), list[str]()
    watcher = Watcher(tmp_path, live, 0.01, lambda: None)
    watcher.start()
    try:
        request = live.retriever()
        weakref.finalize(request._bundle, lambda: freed_by.append(threading.current_thread().name))
        for seed in (2, 3):
            version = publish(tmp_path, random_embeddings(seed=seed))
            wait_until(lambda version=version: live.version == version)  # type: ignore[misc]
        assert request.recommend("1").items
        assert Store(tmp_path).is_open(first)
        assert freed_by == []
        del request
        wait_until(lambda: bool(freed_by))
    finally:
        watcher.stop()
    assert freed_by == ["matinee-watcher"]
