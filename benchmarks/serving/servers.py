"""The processes that are measured: `matinee serve`, and an empty handler on the same transport."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.data import BUILD
from benchmarks.serving.calls import request
from benchmarks.serving.http2 import Connection

TRANSPORTS = ("grpcio", "native")
LOG = BUILD / "serving/server.log"
"""What the last server said."""
_HEALTH = request("/grpc.health.v1.Health/Check", b"")
_SERVING = b"\x08\x01"
_READY_S, _STOP_S = 120.0, 60.0


@dataclass(frozen=True)
class Serving:
    """A server that answers."""

    address: str
    """127.0.0.1:PORT."""
    pid: int
    """Of its first process."""
    ready_s: float
    """From the start of the process to the health check that said SERVING."""


@contextmanager
def serving(store: Path, transport: str, *flags: str, workers: int = 1) -> Iterator[Serving]:
    """`matinee serve` over `store`, ready. Exits where it does not start, or does not end well."""
    command = [sys.executable, "-m", "matinee", "serve", str(store), "--address", "127.0.0.1:0", "--json"]
    command += ["--transport", transport, "--workers", str(workers), *flags]
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with LOG.open("w") as log, _process(command, log) as process:
        started = time.perf_counter()
        line = _first_line(process)
        address = json.loads(line)["address"]
        _wait_until_healthy(address, started)
        yield Serving(address, process.pid, round(time.perf_counter() - started, 3))
        process.terminate()
        if process.wait(_STOP_S) != 0:
            raise SystemExit(f"the server ended with {process.returncode}; it said:\n{LOG.read_text()}")


@contextmanager
def empty(transport: str, answer: bytes, request_bytes: int = 0) -> Iterator[str]:
    """The address of a server that answers everything with `answer`: see benchmarks.serving.empty."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(answer)
        file.flush()
        command = [sys.executable, "-m", "benchmarks.serving.empty", transport, file.name, str(request_bytes)]
        with _process(command, None) as process:
            yield f"127.0.0.1:{_first_line(process).strip()}"


@contextmanager
def _process(command: Sequence[str], log: IO[str] | None) -> Iterator["subprocess.Popen[str]"]:
    """`command` running, ended by SIGTERM where it has not ended."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"it ended at once: {process.args!r}; it said:\n{LOG.read_text()}")
    return line


def _wait_until_healthy(address: str, started: float) -> None:
    with Connection(address) as connection:
        while _SERVING not in connection.ask(_HEALTH).data:
            if time.perf_counter() - started > _READY_S:
                raise SystemExit(f"not ready after {_READY_S:.0f} s; it said:\n{LOG.read_text()}")
            time.sleep(0.005)
