"""The methods of `matinee.v1.Admin`: as the Recommender's, functions that raise RequestError."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from indexer.errors import BundleError, IndexerError, StoreError, UnknownVersionError
from indexer.places import AnyStore
from indexer.versions import published_at
from matinee.v1 import admin_pb2 as pb
from server.checks import checked_id
from server.errors import NoSuchVersionError, StoreRefusedError
from server.workers.report import State, WorkerStatus

_STATES = {
    State.STARTING: pb.WORKER_STATE_STARTING,
    State.SERVING: pb.WORKER_STATE_SERVING,
    State.EMPTY: pb.WORKER_STATE_EMPTY,
    State.ENDED: pb.WORKER_STATE_ENDED,
}


class Fleet(Protocol):
    """The server processes: one, or several under a supervisor."""

    def statuses(self) -> Sequence[WorkerStatus]:
        """Every process."""

    def look_now(self) -> None:
        """Let each look for a new version at once; returns when they have."""


class Admin:
    """Tells of `fleet`, and changes what is current in `store`, which it follows."""

    def __init__(self, fleet: Fleet, store: AnyStore) -> None:
        self._fleet = fleet
        self._store = store

    def Status(self, _: pb.StatusRequest) -> pb.StatusResponse:  # noqa: N802  the schema's name
        """Every server process and what it serves."""
        return pb.StatusResponse(workers=self._workers(), current_version=self._current())

    def ListVersions(self, _: pb.ListVersionsRequest) -> pb.ListVersionsResponse:  # noqa: N802  the schema's name
        """The versions in the store."""
        current = self._current()
        with _refusing():
            versions = self._store.versions()
        return pb.ListVersionsResponse(versions=[self._version(version, current) for version in versions])

    def Activate(self, request: pb.ActivateRequest) -> pb.ActivateResponse:  # noqa: N802  the schema's name
        """Make a version current and let every process try it."""
        version = checked_id("version", request.version)
        was = self._current()
        with _refusing():
            self._store.activate(version)
        return pb.ActivateResponse(workers=self._after_a_look(), was=was)

    def Rollback(self, _: pb.RollbackRequest) -> pb.RollbackResponse:  # noqa: N802  the schema's name
        """Go back to the version before and let every process try it."""
        with _refusing():
            was, current = self._store.rollback()
        return pb.RollbackResponse(workers=self._after_a_look(), was=was, current_version=current)

    def Reload(self, _: pb.ReloadRequest) -> pb.ReloadResponse:  # noqa: N802  the schema's name
        """Let every process look at the store now."""
        return pb.ReloadResponse(workers=self._after_a_look())

    def _after_a_look(self) -> list[pb.Worker]:
        self._fleet.look_now()
        return self._workers()

    def _workers(self) -> list[pb.Worker]:
        return [_worker(status) for status in self._fleet.statuses()]

    def _current(self) -> str:
        try:
            return self._store.current() or ""
        except (IndexerError, OSError):
            # Damaged, or not to be reached: the workers' own words say it better.
            return ""

    def _version(self, version: str, current: str) -> pb.Version:
        told = pb.Version(
            version=version, published_unix_s=int(published_at(version).timestamp()), is_current=version == current
        )
        try:
            manifest = self._store.manifest(version)
        except (BundleError, StoreError, OSError) as error:
            told.error = str(error)
            return told
        told.n_users, told.n_items = manifest["n_users"], manifest["n_items"]
        told.bytes, told.index_key = manifest["bytes"], manifest["index_key"]
        return told


def _worker(status: WorkerStatus) -> pb.Worker:
    report = status.report
    return pb.Worker(
        number=status.number,
        pid=status.pid,
        state=_STATES[status.state],
        version=report.version or "",
        refused_version=report.refused_version or "",
        refusal=report.reason,
        uptime_s=status.uptime_s,
        restarts=status.restarts,
    )


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except UnknownVersionError as error:
        raise NoSuchVersionError(str(error)) from error
    except (IndexerError, OSError) as error:
        raise StoreRefusedError(str(error)) from error
