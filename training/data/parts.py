"""Parsed blocks of a file of ratings, in memory or kept on disk so that an interrupted reading can go on."""

import mmap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.ipc
from numpy.typing import NDArray

from training.artefact import sync
from training.data.blocks import Block, in_parallel

Watch = Callable[[int], object]
"""Told of bytes of the file that are done, as they are done."""


def unwatched(n_bytes: int) -> None:
    """A `Watch` that looks away."""


class Part(Protocol):
    """Some rows that follow each other, as `checks.checked` leaves them."""

    @property
    def n_rows(self) -> int:
        """How many."""

    def texts(self, role: str) -> Any:
        """The distinct ids of users or of items: an Arrow array."""

    def take(self, role: str) -> NDArray[Any]:
        """(n_rows,) ratings or timestamps, or the places of users or items in `texts`; may be taken but once."""


class HeldPart:
    """A part in memory."""

    def __init__(self, table: Any) -> None:
        self.n_rows: int = table.num_rows
        self._texts = {role: table.column(role).chunk(0).dictionary for role in ("user", "item")}
        self._columns = {role: _copied(_numbers(table, role)) for role in table.column_names}

    def texts(self, role: str) -> Any:
        """As `Part` says."""
        return self._texts[role]

    def take(self, role: str) -> NDArray[Any]:
        """As `Part` says."""
        return self._columns.pop(role)


class KeptPart:
    """A part on disk, mapped only while one of its columns is in use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _opened(path) as table:
            self.n_rows: int = table.num_rows

    def texts(self, role: str) -> Any:
        """As `Part` says."""
        with _opened(self._path) as table:
            return table.column(role).chunk(0).dictionary

    def take(self, role: str) -> NDArray[Any]:
        """As `Part` says."""
        with _opened(self._path) as table:
            return _numbers(table, role)


def _numbers(table: Any, role: str) -> NDArray[Any]:
    column = table.column(role).chunk(0)
    numbers: NDArray[Any] = (column.indices if role in ("user", "item") else column).to_numpy()
    return numbers


def _copied(column: NDArray[Any]) -> NDArray[Any]:
    """A copy whose memory goes back to the system as soon as nobody has it: allocators would keep most of it."""
    copy = np.frombuffer(mmap.mmap(-1, column.nbytes), column.dtype)
    copy[:] = column
    return copy


def hold(blocks: Iterator[Block], watch: Watch) -> list[Part]:
    """Parse `blocks` into memory; parts without rows are left out."""
    parts: list[Part] = []
    for block, table in in_parallel(lambda block: block.parse(), blocks):
        watch(block.n_bytes)
        if table.num_rows:
            parts.append(HeldPart(table))
    # Arrow keeps what it has freed for its next reading, a quarter of a gigabyte at 20 million rows: there is none.
    pa.default_memory_pool().release_unused()
    return parts


def keep(blocks: Iterator[Block], folder: Path, watch: Watch) -> list[Part]:
    """Parse `blocks` into files in `folder`, but for those that are there from an earlier time.

    A file is named by the digest of its block, so what is found is what would be written; others are removed.
    """
    paths = []
    for block, path in in_parallel(lambda block: _kept(block, folder), blocks):
        watch(block.n_bytes)
        paths.append(path)
    for stale in set(folder.iterdir()) - set(paths):
        stale.unlink()
    parts: list[Part] = [KeptPart(path) for path in paths]
    return [part for part in parts if part.n_rows]


def _kept(block: Block, folder: Path) -> Path:
    path = folder / f"{block.digest()}.arrow"
    if not path.exists():
        table = block.parse()
        # Two blocks of the same content may be at it at once.
        draft = folder / f"{path.stem}-{id(block)}.draft"
        with pa.OSFile(str(draft), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        sync(draft)
        draft.rename(path)
    return path


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with pa.memory_map(str(path)) as file:
        yield pa.ipc.open_file(file).read_all()
