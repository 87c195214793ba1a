"""What is known of each worker."""

from dataclasses import dataclass
from enum import Enum

from server.watcher import Refusal


@dataclass(frozen=True)
class Report:
    """What a worker tells of itself."""

    version: str | None
    """What it serves; None where nothing yet."""
    refused_version: str | None = None
    """What is current and was refused."""
    reason: str = ""
    """Why it was refused; empty where nothing was."""
    n_looks: int = 0
    """How many of the looks that it was asked for are done."""


class State(Enum):
    """Where a worker stands."""

    STARTING = "starting"
    SERVING = "serving"
    EMPTY = "nothing to serve yet"
    ENDED = "ended; another is about to start"


@dataclass(frozen=True)
class WorkerStatus:
    """One worker, as the supervisor sees it."""

    number: int
    pid: int
    state: State
    report: Report
    uptime_s: float
    """Since this process was started."""
    restarts: int
    """How often this worker was replaced."""


def report_of(version: str | None, refusal: Refusal | None, n_looks: int = 0) -> Report:
    """What is to be told of a server."""
    if refusal is None:
        return Report(version, n_looks=n_looks)
    return Report(version, refusal.version, refusal.reason, n_looks)


def state_of(report: Report) -> State:
    """Where a worker that has told this stands."""
    return State.EMPTY if report.version is None else State.SERVING
