"""The Admin service over real sockets, of one process and of several."""

import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from indexer.store import Store
from matinee.client import Client
from matinee.errors import UsageError
from matinee.v1 import admin_pb2 as pb
from matinee.v1 import admin_pb2_grpc as pb_grpc
from server.admin.listener import AdminListener
from server.service import Server
from server.trust.config import OPEN, Trust
from server.trust.tls import TlsFiles
from tests.server.hammer import wait_until
from tests.server.running import building, publish, running
from tests.server.test_broken_versions import flip_a_bit
from tests.server.test_serve import serve
from tests.world import random_embeddings

TIMEOUT_S = 60


@contextmanager
def administering(server: Server, store: Path, trust: Trust = OPEN) -> Iterator[pb_grpc.AdminStub]:
    listener = AdminListener("127.0.0.1:0", trust, server, Store(store))
    listener.start()
    try:
        with grpc.insecure_channel(str(listener.address)) as channel:
            yield pb_grpc.AdminStub(channel)
    finally:
        listener.stop(grace_s=5.0)


@contextmanager
def admin_of(store: Path) -> Iterator[tuple[Server, pb_grpc.AdminStub]]:
    """A server that does not look by itself, and its Admin service."""
    with running(store, poll_interval_s=3600) as server, administering(server, store) as admin:
        yield server, admin


def test_status_tells_what_the_process_serves(tmp_path: Path) -> None:
    version = publish(tmp_path, random_embeddings())
    with admin_of(tmp_path) as (_, admin):
        status = admin.Status(pb.StatusRequest())
    (worker,) = status.workers
    assert status.current_version == version
    assert (worker.number, worker.pid, worker.version) == (0, os.getpid(), version)
    assert (worker.state, worker.refusal, worker.restarts) == (pb.WORKER_STATE_SERVING, "", 0)
    assert worker.uptime_s > 0


def test_status_of_an_empty_store_says_so(tmp_path: Path) -> None:
    with admin_of(tmp_path / "store") as (_, admin):
        status = admin.Status(pb.StatusRequest())
    (worker,) = status.workers
    assert status.current_version == ""
    assert (worker.state, worker.version) == (pb.WORKER_STATE_EMPTY, "")
    assert worker.refusal == ""


def test_the_versions_are_listed_oldest_first_and_a_damaged_one_with_its_fault(tmp_path: Path) -> None:
    first, second = (publish(tmp_path, random_embeddings(seed=seed)) for seed in (1, 2))
    (tmp_path / "versions" / first / "manifest.json").write_text("{")
    with admin_of(tmp_path) as (_, admin):
        damaged, sound = admin.ListVersions(pb.ListVersionsRequest()).versions
    assert (damaged.version, damaged.is_current, damaged.n_items) == (first, False, 0)
    assert damaged.error
    assert (sound.version, sound.is_current, sound.n_items, sound.n_users, sound.error) == (second, True, 50, 30, "")
    assert sound.bytes > 0
    assert sound.published_unix_s > 1_700_000_000


def test_activate_and_rollback_answer_when_the_version_is_served(tmp_path: Path) -> None:
    first, second = (publish(tmp_path, random_embeddings(seed=seed)) for seed in (1, 2))
    with admin_of(tmp_path) as (server, admin):
        back = admin.Rollback(pb.RollbackRequest())
        assert (back.was, back.current_version, [worker.version for worker in back.workers]) == (second, first, [first])
        assert server.version == first
        again = admin.Activate(pb.ActivateRequest(version=second))
        assert (again.was, [worker.version for worker in again.workers]) == (first, [second])
        assert server.version == second


def test_reload_serves_at_once_what_was_published(tmp_path: Path) -> None:
    publish(tmp_path, random_embeddings(seed=1))
    with admin_of(tmp_path) as (_, admin):
        version = publish(tmp_path, random_embeddings(seed=2))
        assert [worker.version for worker in admin.Reload(pb.ReloadRequest()).workers] == [version]


def test_reload_tries_again_what_was_refused(tmp_path: Path) -> None:
    first = publish(tmp_path, random_embeddings(seed=1))
    with admin_of(tmp_path) as (_, admin):
        second = publish(tmp_path, random_embeddings(seed=2))
        vectors = tmp_path / "versions" / second / "item_vectors.npy"
        flip_a_bit(vectors)
        (worker,) = admin.Reload(pb.ReloadRequest()).workers
        assert (worker.state, worker.version, worker.refused_version) == (pb.WORKER_STATE_SERVING, first, second)
        assert "item_vectors.npy" in worker.refusal
        flip_a_bit(vectors)
        (worker,) = admin.Reload(pb.ReloadRequest()).workers
        assert (worker.version, worker.refused_version, worker.refusal) == (second, "", "")


def refused(call: object) -> tuple[grpc.StatusCode, str]:
    assert isinstance(call, grpc.Call)
    return call.code(), call.details() or ""


def test_what_the_store_refuses_is_a_status_with_its_sentence(tmp_path: Path) -> None:
    only = publish(tmp_path, random_embeddings())
    damaged = Store(tmp_path).publish(building(random_embeddings(seed=2)), activate=False)
    flip_a_bit(tmp_path / "versions" / damaged / "item_vectors.npy")
    with admin_of(tmp_path) as (server, admin):
        code, text = refused(admin.Activate.future(pb.ActivateRequest(version="20200101T000000Z-00000000")))
        assert code is grpc.StatusCode.NOT_FOUND
        assert "20200101T000000Z-00000000" in text
        code, text = refused(admin.Activate.future(pb.ActivateRequest()))
        assert (code, text) == (grpc.StatusCode.INVALID_ARGUMENT, "version is empty; it must be an id")
        code, text = refused(admin.Activate.future(pb.ActivateRequest(version=damaged)))
        assert code is grpc.StatusCode.FAILED_PRECONDITION
        assert "item_vectors.npy" in text
        code, text = refused(admin.Rollback.future(pb.RollbackRequest()))
        assert code is grpc.StatusCode.FAILED_PRECONDITION
        assert "no version that was current before" in text
        assert server.version == only


def test_it_has_a_token_of_its_own(tmp_path: Path) -> None:
    store, tokens = tmp_path / "store", tmp_path / "tokens"
    publish(store, random_embeddings())
    tokens.write_text(hashlib.sha256(b"ours").hexdigest())
    with running(store) as server, administering(server, store, Trust(token_file=tokens)) as admin:
        for metadata in [(), (("authorization", "Bearer theirs"),)]:
            assert admin.Status.future(pb.StatusRequest(), metadata=metadata).code() is grpc.StatusCode.UNAUTHENTICATED
        assert admin.Status(pb.StatusRequest(), metadata=(("authorization", "Bearer ours"),)).workers
        # It is not asked for at the other listener.
        with Client(str(server.address), timeout_s=TIMEOUT_S) as client:
            assert client.recommend(1).items


MUTUAL = Trust(TlsFiles(Path("cert.pem"), Path("key.pem"), client_authority=Path("ca.pem")))


@pytest.mark.parametrize("trust", [OPEN, MUTUAL])
def test_one_without_tokens_that_others_can_reach_does_not_start(tmp_path: Path, trust: Trust) -> None:
    with running(tmp_path) as server, pytest.raises(UsageError, match="--admin-token-file"):
        AdminListener("0.0.0.0:0", trust, server, Store(tmp_path))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_address_that_it_can_not_have_ends_the_start_with_one_sentence(tmp_path: Path, workers: str) -> None:
    with running(tmp_path) as server:
        flags = ("--address", "127.0.0.1:0", "--workers", workers, "--admin-address", str(server.address))
        process = serve(tmp_path, *flags)
        output, told = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, output) == (1, "")
    reason = "Address already in use; choose another with --admin-address"
    assert told == f"matinee: can't listen at {server.address}: {reason}\n"


@contextmanager
def several(store: Path, poll_interval_s: str) -> Iterator[tuple[pb_grpc.AdminStub, "subprocess.Popen[str]"]]:
    """The Admin service of two workers and their supervisor."""
    flags = ("--workers", "2", "--address", "127.0.0.1:0", "--admin-address", "127.0.0.1:0", "--json")
    process = serve(store, *flags, "--poll-interval-s", poll_interval_s)
    assert process.stdout is not None
    try:
        ready = json.loads(process.stdout.readline())
        with grpc.insecure_channel(ready["admin_address"]) as channel:
            yield pb_grpc.AdminStub(channel), process
    finally:
        process.terminate()
        process.communicate(timeout=TIMEOUT_S)


def test_it_tells_of_each_of_several_workers_and_changes_them_all(tmp_path: Path) -> None:
    first, second = (publish(tmp_path, random_embeddings(seed=seed)) for seed in (1, 2))
    with several(tmp_path, poll_interval_s="600") as (admin, process):
        changes_them_all(admin, process, first, second)


def test_it_tells_of_no_refusal_once_the_store_was_rolled_back_by_others(tmp_path: Path) -> None:
    first, second = (publish(tmp_path, random_embeddings(seed=seed)) for seed in (1, 2))
    Store(tmp_path).activate(first)
    flip_a_bit(tmp_path / "versions" / second / "item_vectors.npy")

    def refusals(admin: pb_grpc.AdminStub) -> list[str]:
        return [worker.refused_version for worker in admin.Status(pb.StatusRequest()).workers]

    with several(tmp_path, poll_interval_s="0.05") as (admin, _):
        (tmp_path / "CURRENT").write_text(second)
        wait_until(lambda: refusals(admin) == [second, second])
        (tmp_path / "CURRENT").write_text(first)
        wait_until(lambda: refusals(admin) == ["", ""])


def changes_them_all(admin: pb_grpc.AdminStub, process: "subprocess.Popen[str]", first: str, second: str) -> None:
    workers = admin.Status(pb.StatusRequest()).workers
    assert [(worker.number, worker.version, worker.restarts) for worker in workers] == [(0, second, 0), (1, second, 0)]
    assert len({worker.pid for worker in workers} | {process.pid}) == 3
    assert [worker.version for worker in admin.Rollback(pb.RollbackRequest()).workers] == [first, first]
    os.kill(workers[0].pid, signal.SIGKILL)
    wait_until(lambda: [worker.restarts for worker in admin.Status(pb.StatusRequest()).workers] == [1, 0])
    wait_until(lambda: admin.Status(pb.StatusRequest()).workers[0].state == pb.WORKER_STATE_SERVING)
    assert [worker.version for worker in admin.Status(pb.StatusRequest()).workers] == [first, first]
