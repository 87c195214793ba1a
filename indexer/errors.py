"""What goes wrong in this room.

IndexerError (a MatineeError)
├── BundleError               a bundle is missing, damaged, foreign, or does not fit together
├── IndexGateError            the index finds too few of the true top items: nothing is published
├── PublishGateError          the new version moved too far from the current one: nothing is published
├── IndexSizeError            no index is small enough
├── IndexKeyError             an index key that this program does not know, or that does not suit the vectors
└── StoreError                the store can't do what was asked
    ├── EmptyStoreError       nothing was published there yet
    ├── CurrentError          CURRENT is damaged, or names a version that is not there
    ├── UnknownVersionError   there is no such version
    ├── StoreBusyError        another process is changing the store
    ├── StoreWriteError       the disk is full, the folder is read-only, …
    ├── DamagedVersionsError  some versions do not pass their checksums
    └── RemoteError           a store in a bucket can't be reached, or refuses
        └── MissingBackendError  what opens its URL is not installed
"""

from collections.abc import Mapping
from pathlib import Path

from matinee.errors import MatineeError


class IndexerError(MatineeError):
    """Any failure of this room."""


class BundleError(IndexerError):
    """A bundle is missing, damaged, foreign, of another format version, or does not fit together."""


class IndexGateError(IndexerError):
    """The index finds too few of the true top items."""

    def __init__(self, name: str, index_key: str, recall: float, target: float) -> None:
        super().__init__(
            f"{name}: finds too few of the true top items: recall@10 is {recall:.4f} with {index_key}, the"
            f" target {target:g}; nothing was published; choose another --index-key, lower --target-recall, or publish"
            " it all the same with --allow-low-recall"
        )


class PublishGateError(IndexerError):
    """A gate did not let a new version through: it is too far from the current one, or that can't be told."""

    def __init__(self, why: str, what_to_do: str) -> None:
        super().__init__(f"{why}; nothing was published, what is current stays served; {what_to_do}")


class IndexSizeError(IndexerError):
    """No index is small enough."""

    def __init__(self, name: str, smallest: int, limit: int) -> None:
        super().__init__(
            f"{name}: the smallest index has about {smallest} bytes, --max-bytes allows {limit}; nothing was published;"
            " raise --max-bytes or train with a smaller --dim"
        )


class IndexKeyError(IndexerError):
    """An index key that this program does not know, or that does not suit the vectors."""

    def __init__(self, what: str) -> None:
        super().__init__(f"index_key {what}")


class StoreError(IndexerError):
    """The store can't do what was asked."""


class EmptyStoreError(StoreError):
    """Nothing was published in the store yet."""

    def __init__(self, store: Path | str) -> None:
        super().__init__(f"{store}: nothing is published there yet; publish with: matinee index EMBEDDINGS {store}")


class CurrentError(StoreError):
    """CURRENT is damaged, or names a version that is not there."""

    def __init__(self, store: Path | str, what: str) -> None:
        super().__init__(f"{store}/CURRENT: {what}; repair it with: matinee store activate {store} VERSION")


class UnknownVersionError(StoreError):
    """The store holds no such version."""

    def __init__(self, store: Path | str, version: str) -> None:
        super().__init__(f"{store}: has no version {version!r}; see: matinee store list {store}")


class StoreBusyError(StoreError):
    """Another process is changing the store."""

    def __init__(self, store: Path | str, holder: str) -> None:
        super().__init__(f"{store}: {holder} is changing it; try again when that is done, or wait with --wait-s")


class StoreWriteError(StoreError):
    """The disk is full, the folder is read-only, or the like."""

    def __init__(self, store: Path | str, error: OSError) -> None:
        where = error.filename or store
        super().__init__(
            f"{where}: {error.strerror or error}; nothing half-made was left, and what is current stays served;"
            " put that right and run the command again"
        )


class DamagedVersionsError(StoreError):
    """Some versions do not pass their checksums."""

    def __init__(self, store: Path | str, damage: Mapping[str, str]) -> None:
        told = "; ".join(f"{version}: {what}" for version, what in damage.items())
        super().__init__(f"{store}: damaged, so not to be activated: {told}")


class RemoteError(StoreError):
    """A store in a bucket can't be reached, or refuses, or is not what was written."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}")


class MissingBackendError(RemoteError):
    """What opens its URL is not installed."""

    def __init__(self, url: str, module: str, extra: str) -> None:
        super().__init__(url, f"needs {module}, which is not installed; pip install 'matinee[{extra}]'")
