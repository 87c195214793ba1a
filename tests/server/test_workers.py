"""Several workers at one port, real processes: they start together, are replaced, and end together."""

import json
import os
import re
import resource
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from indexer.store import Store
from matinee.client import Client
from matinee.errors import MatineeError
from matinee.v1 import recommender_pb2 as pb
from matinee.v1 import recommender_pb2_grpc as pb_grpc
from tests.server.hammer import wait_until
from tests.server.running import publish
from tests.server.test_serve import TIMEOUT_S, serve
from tests.world import random_embeddings

# More than are sent before anybody reads.
N_USERS = 20_000
# Enough for what a supervisor waits for, and for no other worker.
N_FILES = 6


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("workers") / "store"
    publish(store, random_embeddings())
    return store


@dataclass
class Fleet:
    """Two workers that run, their supervisor, and what it said when they were ready."""

    process: "subprocess.Popen[str]"
    ready: dict[str, str]

    @property
    def address(self) -> str:
        return self.ready["address"]

    @property
    def workers(self) -> set[int]:
        return listeners(self.address)


@contextmanager
def fleet_over(store: Path, *arguments: str) -> Iterator[Fleet]:
    flags = ("--workers", "2", "--poll-interval-s", "0.02", "--address", "127.0.0.1:0", "--json")
    process = serve(store, *flags, *arguments)
    assert process.stdout is not None
    try:
        yield Fleet(process, json.loads(process.stdout.readline()))
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def fleet(store: Path, transport: str) -> Iterator[Fleet]:
    with fleet_over(store) as fleet:
        yield fleet


def listeners(address: str) -> set[int]:
    """The processes that listen at the port."""
    port = f":{int(address.rpartition(':')[2]):04X}"
    lines = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()]
    inodes = {f"socket:[{line[9]}]" for line in lines if line[1].endswith(port) and line[3] == "0A"}
    return {pid for pid in processes() if inodes & files(pid)}


def processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def files(pid: int) -> set[str]:
    try:
        return {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return set()


def is_answered(address: str) -> bool:
    try:
        with Client(address, timeout_s=5.0) as client:
            return bool(client.recommend(1).items)
    except MatineeError:
        return False


def test_all_are_ready_when_it_says_so_and_answer_at_one_port(fleet: Fleet, store: Path) -> None:
    assert fleet.ready == {"address": fleet.address, "version": Store(store).current()}
    assert len(fleet.workers) == 2
    assert fleet.process.pid not in fleet.workers
    assert all(is_answered(fleet.address) for _ in range(10))


def test_a_worker_that_is_killed_is_replaced_and_the_others_answer_meanwhile(fleet: Fleet) -> None:
    survivor, killed = fleet.workers
    for _ in range(2):
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: fleet.workers == {survivor})
        # What came to the dead one while its socket was there is lost; whoever asks again is answered.
        assert is_answered(fleet.address) or is_answered(fleet.address)
        wait_until(lambda: len(fleet.workers) == 2)
        (killed,) = fleet.workers - {survivor}


def test_every_worker_follows_the_store(fleet: Fleet, store: Path) -> None:
    version = publish(store, random_embeddings(seed=2))
    wait_until(lambda: all(maps(pid, store) == {version} for pid in fleet.workers))


def maps(pid: int, store: Path) -> set[str]:
    """The versions of `store` that the process has mapped."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {line.split("/versions/")[1].split("/")[0] for line in lines if f"{store}/versions/" in line}


def test_a_second_server_at_the_port_is_refused_and_the_first_goes_on(fleet: Fleet, store: Path) -> None:
    second = serve(store, "--address", fleet.address, "--workers", "2")
    assert "Address already in use" in second.communicate(timeout=TIMEOUT_S)[1]
    assert second.returncode == 1
    assert is_answered(fleet.address)


def test_a_signal_ends_them_all_with_status_0(fleet: Fleet) -> None:
    workers = fleet.workers
    fleet.process.send_signal(signal.SIGTERM)
    rest, told = fleet.process.communicate(timeout=TIMEOUT_S)
    assert (fleet.process.returncode, rest) == (0, "")
    assert "stopped in" in told
    # Of the worker that was killed twice.
    assert re.findall(r"was ended by SIGKILL; another starts in (\S+) s", told) == ["0.1", "0.2"]
    assert not workers & set(processes())


@pytest.mark.usefixtures("transport")
def test_a_signal_to_all_processes_at_once_lets_running_requests_end(store: Path) -> None:
    with fleet_over(store) as fleet, grpc.insecure_channel(fleet.address) as channel:
        everybody = family(fleet.process.pid)
        assert fleet.workers < everybody
        request = pb.BatchRecommendRequest(user_ids=["1"] * N_USERS)
        answers = pb_grpc.RecommenderStub(channel).BatchRecommend(request, timeout=TIMEOUT_S)
        n_users = len(next(answers).users)
        # The workers come after the one that forked them, and the one that holds the port last.
        for pid in sorted(everybody, key=lambda pid: (pid == fleet.process.pid, pid)):
            os.kill(pid, signal.SIGTERM)
        assert n_users + sum(len(answer.users) for answer in answers) == N_USERS
        assert fleet.process.wait(TIMEOUT_S) == 0


def family(pid: int) -> set[int]:
    """A process and all that came from it."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    return {pid}.union(*map(family, children))


def test_a_worker_that_can_not_be_replaced_now_is_replaced_later(store: Path, tmp_path: Path) -> None:
    told = tmp_path / "told"
    with fleet_over(store) as fleet, told_to(fleet, told):
        survivor, killed = fleet.workers
        n_files, most = resource.prlimit(fleet.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(fleet.process.pid, resource.RLIMIT_NOFILE, (N_FILES, most))
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: fleet.workers == {survivor})
        wait_until(lambda: "can't be started: [Errno 24] Too many open files" in told.read_text())
        resource.prlimit(fleet.process.pid, resource.RLIMIT_NOFILE, (n_files, most))
        wait_until(lambda: len(fleet.workers) == 2)


@contextmanager
def told_to(fleet: Fleet, file: Path) -> Iterator[None]:
    """What the fleet says comes to `file` as it is said."""
    with file.open("w", buffering=1) as output:
        assert fleet.process.stderr is not None
        thread = threading.Thread(target=output.writelines, args=(fleet.process.stderr,), daemon=True)
        thread.start()
        yield
        fleet.process.kill()
        thread.join(TIMEOUT_S)


def test_no_worker_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    with fleet_over(tmp_path / "store") as fleet:
        workers = fleet.workers
        assert len(workers) == 2
        # Nothing was there when they started.
        publish(tmp_path / "store", random_embeddings())
        wait_until(lambda: is_answered(fleet.address))
        fleet.process.kill()
        wait_until(lambda: not workers & set(processes()))


@pytest.mark.parametrize(
    ("flag", "status"),
    [("--address=192.0.2.1:0", 1), ("--address=unix:matinee.sock", 2), ("--token-file=/there/is/none", 1)],
)
def test_workers_that_can_not_start_end_it_with_one_sentence(store: Path, flag: str, status: int) -> None:
    process = serve(store, "--address", "127.0.0.1:0", flag, "--workers", "2")
    output, told = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, output) == (status, "")
    assert len(told.splitlines()) == 1
    assert told.startswith("matinee: ")
