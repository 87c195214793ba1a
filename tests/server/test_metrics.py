"""What is counted, by many threads and processes, and how it is served."""

import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import grpc
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from matinee.errors import UsageError
from matinee.exposition import Samples, buckets_of, parse, quantile, total
from server.errors import AddressError
from server.observing.families import FAMILIES, METHODS, N_CELLS, REQUEST_SECONDS, cell
from server.observing.listener import MetricsListener, registry_of
from server.observing.pages import Board
from server.observing.recorder import Recorder
from tests.server.hammer import wait_until

CALLER = object()


@dataclass
class Version:
    version: str
    n_items: int
    n_users: int


OK, NOT_FOUND, SHED = grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.fixture
def board() -> Iterator[Board]:
    board = Board(3)
    yield board
    board.close()
    assert not board.folder.exists()


def exposition(board: Board) -> str:
    return generate_latest(registry_of(board)).decode()


def metrics(board: Board) -> Samples:
    return parse(exposition(board))


def test_no_two_counts_share_a_cell() -> None:
    taken = [
        place
        for family in FAMILIES
        for labels in family.children
        for place in range(cell(family, *labels), cell(family, *labels) + family.n_cells)
    ]
    assert sorted(taken) == list(range(N_CELLS))


def test_buckets_tell_50_microseconds_from_50_milliseconds() -> None:
    inside = [bound for bound in REQUEST_SECONDS.bounds if 50e-6 <= bound <= 50e-3]
    assert (inside[0], inside[-1]) == (50e-6, 50e-3)
    # A quantile is wrong by no more than its bucket is wide.
    assert max(after / before for before, after in pairwise(inside)) <= 2.0


def test_calls_are_counted_by_method_and_code_and_those_that_were_shed_have_no_latency(board: Board) -> None:
    recorder = Recorder(board.path(0), n_threads=4)
    for seconds in (40e-6, 50e-6, 51e-6, 3e-3, 2.0):
        recorder.ended("Recommend", OK, seconds, CALLER)
    recorder.ended("Recommend", NOT_FOUND, 1e-3, CALLER)
    recorder.ended("SimilarItems", SHED, 0.0, None)
    recorder.ended("SimilarItems", grpc.StatusCode.UNAUTHENTICATED, 0.0, None)
    recorder.ended("NoSuchMethod", OK, 1.0, CALLER)
    seen = metrics(board)
    assert total(seen, "matinee_requests_total") == 8
    assert total(seen, "matinee_requests_total", method="Recommend", code="OK") == 5
    assert total(seen, "matinee_requests_total", method="Recommend", code="NOT_FOUND") == 1
    assert total(seen, "matinee_shed_total", method="SimilarItems") == 1
    assert total(seen, "matinee_request_seconds_count", method="SimilarItems") == 0
    # A bound is part of its bucket.
    assert total(seen, "matinee_request_seconds_bucket", method="Recommend", le="5e-05") == 2
    assert total(seen, "matinee_request_seconds_bucket", method="Recommend", le="1.0") == 5
    assert total(seen, "matinee_request_seconds_bucket", method="Recommend", le="+Inf") == 6
    assert total(seen, "matinee_request_seconds_sum", method="Recommend") == pytest.approx(2.004141)
    assert quantile(buckets_of(seen, "matinee_request_seconds", method="Recommend"), 0.5) == pytest.approx(75e-6)


def test_it_is_prometheus_format_with_a_help_for_each_metric(board: Board) -> None:
    Recorder(board.path(0), 4).swapped(Version('odd "version"\\', 3, 4), 0.1)
    families = list(text_string_to_metric_families(exposition(board)))
    assert len({family.name for family in families}) == len(families)
    assert all(family.documentation and family.name.startswith("matinee_") for family in families)
    version = next(family for family in families if family.name == "matinee_version_info")
    assert version.samples[0].labels == {"worker": "0", "version": 'odd "version"\\'}
    assert dict(next(iter(metrics(board)["matinee_version_info"])))["version"] == 'odd "version"\\'


def test_no_count_is_lost_between_threads(board: Board) -> None:
    recorder = Recorder(board.path(0), n_threads=8)

    def count() -> None:
        for _ in range(2_000):
            recorder.ended("Recommend", OK, 1e-3, CALLER)

    # More threads than pages, a few at a time: a page is used again when its thread has ended.
    for _ in range(4):
        threads = [threading.Thread(target=count) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert total(metrics(board), "matinee_requests_total") == 4 * 6 * 2_000


# A server process that counts, says so by what it serves, and goes on until it is killed.
WORK = """
import sys
from pathlib import Path
from types import SimpleNamespace
import grpc
from server.observing.recorder import Recorder

path, n_calls, version = sys.argv[1:]
recorder = Recorder(Path(path), n_threads=4)
for _ in range(int(n_calls)):
    recorder.ended("Recommend", grpc.StatusCode.OK, 1e-3, True)
recorder.watch_load(lambda: (2, 3))
recorder.swapped(SimpleNamespace(version=version, n_items=100, n_users=10), 0.5)
sys.stdin.read()
"""


def start(path: Path, n_calls: int, version: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", WORK, path, str(n_calls), version], stdin=subprocess.PIPE)


def test_workers_are_added_up_and_a_killed_ones_counts_stay_while_its_gauges_vanish(board: Board) -> None:
    processes = [start(board.path(0), 10, "v1"), start(board.path(1), 20, "v2")]
    try:
        wait_until(lambda: total(metrics(board), "matinee_requests_waiting") == 6)
        seen = metrics(board)
        assert total(seen, "matinee_requests_total", method="Recommend", code="OK") == 30
        assert total(seen, "matinee_requests_working") == 4
        assert total(seen, "matinee_workers") == 2
        assert total(seen, "matinee_swaps_total", result="loaded") == 2
        assert total(seen, "matinee_version_info", worker="0", version="v1") == 1
        assert total(seen, "matinee_version_info", worker="1", version="v2") == 1
        assert total(seen, "matinee_version_items", version="v1") == 100
        assert total(seen, "matinee_worker_requests_total", worker="1") == 20
        assert total(seen, "matinee_worker_resident_bytes", worker="1") > 1 << 20
        processes[1].kill()
        processes[1].wait()
        seen = metrics(board)
        assert total(seen, "matinee_requests_total") == 30
        assert total(seen, "matinee_worker_requests_total", worker="1") == 20
        assert (total(seen, "matinee_workers"), total(seen, "matinee_requests_working")) == (1, 2)
        assert "v2" not in exposition(board)
        # Who takes its place counts on.
        processes.append(start(board.path(1), 5, "v3"))
        wait_until(lambda: total(metrics(board), "matinee_version_info", version="v3") == 1)
        seen = metrics(board)
        assert total(seen, "matinee_requests_total") == 35
        assert total(seen, "matinee_worker_restarts_total", worker="1") == 1
        assert total(seen, "matinee_worker_restarts_total", worker="0") == 0
        assert (total(seen, "matinee_workers"), total(seen, "matinee_version_info", version="v2")) == (2, 0)
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_a_closed_recorder_is_gone_though_its_process_lives(board: Board) -> None:
    recorder = Recorder(board.path(0), 4)
    recorder.refused()
    assert total(metrics(board), "matinee_workers") == 1
    recorder.close()
    seen = metrics(board)
    assert (total(seen, "matinee_workers"), total(seen, "matinee_swaps_total", result="refused")) == (0, 1)


def test_every_method_of_the_schema_is_there_from_the_start(board: Board) -> None:
    seen = metrics(board)
    assert [total(seen, "matinee_requests_total", method=method, code="OK") for method in METHODS] == [0] * 6
    assert len(seen["matinee_requests_total"]) == 6


def test_the_folder_is_nobody_elses(board: Board) -> None:
    Recorder(board.path(0), 4)
    assert board.folder.stat().st_mode & 0o077 == 0
    assert board.path(0).stat().st_mode & 0o077 == 0


def n_open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_counting_holds_one_file_open_however_many_threads_count(board: Board) -> None:
    before = n_open_files()
    recorder = Recorder(board.path(0), n_threads=64)
    threads = [threading.Thread(target=recorder.refused) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The file, and the mapping's own.
    assert n_open_files() <= before + 2


def test_one_listener_serves_them_until_it_is_closed(board: Board) -> None:
    listener = MetricsListener(board, "127.0.0.1:0")
    Recorder(board.path(2), 4).refused()
    with urllib.request.urlopen(f"http://{listener.address}/metrics", timeout=30) as response:
        assert response.headers["Content-Type"].startswith("text/plain")
        assert total(parse(response.read().decode()), "matinee_swaps_total", result="refused") == 1
    with pytest.raises(AddressError, match=rf"{listener.address}: Address already in use; .* --metrics-address"):
        MetricsListener(board, str(listener.address))
    listener.close()
    MetricsListener(board, str(listener.address)).close()


@pytest.mark.parametrize("address", ["unix:/tmp/socket", "9464", "127.0.0.1:port"])
def test_a_metrics_address_that_is_none_is_wrong_usage(board: Board, address: str) -> None:
    with pytest.raises(UsageError, match="--metrics-address is"):
        MetricsListener(board, address)
