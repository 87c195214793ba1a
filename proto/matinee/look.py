"""One look at a server: what it did between two readings of its metrics, and what it is."""

from dataclasses import dataclass

from matinee.exposition import Samples, buckets_of, less, quantile, total, values_of


@dataclass(frozen=True)
class MethodLine:
    """What one method did, or all of them, in an interval."""

    method: str
    """As in the schema, or "all"."""
    rate: float
    """Calls that ended, a second; of `--once`, all since the server began, and no rate."""
    p50_ms: float | None
    """Half of the calls were worked on no longer; None where there were none."""
    p99_ms: float | None
    """99 of 100 calls were worked on no longer."""
    errors: float
    """Calls that ended other than OK and were not shed."""
    shed: float
    """Calls that were refused unread."""
    recall: float | None
    """Of the sampled answers, since the server began; None where none was compared."""


@dataclass(frozen=True)
class WorkerLine:
    """What one server process did in an interval, and is."""

    worker: str
    """Its number."""
    rate: float
    """Calls that it worked on, a second; of `--once`, all."""
    restarts: float
    """How often it was replaced."""
    resident_mib: float
    """Its memory."""
    version: str
    """What it serves; empty where it serves nothing yet, or does not run."""


@dataclass(frozen=True)
class Look:
    """One look at a server."""

    seconds: float | None
    """How long the interval was; None where it is all since the server began."""
    working: float
    """Calls that are worked on now."""
    waiting: float
    """Calls that wait for a thread now."""
    swaps: float
    """Versions that were loaded since the server began, by all workers."""
    refused: float
    """Attempts to load one that failed."""
    methods: list[MethodLine]
    """Those that were called, and all of them together."""
    workers: list[WorkerLine]
    """Each process."""


def look(now: Samples, before: Samples | None = None, seconds: float | None = None) -> Look:
    """What happened between two readings that lie `seconds` apart, or until `now` where there is no earlier one."""
    before, per = before or {}, 1.0 / seconds if seconds else 1.0
    names = values_of(now, "matinee_request_seconds_count", "method")
    lines = [_method(now, before, per, name) for name in names]
    busy = [line for line in lines if line.rate]
    return Look(
        seconds=seconds,
        working=total(now, "matinee_requests_working"),
        waiting=total(now, "matinee_requests_waiting"),
        swaps=total(now, "matinee_swaps_total", result="loaded"),
        refused=total(now, "matinee_swaps_total", result="refused"),
        methods=[*busy, _method(now, before, per, None)],
        workers=[_worker(now, before, per, worker) for worker in _workers(now)],
    )


def _method(now: Samples, before: Samples, per: float, name: str | None) -> MethodLine:
    labels = {} if name is None else {"method": name}
    ended = _grown(now, before, "matinee_requests_total", **labels)
    shed = _grown(now, before, "matinee_shed_total", **labels)
    histogram = "matinee_request_seconds"
    buckets = less(buckets_of(now, histogram, **labels), buckets_of(before, histogram, **labels))
    return MethodLine(
        method=name or "all",
        rate=ended * per,
        p50_ms=_ms(quantile(buckets, 0.5)),
        p99_ms=_ms(quantile(buckets, 0.99)),
        errors=ended - _grown(now, before, "matinee_requests_total", code="OK", **labels) - shed,
        shed=shed,
        recall=_recall(now, labels),
    )


def _worker(now: Samples, before: Samples, per: float, worker: str) -> WorkerLine:
    versions = [dict(labels) for labels in now.get("matinee_version_info", {})]
    return WorkerLine(
        worker=worker,
        rate=_grown(now, before, "matinee_worker_requests_total", worker=worker) * per,
        restarts=total(now, "matinee_worker_restarts_total", worker=worker),
        resident_mib=total(now, "matinee_worker_resident_bytes", worker=worker) / 2**20,
        version=next((labels["version"] for labels in versions if labels["worker"] == worker), ""),
    )


def _workers(now: Samples) -> list[str]:
    return sorted(values_of(now, "matinee_worker_requests_total", "worker"), key=int)


def _grown(now: Samples, before: Samples, name: str, **labels: str) -> float:
    later, earlier = total(now, name, **labels), total(before, name, **labels)
    # A server that began anew counts from 0.
    return later - earlier if later >= earlier else later


def _recall(now: Samples, labels: dict[str, str]) -> float | None:
    expected = total(now, "matinee_shadow_expected_total", **labels)
    return total(now, "matinee_shadow_found_total", **labels) / expected if expected else None


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else 1e3 * seconds
