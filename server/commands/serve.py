"""`matinee serve`."""

import gc
import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from pydantic_settings import CliPositionalArg

from indexer.places import is_url
from matinee.command import say
from matinee.settings import Command
from server.commands.trust import TrustFlags
from server.follower import Following
from server.limits import Limits
from server.observing import logs
from server.observing.metrics import Metrics, metrics_of
from server.observing.options import Observed, Seen
from server.observing.server import ObservedServer
from server.service import ServerConfig
from server.signals import stop_signals
from server.transports.choose import Wanted

if TYPE_CHECKING:
    from server.admin.listener import AdminListener
    from server.workers.supervisor import Supervisor


class Serve(Limits, TrustFlags, Seen, Command):  # type: ignore[misc]  # a command's model_config is a model's with more keys
    """Answer recommendations over gRPC from the version that is current in a store, and follow its swaps.

    It may start before anything is published: until then it answers UNAVAILABLE and its health is NOT_SERVING. SIGTERM
    or Ctrl-C ends it: health says NOT_SERVING, running requests end, exit status 0; a second one ends it at once.
    """

    examples: ClassVar[str] = """\
        examples:
          matinee serve store
          matinee serve store --address 0.0.0.0:50051       # for other machines too
          matinee serve store --workers 4                   # four processes at one port
          matinee serve store --address 0.0.0.0:50051 --tls-cert cert.pem --tls-key key.pem --token-file tokens
          matinee serve store --admin-address 127.0.0.1:50052
          matinee serve store --address unix:matinee.sock
          matinee serve store --address 127.0.0.1:0 --json  # any free port; the first line of output has the address
          matinee serve store --metrics-address 127.0.0.1:9464 --log-format json   # and then: matinee top
          matinee serve s3://bucket/films --cache /var/cache/matinee
        """

    store: CliPositionalArg[str]
    """Where `matinee index` publishes: a folder, or the URL of a store in a bucket (s3://BUCKET/PREFIX)."""
    address: str = "127.0.0.1:50051"
    """Where to listen: HOST:PORT, [IPv6]:PORT or unix:PATH; port 0 takes any that is free."""
    workers: int = Field(default=1, ge=1, le=256)
    """Server processes at the one port, each with bounds of its own and the same memory-mapped bundle."""
    admin_address: str | None = None
    """Where the Admin service listens, HOST:PORT, [IPv6]:PORT or unix:PATH: status, versions, activate, roll back,
    reload. Nowhere without."""
    transport: Wanted = "auto"
    """What takes the calls: grpcio does everything; native (the extra `fast`) answers several times as many a second
    and has neither TLS nor a limit on the age of connections; auto is native where it is installed and can do what is
    asked for."""
    poll_interval_s: float = Field(default=0.5, gt=0, le=3600)
    """How often to look for a new version, in seconds."""
    cache: Path | None = None
    """The folder for copies of the versions of a store in a bucket: what is served from, and goes on being served where
    the bucket can't be reached. ~/.cache/matinee where it is left out."""
    remote_poll_interval_s: float = Field(default=5.0, gt=0, le=3600)
    """How often to ask a bucket for a new version, in seconds."""
    remote_timeout_s: float = Field(default=10.0, gt=0, le=3600)
    """How long a bucket may take to answer a request, or to send its next bytes, in seconds."""
    grace_s: float = Field(default=10.0, ge=0, le=3600)
    """How long running requests may take to end when the server is stopped, in seconds."""
    as_json: bool = Field(default=False, validation_alias="json")
    """Once ready, print one line of JSON on standard output: address, version (null where there is none yet), and
    admin_address and metrics_address where these were asked for."""

    def run(self) -> None:
        """Serve until a signal comes."""
        logs.configure(self.log_format)
        with stop_signals() as stopping, metrics_of(self.workers, self) as metrics, ExitStack() as running:
            server = self._server(metrics)
            running.callback(server.stop, self.grace_s)
            admin = self._admin(server)
            if admin:
                admin.start()
                running.callback(admin.stop, self.grace_s)
            server.start()
            # What is here now stays: Python's search for cycles would stop every request for 10 ms to look through it.
            gc.freeze()
            self._tell(server, admin, metrics)
            stopping.wait()
            started = time.monotonic()
            running.close()
            say(f"stopped in {time.monotonic() - started:.1f} s")

    def _admin(self, server: "ObservedServer | Supervisor") -> "AdminListener | None":
        if self.admin_address is None:
            return None
        # Imported only here: whoever wants no Admin service starts without it.
        from indexer.places import store_at
        from server.admin.listener import AdminListener

        return AdminListener(self.admin_address, self.admin_trust(), server, store_at(self.store, cache=self.cache))

    def _server(self, metrics: Metrics | None) -> "ObservedServer | Supervisor":
        seen = Seen(**self.model_dump(include=set(Seen.model_fields)))
        observed = [Observed(seen, metrics.board.path(number) if metrics else None) for number in range(self.workers)]
        if self.workers == 1:
            return ObservedServer(self._config(), observed[0])
        # Imported only here: one process alone needs none of it.
        from server.workers.supervisor import Supervisor

        return Supervisor(self._config(), observed, self.grace_s)

    def _config(self) -> ServerConfig:
        return ServerConfig(
            store=self.store,
            address=self.address,
            transport=self.transport,
            poll_interval_s=self.poll_interval_s,
            following=Following(self.cache, self.remote_poll_interval_s, self.remote_timeout_s),
            trust=self.trust(),
            limits=Limits(**self.model_dump(include=set(Limits.model_fields))),
        )

    def _tell(
        self, server: "ObservedServer | Supervisor", admin: "AdminListener | None", metrics: Metrics | None
    ) -> None:
        say(f"listening at {server.address}")
        if admin:
            say(f"the Admin service listens at {admin.address}")
        if metrics:
            say(f"metrics at http://{metrics.address}/metrics")
        for warning in self._warnings(server, admin, metrics):
            say(warning)
        if server.version is None:
            say(self._nothing_yet())
        if self.as_json:
            ready = {"address": str(server.address), "version": server.version}
            ready |= {"admin_address": str(admin.address)} if admin else {}
            ready |= {"metrics_address": str(metrics.address)} if metrics else {}
            print(json.dumps(ready), flush=True)

    def _warnings(
        self, server: "ObservedServer | Supervisor", admin: "AdminListener | None", metrics: Metrics | None
    ) -> list[str]:
        told = [
            self.trust().warning(server.address),
            self.admin_trust().warning(admin.address) if admin else None,
            metrics.warning() if metrics else None,
        ]
        return [warning for warning in told if warning]

    def _nothing_yet(self) -> str:
        if is_url(self.store):
            return f"nothing is served yet; what is current at {self.store} is served as soon as it is copied"
        return f"nothing is served yet; publish with: matinee index EMBEDDINGS {self.store}"
