"""A server from end to end: listener, threads, health, reflection and the watcher, started and stopped as one thing."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import faiss
import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from server.address import Address, parse_address, prove_free
from server.errors import AddressError
from server.follower import Following, follower
from server.live import Live
from server.rpc import SERVICE, add_recommender
from server.servicer import Recommender
from server.standard import NOT_SERVING, SERVING, Health, Reflection
from server.watcher import Watcher

# Who watches the health and does not read must not hold up the stop.
_TELL_S = 1.0
# 10,000 ids of 1,024 bytes each, which the schema allows, with their framing.
_MAX_REQUEST_BYTES = 11 << 20


@dataclass(frozen=True)
class ServerConfig:
    """What a server is made of."""

    store: Path | str
    """The folder of published bundles, or the URL of one; nothing need be there yet."""
    address: str = "127.0.0.1:50051"
    """HOST:PORT, [IPv6]:PORT or unix:PATH; port 0 takes any that is free."""
    poll_interval_s: float = 0.5
    """How often to look for a new version."""
    following: Following = field(default_factory=Following)
    """How a store at a URL is followed."""
    threads: int = max(4, os.cpu_count() or 1)
    """How many requests are worked on at a time."""
    max_concurrent: int = 256
    """How many requests may be worked on or wait; the next is answered RESOURCE_EXHAUSTED at once."""


class Server:
    """A bound server; it answers from `start` to `stop`."""

    def __init__(self, config: ServerConfig) -> None:
        wanted = parse_address(config.address)
        prove_free(wanted)
        self.live = Live()
        self._threads = _request_threads(config.threads)
        self._grpc = _grpc_server(config, self._threads)
        self._health = Health(("", SERVICE.full_name))
        self._reflection = Reflection((SERVICE.full_name, health.SERVICE_NAME, reflection.SERVICE_NAME))
        self._follower = follower(str(config.store), config.following)
        folder = self._follower.folder if self._follower else Path(config.store)
        self._watcher = Watcher(folder, self.live, config.poll_interval_s, on_ready=self._ready)
        add_recommender(Recommender(self.live), self._grpc)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(self._reflection, self._grpc)
        self.address = _bound(self._grpc, wanted)

    def start(self) -> None:
        """Listen, then load what is current; health is SERVING once that answers."""
        self._grpc.start()
        self._watcher.start()
        if self._follower:
            self._follower.start()

    def stop(self, grace_s: float) -> None:
        """Say NOT_SERVING, take no more requests, let those that run end within `grace_s` seconds."""
        if self._follower:
            self._follower.stop()
        self._watcher.stop()
        with suppress(TimeoutError):
            self._health.set_all(NOT_SERVING).result(_TELL_S)
        stopped = self._grpc.stop(grace_s)
        self._health.end_streams()
        self._reflection.end_streams()
        stopped.wait()
        self._health.close()
        self._reflection.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ready(self) -> None:
        self._health.set_all(SERVING)


def create_server(config: ServerConfig) -> tuple[Server, int]:
    """A server that is bound and not yet started, and its port (0 for a Unix socket).

    Raises AddressError where the address is taken, UsageError where it is none.
    """
    server = Server(config)
    return server, server.address.port


def _request_threads(count: int) -> ThreadPoolExecutor:
    # FAISS's setting acts on the calling thread alone; without it every request would spread over all cores.
    return ThreadPoolExecutor(count, "matinee-request", initializer=faiss.omp_set_num_threads, initargs=(1,))


def _grpc_server(config: ServerConfig, pool: ThreadPoolExecutor) -> grpc.Server:
    options = [
        # gRPC shares ports by default: a second server would take half of the first one's connections, unnoticed.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", _MAX_REQUEST_BYTES),
    ]
    return grpc.server(pool, options=options, maximum_concurrent_rpcs=config.max_concurrent)


def _bound(server: grpc.Server, wanted: Address) -> Address:
    try:
        port = server.add_insecure_port(str(wanted))
    except RuntimeError as error:
        raise AddressError(f"can't listen at {wanted}: {error}; choose another with --address") from error
    return wanted if wanted.path else replace(wanted, port=port)
