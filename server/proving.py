"""Has new versions proved in a process of its own, so that requests wait for none of it.

A version is opened with its proof or not at all. Where the process can't be started, as where no more are allowed, it
is proved here: what is new matters more than some slow requests. Where it ends without an answer the version is
refused, and tried again later: what killed that process would kill this one too.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from indexer.bundle import proved
from indexer.errors import BundleError
from indexer.proof import Proof

_logger = logging.getLogger(__name__)

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Prover:
    """What proves one bundle at a time, until it is stopped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._is_stopped = False

    @property
    def is_stopped(self) -> bool:
        """Whether nothing is proved any more."""
        return self._is_stopped

    def __call__(self, folder: Path) -> Proof:
        """The proof of the bundle in `folder`. Raises BundleError where it is not sound, or nobody could tell."""
        try:
            process = self._started(folder)
        except OSError as error:
            _logger.warning("%s: is proved by the server itself, since no process could be started: %s", folder, error)
            return proved(folder, n_threads=1)
        with process:
            output, errors = process.communicate()
        return _proof(folder, output, errors, process.returncode)

    def stop(self) -> None:
        """Prove nothing any more, and end what is being proved."""
        with self._lock:
            self._is_stopped = True
            if self._process:
                self._process.kill()

    def _started(self, folder: Path) -> "subprocess.Popen[str]":
        # In the interpreter, and with the modules, that this process has; Ctrl-C is for this process alone.
        command = [sys.executable, "-P", "-m", "indexer.proving", str(folder), str(os.getpid())]
        environment = {**os.environ, **_ONE_THREAD, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with self._lock:
            if self._is_stopped:
                raise BundleError(f"{folder}: is not opened any more, the server stops")
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                env=environment,
                process_group=0,
            )
        _give_way(self._process.pid)
        return self._process


def _give_way(pid: int) -> None:
    """Let the process have the time that nothing else wants, from its first moment on."""
    # It may have ended; and what is forbidden, as in some containers, is not needed for a proof.
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, 19)
        os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))


def _proof(folder: Path, output: str, errors: str, status: int) -> Proof:
    """What the process told. Raises BundleError where that is a refusal, or no answer."""
    told = _told(output)
    if status == 0 and isinstance(told.get("refused"), str):
        raise BundleError(told["refused"])
    if status != 0 or not isinstance(told.get("proof"), dict):
        last_words = errors.strip().rpartition("\n")[2] or "said nothing of use"
        raise BundleError(f"{folder}: could not be proved; the process for it {_end(status)}: {last_words}")
    proof: Proof = told["proof"]
    return proof


def _told(output: str) -> dict[str, Any]:
    try:
        told = json.loads(output)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _end(status: int) -> str:
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
