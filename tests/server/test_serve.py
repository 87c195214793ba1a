"""`matinee serve` as a process: what it prints, what it loads, how it ends."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
import trustme

from indexer.store import Store
from matinee.client import Client
from matinee.v1 import recommender_pb2 as pb
from matinee.v1 import recommender_pb2_grpc as pb_grpc
from tests.server.running import publish
from tests.world import random_embeddings

TIMEOUT_S = 60


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("store")
    publish(store, random_embeddings())
    return store


def serve(store: Path, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "matinee", "serve", str(store), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextmanager
def serving(store: Path, *arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """The process and its address, once it is ready."""
    process = serve(store, "--address", "127.0.0.1:0", "--json", *arguments)
    assert process.stdout is not None
    try:
        yield process, json.loads(process.stdout.readline())["address"]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.usefixtures("transport")
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0_and_one_document_on_stdout(store: Path, signum: signal.Signals) -> None:
    process = serve(store, "--address", "127.0.0.1:0", "--json")
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    assert ready == {"address": ready["address"], "version": Store(store).current()}
    process.send_signal(signum)
    rest, told = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0
    assert rest == ""
    assert f"listening at {ready['address']}" in told
    assert f"serving {ready['version']}: 50 items, 30 users" in told
    assert "stopped in" in told


@pytest.mark.usefixtures("transport")
def test_running_requests_end_before_it_does(tmp_path: Path) -> None:
    publish(tmp_path, random_embeddings(n_items=500))
    slow = [f"i{item % 500}" for item in range(10_000)]
    lengths: list[int] = []
    with serving(tmp_path) as (process, address), Client(address, timeout_s=TIMEOUT_S) as client:
        client.wait_until_ready()
        first_done = threading.Event()

        def ask() -> None:
            lengths.append(len(client.get_items(slow).items))
            first_done.set()

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        first_done.wait(TIMEOUT_S)
        process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(TIMEOUT_S)
        assert lengths == [10_000] * 8
        assert process.wait(TIMEOUT_S) == 0


@pytest.mark.usefixtures("transport")
def test_requests_that_take_longer_than_the_grace_do_not_keep_it(store: Path) -> None:
    with serving(store, "--grace-s", "0") as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_S) == 0


@pytest.mark.usefixtures("transport")
def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    publish(tmp_path, random_embeddings(n_items=500))
    slow = pb.GetItemsRequest(item_ids=[f"i{item % 500}" for item in range(10_000)])
    with serving(tmp_path, "--grace-s", "3600") as (process, address), grpc.insecure_channel(address) as channel:
        get_items = pb_grpc.RecommenderStub(channel).GetItems
        running = [get_items.future(slow) for _ in range(100)]
        running[0].result(TIMEOUT_S)
        process.send_signal(signal.SIGTERM)
        while catches(process.pid, signal.SIGTERM):
            time.sleep(0.001)
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_S) == -signal.SIGTERM
        assert not all(call.done() and call.code() is grpc.StatusCode.OK for call in running)


def catches(pid: int, signum: signal.Signals) -> bool:
    """Whether the process has a handler of its own for this signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (signum - 1) & 1)


@pytest.mark.usefixtures("transport")
def test_an_address_in_use_is_one_sentence_and_status_1(store: Path) -> None:
    with serving(store) as (_, address):
        second = serve(store, "--address", address)
        output, told = second.communicate(timeout=TIMEOUT_S)
        assert second.returncode == 1
        assert output == ""
        assert told == f"matinee: can't listen at {address}: Address already in use; choose another with --address\n"
        with Client(address, timeout_s=TIMEOUT_S) as client:
            assert client.recommend(1).items


@pytest.mark.parametrize("flag", ["--address=nowhere", "--grace-s=-1", "--workers=0", "--poll-interval-s=0", "--k=1"])
def test_wrong_usage_is_status_2(store: Path, flag: str) -> None:
    process = serve(store, flag)
    output, told = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, output) == (2, "")
    assert "Traceback" not in told


def test_an_empty_store_is_served_as_soon_as_something_is_published(tmp_path: Path) -> None:
    process = serve(tmp_path / "store", "--address", "127.0.0.1:0", "--json", "--poll-interval-s", "0.02")
    assert process.stdout is not None
    try:
        ready = json.loads(process.stdout.readline())
        assert ready["version"] is None
        version = publish(tmp_path / "store", random_embeddings())
        with Client(ready["address"], timeout_s=TIMEOUT_S) as client:
            client.wait_until_ready(TIMEOUT_S)
            assert client.recommend(1).model_version == version
    finally:
        process.terminate()
        _, told = process.communicate(timeout=TIMEOUT_S)
    assert "nothing is served yet; publish with: matinee index EMBEDDINGS" in told


def test_the_process_loads_no_training_library(store: Path) -> None:
    with serving(store) as (process, address), Client(address, timeout_s=TIMEOUT_S) as client:
        assert client.recommend(1).items
        loaded = Path(f"/proc/{process.pid}/maps").read_text()
    assert "faiss" in loaded
    for library in ("tensorflow", "pandas", "pyarrow", "keras"):
        assert library not in loaded


def test_its_modules_hold_no_training_library() -> None:
    code = "import server.__main__, sys; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    assert "server.service" in modules
    assert not modules & {"tensorflow", "keras", "pandas", "pyarrow"}


def test_the_help_shows_how_to_begin() -> None:
    command = [sys.executable, "-m", "matinee", "serve", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "matinee serve store --address unix:matinee.sock" in done.stdout


def test_with_tls_and_a_token_whoever_has_both_is_answered(store: Path, tmp_path: Path) -> None:
    made = subprocess.run([sys.executable, "-m", "matinee", "token", "--json"], capture_output=True, check=True)
    token = json.loads(made.stdout)
    (tmp_path / "tokens").write_text(token["sha256"])
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "pair.pem")
    pair = str(tmp_path / "pair.pem")
    flags = ("--transport", "auto", "--tls-cert", pair, "--tls-key", pair, "--token-file", str(tmp_path / "tokens"))
    with serving(store, *flags) as (_, address):
        trusted = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
        bearing = grpc.composite_channel_credentials(trusted, grpc.access_token_call_credentials(token["token"]))
        codes = []
        for credentials in (bearing, trusted):
            with grpc.secure_channel(address, credentials) as channel:
                recommend = pb_grpc.RecommenderStub(channel).Recommend
                codes.append(recommend.future(pb.RecommendRequest(user_id="1"), timeout=TIMEOUT_S).code())
    assert codes == [grpc.StatusCode.OK, grpc.StatusCode.UNAUTHENTICATED]


def test_an_open_server_that_other_machines_can_reach_says_so(store: Path) -> None:
    with serving(store, "--address", "0.0.0.0:0") as (process, address):
        process.terminate()
        told = process.communicate(timeout=TIMEOUT_S)[1]
    assert f"{address} can be reached from other machines: the connections are not encrypted" in told
