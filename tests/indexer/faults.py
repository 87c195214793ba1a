"""Runs the commands that change a store as real processes, each of which meets one fault at one step.

A step is anything that changes files: opening for writing, making, renaming and removing, syncing, locking, and a write
that is cut off halfway. A first run counts the steps; then for each step a process is forked that dies there (SIGKILL),
or is told that the disk is full from there on (ENOSPC), or that this step failed (EIO). After each, the store must be
sound, and the same command must succeed. Prints one JSON object: the number of points of each scenario.

Run as `python -m tests.indexer.faults FOLDER FAULT`: a process with one thread, since threads do not survive a fork.
"""

import errno
import gc
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from indexer.__main__ import main
from indexer.bundle import read_bundle_manifest
from indexer.errors import UnknownVersionError
from indexer.store import Store
from tests.indexer.small import published, written_embeddings
from training.embeddings import Embeddings

FAULTS = ("SIGKILL", "ENOSPC", "EIO")
_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.chmod", "fcntl.flock"}
_NEED_NO_SPACE = {"os.rename", "os.remove", "os.rmdir", "fcntl.flock", "os.fsync"}


class Steps:
    """Counts the steps of this process inside `folder`, and brings the fault about at step `at`, from 1; 0: never."""

    def __init__(self, folder: Path, fault: str, at: int) -> None:
        self.folder, self.fault, self.at, self.count = str(folder), fault, at, 0
        self.paused = False

    def watch(self) -> None:
        """From here on, for the rest of this process's life."""
        sys.addaudithook(self._audit)
        self._wrap(os, "fsync", None)
        self._wrap(os, "pwrite", None)
        self._wrap(np, "save", OSError("96 requested and 0 written"))
        self._wrap(faiss, "write_index", OSError(errno.ENOSPC, "No space left on device"))
        self._wrap(Path, "write_bytes", OSError(errno.ENOSPC, "No space left on device"))
        self._wrap(Path, "write_text", OSError(errno.ENOSPC, "No space left on device"))

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and self._is_inside(path):
                self._step("open", str(path))
        elif event in _CHANGES and self._is_inside(arguments[0]):
            self._step(event, str(arguments[0]))

    def _is_inside(self, path: object) -> bool:
        # What is removed with its folder comes by its bare name, and files by their descriptor.
        return isinstance(path, int) or not Path(str(path)).is_absolute() or str(path).startswith(self.folder)

    def _wrap(self, owner: Any, name: str, torn: Exception | None) -> None:
        """A step before the function of this name; for one that writes a file, also when half of it is written."""
        function = getattr(owner, name)

        def stepping(*arguments: Any, **named: Any) -> Any:
            if torn is None:
                self._step(f"os.{name}", "")
                return function(*arguments, **named)
            result = function(*arguments, **named)
            # FAISS writes to an open file, which has lost its buffer when the process dies here.
            path = next((Path(argument) for argument in arguments if isinstance(argument, str | Path)), None)
            if path and (self.count + 1 == self.at or (self.fault == "ENOSPC" and 0 < self.at <= self.count)):
                self._cut(path)
            self._step(name, str(path or ""), torn)
            return result

        setattr(owner, name, stepping)

    def _cut(self, path: Path) -> None:
        """Half of what was written is not there. That is the fault, not one more step."""
        self.paused = True
        os.truncate(path, path.stat().st_size // 2)
        self.paused = False

    def _step(self, event: str, path: str, torn: Exception | None = None) -> None:
        if self.paused:
            return
        self.count += 1
        if self.fault == "SIGKILL" and self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault == "EIO" and self.count == self.at:
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        if self.fault == "ENOSPC" and 0 < self.at <= self.count and event not in _NEED_NO_SPACE:
            raise torn or OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


@dataclass(frozen=True)
class Scenario:
    """A command on a store that is a copy of `before` each time."""

    arguments: list[str]
    before: Path
    contents: set[str | None]
    """The embeddings_sha256 of what may be current afterwards, whether it succeeds or not."""


def in_child(work: Callable[[], int], output: Path) -> int:
    """Run `work` in a forked process whose standard output and error go to `output`; how it ended, as waitpid says."""
    pid = os.fork()
    if pid == 0:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        status = 70
        try:
            status = work()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitpid(pid, 0)[1]


class Range:
    """Where the processes run: `folder/store` is the store that they change."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store, self.output = folder, Store(folder / "store"), folder / "output"

    def run(self, scenario: Scenario, fault: str) -> int:
        """The number of points; every one passed. Raises AssertionError at the first that did not."""
        n_steps = self.count(scenario)
        for at in range(1, n_steps + 1):
            self.meet(scenario, fault, at)
        return n_steps

    def count(self, scenario: Scenario) -> int:
        """How many steps the command takes."""
        self._reset(scenario)
        counted = self.folder / "counted"

        def work() -> int:
            steps = Steps(self.store.folder, "none", 0)
            steps.watch()
            status = main(scenario.arguments)
            n_steps = steps.count
            counted.write_text(str(n_steps))
            return status

        assert in_child(work, self.output) == 0, self.output.read_text()
        return int(counted.read_text())

    def meet(self, scenario: Scenario, fault: str, at: int) -> None:
        """One process, one fault at step `at`, and what must be true afterwards."""
        self._reset(scenario)
        left_before = set(self._leftovers())

        def work() -> int:
            Steps(self.store.folder, fault, at).watch()
            return main(scenario.arguments)

        ended, told = in_child(work, self.output), self.output.read_text()
        where = f"{scenario.arguments[:2]} {fault} at step {at}: {told}"
        if fault == "SIGKILL":
            assert os.WIFSIGNALED(ended), where
        else:
            assert os.waitstatus_to_exitcode(ended) in (0, 1), where
            assert os.waitstatus_to_exitcode(ended) == 0 or told.strip().splitlines()[-1].startswith("matinee: "), where
            assert "Traceback" not in told, where
        if fault == "ENOSPC":
            assert set(self._leftovers()) <= left_before, where
        self._prove_sound(scenario, where)
        assert in_child(lambda: main(scenario.arguments), self.output) == 0, f"{where}\n{self.output.read_text()}"
        self._prove_sound(scenario, where)
        assert self._leftovers() == [], where

    def _reset(self, scenario: Scenario) -> None:
        shutil.rmtree(self.store.folder, ignore_errors=True)
        if scenario.before.exists():
            shutil.copytree(scenario.before, self.store.folder)

    def _leftovers(self) -> list[str]:
        return [str(path) for path in self.store.folder.glob("**/.*")]

    def _prove_sound(self, scenario: Scenario, where: str) -> None:
        """What is current is whole and one of the expected; so is every version; what is half-made can't be reached."""
        current = self.store.current()
        content = self.store.open_current().manifest["embeddings_sha256"] if current else None
        assert content in scenario.contents, where
        for version in self.store.versions():
            self.store.verify(version)
        for leftover in map(Path, self._leftovers()):
            try:
                self.store.path(leftover.name)
            except UnknownVersionError:
                continue
            raise AssertionError(f"{leftover.name} can be opened after {where}")


def scenarios(folder: Path) -> dict[str, Scenario]:
    """Each command that changes a store, on stores that it can do something to."""
    models: list[Embeddings] = [written_embeddings(folder / f"embeddings{seed}", seed) for seed in range(3)]
    hashes = [model.content_sha256 for model in models]
    empty, one, three = (Store(folder / name) for name in ("empty", "one", "three"))
    publish = ["index", str(folder / "embeddings2"), str(folder / "store"), "--json"]
    _publish_all(one, folder, 1)
    _leave_behind(one)
    _publish_all(three, folder, 3)
    newest, oldest = three.versions()[-1], three.versions()[0]
    assert read_bundle_manifest(three.path(newest))["embeddings_sha256"] == hashes[2]
    on_store = str(folder / "store")
    return {
        "index, first": Scenario(publish, empty.folder, {None, hashes[2]}),
        "index, second": Scenario(publish, one.folder, {hashes[0], hashes[2]}),
        "activate": Scenario(["store", "activate", on_store, oldest], three.folder, {hashes[2], hashes[0]}),
        "rollback": Scenario(["store", "rollback", on_store], three.folder, set(hashes)),
        "prune": Scenario(["store", "prune", on_store, "--keep", "1"], three.folder, {hashes[2]}),
    }


def _publish_all(store: Store, folder: Path, n_versions: int) -> None:
    for seed in range(n_versions):
        status = main(["index", str(folder / f"embeddings{seed}"), str(store.folder), "--json"])
        assert status == 0


def _leave_behind(store: Store) -> None:
    """What killed processes could have left."""
    version = published(store, seed=9, activate=False)
    store.path(version).rename(store.folder / "versions" / f".{version}.removed")
    draft = store.folder / "versions" / ".bundle.abc.draft"
    draft.mkdir()
    (draft / "user_ids.npy").write_bytes(b"\x93NUM")
    (store.folder / ".CURRENT.draft").write_text("2026")


def _no_wait(fd: object) -> None:
    """Sync nothing: a killed process loses nothing that it has written, so the step matters but not the waiting."""


if __name__ == "__main__":
    faiss.omp_set_num_threads(1)
    # Collecting would write to every page that the processes share.
    gc.freeze()
    gc.disable()
    os.fsync = _no_wait
    place, fault = Path(sys.argv[1]), sys.argv[2]
    standard_output = os.dup(1)
    os.dup2(2, 1)
    points = {name: Range(place).run(scenario, fault) for name, scenario in scenarios(place).items()}
    os.write(standard_output, json.dumps(points).encode())
