"""`matinee top`, over metrics that a small HTTP server tells."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from matinee.exposition import ExpositionError, less, parse, quantile, total
from matinee.look import look

TIMEOUT_S = 60


def exposition(n_calls: int, n_shed: int = 0, seconds: str = "0.0005", version: str = "v1") -> str:
    """What a server tells that had so many calls, all within a bucket."""
    return f"""\
# HELP matinee_requests_total Calls
# TYPE matinee_requests_total counter
matinee_requests_total{{code="OK",method="Recommend"}} {n_calls - n_shed}.0
matinee_requests_total{{code="RESOURCE_EXHAUSTED",method="Recommend"}} {n_shed}.0
matinee_requests_total{{code="NOT_FOUND",method="Recommend"}} 1.0
matinee_requests_total{{code="OK",method="SimilarItems"}} 0.0
matinee_request_seconds_bucket{{le="0.00025",method="Recommend"}} 0.0
matinee_request_seconds_bucket{{le="{seconds}",method="Recommend"}} {n_calls}.0
matinee_request_seconds_bucket{{le="+Inf",method="Recommend"}} {n_calls}.0
matinee_request_seconds_count{{method="Recommend"}} {n_calls}.0
matinee_request_seconds_sum{{method="Recommend"}} 1e-05
matinee_shed_total{{method="Recommend"}} {n_shed}.0
matinee_shadow_expected_total{{method="Recommend"}} 200.0
matinee_shadow_found_total{{method="Recommend"}} 199.0
matinee_worker_requests_total{{worker="0"}} {n_calls}.0
matinee_worker_restarts_total{{worker="0"}} 2.0
matinee_worker_resident_bytes{{worker="0"}} 1.048576e+08
matinee_version_info{{version="{version}",worker="0"}} 1.0
matinee_requests_working 3.0
matinee_requests_waiting 4.0
matinee_swaps_total{{result="loaded"}} 5.0
matinee_swaps_total{{result="refused"}} 1.0
"""


@contextmanager
def telling(*texts: str) -> Iterator[str]:
    """An address that tells each text once, and the last one from then on."""
    left = list(texts)

    class Tell(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write((left.pop(0) if len(left) > 1 else left[0]).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  http.server's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Tell)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "matinee", "top", *arguments]


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def test_a_rate_is_what_came_between_two_readings() -> None:
    seen = look(parse(exposition(300, n_shed=100)), parse(exposition(100)), seconds=2.0)
    recommend, everything = seen.methods
    assert (recommend.method, everything.method) == ("Recommend", "all")
    assert recommend.rate == 100.0
    assert (recommend.shed, recommend.errors) == (100.0, 0.0)
    assert recommend.p50_ms == pytest.approx(0.375)
    assert recommend.recall == 0.995
    assert (seen.working, seen.waiting, seen.swaps, seen.refused) == (3, 4, 5, 1)
    (worker,) = seen.workers
    assert (worker.rate, worker.restarts, worker.resident_mib, worker.version) == (100.0, 2, 100.0, "v1")


def test_a_server_that_began_anew_counts_from_zero() -> None:
    seen = look(parse(exposition(10)), parse(exposition(1_000)), seconds=1.0)
    assert seen.methods[0].rate >= 0
    assert seen.workers[0].rate == 10.0
    assert seen.methods[0].p99_ms is not None


def test_nothing_that_happened_has_no_quantile() -> None:
    seen = look(parse(exposition(10)), parse(exposition(10)), seconds=1.0)
    assert [line.method for line in seen.methods] == ["all"]
    assert (seen.methods[0].rate, seen.methods[0].p50_ms) == (0.0, None)


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 0.0), (0.25, 0.5), (0.5, 1.0), (0.75, 3.0), (0.95, 5.0), (1.0, 5.0)]
)
def test_quantiles_lie_evenly_within_a_bucket(share: float, expected: float) -> None:
    assert quantile([(1.0, 50.0), (5.0, 90.0), (float("inf"), 100.0)], share) == pytest.approx(expected, abs=0.51)


def test_the_quantile_of_the_last_bucket_is_its_lower_bound() -> None:
    assert quantile([(1.0, 0.0), (float("inf"), 9.0)], 0.99) == 1.0


def test_buckets_grow_by_what_came_between() -> None:
    assert less([(1.0, 5.0), (2.0, 9.0)], [(1.0, 4.0), (2.0, 6.0)]) == [(1.0, 1.0), (2.0, 3.0)]
    assert less([(1.0, 1.0), (2.0, 2.0)], [(1.0, 4.0), (2.0, 6.0)]) == [(1.0, 1.0), (2.0, 2.0)]


def test_labels_are_read_with_their_escapes() -> None:
    samples = parse('a{x="q\\"}, \\\\ \\n",y="2"} 1e-05\na 2\n')
    assert total(samples, "a", x='q"}, \\ \n') == 1e-05
    assert total(samples, "a") == 2.00001


def test_what_is_no_metrics_is_told_with_its_line() -> None:
    with pytest.raises(ExpositionError, match="line 1 of the metrics is '<html>'"):
        parse("<html>")


def test_once_prints_the_totals_without_escape_codes() -> None:
    with telling(exposition(1_234)) as address:
        done = run("--metrics", address, "--once")
    assert (done.returncode, done.stderr) == (0, "")
    assert "since the server began; now 3 working, 4 waiting; 5 swaps, 1 refused" in done.stdout
    assert "1,235" in done.stdout
    assert "v1" in done.stdout
    assert "\x1b" not in done.stdout


def test_once_as_json_is_one_document() -> None:
    with telling(exposition(10)) as address:
        done = run("--metrics", address, "--once", "--json")
    seen = json.loads(done.stdout)
    assert seen["seconds"] is None
    assert [line["method"] for line in seen["methods"]] == ["Recommend", "all"]
    assert seen["workers"][0]["version"] == "v1"


def test_a_server_can_not_move_the_cursor() -> None:
    with telling(exposition(10, version="\x1b[2Jv1")) as address:
        assert "\x1b" not in run("--metrics", address, "--once").stdout


def test_ctrl_c_ends_it_quietly_with_status_130() -> None:
    with telling(exposition(10), exposition(20)) as address:
        process = subprocess.Popen(
            command("--metrics", address, "--interval-s", "0.05", "--json"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["methods"][0]["rate"] > 0
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, told) == (130, "")


def test_a_terminal_is_drawn_over() -> None:
    with telling(exposition(10), exposition(20)) as address:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(command("--metrics", address, "--interval-s", "0.05"), stdout=theirs, stderr=theirs)
        os.close(theirs)
        drawn = b""
        while drawn.count(b"\x1b[H") < 2:
            drawn += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_S) == 130
        os.close(ours)
    assert b"calls/s" in drawn


def test_nobody_there_is_one_sentence_and_status_1() -> None:
    done = run("--metrics", "127.0.0.1:1", "--once")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("matinee: no metrics at 127.0.0.1:1: ")
    assert "matinee serve STORE --metrics-address 127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_that_goes_away_is_waited_for() -> None:
    with telling(exposition(10), "gone", exposition(30)) as address:
        process = subprocess.Popen(
            command("--metrics", address, "--interval-s", "0.05", "--json"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["workers"][0]["rate"] > 0
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=TIMEOUT_S)
    assert "line 1 of the metrics is 'gone'" in told


@pytest.mark.parametrize("flag", ["--interval-s=0", "--interval-s=-1"])
def test_an_interval_of_nothing_is_wrong_usage(flag: str) -> None:
    done = run(flag)
    assert done.returncode == 2
    assert "it must be more than 0" in done.stderr
