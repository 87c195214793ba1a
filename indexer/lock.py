"""Locks that a dead process can't hold: the kernel lets go of them with the process.

One process at a time changes a store (`alone`). A reader holds a `Lease` on the bundle that it has open, and a bundle
is removed only by who gets it to itself (`unread`). A lease is two locks: a flock is what keeps a bundle from being
removed, a lock of the open file description is what `is_leased` asks about, since the kernel tells of those without
taking one.
"""

import fcntl
import os
import socket
import struct
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from indexer.errors import BundleError, StoreBusyError

_POLL_S = 0.05
# struct flock of Linux: l_type, l_whence, l_start, l_len (0: to the end), l_pid.
_FLOCK = "hhqqi4x"


@contextmanager
def alone(store: Path, wait_s: float) -> Iterator[None]:
    """Hold the store's lock. Raises StoreBusyError, naming the holder, where it is not free within `wait_s` seconds."""
    descriptor = os.open(store / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _locked(descriptor, store / "lock", wait_s):
            raise StoreBusyError(store, os.pread(descriptor, 200, 0).decode(errors="replace") or "another process")
        # Who holds it is for people; on a full disk `prune` must still work.
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int, path: Path, wait_s: float) -> bool:
    give_up = time.monotonic() + wait_s
    while not _try_lock(descriptor, path, fcntl.LOCK_EX):
        if time.monotonic() >= give_up:
            return False
        time.sleep(_POLL_S)
    return True


def _try_lock(descriptor: int, path: Path, kind: int) -> bool:
    """Whether the open file at `path` could be locked. Raises OSError where its file system has no locks."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        why = f"can't be locked ({error.strerror}), which a store needs of its file system"
        raise OSError(error.errno, why, str(path)) from error
    return True


class Lease:
    """Keeps the file at `path`, and so the bundle that it is part of, from being removed while this object lives.

    Raises BundleError where it is being removed already.
    """

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        self._close = weakref.finalize(self, os.close, descriptor)
        if not _try_lock(descriptor, path, fcntl.LOCK_SH) or not _is_at(descriptor, path):
            self._close()
            raise BundleError(f"{path.parent}: is being removed")
        _ask_of_description(descriptor, "F_OFD_SETLK", fcntl.F_RDLCK)


def is_leased(path: Path) -> bool | None:
    """Whether some process holds a lease on `path`; None where this system can't tell. It takes no lock to ask."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        # Damaged: there is nothing to hold.
        return None
    try:
        found = _ask_of_description(descriptor, "F_OFD_GETLK", fcntl.F_WRLCK)
    finally:
        os.close(descriptor)
    return None if found is None else found != fcntl.F_UNLCK


def _ask_of_description(descriptor: int, command: str, kind: int) -> int | None:
    """Set or get a lock of the open file description; the kind that the kernel answers, None where it knows none."""
    number = getattr(fcntl, command, None)
    if number is None:
        return None
    try:
        answer = fcntl.fcntl(descriptor, number, struct.pack(_FLOCK, kind, os.SEEK_SET, 0, 0, 0))
    except OSError:
        # Not every file system has them. Nothing is decided by them but what `matinee store list` shows.
        return None
    return int(struct.unpack(_FLOCK, answer)[0])


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one at `path`: it may have been moved away before it was locked."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def unread(path: Path) -> Iterator[bool]:
    """Whether no process holds a lease on `path`; if so, none gets one until the end of the block."""
    try:
        # For writing, since network file systems give an exclusive lock to nobody else.
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        yield True
        return
    try:
        yield _try_lock(descriptor, path, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)
