"""One publisher at a time, by objects that a dead process can't hold for ever.

`lock/<number>` says who holds the store; the highest number counts. It is created only where it is not there, renewed
by its holder while that lives, and marked as released at the end. Once it has not been renewed for as long as it says,
the next number may be taken. Two who take one number: the back end lets one of them have it. Two who take different
numbers, since one looked long ago: the higher counts, and the other finds that out when it looks again.
"""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from indexer.errors import RemoteError, StoreBusyError
from indexer.remote.objects import Objects

_LOCK = "lock"
_MAX_BYTES = 1000
_LONGEST_S = 600.0
_POLL_S = 0.5


@dataclass
class Lease:
    """Held by this process, until it is released or was not renewed in time."""

    objects: Objects
    number: int
    lease_s: float
    record: bytes
    renewed_at: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        """The object."""
        return _name(self.number)

    def renew(self) -> None:
        """Hold it for another `lease_s` seconds from now."""
        began = time.monotonic()
        self.objects.write(self.name, self.record)
        self.renewed_at = began

    def check(self) -> None:
        """Raise RemoteError where it is no longer held: before anything that others will see."""
        if time.monotonic() - self.renewed_at < self.lease_s and _numbers(self.objects)[-1:] == [self.number]:
            return
        raise RemoteError(
            self.objects.url, "another process took over, since this one was not heard of in time; publish again"
        )


@contextmanager
def leased(objects: Objects, wait_s: float, lease_s: float) -> Iterator[Lease]:
    """Hold the remote store. Raises StoreBusyError, naming the holder, where it is not free within `wait_s` seconds."""
    lease = _acquired(objects, wait_s, lease_s)
    done = threading.Event()
    renewing = threading.Thread(target=_renew, args=(lease, done), name="matinee-lease", daemon=True)
    renewing.start()
    try:
        yield lease
    finally:
        done.set()
        renewing.join()
        # It ends by itself where the remote is gone.
        with suppress(RemoteError):
            if _numbers(objects)[-1:] == [lease.number]:
                objects.write(lease.name, _record(lease_s, "nobody", released=True))


def _acquired(objects: Objects, wait_s: float, lease_s: float) -> Lease:
    give_up = time.monotonic() + wait_s
    while True:
        numbers = _numbers(objects)
        holder = _holder(objects, numbers[-1]) if numbers else None
        if holder is None and (lease := _taken(objects, numbers, lease_s)):
            return lease
        if time.monotonic() >= give_up:
            raise StoreBusyError(objects.url, holder or "another process")
        time.sleep(min(_POLL_S, max(0.0, give_up - time.monotonic())))


def _taken(objects: Objects, numbers: list[int], lease_s: float) -> Lease | None:
    """The next number, if nobody else took it."""
    number = max(numbers, default=0) + 1
    record = _record(lease_s, f"process {os.getpid()} on {socket.gethostname()}")
    began = time.monotonic()
    if not objects.create(_name(number), record):
        return None
    # A back end without conditional writes lets the last writer have it; and who looked long ago took an old number.
    if _numbers(objects)[-1:] != [number] or objects.read(_name(number), _MAX_BYTES) != record:
        return None
    for old in numbers:
        objects.remove(_name(old))
    return Lease(objects, number, lease_s, record, began)


def _holder(objects: Objects, number: int) -> str | None:
    """Who holds the lock of this number; None where nobody does any more."""
    raw = objects.read(_name(number), _MAX_BYTES)
    if raw is None:
        return None
    try:
        said = json.loads(raw)
        holder, released, lease_s = str(said["holder"]), bool(said["released"]), float(said["lease_s"])
    except (ValueError, KeyError, TypeError, RecursionError):
        # Half-written, or not ours: it holds for as long as one can.
        holder, released, lease_s = "another process", False, _LONGEST_S
    # The other way round, a lease of NaN seconds would never end.
    is_alive = objects.age_s(_name(number)) <= min(lease_s, _LONGEST_S)
    return holder if is_alive and not released else None


def _renew(lease: Lease, done: threading.Event) -> None:
    while not done.wait(lease.lease_s / 4):
        # It is tried again; `check` knows when the last time was.
        with suppress(RemoteError):
            lease.renew()


def _record(lease_s: float, holder: str, *, released: bool = False) -> bytes:
    said = {"holder": holder, "lease_s": lease_s, "released": released, "token": uuid.uuid4().hex}
    return json.dumps(said).encode()


def _name(number: int) -> str:
    return f"{_LOCK}/{number:012d}"


def _numbers(objects: Objects) -> list[int]:
    names = (name.rpartition("/")[2] for name in objects.sizes(_LOCK))
    return sorted(int(name) for name in names if len(name) == 12 and name.isdecimal() and name.isascii())
