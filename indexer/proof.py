"""What proves a bundle to another process: which files they were that were read through.

Who opens these very files afterwards need not read them again.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Proof = Mapping[str, Sequence[int]]
"""By file name: device, inode, bytes, and when content and inode were last changed, in ns since the epoch."""

Prove = Callable[[Path], Proof]
"""Has the bundle in a folder read through; what its files were then. Raises BundleError where it is not sound."""


def files_in(folder: Path) -> Proof:
    """What every file in `folder` is now. Raises FileNotFoundError."""
    with os.scandir(folder) as entries:
        return {entry.name: _identity(entry.stat()) for entry in entries}


def _identity(status: os.stat_result) -> list[int]:
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
