"""A server from end to end: listener, threads, health, reflection and the watcher, started and stopped as one thing."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from matinee.v1 import recommender_pb2 as pb
from server import retriever, rpc, watcher
from server.address import parse_address, prove_free
from server.follower import Following, follower
from server.limits import Limits
from server.live import Live
from server.retriever import Answered
from server.rpc import Ended, methods_of
from server.servicer import Recommender
from server.standard import NOT_SERVING, SERVING, Health, Reflection
from server.transports.choose import Wanted, make_transport
from server.trust.config import OPEN, Trust
from server.watcher import Refusal, Tried, Watcher
from server.workers.report import WorkerStatus, report_of, state_of

SERVICE = pb.DESCRIPTOR.services_by_name["Recommender"]

# Who watches the health and does not read must not hold up the stop.
_TELL_S = 1.0
# For a bucket to be asked, and what is new there to be copied.
_LOOK_S = 60.0


@dataclass(frozen=True)
class ServerConfig:
    """What a server is made of."""

    store: Path | str
    """The folder of published bundles, or the URL of one; nothing need be there yet."""
    address: str = "127.0.0.1:50051"
    """HOST:PORT, [IPv6]:PORT or unix:PATH; port 0 takes any that is free."""
    transport: Wanted = "auto"
    """What takes the calls: auto is native where that is installed and can do what is asked for."""
    is_shared: bool = False
    """Whether other processes listen at the address too; this one then listens only when it has something to serve."""
    poll_interval_s: float = 0.5
    """How often to look for a new version."""
    following: Following = field(default_factory=Following)
    """How a store at a URL is followed."""
    limits: Limits = field(default_factory=Limits)
    """How much it takes on."""
    trust: Trust = OPEN
    """Whom it answers, and what the connections are encrypted with."""


@dataclass(frozen=True)
class Observers:
    """Who is told of what a server does."""

    ended: Ended = rpc.unobserved
    """Of every call, when it is over."""
    tried: Tried = watcher.unobserved
    """Of every attempt to serve another version."""
    answered: Answered = retriever.unobserved
    """Of every ranked answer, with what it was asked."""


_UNOBSERVED = Observers()


class Server:
    """A bound server; it answers from `start` to `stop`."""

    def __init__(self, config: ServerConfig, observers: Observers) -> None:
        self.address = parse_address(config.address)
        self._is_shared = config.is_shared
        self._made = time.monotonic()
        self.live = Live()
        methods = methods_of(SERVICE, Recommender(self.live), observers.ended)
        self._transport = make_transport(
            config.transport, methods, config.limits, config.trust, is_shared=config.is_shared
        )
        self._health = Health(("", SERVICE.full_name))
        self._reflection = Reflection((SERVICE.full_name, health.SERVICE_NAME, reflection.SERVICE_NAME))
        self._follower = follower(str(config.store), config.following)
        folder = self._follower.folder if self._follower else Path(config.store)
        self._watcher = Watcher(
            folder, self.live, config.poll_interval_s, self._ready, observers.tried, observers.answered
        )
        self._transport.add(self._health.add_to)
        self._transport.add(partial(reflection_pb2_grpc.add_ServerReflectionServicer_to_server, self._reflection))
        if not self._is_shared:
            prove_free(self.address)
            self.address = self._transport.bind(self.address)

    @property
    def here(self) -> int:
        """How many requests wait or are worked on."""
        return self._transport.here

    @property
    def waiting(self) -> int:
        """How many requests wait for a thread."""
        return self._transport.waiting

    @property
    def version(self) -> str | None:
        """What it serves, or None where nothing yet."""
        return self.live.version

    @property
    def refusal(self) -> Refusal | None:
        """Why what is current is not what is served, or None."""
        return self._watcher.refusal

    def statuses(self) -> list[WorkerStatus]:
        """This process, as the one worker that it is."""
        report = report_of(self.live.version, self.refusal)
        uptime_s = time.monotonic() - self._made
        return [WorkerStatus(0, os.getpid(), state_of(report), report, uptime_s, restarts=0)]

    def look_now(self) -> None:
        """Look for a new version at once; returns when what is current is served, or was refused."""
        if self._follower:
            self._follower.look_now(_LOOK_S)
        self._watcher.look_now()

    def start(self) -> None:
        """Listen, and load what is current; health is SERVING once that answers."""
        self._health.start()
        if self._is_shared:
            # Calls that come to this process alone could have been answered by the others until it can.
            self._watcher.start()
            self._transport.bind(self.address)
            self._transport.start()
        else:
            self._transport.start()
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
        stopped = self._transport.stop(grace_s)
        self._health.end_streams()
        self._reflection.end_streams()
        stopped.wait()
        self._health.close()
        self._reflection.close()
        self._transport.close()

    def _ready(self) -> None:
        self._health.set_all(SERVING)


def create_server(config: ServerConfig, observers: Observers = _UNOBSERVED) -> tuple[Server, int]:
    """A server that is bound and not yet started, and its port (0 for a Unix socket).

    Raises AddressError where the address is taken, UsageError where it is none.
    """
    server = Server(config, observers)
    return server, server.address.port
