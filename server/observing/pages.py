"""Counts in memory that processes share: a file per server process, a page per thread, and one that says what is.

Only one thread writes to a page, so counting takes no lock and no system call, and what a process has counted outlives
it, however it dies. The process that replaces it goes on in the same file: its threads count on in the same pages.

A file is locked by the process that writes to it for as long as that lives: the lock is the kernel's, so a dead process
holds none, and what it said of itself is not read any more.
"""

import fcntl
import mmap
import os
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from server.observing.families import N_CELLS

_CELL_BYTES = 8
# Whole pages of memory: two threads never write to the same line of a processor's cache.
_PAGE_CELLS = -(-N_CELLS * _CELL_BYTES // mmap.PAGESIZE) * mmap.PAGESIZE // _CELL_BYTES
_FACTS = ("starts", "pid", "started", "working", "waiting", "n_items", "n_users")
_VERSION = slice(512, 512 + 256)

Counts = NDArray[np.float64]
"""(N_CELLS,)."""


class Page:
    """One thread's counts; free for another thread when this object goes."""

    def __init__(self, pages: "Pages", number: int) -> None:
        self.cells = pages.cells(number)
        """float64, `families.cell` says what stands where; to be written by one thread alone."""
        self._pages, self._number = pages, number

    def __del__(self) -> None:
        self._pages.free(self._number)


class Pages:
    """The file of this process, to write to. Threads beyond `n_threads` share a page and may lose a count."""

    def __init__(self, path: Path, n_threads: int) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        n_bytes = (1 + n_threads) * _PAGE_CELLS * _CELL_BYTES
        # All of it now: where there is no room, it is said here, and no write to the mapped pages can fail.
        os.posix_fallocate(self._fd, 0, n_bytes)
        self._bytes = memoryview(mmap.mmap(self._fd, n_bytes))
        self._cells = self._bytes.cast("d")
        self._free = list(range(n_threads, 0, -1))
        self._lock = threading.Lock()
        self._begin()

    def take(self) -> Page:
        """A page for the thread that asks."""
        with self._lock:
            return Page(self, self._free.pop() if len(self._free) > 1 else self._free[0])

    def free(self, number: int) -> None:
        """Let another thread have a page."""
        # Without the lock: an object may go at any moment, also in the thread that holds it.
        if number not in self._free:
            self._free.append(number)

    def say(self, fact: str, value: float) -> None:
        """Tell what is now."""
        self._cells[_FACTS.index(fact)] = value

    def say_version(self, version: str) -> None:
        """Tell which version answers."""
        length = _VERSION.stop - _VERSION.start
        self._bytes[_VERSION] = version.encode()[:length].ljust(length, b"\0")

    def close(self) -> None:
        """To readers this process is gone from now on. Its threads may still count."""
        # Closing would not do: the mapping has the file open too.
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        os.close(self._fd)

    def cells(self, number: int) -> "memoryview[float]":
        """One page, as float64."""
        return self._cells[number * _PAGE_CELLS : (number + 1) * _PAGE_CELLS]

    def _begin(self) -> None:
        self.say("starts", self._cells[_FACTS.index("starts")] + 1)
        for fact in _FACTS[1:]:
            self.say(fact, 0.0)
        self.say("pid", os.getpid())
        self.say("started", time.time())
        self.say_version("")


@dataclass(frozen=True)
class Reading:
    """What a process has counted, with those before it in its place, and what it says of itself."""

    counts: Counts
    """The sum of all its threads."""
    is_alive: bool
    """Whether it still runs; if not, only the counts and the number of starts hold."""
    version: str
    """Which version answers; empty where none does."""
    facts: dict[str, float]
    """starts, pid, started (Unix time), working, waiting (calls), n_items, n_users."""


def read(path: Path) -> Reading:
    """What the file at `path` says now."""
    with path.open("rb") as file:
        data = file.read()
        is_alive = _is_locked(file.fileno())
    pages = np.frombuffer(data).reshape(-1, _PAGE_CELLS)
    return Reading(
        counts=pages[1:, :N_CELLS].sum(axis=0),
        is_alive=is_alive,
        version=data[_VERSION].rstrip(b"\0").decode(errors="replace"),
        facts=dict(zip(_FACTS, pages[0].tolist(), strict=False)),
    )


def _is_locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


class Board:
    """A private folder with a file for each of `n_workers` processes; in memory, where the system has such a folder."""

    def __init__(self, n_workers: int = 1) -> None:
        memory = Path("/dev/shm")  # noqa: S108  mkdtemp makes a folder there that is nobody else's
        self.folder = Path(tempfile.mkdtemp(prefix="matinee-", dir=memory if os.access(memory, os.W_OK) else None))
        self._n_workers = n_workers

    def path(self, worker: int) -> Path:
        """The file of one worker, counted from 0."""
        return self.folder / f"worker-{worker}"

    def readings(self) -> dict[int, Reading]:
        """What each worker says now, without those that have never started."""
        paths = {worker: self.path(worker) for worker in range(self._n_workers)}
        return {worker: read(path) for worker, path in paths.items() if path.exists() and path.stat().st_size}

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
