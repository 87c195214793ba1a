"""Ratings of any form → a prepared folder, going on where an earlier try was cut off.

While it lasts, `.<name>.prepare` lies beside the folder: in `parts` what is parsed, in `result` what becomes the
folder. A kill at any moment leaves it there, and the next try takes from it what still fits.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from training.artefact import Manifest, check_place, place
from training.data.forms import Columns
from training.data.parsing import parse
from training.data.parts import Watch, keep
from training.data.prepared import OnDisk, seal_prepared
from training.errors import RatingsError


@dataclass(frozen=True)
class Prepared:
    """What was made, and how much of the work was there already."""

    manifest: Manifest
    n_parts: int
    """Blocks of the file."""
    n_parts_found: int
    """Those of them that an earlier try had parsed."""


def workplace(out: Path) -> Path:
    """Where what is parsed so far stays until the prepared folder `out` is whole."""
    return out.parent / f".{out.name}.prepare"


def prepare(source: Path, out: Path, columns: Columns, watch: Watch, *, overwrite: bool = False) -> Prepared:
    """Make `out` the prepared form of the ratings in `source`, whole or not at all.

    Memory is that of a few blocks, of ids and titles, whatever the number of ratings; the disk holds the ratings twice
    meanwhile. Raises RatingsError where they can't be read or another process prepares `out`, ArtefactError or
    PlaceTakenError where `out` is in the way.
    """
    check_place(out, overwrite=overwrite)
    out.parent.mkdir(parents=True, exist_ok=True)
    work = workplace(out)
    parts, result = work / "parts", work / "result"
    with _alone(work):
        try:
            parts.mkdir(exist_ok=True)
            shutil.rmtree(result, ignore_errors=True)
            result.mkdir()
            found = set(parts.glob("*.arrow"))
            ratings = parse(source, columns, lambda blocks: keep(blocks, parts, watch), OnDisk(result))
            present = set(parts.iterdir())
            prepared = Prepared(seal_prepared(ratings, result, source), len(present), len(found & present))
            place(result, out)
            shutil.rmtree(work)
        finally:
            _tidy(work)
    return prepared


def _tidy(work: Path) -> None:
    """Leave nothing but parsed parts; nothing at all where there are none."""
    shutil.rmtree(work / "result", ignore_errors=True)
    with suppress(OSError):
        (work / "parts").rmdir()
        work.rmdir()


@contextmanager
def _alone(work: Path) -> Iterator[None]:
    """`work`, made where there is none, for this process alone. Raises RatingsError where another one has it."""
    work.mkdir(exist_ok=True)
    descriptor = os.open(work, os.O_RDONLY)
    try:
        if not _is_locked(descriptor, work):
            raise RatingsError(f"{work}: another process is at work there; wait for it to end")
        yield
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int, work: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Who had it may have finished and removed it just before.
        return os.path.samestat(os.fstat(descriptor), work.stat())
    except (BlockingIOError, FileNotFoundError):
        return False
