"""One worker: a server in a process of its own, which tells its supervisor how it is and ends when that is gone."""

import gc
import logging
import os
import signal
import threading
from multiprocessing.connection import Connection
from typing import Any

from matinee.errors import MatineeError
from server.observing import logs
from server.observing.options import Observed
from server.observing.server import ObservedServer
from server.service import ServerConfig
from server.signals import stop_signals
from server.workers.report import Report, report_of

LOOK = "look"

# How soon is told what no attempt tells of: that what was refused is not current any more.
_NEWS_S = 0.5

_logger = logging.getLogger(__name__)


def work(config: ServerConfig, observed: Observed, grace_s: float, channel: "Connection[Any, Any]") -> None:
    """Serve until SIGTERM comes or the supervisor is gone.

    What can't start tells its supervisor one sentence and ends with status 1.
    """
    # Ctrl-C goes to the whole group; the supervisor passes it on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logs.configure(observed.seen.log_format)
    # Whoever stops a service may tell all of its processes, and then the supervisor tells this one once more.
    with stop_signals((signal.SIGTERM,), second_ends=False) as stopping:
        # As `supervisor.py` blocked it; if it came meanwhile, it is heard now.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        try:
            worker = _Worker(config, observed, channel, stopping)
        except (MatineeError, OSError) as error:
            channel.send(str(error))
            raise SystemExit(1) from None
        stopping.wait()
        worker.server.stop(grace_s)


class _Worker:
    """Tells how its server is at the beginning, after each attempt to serve another version, and when asked."""

    def __init__(
        self, config: ServerConfig, observed: Observed, channel: "Connection[Any, Any]", stopping: threading.Event
    ) -> None:
        self._channel = channel
        self._stopping = stopping
        self._telling = threading.Lock()
        self._n_looks = 0
        self._told: Report | None = None
        self._has_started = False
        self.server = ObservedServer(config, observed, self._tried)
        self.server.start()
        # As `matinee serve` does, and why.
        gc.freeze()
        self._has_started = True
        self._tell()
        threading.Thread(target=self._listen, name="matinee-supervised", daemon=True).start()

    def _tried(self, version: str | None, reason: str | None, seconds: float) -> None:  # noqa: ARG002  a Tried
        if self._has_started:
            self._tell()

    def _tell(self) -> None:
        with self._telling:
            self._told = self._report()
            try:
                self._channel.send(self._told)
            except OSError:
                # Whoever should hear it is gone; `_listen` sees that too.
                self._stopping.set()

    def _report(self) -> Report:
        return report_of(self.server.live.version, self.server.refusal, self._n_looks)

    def _listen(self) -> None:
        try:
            while True:
                if self._channel.poll(_NEWS_S):
                    # There is nothing to hear but LOOK.
                    self._channel.recv()
                    self.server.look_now()
                    self._n_looks += 1
                    self._tell()
                elif self._report() != self._told:
                    self._tell()
        except (EOFError, OSError):
            self._orphaned()

    def _orphaned(self) -> None:
        if self._stopping.is_set():
            # It was in a hurry.
            os._exit(1)
        _logger.error("the supervisor is gone; this worker ends too")
        self._stopping.set()
