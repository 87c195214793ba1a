"""The server and the asking client of the demo: a real process, a real socket, answers counted through the swap."""

import json
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

from matinee.client import Client
from matinee.connection import Retry
from matinee.errors import MatineeError

_SERVER_START_TIMEOUT_S = 60.0
_SWAP_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 30.0


def matinee(*arguments: str | Path) -> list[str]:
    """The command line that runs `matinee` with `arguments`, by this same Python."""
    return [sys.executable, "-m", "matinee", *map(str, arguments)]


class Server:
    """`matinee serve` as a process of its own, ready when the constructor returns."""

    def __init__(self, store: Path) -> None:
        command = matinee("serve", store, "--address", "127.0.0.1:0", "--json")
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        ready = _line_within(self._process.stdout, _SERVER_START_TIMEOUT_S)
        if not ready:
            self._process.kill()
            raise MatineeError(f"the server did not get ready: {shlex.join(command)}")
        self.address: str = json.loads(ready)["address"]

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Ask the server to stop (SIGTERM). Raises MatineeError unless it drains and exits with status 0."""
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(timeout=_STOP_TIMEOUT_S)
        if status != 0:
            raise MatineeError(f"the server exited with status {status} when asked to stop")


def _line_within(stream: IO[str] | None, timeout_s: float) -> str:
    """The next line of `stream`; empty where the stream ends or nothing comes in time."""
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.append(stream.readline() if stream else ""), daemon=True)
    reader.start()
    reader.join(timeout_s)
    return lines[0] if lines else ""


class Asking:
    """A client that asks without a pause, in a thread, and counts what it is answered."""

    def __init__(self, address: str, user_id: str) -> None:
        self.answers = 0
        self.errors: list[str] = []
        self.versions: list[str] = []
        self._address, self._user_id = address, user_id
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> "Asking":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def wait_for(self, version: str) -> None:
        """Return once `version` answers. Raises MatineeError where it does not in time."""
        deadline = time.monotonic() + _SWAP_TIMEOUT_S
        while version not in self.versions:
            if time.monotonic() > deadline:
                raise MatineeError(f"version {version} was published and never answered; versions {self.versions} did")
            time.sleep(0.05)

    def _ask(self) -> None:
        # Without further attempts: a swap that fails one call must be seen.
        with Client(self._address, timeout_s=5.0, retry=Retry(max_attempts=1)) as client:
            while not self._stopping.wait(0.005):
                try:
                    answer = client.recommend(self._user_id, k=10)
                except MatineeError as error:
                    self.errors.append(str(error))
                    continue
                self.answers += 1
                if answer.model_version not in self.versions:
                    self.versions.append(answer.model_version)
