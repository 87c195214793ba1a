"""A store in a bucket, laid out as in a folder; what is read of it goes through a verified copy in a local one.

    <url>/versions/<version>/…   immutable; there once its manifest is
    <url>/CURRENT                the version that is served, one object that is replaced
    <url>/lock/<number>          who changes the store

A kill at any moment leaves what was current served. What a killed publisher had uploaded is never listed; the next one
that changes the store removes it once it is a day old.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from indexer.bundle import Bundle, open_bundle
from indexer.current import CURRENT
from indexer.errors import BundleError, CurrentError, EmptyStoreError, RemoteError, StoreError, UnknownVersionError
from indexer.proof import Prove
from indexer.remote.backend import Patience
from indexer.remote.drafts import local_draft
from indexer.remote.lease import Lease, leased
from indexer.remote.objects import Objects
from indexer.remote.transfer import VERSIONS, commit, fetch, fetch_manifest, folder_of, upload
from indexer.store import Check, Store
from indexer.versions import is_version, next_version
from training.artefact import MANIFEST, Manifest

_ABANDONED_S = 86400.0
_CURRENT_BYTES = 100
_CACHED = 2


@dataclass(frozen=True)
class RemoteStore:
    """Versions below one URL. Every method raises RemoteError, one sentence, where the remote fails."""

    objects: Objects
    folder: Path
    """Where copies of versions are kept, and bundles are built before they are uploaded."""
    wait_s: float = 0.0
    """How long to wait for another process that is changing the store before StoreBusyError."""
    lease_s: float = 90.0
    """How long a publisher that is heard of no more keeps others out."""
    prove: Prove | None = None
    """What reads copies through before they are opened; this process does where it is None."""

    @classmethod
    def at(
        cls,
        url: str,
        folder: Path,
        wait_s: float = 0.0,
        patience: Patience | None = None,
        prove: Prove | None = None,
    ) -> "RemoteStore":
        """The store at `url`. Raises RemoteError where it is none that this program opens."""
        return cls(Objects(url, patience or Patience()), folder, wait_s, prove=prove)

    @property
    def url(self) -> str:
        """Where it is."""
        return self.objects.url

    @property
    def cache(self) -> Store:
        """The local store of copies; its CURRENT is what the remote's was when it was last looked at."""
        return Store(self.folder / "copies", self.wait_s, self.prove)

    def current(self) -> str | None:
        """The version that is served, or None where nothing is. Raises CurrentError where CURRENT is damaged."""
        raw = self.objects.read(CURRENT, _CURRENT_BYTES)
        if raw is None:
            return None
        version = raw.decode(errors="replace").removesuffix("\n")
        if not is_version(version):
            raise CurrentError(self.url, f"holds {version[:40]!r}, which is no version")
        return version

    def versions(self) -> list[str]:
        """Every version, oldest first: those that have a manifest."""
        return self._listed()[0]

    def manifest(self, version: str) -> Manifest:
        """The manifest of `version`, proved whole and its own. Raises BundleError where it is not."""
        self._check_known(version)
        with self._draft() as draft:
            return fetch_manifest(self.objects, version, draft)

    def open(self, version: str) -> Bundle:
        """The bundle of `version`, copied and every checksum verified. Raises BundleError where one does not fit."""
        self._check_known(version)
        return self.bring(version)

    def open_current(self) -> Bundle:
        """The bundle that is served, copied and verified. Raises EmptyStoreError, CurrentError and BundleError."""
        version = self._current()
        bundle = self.bring(version)
        self.follow(version)
        return bundle

    def verify(self, version: str) -> None:
        """Prove every checksum of `version` as the remote has it now, whatever was copied before."""
        self._check_known(version)
        with self._draft() as draft:
            fetch(self.objects, version, draft)
            open_bundle(draft)

    def cached(self) -> str | None:
        """What is current in the cache, or None where that can't be said."""
        try:
            return self.cache.current()
        except CurrentError:
            # What the remote says takes its place.
            return None

    def bring(self, version: str) -> Bundle:
        """The bundle of `version` in the cache, copied there unless it is there and whole."""
        try:
            return self.cache.open(version)
        except (UnknownVersionError, BundleError):
            self.cache.adopt(version, lambda draft: fetch(self.objects, version, draft))
        return self.cache.open(version)

    def follow(self, version: str) -> None:
        """Make `version`, which is there already or still on the remote, current in the cache; older copies go."""
        self.bring(version)
        if self.cached() != version:
            self.cache.activate(version)
        self.cache.prune(_CACHED)

    def is_open(self, version: str) -> bool | None:  # noqa: ARG002  # the same question as to a folder
        """None: nobody can tell who has copied a version of a bucket."""
        return None

    def publish(self, fill: Callable[[Path], object], *, activate: bool = True, check: Check | None = None) -> str:
        """Add the bundle that `fill` writes into the empty folder that it is given; the new version, then current.

        What `fill` or `check` raises goes through, and leaves the store as it was.
        """
        with self._changing() as lease, self._draft() as draft:
            fill(draft)
            sealed = open_bundle(draft)
            if check is not None:
                check(self.open_current() if self.current() else None, sealed)
            newest = max(self.versions(), default=None)
            version = next_version(newest, sealed.manifest["content_sha256"], datetime.now(UTC))
            self._upload(draft, version)
            lease.check()
            commit(self.objects, draft, version)
            if activate:
                self._flip(version, lease)
        return version

    def activate(self, version: str) -> None:
        """Make `version` the one that is served, after every checksum was verified."""
        self._check_known(version)
        with self._changing() as lease:
            self.verify(version)
            self._flip(version, lease)

    def rollback(self) -> tuple[str, str]:
        """Make the newest version that is older than the current one current: (what was, what is).

        Raises StoreError where there is none.
        """
        with self._changing() as lease:
            was = self._current()
            older = [version for version in self.versions() if version < was]
            if not older:
                raise StoreError(f"{self.url}: no version is older than {was}, which is current")
            self.verify(older[-1])
            self._flip(older[-1], lease)
        return was, older[-1]

    def prune(self, keep: int) -> tuple[list[str], list[str]]:
        """Remove all but the `keep` newest versions, never what is current: (removed, none).

        Nobody has an object of a bucket open: who is copying a version that goes begins anew with what is current.
        """
        with self._changing() as lease:
            current = self._current()
            removed = [version for version in self.versions()[: -keep or None] if version != current]
            for version in removed:
                lease.check()
                self._remove(version)
        return removed, []

    def _current(self) -> str:
        version = self.current()
        if version is None:
            raise EmptyStoreError(self.url)
        return version

    def _check_known(self, version: str) -> None:
        if not is_version(version) or f"{folder_of(version)}/{MANIFEST}" not in self.objects.sizes(folder_of(version)):
            raise UnknownVersionError(self.url, version)

    def _listed(self) -> tuple[list[str], dict[str, list[str]]]:
        """Versions, oldest first, and the objects of those that were never finished."""
        names: dict[str, list[str]] = {}
        for name in self.objects.sizes(VERSIONS):
            version = name.split("/")[1]
            if is_version(version):
                names.setdefault(version, []).append(name)
        whole = {version for version, found in names.items() if f"{folder_of(version)}/{MANIFEST}" in found}
        return sorted(whole), {version: found for version, found in names.items() if version not in whole}

    def _upload(self, draft: Path, version: str) -> None:
        try:
            upload(self.objects, draft, version)
        except BaseException:
            # The next publisher would do it, a day later.
            with suppress(RemoteError):
                self._remove(version)
            raise

    def _flip(self, version: str, lease: Lease) -> None:
        lease.check()
        self.objects.write(CURRENT, f"{version}\n".encode())

    def _remove(self, version: str) -> None:
        """Remove `version`, its manifest first: from then on it is not there."""
        names = self.objects.sizes(folder_of(version))
        for name in sorted(names, key=lambda name: not name.endswith(f"/{MANIFEST}")):
            self.objects.remove(name)

    @contextmanager
    def _changing(self) -> Iterator[Lease]:
        """Alone in the store, with what killed publishers left cleared away."""
        with leased(self.objects, self.wait_s, self.lease_s) as lease:
            for version, names in self._listed()[1].items():
                if all(self.objects.age_s(name) > _ABANDONED_S for name in names):
                    self._remove(version)
            yield lease

    def _draft(self) -> AbstractContextManager[Path]:
        return local_draft(self.folder / "drafts")
