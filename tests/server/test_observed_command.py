"""`matinee serve` with what is observed: its flags, its metrics beside `matinee top`, its log."""

import json
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
        wait_until(lambda: total(fetch(ready["metrics"], TIMEOUT_S), "matinee_requests_total") == 1)
        seen = run_top(ready["metrics"])
        assert [line["method"] for line in seen["methods"]] == ["Recommend", "all"]
        assert seen["workers"][0]["version"] == Store(store).current()
    finally:
        process.terminate()
        _, told = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0
    events = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    assert any(event["message"].startswith("serving ") for event in events)
    assert f"metrics at http://{ready['metrics']}/metrics" in told


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--shadow-rate=0.1"], "give --metrics-address too"),
        (["--shadow-rate=2"], "shadow-rate"),
        (["--metrics-address=9464"], "--metrics-address is '9464'"),
        (["--log-format=xml"], "log-format"),
        (["--trace-endpoint=127.0.0.1:4317"], "it must be a URL"),
    ],
)
def test_wrong_flags_are_status_2(store: Path, flags: list[str], sentence: str) -> None:
    process = serve(store, "--address=127.0.0.1:0", *flags)
    _, told = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 2
    assert sentence in told
    assert "Traceback" not in told
