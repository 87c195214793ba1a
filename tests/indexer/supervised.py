"""A process that stops at each system call that can change files, until its supervisor has said what comes of it.

The kernel does the stopping (seccomp's user notifications, Linux 5.5): no thread and no library gets past it, nothing
has to be installed, and no right to trace processes is needed.
"""

import errno
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.indexer.calls import Call, next_call
from tests.indexer.syscalls import stop_at_syscalls, syscalls

_PATIENCE_MS = 60_000


def in_child(work: Callable[[], int], output: Path) -> int:
    """Run `work` in a forked process whose standard output and error go to `output`; how it ended, as waitpid says."""
    return os.waitpid(_forked(work, output), 0)[1]


def supervised(work: Callable[[], int], output: Path, decide: Callable[[Call], None]) -> int:
    """`in_child`, where `decide` says what comes of each call that can change files.

    Raises OSError where the system does not permit to stop a process.
    """
    ours, theirs = socket.socketpair()

    def stopping() -> int:
        ours.close()
        try:
            stop_at_syscalls(theirs)
        except OSError as error:
            theirs.send(str(error.strerror).encode())
            return 1
        theirs.recv(1)
        theirs.close()
        return work()

    pid = _forked(stopping, output)
    theirs.close()
    try:
        with ours:
            _supervise(pid, ours, decide)
    finally:
        ended = os.waitpid(pid, 0)[1]
    return ended


def _supervise(pid: int, ours: socket.socket, decide: Callable[[Call], None]) -> None:
    """Take the listener of process `pid`, let it begin, and answer until it has ended."""
    refusal, listeners, _, _ = socket.recv_fds(ours, 500, 1)
    if not listeners:
        raise OSError(errno.EPERM, refusal.decode())
    with ExitStack() as opened:
        opened.callback(os.close, listeners[0])
        process = os.pidfd_open(pid)
        opened.callback(os.close, process)
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
        opened.callback(os.close, memory)
        ours.send(b".")
        _serve(listeners[0], process, memory, decide)


def _serve(listener: int, process: int, memory: int, decide: Callable[[Call], None]) -> None:
    """Answer what comes from `listener` until the process has ended."""
    known = syscalls()
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    poll.register(process, select.POLLIN)
    while ready := dict(poll.poll(_PATIENCE_MS)):
        if not ready.get(listener, 0) & select.POLLIN:
            return
        call = next_call(listener, known, memory)
        if call and call.changes_files:
            decide(call)
        elif call:
            call.go_on()
    signal.pidfd_send_signal(process, signal.SIGKILL)
    raise TimeoutError(f"the process has done nothing for {_PATIENCE_MS} ms")


def _forked(work: Callable[[], int], output: Path) -> int:
    pid = os.fork()
    if pid == 0:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        status = 70
        try:
            status = work()
        finally:
            if sys.exc_info()[0]:
                traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return pid
