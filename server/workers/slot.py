"""One worker's place: the process that has it now, what that tells, and when the next one starts after its end."""

import logging
import signal
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

from server.observing.options import Observed
from server.service import ServerConfig
from server.workers.report import Report, State, WorkerStatus, state_of
from server.workers.worker import LOOK, work

_logger = logging.getLogger(__name__)

_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 30.0
# A worker that lived as long is no part of a series of failures.
_SOUND_S = 60.0
_UNKNOWN = Report(None)


class Slot:
    """A place that a worker is to have. Not safe in threads: the supervisor locks."""

    def __init__(
        self, number: int, config: ServerConfig, observed: Observed, grace_s: float, context: ForkServerContext
    ) -> None:
        self._number = number
        self._config = config
        self._observed = observed
        self._grace_s = grace_s
        self._context = context
        self._process: ForkServerProcess | None = None
        self._channel: Connection[Any, Any] | None = None
        self._report: Report | None = None
        self._started = 0.0
        self._n_asked = 0
        self._delay_s = 0.0
        self._restarts = -1
        self.start_at = 0.0
        """When the next process is to start, by time.monotonic."""
        self.failed_starts = 0
        """How many processes in a row ended before they were ready."""
        self.was_ever_ready = False
        self.sentence = ""
        """Why the last process could not start, in its own words."""
        self.last_end = ""
        """How the last process ended."""

    @property
    def is_gone(self) -> bool:
        """Whether no process has the place."""
        return self._process is None

    @property
    def is_ready(self) -> bool:
        """Whether its process takes calls."""
        return self._report is not None

    def status(self) -> WorkerStatus:
        """What is known of the process that has the place, or had it last."""
        report, process = self._report or _UNKNOWN, self._process
        if process is None:
            return WorkerStatus(self._number, 0, State.ENDED, report, 0.0, max(0, self._restarts))
        state = state_of(report) if self._report else State.STARTING
        uptime_s = time.monotonic() - self._started
        return WorkerStatus(self._number, process.pid or 0, state, report, uptime_s, self._restarts)

    def start(self) -> None:
        """Let a process take the place; where none can be had, that is tried again later."""
        try:
            self._start()
        except (OSError, EOFError) as error:
            self._process, self._channel = None, None
            self.last_end = (
                f"worker {self._number} can't be started: {str(error) or 'the process that forks them is gone'}"
            )
            self.failed_starts += 1
            self._back_off(0.0)
            _logger.error("%s; it is tried again in %.1f s", self.last_end, self._delay_s)

    def _start(self) -> None:
        self._channel, theirs = self._context.Pipe()
        arguments = (self._config, self._observed, self._grace_s, theirs)
        self._process = self._context.Process(target=work, args=arguments, name=f"matinee-worker-{self._number}")
        self._process.start()
        # The other end is the worker's alone, so that each sees when the other is gone.
        theirs.close()
        self._report, self._n_asked, self._started = None, 0, time.monotonic()
        self._restarts += 1

    def sources(self) -> list[Any]:
        """What to wait for: something to hear, or its end."""
        channel = [self._channel] if self._channel else []
        return [*channel, self._process.sentinel] if self._process else []

    def hear(self, happened: list[Any]) -> None:
        """Take what the process has told."""
        if self._channel is None or self._channel not in happened:
            return
        try:
            told = self._channel.recv()
        except (EOFError, OSError):
            self._channel = None
            return
        if isinstance(told, Report):
            self._report, self.was_ever_ready, self.failed_starts = told, True, 0
        else:
            self.sentence = str(told)

    def bury(self, happened: list[Any], *, expected: bool) -> None:
        """Take note of the end of the process, if it ended, and say when another starts unless it was `expected`."""
        if self._process is None or self._process.sentinel not in happened:
            return
        self.hear([self._channel] if self._channel and self._channel.poll() else [])
        self._process.join()
        self.last_end = f"worker {self._number} (pid {self._process.pid}) {_ended(self._process.exitcode)}"
        lived_s = time.monotonic() - self._started
        self.failed_starts += self._report is None
        self._process, self._channel, self._report = None, None, None
        self._back_off(lived_s)
        # Why no worker can start is told once, by the supervisor.
        if not expected and (self.was_ever_ready or not self.sentence):
            reason = f": {self.sentence}" if self.sentence else ""
            _logger.error("%s%s; another starts in %.1f s", self.last_end, reason, self._delay_s)

    def _back_off(self, lived_s: float) -> None:
        self._delay_s = 0.0 if lived_s > _SOUND_S else min(_LONGEST_DELAY_S, max(_FIRST_DELAY_S, 2 * self._delay_s))
        self.start_at = time.monotonic() + self._delay_s

    def ask_to_look(self) -> int:
        """Ask the process to look for a new version; how many looks it was asked for by now."""
        if self._channel:
            # It may have ended just now.
            with suppress(OSError):
                self._channel.send(LOOK)
        self._n_asked += 1
        return self._n_asked

    def has_looked(self, count: int) -> bool:
        """Whether the process has done as many looks, or is gone."""
        return self._report is None or self._report.n_looks >= count

    def terminate(self) -> None:
        """Ask the process to end."""
        if self._process:
            self._process.terminate()

    def kill(self) -> None:
        """End the process at once."""
        if self._process:
            self._process.kill()


def _ended(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"was ended by {signal.Signals(-exitcode).name}"
    return f"ended with status {exitcode}"
