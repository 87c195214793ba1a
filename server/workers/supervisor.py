"""Holds the port, keeps the workers alive, and ends them when it is told to."""

import logging
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from matinee.errors import UsageError
from server.address import hold, parse_address, prove_free
from server.errors import StartError
from server.follower import follower
from server.observing.options import Observed
from server.service import ServerConfig
from server.workers.report import WorkerStatus
from server.workers.slot import Slot

_logger = logging.getLogger(__name__)

_MAX_FAILED_STARTS = 3
# After their grace, for workers to take their leave.
_LEAVE_S = 5.0
_LOOK_S = 60.0


class Supervisor:
    """A worker at the address of `config` for each of `observed`, from `start` to `stop`."""

    def __init__(self, config: ServerConfig, observed: Sequence[Observed], grace_s: float) -> None:
        wanted = parse_address(config.address)
        if wanted.path:
            raise UsageError(f"--address is {wanted}; several workers can share a port, but no Unix socket")
        prove_free(wanted)
        self._port, self.address = hold(wanted)
        self._follower = follower(str(config.store), config.following)
        folder = self._follower.folder if self._follower else Path(config.store)
        shared = replace(config, store=folder, address=str(self.address), is_shared=True)
        # Workers are forked by a process that has imported what they need, and has nothing else: no threads, no gRPC.
        context = get_context("forkserver")
        context.set_forkserver_preload(["server.workers.worker"])
        self._slots = [Slot(number, shared, each, grace_s, context) for number, each in enumerate(observed)]
        self._woken, self._waker = context.Pipe(duplex=False)
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._tend, name="matinee-supervisor", daemon=True)

    @property
    def version(self) -> str | None:
        """What all workers serve; None where they do not serve the same, or nothing."""
        versions = {status.report.version for status in self.statuses()}
        return versions.pop() if len(versions) == 1 else None

    def statuses(self) -> Sequence[WorkerStatus]:
        """Every worker."""
        with self._changed:
            return [slot.status() for slot in self._slots]

    def start(self) -> None:
        """Start the workers; returns when all are ready. Raises StartError where none can start."""
        if self._follower:
            self._follower.start()
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._hopeless() or all(slot.is_ready for slot in self._slots))
            reason = self._hopeless()
        if reason:
            self.stop(grace_s=0.0)
            raise StartError(reason)

    def look_now(self) -> None:
        """Let every worker look for a new version at once; returns when all that live have."""
        if self._follower:
            self._follower.look_now(_LOOK_S)
        with self._changed:
            expected = {slot: slot.ask_to_look() for slot in self._slots if slot.is_ready}
            self._changed.wait_for(lambda: all(slot.has_looked(count) for slot, count in expected.items()), _LOOK_S)

    def stop(self, grace_s: float) -> None:
        """End every worker; one that has not ended a moment after its grace is killed."""
        if self._follower:
            self._follower.stop()
        with self._changed:
            self._stopping = True
            for slot in self._slots:
                slot.terminate()
        if self._thread.is_alive():
            self._waker.send(None)
            self._thread.join(grace_s + _LEAVE_S)
            for slot in self._slots:
                slot.kill()
            self._thread.join()
        self._port.close()

    def _hopeless(self) -> str:
        """Why no worker will ever start; empty as long as there is hope."""
        if any(slot.was_ever_ready for slot in self._slots):
            return ""
        failed = [slot for slot in self._slots if slot.sentence or slot.failed_starts >= _MAX_FAILED_STARTS]
        return failed[0].sentence or f"no worker starts: {failed[0].last_end}" if failed else ""

    def _tend(self) -> None:
        # Inherited by the process that forks the workers: whoever stops a service tells all of its processes at once,
        # and without that one the workers would count as gone, and would not end their requests. Python's own helper
        # comes before it, which would undo that.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        while not (self._stopping and all(slot.is_gone for slot in self._slots)):
            happened = wait(self._sources(), self._until_next_start_s())
            with self._changed:
                for slot in self._slots:
                    self._look_after(slot, happened)
                self._changed.notify_all()
            if self._woken in happened:
                self._woken.recv()

    def _sources(self) -> list[Any]:
        return [self._woken, *(source for slot in self._slots for source in slot.sources())]

    def _until_next_start_s(self) -> float | None:
        starts = [slot.start_at for slot in self._slots if slot.is_gone and not self._stopping]
        return max(0.0, min(starts) - time.monotonic()) if starts else None

    def _look_after(self, slot: Slot, happened: list[Any]) -> None:
        slot.hear(happened)
        slot.bury(happened, expected=self._stopping)
        if slot.is_gone and not self._stopping and time.monotonic() >= slot.start_at:
            slot.start()
