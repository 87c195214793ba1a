"""Local folders that live no longer than the process that fills them."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer.errors import StoreWriteError
from training.artefact import draft_beside

# From when a folder is made until it is locked.
_YOUNG_S = 60.0


@contextmanager
def local_draft(folder: Path) -> Iterator[Path]:
    """An empty folder below `folder`, gone at the end; what killed processes left there goes first.

    An OSError becomes StoreWriteError.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _clear(folder)
        with draft_beside(folder / "bundle") as draft:
            descriptor = os.open(draft, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH)
                yield draft
            finally:
                os.close(descriptor)
    except OSError as error:
        raise StoreWriteError(folder, error) from error


def _clear(folder: Path) -> None:
    """Remove the drafts that no process holds: the kernel lets go of a lock with its process."""
    for draft in folder.glob(".bundle.*.draft"):
        try:
            descriptor = os.open(draft, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if time.time() - os.fstat(descriptor).st_mtime > _YOUNG_S:
                shutil.rmtree(draft, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)
