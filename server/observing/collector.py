"""What all server processes count, as Prometheus reads it: counts are added up, what is now is told of the living."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from pathlib import Path

import numpy as np
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from server.observing.families import FAMILIES, N_CELLS, REQUEST_SECONDS, Family, cell
from server.observing.pages import Board, Counts, Reading

_PAGE_BYTES = 4096


class WorkersCollector(Collector):
    """Reads every worker's file at each scrape."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterator[Metric]:
        """All metrics, each family once."""
        readings = self._board.readings()
        counts = np.sum([reading.counts for reading in readings.values()], axis=0) if readings else np.zeros(N_CELLS)
        for family in FAMILIES:
            yield _histogram(family, counts) if family.bounds else _counter(family, counts)
        yield from _by_worker(readings)
        yield from _now({worker: reading for worker, reading in readings.items() if reading.is_alive})

    def describe(self) -> Iterable[Metric]:
        """Nothing: names are not looked for among other collectors, of which there are none."""
        return ()


def _counter(family: Family, counts: Counts) -> Metric:
    metric = CounterMetricFamily(family.name, family.text, labels=family.labels)
    for labels in family.children:
        value = float(counts[cell(family, *labels)])
        # Of all codes of all methods most never come; zeros of those that matter are there from the start.
        if value or labels[-1] == "OK" or "code" not in family.labels:
            metric.add_metric(labels, value)
    return metric


def _histogram(family: Family, counts: Counts) -> Metric:
    metric = HistogramMetricFamily(family.name, family.text, labels=family.labels)
    bounds = [*map(str, family.bounds), "+Inf"]
    for labels in family.children:
        start = cell(family, *labels)
        *buckets, total = counts[start : start + family.n_cells].tolist()
        metric.add_metric(labels, list(zip(bounds, accumulate(buckets), strict=True)), total)
    return metric


def _by_worker(readings: Mapping[int, Reading]) -> Iterator[Metric]:
    calls = CounterMetricFamily("matinee_worker_requests", "Calls that each worker has worked on", labels=("worker",))
    restarts = CounterMetricFamily(
        "matinee_worker_restarts", "How often a worker was replaced after its end", labels=("worker",)
    )
    for worker, reading in readings.items():
        calls.add_metric([str(worker)], _n_observed(reading.counts))
        restarts.add_metric([str(worker)], reading.facts["starts"] - 1)
    yield calls
    yield restarts


def _n_observed(counts: Counts) -> float:
    starts = [cell(REQUEST_SECONDS, *labels) for labels in REQUEST_SECONDS.children]
    return float(sum(counts[start : start + REQUEST_SECONDS.n_cells - 1].sum() for start in starts))


def _now(living: Mapping[int, Reading]) -> Iterator[Metric]:
    yield GaugeMetricFamily("matinee_workers", "Server processes that run", value=len(living))
    for name, fact, text in (
        ("matinee_requests_working", "working", "Calls that are worked on, sampled four times a second"),
        ("matinee_requests_waiting", "waiting", "Calls that wait for a thread, sampled four times a second"),
    ):
        yield GaugeMetricFamily(name, text, value=sum(reading.facts[fact] for reading in living.values()))
    yield from _versions(living)
    yield from _processes(living)


def _versions(living: Mapping[int, Reading]) -> Iterator[Metric]:
    info = GaugeMetricFamily(
        "matinee_version_info", "1 for the version that a worker serves", labels=("worker", "version")
    )
    items = GaugeMetricFamily("matinee_version_items", "Items of a version that is served", labels=("version",))
    users = GaugeMetricFamily("matinee_version_users", "Users of a version that is served", labels=("version",))
    for worker, reading in living.items():
        if reading.version:
            info.add_metric([str(worker), reading.version], 1)
    for version, reading in {reading.version: reading for reading in living.values() if reading.version}.items():
        items.add_metric([version], reading.facts["n_items"])
        users.add_metric([version], reading.facts["n_users"])
    yield from (info, items, users)


def _processes(living: Mapping[int, Reading]) -> Iterator[Metric]:
    started = GaugeMetricFamily("matinee_worker_start_time_seconds", "When a worker started", labels=("worker",))
    resident = GaugeMetricFamily(
        "matinee_worker_resident_bytes", "Memory of a worker; mapped bundles count in each", labels=("worker",)
    )
    files = GaugeMetricFamily(
        "matinee_worker_open_files", "Files and connections that a worker has open", labels=("worker",)
    )
    for worker, reading in living.items():
        started.add_metric([str(worker)], reading.facts["started"])
        process = Path(f"/proc/{int(reading.facts['pid'])}")
        try:
            resident.add_metric([str(worker)], int((process / "statm").read_text().split()[1]) * _PAGE_BYTES)
            files.add_metric([str(worker)], sum(1 for _ in (process / "fd").iterdir()))
        except OSError:
            # It has just ended, or the system has no such folder.
            continue
    yield from (started, resident, files)
