"""What Linux says of real processes."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from benchmarks.serving.processes import holdings, memory, tree

MB = 1_000_000
# 40 MB of its own, every page of a file of 20 MB mapped, and a pipe to wait at.
HOLDING = """
import mmap, sys
own = b"x" * 40_000_000
with open(sys.argv[1]) as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
    touched = sum(mapped[place] for place in range(0, len(mapped), 4096))
    print("there", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holding(tmp_path: Path) -> Iterator[int]:
    """A process that holds memory, started by a thread that is not the main one and lives as long as it does."""
    file = tmp_path / "mapped"
    file.write_bytes(bytes(20 * MB))
    there: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()

    def start() -> None:
        command = [sys.executable, "-c", HOLDING, str(file)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            there.put(process)
            process.wait()

    thread = threading.Thread(target=start)
    thread.start()
    process = there.get()
    yield process.pid
    assert process.stdin is not None
    process.stdin.close()
    thread.join()


def test_memory_of_its_own_is_told_from_a_files(holding: int) -> None:
    held, told = holdings(holding), memory(holding)
    assert held["anonymous MB"] >= 40
    assert held["resident MB"] >= held["anonymous MB"] + 20
    assert held["maps"] > 10
    assert told.resident_mb == pytest.approx(held["resident MB"], rel=0.2)
    assert 60 <= told.private_mb <= told.proportional_mb <= told.resident_mb


def test_children_of_every_thread_are_counted(holding: int) -> None:
    assert holding in tree(os.getpid())
    together, alone = holdings(os.getpid()), holdings(holding)
    assert all(together[kind] > alone[kind] for kind in together)
