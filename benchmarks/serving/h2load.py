"""h2load, nghttp2's client in C: one body a process.

Closed loop: as many calls under way as there are connections, the next when one has ended. As a flood: so many calls a
second, whatever the server does. The flood comes in bursts, since h2load's --rps sends what is due every 10 ms, and its
--timing-script-file runs later and later; so it is for overload alone, and benchmarks.serving.asker for steady load.

It counts each response of HTTP status 200 as a success, and gRPC answers its failures with that too. So the bytes of
the answers are counted: where all answers have one size, they tell how many there were.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.serving.figures import Micros

PATH = "/matinee.v1.Recommender/Recommend"
_HEADERS = ("-H", "content-type: application/grpc", "-H", "te: trailers")
# No call of a flood may wait for another to end.
_ALL_AT_ONCE = 1 << 20
_SUCCEEDED = re.compile(r"requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout")
_TRAFFIC = re.compile(r"\((\d+)\) data$", re.MULTILINE)


@dataclass(frozen=True)
class Calls:
    """What one or several runs of h2load did."""

    starts_us: Micros
    """(n,) since the epoch."""
    times_us: Micros
    """(n,) from the start to the end of the response."""
    data_bytes: int
    """All answers together, with gRPC's five bytes each."""
    n_failed: int
    """Without a response of HTTP status 200."""

    @property
    def per_s(self) -> float:
        """Responses a second, from the first start to the last end."""
        lasted_us = int((self.starts_us + self.times_us).max() - self.starts_us.min())
        return 1e6 * len(self.starts_us) / lasted_us


def require() -> None:
    """Exit with a sentence where h2load is not installed."""
    if shutil.which("h2load") is None:
        raise SystemExit(
            "h2load is not installed; it is in nghttp2-client of Debian and Ubuntu (make debian), or in nghttp2"
        )


def parsed(output: str, log: NDArray[np.int64]) -> Calls:
    """What h2load printed and logged: `log` is (n, 3), start, HTTP status, µs. Raises ValueError."""
    counts, traffic = _SUCCEEDED.search(output), _TRAFFIC.search(output)
    if counts is None or traffic is None:
        raise ValueError(f"h2load printed no summary that is known here:\n{output}")
    _, *bad = map(int, counts.groups())
    # What timed out or broke is counted among the failed too.
    refused = int(np.count_nonzero(log[:, 1] != 200))
    return Calls(log[:, 0], log[:, 2], int(traffic[1]), max(refused, *bad))


def pooled(runs: Iterable[Calls]) -> Calls:
    """Several runs as one."""
    runs = list(runs)
    return Calls(
        np.concatenate([run.starts_us for run in runs]),
        np.concatenate([run.times_us for run in runs]),
        sum(run.data_bytes for run in runs),
        sum(run.n_failed for run in runs),
    )


class Running:
    """h2load under way; `calls` waits for its end."""

    def __init__(self, address: str, body: bytes, *flags: str) -> None:
        """`body`: a message as gRPC frames it."""
        self._folder = tempfile.TemporaryDirectory(prefix="matinee-h2load-")
        folder = Path(self._folder.name)
        self._log = folder / "log"
        (folder / "body").write_bytes(body)
        files = ["-d", str(folder / "body"), "--log-file", str(self._log)]
        command = ["h2load", *flags, *files, *_HEADERS, f"http://{address}{PATH}"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def calls(self) -> Calls:
        """All that it did. Exits where it failed."""
        output, _ = self._process.communicate()
        if self._process.returncode != 0:
            raise SystemExit(f"h2load failed with {self._process.returncode}:\n{output}")
        log = np.loadtxt(self._log, np.int64, ndmin=2).reshape(-1, 3)
        self._folder.cleanup()
        return parsed(output, log)


def answered(calls: Calls, answer_bytes: int) -> Calls:
    """`calls`, each of which got an answer of `answer_bytes`. Exits where one did not."""
    n = len(calls.starts_us)
    if calls.n_failed or calls.data_bytes != n * answer_bytes:
        raise SystemExit(
            f"of {n} calls {calls.n_failed} failed, and {calls.data_bytes} bytes came instead of {n * answer_bytes}"
        )
    return calls


def closed(address: str, body: bytes, connections: int, n: int) -> Calls:
    """`n` calls in all, one at a time on each of `connections`."""
    return Running(address, body, "-c", str(connections), "-m", "1", "-n", str(n)).calls()


def flood(address: str, body: bytes, connections: int, per_s: float, seconds: float) -> Running:
    """`per_s` calls a second in all, on `connections`, for so long; none waits for another to end."""
    rate = ("-m", str(_ALL_AT_ONCE), "--rps", f"{per_s / connections:.3f}")
    return Running(address, body, "-c", str(connections), "-n", str(round(per_s * seconds)), *rate)
