"""The store: a folder of bundles, of which one is current.

    store/versions/<version>/…   immutable
    store/CURRENT                the version that is served, replaced in one step
    store/HISTORY                those that were served before it, replaced in one step
    store/lock                   held by the one process that changes the store

Reading takes no lock. A kill at any moment leaves what was current served; what a killed process began is cleared away
by the next one that changes the store.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from indexer.bundle import Bundle, open_bundle, read_bundle_manifest
from indexer.current import CURRENT, draft_of, read_current, write_current
from indexer.errors import (
    BundleError,
    CurrentError,
    EmptyStoreError,
    StoreError,
    StoreWriteError,
    UnknownVersionError,
)
from indexer.history import HISTORY, left_of, read_history, write_history
from indexer.lock import alone, is_leased, unread
from indexer.proof import Prove
from indexer.versions import content_prefix, is_version, next_version
from training.artefact import MANIFEST, Manifest, draft_beside, place, sync

_DRAFT, _REMOVED = ".draft", ".removed"
Check = Callable[[Bundle | None, Bundle], object]
"""Told of what is current, if anything is, and of what is to be published; raises what stops it."""


@dataclass(frozen=True)
class Store:
    """A folder of versions; it need not exist until the first is published."""

    folder: Path
    wait_s: float = 0.0
    """How long to wait for another process that is changing the store before StoreBusyError."""
    prove: Prove | None = None
    """What reads a version through before it is opened; this process does where it is None."""

    def current(self) -> str | None:
        """The version that is served, or None where nothing is. Raises CurrentError where CURRENT is damaged."""
        return read_current(self.folder)

    def versions(self) -> list[str]:
        """Every version, oldest first."""
        if not self._versions.is_dir():
            return []
        return sorted(entry.name for entry in self._versions.iterdir() if is_version(entry.name) and entry.is_dir())

    def path(self, version: str) -> Path:
        """The folder of `version`. Raises UnknownVersionError where the store has none of that name."""
        if not is_version(version) or not (self._versions / version).is_dir():
            raise UnknownVersionError(self.folder, version)
        return self._versions / version

    def manifest(self, version: str) -> Manifest:
        """The manifest of `version`, proved whole and its own. Raises BundleError where it is not."""
        path = self.path(version)
        manifest = read_bundle_manifest(path)
        _check_name(path, manifest)
        return manifest

    def open(self, version: str) -> Bundle:
        """The bundle of `version`, every checksum verified. Raises BundleError where one does not fit."""
        bundle = open_bundle(self.path(version), self.prove)
        _check_name(bundle.folder, bundle.manifest)
        return bundle

    def open_current(self) -> Bundle:
        """The bundle that is served, every checksum verified.

        Raises EmptyStoreError where nothing was published, CurrentError where CURRENT is damaged, and BundleError.
        """
        version = self._current()
        while True:
            try:
                return self.open(version)
            except (BundleError, UnknownVersionError):
                # It may have been replaced and pruned since CURRENT was read.
                asked, version = version, self._current()
                if version == asked:
                    raise

    def verify(self, version: str) -> None:
        """Prove every checksum of `version`. Raises BundleError where one does not fit."""
        self.open(version)

    def is_open(self, version: str) -> bool | None:
        """Whether a process has `version` open; None where the system can't tell. Nobody notices the question."""
        return is_leased(self.path(version) / MANIFEST)

    def publish(self, fill: Callable[[Path], object], *, activate: bool = True, check: Check | None = None) -> str:
        """Add the bundle that `fill` writes into the empty folder that it is given; the new version, then current.

        What `fill` or `check` raises goes through, and leaves the store as it was; so does StoreWriteError.
        """
        with self._changing(create=True):
            with draft_beside(self._versions / "bundle") as draft:
                fill(draft)
                sealed = open_bundle(draft)
                if check is not None:
                    check(self.open_current() if self.current() else None, sealed)
                newest = max(self.versions(), default=None)
                version = next_version(newest, sealed.manifest["content_sha256"], datetime.now(UTC))
                place(draft, self._versions / version)
            if activate:
                self._flip(version)
        return version

    def adopt(self, version: str, fill: Callable[[Path], object]) -> None:
        """Add `version`, which another store has, as `fill` writes it; a damaged one of that name is replaced.

        What `fill` raises goes through, and leaves the store as it was; so does BundleError where it is another's.
        """
        with self._changing(create=True), draft_beside(self._versions / "bundle") as draft:
            fill(draft)
            sealed = open_bundle(draft, self.prove)
            if not sealed.manifest["content_sha256"].startswith(content_prefix(version)):
                raise BundleError(f"{version}: what is there has the content of another version")
            place(draft, self._versions / version)

    def activate(self, version: str) -> None:
        """Make `version` the one that is served, after every checksum was verified."""
        self.path(version)
        with self._changing():
            self.open(version)
            self._flip(version)

    def rollback(self) -> tuple[str, str]:
        """Make the version current that was so before the current one: (what was, what is).

        Raises StoreError where none is left.
        """
        with self._changing():
            was = self._current()
            earlier = self._earlier(was)
            if not earlier:
                raise StoreError(
                    f"{self.folder}: no version that was current before {was} is left; choose one with: matinee store"
                    f" list {self.folder}, and make it current with: matinee store activate {self.folder} VERSION"
                )
            *before, version = earlier
            self.open(version)
            write_current(self.folder, version)
            # It is done. A history that still ends in what is current is read without that.
            with suppress(OSError):
                write_history(self.folder, before)
        return was, version

    def prune(self, keep: int) -> tuple[list[str], list[str]]:
        """Remove all but the `keep` newest versions, never what is current or open in a process.

        What `rollback` goes back to stays too, unless `keep` is 1. Returns the versions removed, and those that stayed
        only because a process has them open.
        """
        removed: list[str] = []
        in_use: list[str] = []
        with self._changing():
            current = self._current()
            kept = {current, *(self._earlier(current)[-1:] if keep > 1 else [])}
            for version in self.versions()[: -keep or None]:
                if version not in kept:
                    (removed if self._remove(version) else in_use).append(version)
        return removed, in_use

    @property
    def _versions(self) -> Path:
        return self.folder / "versions"

    def _current(self) -> str:
        version = self.current()
        if version is None:
            raise EmptyStoreError(self.folder)
        return version

    def _flip(self, version: str) -> None:
        """Make `version` current, and what was so the one to roll back to."""
        # Where CURRENT is damaged nobody knows what was current, and the history stays as it is.
        with suppress(CurrentError):
            was = self.current()
            if was != version:
                write_history(self.folder, [*self._earlier(was), was] if was else [])
        write_current(self.folder, version)

    def _earlier(self, current: str) -> list[str]:
        """What was current before `current` and is still there, the latest last."""
        versions, history = self.versions(), read_history(self.folder)
        if history is None:
            # Of a store that is older than its history: what was published before it.
            return [version for version in versions if version < current]
        return left_of(history, current, versions)

    def _remove(self, version: str) -> bool:
        """Remove `version` if no process has it open; whether it did. Once it is renamed, nobody can open it."""
        path, grave = self._versions / version, self._versions / f".{version}{_REMOVED}"
        with unread(path / MANIFEST) as alone_with_it:
            if alone_with_it:
                path.rename(grave)
                sync(self._versions)
        if alone_with_it:
            # With nothing in it open any more: NFS keeps what is open under another name, in the folder.
            shutil.rmtree(grave)
        return alone_with_it

    @contextmanager
    def _changing(self, *, create: bool = False) -> Iterator[None]:
        """Alone in the store, with what killed processes left cleared away; an OSError becomes one sentence."""
        try:
            self._prepare(create)
            with alone(self.folder, self.wait_s):
                self._clear()
                yield
        except OSError as error:
            raise StoreWriteError(self.folder, error) from error

    def _prepare(self, create: bool) -> None:
        """Make the folders of a new store. Raises StoreError where `folder` is something else."""
        if self._versions.is_dir():
            return
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise StoreError(f"{self.folder}: is not a store, and not empty; choose another place")
        if not create:
            raise EmptyStoreError(self.folder)
        self._versions.mkdir(parents=True, exist_ok=True)
        sync(self.folder)
        sync(self.folder.parent)

    def _clear(self) -> None:
        for name in (CURRENT, HISTORY):
            draft_of(self.folder / name).unlink(missing_ok=True)
        for entry in self._versions.iterdir():
            if entry.name.startswith(".") and entry.name.endswith((_DRAFT, _REMOVED)):
                shutil.rmtree(entry)


def _check_name(path: Path, manifest: Mapping[str, Any]) -> None:
    if not manifest["content_sha256"].startswith(content_prefix(path.name)):
        raise BundleError(f"{path}: holds the content of another version; copy the right one there again")
