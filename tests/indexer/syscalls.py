"""The system calls of Linux that can change files, and the filter that has the kernel stop a process at each."""

import ctypes
import errno
import os
import platform
import socket
import struct
from dataclasses import dataclass

# How a call names a file: by a descriptor, a path, or a folder's descriptor with a path after it.
FD, PATH, AT, NOWHERE = "descriptor", "path", "folder and path", "nowhere"


@dataclass(frozen=True)
class Syscall:
    """One system call that can change files."""

    name: str
    names_by: str
    """FD, PATH, AT or NOWHERE."""
    argument: int
    """Which one does, from 0."""


# Name, number on x86-64, number on aarch64 (None: not there), how it names the file, by which argument.
_TABLE: list[tuple[str, int, int | None, str, int]] = [
    ("open", 2, None, PATH, 0),
    ("creat", 85, None, PATH, 0),
    ("openat", 257, 56, AT, 0),
    ("openat2", 437, 437, AT, 0),
    ("write", 1, 64, FD, 0),
    ("pwrite64", 18, 68, FD, 0),
    ("writev", 20, 66, FD, 0),
    ("pwritev", 296, 70, FD, 0),
    ("pwritev2", 328, 287, FD, 0),
    ("sendfile", 40, 71, FD, 0),
    ("splice", 275, 76, FD, 2),
    ("copy_file_range", 326, 285, FD, 2),
    ("fallocate", 285, 47, FD, 0),
    ("truncate", 76, 45, PATH, 0),
    ("ftruncate", 77, 46, FD, 0),
    ("fsync", 74, 82, FD, 0),
    ("fdatasync", 75, 83, FD, 0),
    ("sync_file_range", 277, 84, FD, 0),
    ("syncfs", 306, 267, FD, 0),
    ("sync", 162, 81, NOWHERE, 0),
    ("msync", 26, 227, NOWHERE, 0),
    ("mkdir", 83, None, PATH, 0),
    ("mkdirat", 258, 34, AT, 0),
    ("mknod", 133, None, PATH, 0),
    ("mknodat", 259, 33, AT, 0),
    ("link", 86, None, PATH, 1),
    ("linkat", 265, 37, AT, 2),
    ("symlink", 88, None, PATH, 1),
    ("symlinkat", 266, 36, AT, 1),
    ("rename", 82, None, PATH, 0),
    ("renameat", 264, 38, AT, 0),
    ("renameat2", 316, 276, AT, 0),
    ("unlink", 87, None, PATH, 0),
    ("unlinkat", 263, 35, AT, 0),
    ("rmdir", 84, None, PATH, 0),
    ("chmod", 90, None, PATH, 0),
    ("fchmod", 91, 52, FD, 0),
    ("fchmodat", 268, 53, AT, 0),
    ("fchmodat2", 452, 452, AT, 0),
    ("chown", 92, None, PATH, 0),
    ("lchown", 94, None, PATH, 0),
    ("fchown", 93, 55, FD, 0),
    ("fchownat", 260, 54, AT, 0),
    ("utime", 132, None, PATH, 0),
    ("utimes", 235, None, PATH, 0),
    ("futimesat", 261, None, AT, 0),
    ("utimensat", 280, 88, AT, 0),
    ("setxattr", 188, 5, PATH, 0),
    ("lsetxattr", 189, 6, PATH, 0),
    ("fsetxattr", 190, 7, FD, 0),
    ("flock", 73, 32, FD, 0),
    ("fcntl", 72, 25, FD, 0),
]
# AUDIT_ARCH_… of linux/audit.h, which of the table's numbers, and the number of seccomp(2).
_MACHINES = {"x86_64": (0xC000003E, 0, 317), "aarch64": (0xC00000B7, 1, 277)}
_IO_URING_SETUP = 425

_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NOTIFY, _ALLOW, _ERRNO, _KILL = 0x7FC00000, 0x7FFF0000, 0x00050000, 0x80000000
_PR_SET_NO_NEW_PRIVS, _SET_MODE_FILTER, _NEW_LISTENER = 38, 1, 8


def syscalls() -> dict[int, Syscall]:
    """By their numbers on this machine. Raises OSError where they are not known."""
    if platform.system() != "Linux" or platform.machine() not in _MACHINES:
        raise OSError(errno.ENOSYS, f"system calls can't be stopped on {platform.system()} {platform.machine()}")
    _, column, _ = _MACHINES[platform.machine()]
    known = {}
    for name, *numbers, names_by, argument in _TABLE:
        if (number := numbers[column]) is not None:
            known[number] = Syscall(name, names_by, argument)
    return known


def stop_at_syscalls(supervisor: socket.socket) -> None:
    """From here on this process waits at each of them until who gets the listener over `supervisor` has answered.

    Raises OSError where the system does not permit that.
    """
    architecture, _, seccomp = _MACHINES[platform.machine()]
    steps = [(_LOAD, 0, 0, 4), (_IF_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    for number in syscalls():
        steps += [(_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, _NOTIFY)]
    # It would write without a system call for each; nothing uses it unless it is there.
    steps += [(_IF_EQUAL, 0, 1, _IO_URING_SETUP), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS), (_RETURN, 0, 0, _ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = struct.pack("@HP", len(steps), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    listener = libc.syscall(seccomp, _SET_MODE_FILTER, _NEW_LISTENER, program)
    if listener < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"this system does not permit seccomp's notifications: {os.strerror(error)}")
    socket.send_fds(supervisor, [b"."], [listener])
    os.close(listener)
