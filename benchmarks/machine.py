"""Where a figure was measured: without it no figure means anything."""

import os
import platform
import subprocess
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

_LIBRARIES = ("tensorflow", "keras", "numpy", "pyarrow", "pandas", "faiss-cpu", "grpcio", "protobuf", "pygrpc-native")


def machine() -> dict[str, Any]:
    """Processor, cores, memory, load average of the last minute, libraries and the revision of the code, as of now."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "revision": _revision(),
    }


def halves() -> tuple[list[int], list[int]]:
    """The cores of this process in two halves; of a single one, that one twice."""
    cores = sorted(os.sched_getaffinity(0))
    middle = len(cores) // 2
    return cores[:middle] or cores, cores[middle:]


@contextmanager
def on_cores(cores: Collection[int]) -> Iterator[None]:
    """Keep the calling thread, and what it starts meanwhile, on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _processor() -> str:
    """The model's name where Linux tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _revision() -> str:
    """The commit, with "+" where the code differs from it; "unknown" outside a checkout."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    return f"{commit}{'+' if _git('status', '--porcelain', '--untracked-files=no') else ''}" if commit else "unknown"


def _git(*arguments: str) -> str:
    folder = Path(__file__).parent
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
