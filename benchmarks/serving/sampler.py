"""What a server's processes hold, read each second while something else goes on."""

import threading
import time
from dataclasses import dataclass, field

from benchmarks.serving.figures import slope
from benchmarks.serving.processes import anonymous_mb, n_handles, n_maps, resident_mb

_KINDS = {"resident MB": resident_mb, "anonymous MB": anonymous_mb, "handles": n_handles, "maps": n_maps}


@dataclass
class Sampler:
    """A thread that reads the processes of `pid` until `stop`."""

    pid: int
    seconds: list[float] = field(default_factory=list)
    """Since the first reading."""
    held: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in _KINDS})
    """By kind, at each of `seconds`."""

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._stopping.set()
        self._thread.join()

    def growth(self, from_share: float = 0.25) -> dict[str, dict[str, float]]:
        """By kind its mean, least, largest, and growth an hour by least squares; the first part left out as a start."""
        first = int(len(self.seconds) * from_share)
        told = {}
        for kind, values in self.held.items():
            kept = values[first:]
            told[kind] = {
                "mean": round(sum(kept) / len(kept), 1),
                "least": min(kept),
                "largest": max(kept),
                "growth_per_hour": round(3600 * slope(self.seconds[first:], kept), 2),
            }
        return told

    def _read(self) -> None:
        began = time.monotonic()
        while not self._stopping.is_set():
            read = {kind: reading(self.pid) for kind, reading in _KINDS.items()}
            self.seconds.append(time.monotonic() - began)
            for kind, value in read.items():
                self.held[kind].append(value)
            self._stopping.wait(1.0)
