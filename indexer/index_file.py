"""Index files: written whole or with an error, and read back without trusting them."""

from pathlib import Path

import faiss

from indexer.errors import BundleError
from indexer.faiss_layout import check_file
from indexer.index import FaissIndex
from indexer.keys import IndexKey

_WRITE_BYTES = 1 << 20


def write_index(index: FaissIndex, path: Path) -> None:
    """Write `index` to `path`. Raises OSError where the disk refuses."""
    # Not by FAISS itself: where the last bytes find no room, it prints a line and goes on.
    with path.open("wb") as file:
        writer = faiss.PyCallbackIOWriter(file.write, _WRITE_BYTES)  # type: ignore[attr-defined]  # made by SWIG
        faiss.write_index(index, writer)


def map_index(path: Path, key: IndexKey, n_items: int, width: int, *, is_proved: bool = False) -> FaissIndex:
    """The index in `path`, mapped into memory where FAISS can: the processes that open it share its pages.

    Raises BundleError where it is not an index of this key over (n_items, width); what `is_proved` is not asked again.
    """
    if not is_proved:
        check_file(path, key, n_items, width)
    return _read(path, faiss.IO_FLAG_MMAP_IFC)


def load_index(path: Path, key: IndexKey, n_items: int, width: int) -> FaissIndex:
    """The same in memory of its own, so that it can be changed."""
    check_file(path, key, n_items, width)
    return _read(path, 0)


def _read(path: Path, flags: int) -> FaissIndex:
    try:
        return faiss.read_index(str(path), flags)
    except (RuntimeError, MemoryError) as error:
        raise BundleError(f"{path}: FAISS can't read it: {_last_words(error)}") from error


def _last_words(error: BaseException) -> str:
    """The end of a FAISS message: before it come C++ signatures and source lines."""
    return str(error).rsplit("failed: ", maxsplit=1)[-1].strip() or type(error).__name__
