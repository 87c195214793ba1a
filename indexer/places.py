"""What STORE on the command line can be: a folder, or the URL of a store in a bucket."""

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from indexer.bundle import Bundle
from indexer.store import Check, Store
from training.artefact import Manifest


class AnyStore(Protocol):
    """What can be done to a store, wherever it is; `indexer.store.Store` says it in full."""

    def current(self) -> str | None:
        """The version that is served, or None."""

    def versions(self) -> list[str]:
        """Every version, oldest first."""

    def manifest(self, version: str) -> Manifest:
        """The manifest of `version`, proved whole and its own."""

    def open(self, version: str) -> Bundle:
        """The bundle of `version`, every checksum verified."""

    def open_current(self) -> Bundle:
        """The bundle that is served, every checksum verified."""

    def verify(self, version: str) -> None:
        """Prove every checksum of `version`."""

    def publish(self, fill: Callable[[Path], object], *, activate: bool = True, check: Check | None = None) -> str:
        """Add the bundle that `fill` writes, unless `check` refuses it; the new version."""

    def is_open(self, version: str) -> bool | None:
        """Whether a process has `version` open; None where that can't be said."""

    def activate(self, version: str) -> None:
        """Make `version` the one that is served."""

    def rollback(self) -> tuple[str, str]:
        """Make what was current before current again: (what was, what is)."""

    def prune(self, keep: int) -> tuple[list[str], list[str]]:
        """Remove all but the `keep` newest and the current one: (removed, in use)."""


def is_url(place: str) -> bool:
    """Whether `place` is the URL of a store in a bucket, not a folder."""
    return "://" in place


def store_at(place: str, wait_s: float = 0.0, cache: Path | None = None) -> AnyStore:
    """The store at `place`; a remote one keeps copies below the folder `cache`.

    Raises RemoteError where the URL is none that this program opens, or what opens it is not installed.
    """
    if not is_url(place):
        return Store(Path(place), wait_s)
    # Only where it is needed: a plain folder works without fsspec.
    from indexer.remote.store import RemoteStore

    return RemoteStore.at(place, cache_of(place, cache), wait_s)


def cache_of(url: str, cache: Path | None = None) -> Path:
    """The folder for copies of the store at `url`, one for each URL, below `cache` or the user's own cache folder."""
    if cache is None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "matinee"
    url = url.rstrip("/")
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", url)[:60]
    return cache / f"{readable}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"
