"""What Linux says of a process and all that it started."""

from dataclasses import dataclass
from pathlib import Path

_KB = 1024
_MB = 1_000_000


@dataclass(frozen=True)
class Memory:
    """Of one process or several, in MB of 10^6 bytes; read from smaps_rollup."""

    resident_mb: float
    """Every page that is mapped and there, also those that others share."""
    proportional_mb: float
    """A shared page counts as its part of it: of all processes together this is what they take."""
    private_mb: float
    """Pages of this process alone: what is given back when it ends."""


def tree(pid: int) -> list[int]:
    """`pid` and what it started, and what that started."""
    # Each thread has children of its own.
    lists = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [pid, *(one for children in lists for child in children for one in tree(int(child)))]


def memory(pid: int) -> Memory:
    """Of `pid` and all that it started."""
    sums = {"Rss": 0, "Pss": 0, "Private_Clean": 0, "Private_Dirty": 0}
    for one in tree(pid):
        for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()[1:]:
            name, value = line.split()[:2]
            if name.rstrip(":") in sums:
                sums[name.rstrip(":")] += int(value)
    resident, proportional, *private = (value * _KB / _MB for value in sums.values())
    return Memory(round(resident, 1), round(proportional, 1), round(sum(private), 1))


def holdings(pid: int) -> dict[str, float]:
    """What grows where something leaks, of `pid` and all that it started; cheap enough for once a second.

    Anonymous MB are of pages that are no file's.
    """
    pids = tree(pid)
    lines = [line for one in pids for line in Path(f"/proc/{one}/status").read_text().splitlines()]
    return {
        "resident MB": _sum_mb(lines, "VmRSS:"),
        "anonymous MB": _sum_mb(lines, "RssAnon:"),
        "maps": sum(len(Path(f"/proc/{one}/maps").read_text().splitlines()) for one in pids),
        "handles": sum(len(list(Path(f"/proc/{one}/fd").iterdir())) for one in pids),
    }


def _sum_mb(lines: list[str], name: str) -> float:
    return round(sum(int(line.split()[1]) for line in lines if line.startswith(name)) * _KB / _MB, 2)
