"""A system call at which a process has been stopped: what it would do, and what comes of it."""

import ctypes
import fcntl
import os
import signal
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.indexer.syscalls import AT, FD, NOWHERE, PATH, Syscall

# struct seccomp_notif and struct seccomp_notif_resp with their ioctls, linux/seccomp.h.
_REQUEST, _RESPONSE = struct.Struct("=QIIiIQ6Q"), struct.Struct("=QqiI")
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_GO_ON = 1

_AT_FDCWD = -100
_FLAGS = {"open": 1, "openat": 2}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_LOCKING = {fcntl.F_SETLK, fcntl.F_SETLKW, fcntl.F_OFD_SETLK, fcntl.F_OFD_SETLKW}
_SYNCS = {"fsync", "fdatasync", "sync_file_range", "syncfs", "sync", "msync"}
_WRITES = {"write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile", "splice", "copy_file_range"}
_MAKES = {"fallocate", "creat", "mkdir", "mkdirat", "mknod", "mknodat", "link", "linkat", "symlink", "symlinkat"}
_RENAMES = {"rename": (PATH, 1), "renameat": (AT, 2), "renameat2": (AT, 2)}


@dataclass(frozen=True)
class Call:
    """One of the methods that return None must be called, once: the process waits for that."""

    listener: int
    id: int
    pid: int
    """Of the thread."""
    syscall: Syscall
    arguments: tuple[int, ...]
    memory: int
    """An open /proc/<pid>/mem."""

    @property
    def name(self) -> str:
        """The system call's."""
        return self.syscall.name

    @property
    def path(self) -> str:
        """The file that it is about; "" where it names none."""
        return self._path(self.syscall.names_by, self.syscall.argument)

    @property
    def target(self) -> str:
        """What it renames to; "" for another call."""
        return self._path(*_RENAMES.get(self.name, (NOWHERE, 0)))

    @property
    def changes_files(self) -> bool:
        """Whether it can; opening for reading and asking about a descriptor can't."""
        if self.name in _FLAGS:
            return self._opens_with(_WRITING)
        return self.name != "fcntl" or self.arguments[1] in _LOCKING

    @property
    def empties(self) -> bool:
        """Whether it opens a file and removes what it holds."""
        return self.name == "creat" or self._opens_with(os.O_TRUNC)

    @property
    def writes(self) -> bool:
        """Whether it writes bytes or cuts them off."""
        return self.name in _WRITES or self.name in ("truncate", "ftruncate")

    @property
    def is_sync(self) -> bool:
        """Whether it waits for the disk."""
        return self.name in _SYNCS

    def has_halves(self) -> bool:
        """Whether `write_half` can be called."""
        return self.name in ("write", "pwrite64") and self.arguments[2] > 1

    def needs_space(self) -> bool:
        """Whether it fails on a full disk."""
        makes_file = self._opens_with(os.O_CREAT) and not os.path.lexists(self.path)
        return makes_file or self.name in _WRITES or self.name in _MAKES

    def go_on(self) -> None:
        """It is made as if nobody had looked."""
        self._answer(0, 0, _GO_ON)

    def skip(self, result: int = 0) -> None:
        """It is not made, and has succeeded."""
        self._answer(result, 0, 0)

    def fail(self, error: int) -> None:
        """It is not made, and has failed."""
        self._answer(0, -error, 0)

    def kill(self) -> None:
        """The process dies before it."""
        os.kill(self.pid, signal.SIGKILL)

    def write_half(self) -> int:
        """Write the first half of what it would; how many bytes."""
        descriptor, address, n_bytes = self.arguments[:3]
        lines = Path(f"/proc/{self.pid}/fdinfo/{descriptor}").read_text().splitlines()
        opened_how = dict(line.split(":\t") for line in lines)
        position = self.arguments[3] if self.name == "pwrite64" else int(opened_how["pos"])
        flags = os.O_WRONLY | int(opened_how["flags"], 8) & os.O_APPEND
        descriptor = os.open(f"/proc/{self.pid}/fd/{descriptor}", flags)
        try:
            return os.pwrite(descriptor, os.pread(self.memory, n_bytes // 2, address), position)
        finally:
            os.close(descriptor)

    def _opens_with(self, flags: int) -> bool:
        return self.name in _FLAGS and bool(self.arguments[_FLAGS[self.name]] & flags)

    def _path(self, names_by: str, argument: int) -> str:
        if names_by == NOWHERE:
            return ""
        if names_by == FD:
            return self._opened(self.arguments[argument])
        folder = self.arguments[argument] if names_by == AT else _AT_FDCWD
        address = self.arguments[argument + (names_by == AT)]
        # NULL: the descriptor itself is meant.
        text = os.pread(self.memory, 4096, address).split(b"\0")[0] if address else b""
        return os.path.join(self._opened(folder), os.fsdecode(text))  # noqa: PTH118

    def _opened(self, descriptor: int) -> str:
        number = ctypes.c_int(descriptor).value
        with suppress(OSError):
            return str(Path(f"/proc/{self.pid}", "cwd" if number == _AT_FDCWD else f"fd/{number}").readlink())
        return ""

    def _answer(self, result: int, error: int, flags: int) -> None:
        # A thread of a process that was killed waits for no answer.
        with suppress(FileNotFoundError):
            fcntl.ioctl(self.listener, _SEND, bytearray(_RESPONSE.pack(self.id, result, error, flags)))


def next_call(listener: int, known: dict[int, Syscall], memory: int) -> Call | None:
    """The call that waits at `listener`; None where its process was killed meanwhile."""
    received = bytearray(_REQUEST.size)
    try:
        fcntl.ioctl(listener, _RECEIVE, received)
    except FileNotFoundError:
        return None
    identity, pid, _, number, _, _, *arguments = _REQUEST.unpack(received)
    return Call(listener, identity, pid, known[number], tuple(arguments), memory)
