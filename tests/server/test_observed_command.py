"""`matinee serve` with what is observed: its flags, its metrics beside `matinee top`, its log."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest

from indexer.store import Store
from matinee.exposition import fetch, total
from matinee.v1 import recommender_pb2 as pb
from matinee.v1 import recommender_pb2_grpc as pb_grpc
from tests.server.hammer import wait_until
from tests.server.running import publish
from tests.server.test_serve import serve
from tests.server.test_workers import fleet_over
from tests.world import random_embeddings

TIMEOUT_S = 60
ONE = pb.RecommendRequest(user_id="1")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("store")
    publish(store, random_embeddings())
    return store


def run_top(address: str) -> Any:
    command = [sys.executable, "-m", "matinee", "top", "--metrics", address, "--once", "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True).stdout)


def test_the_command_tells_its_metrics_and_top_shows_them(store: Path) -> None:
    process = serve(store, "--address=127.0.0.1:0", "--metrics-address=127.0.0.1:0", "--log-format=json", "--json")
    assert process.stdout is not None
    try:
        ready = json.loads(process.stdout.readline())
        with grpc.insecure_channel(ready["address"]) as channel:
            pb_grpc.RecommenderStub(channel).Recommend(ONE, timeout=TIMEOUT_S)
        wait_until(lambda: total(fetch(ready["metrics_address"], TIMEOUT_S), "matinee_requests_total") == 1)
        seen = run_top(ready["metrics_address"])
        assert [line["method"] for line in seen["methods"]] == ["Recommend", "all"]
        assert seen["workers"][0]["version"] == Store(store).current()
    finally:
        process.terminate()
        _, told = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0
    events = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    assert any(event["message"].startswith("serving ") for event in events)
    assert f"metrics at http://{ready['metrics_address']}/metrics" in told


def call(address: str, n_calls: int) -> None:
    """Recommend, each time over a connection of its own: the kernel chooses who takes it."""
    for _ in range(n_calls):
        with grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            pb_grpc.RecommenderStub(channel).Recommend(ONE, timeout=TIMEOUT_S, wait_for_ready=True)


def folders() -> set[Path]:
    """Those that servers count in."""
    return set(Path("/dev/shm").glob("matinee-*"))  # noqa: S108  only looked at


def test_workers_are_told_as_one_and_a_killed_one_is_counted(store: Path, transport: str) -> None:
    before = folders()
    with fleet_over(store, "--metrics-address=127.0.0.1:0", "--shadow-rate=1") as fleet:
        metrics = fleet.ready["metrics_address"]
        call(fleet.address, 20)
        wait_until(lambda: total(fetch(metrics, TIMEOUT_S), "matinee_requests_total") == 20)
        seen = fetch(metrics, TIMEOUT_S)
        by_worker = [total(seen, "matinee_worker_requests_total", worker=worker) for worker in "01"]
        assert sum(by_worker) == 20
        assert (total(seen, "matinee_workers"), total(seen, "matinee_version_info")) == (2, 2)
        assert total(seen, "matinee_swaps_total", result="loaded") == 2
        os.kill(next(iter(fleet.workers)), signal.SIGKILL)
        wait_until(lambda: total(fetch(metrics, TIMEOUT_S), "matinee_worker_restarts_total") == 1)
        wait_until(lambda: total(fetch(metrics, TIMEOUT_S), "matinee_version_info") == 2)
        assert total(fetch(metrics, TIMEOUT_S), "matinee_requests_total") == 20
        call(fleet.address, 20)
        wait_until(lambda: total(fetch(metrics, TIMEOUT_S), "matinee_requests_total") == 40)
        assert [line["worker"] for line in run_top(metrics)["workers"]] == ["0", "1"]
        wait_until(lambda: total(fetch(metrics, TIMEOUT_S), "matinee_shadow_expected_total", method="Recommend") > 0)
        seen = fetch(metrics, TIMEOUT_S)
        assert total(seen, "matinee_shadow_found_total") == total(seen, "matinee_shadow_expected_total")
        fleet.process.send_signal(signal.SIGTERM)
        assert fleet.process.wait(TIMEOUT_S) == 0
    assert folders() <= before


def test_metrics_for_other_machines_are_warned_of(store: Path) -> None:
    process = serve(store, "--address=127.0.0.1:0", "--metrics-address=0.0.0.0:0", "--json")
    assert process.stdout is not None
    metrics = json.loads(process.stdout.readline())["metrics_address"]
    process.terminate()
    assert f"{metrics} can be reached from other machines" in process.communicate(timeout=TIMEOUT_S)[1]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--shadow-rate=0.1"], "give --metrics-address too"),
        (["--metrics-address=9464"], "--metrics-address is '9464'"),
        (["--trace-endpoint=127.0.0.1:4317"], "it must be a URL"),
    ],
)
def test_wrong_flags_are_status_2(store: Path, flags: list[str], sentence: str) -> None:
    process = serve(store, "--address=127.0.0.1:0", *flags)
    _, told = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 2
    assert sentence in told
    assert "Traceback" not in told
