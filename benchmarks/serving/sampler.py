"""What a server's processes hold, read each second while something else goes on."""

import threading
import time

from benchmarks.serving.figures import slope
from benchmarks.serving.processes import holdings

_FIRST_PART = 0.25


class Sampler:
    """A thread that reads the processes of `pid` until `stop`."""

    def __init__(self, pid: int) -> None:
        self.seconds: list[float] = []
        self._read: list[dict[str, float]] = []
        self._pid = pid
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._stopping.set()
        self._thread.join()

    @property
    def held(self) -> dict[str, list[float]]:
        """By kind, what was held at each of `seconds`, which are counted from the start."""
        return {kind: [one[kind] for one in self._read] for kind in self._read[0]}

    def growth(self) -> dict[str, dict[str, float]]:
        """By kind its mean, least, largest, and how much it grew by least squares; the first quarter is left out."""
        first = int(len(self.seconds) * _FIRST_PART)
        return {kind: grown(self.seconds[first:], values[first:]) for kind, values in self.held.items()}

    def _sample(self) -> None:
        began = time.monotonic()
        while not self._stopping.is_set():
            self._read.append(holdings(self._pid))
            self.seconds.append(time.monotonic() - began)
            self._stopping.wait(1.0)


def grown(seconds: list[float], values: list[float]) -> dict[str, float]:
    """The mean, least and largest of `values`, and what they grew by in that time and would in an hour."""
    per_s = slope(seconds, values)
    return {
        "mean": round(sum(values) / len(values), 1),
        "least": min(values),
        "largest": max(values),
        "grown": round(per_s * (seconds[-1] - seconds[0]), 2),
        "grown_per_hour": round(per_s * 3600, 2),
    }
