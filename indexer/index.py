"""FAISS indexes over item vectors: built, written, and read back without trusting the file."""

from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.errors import BundleError
from indexer.vectors import Floats

Index = Any
"""A FAISS index; FAISS ships no types."""

# What an index file must begin with, by index_key: FAISS builds whatever the file asks for, so look before it reads.
_FIRST_BYTES = {"Flat": b"IxFI"}
INDEX_KEYS = tuple(_FIRST_BYTES)
"""The index keys that this program builds and reads."""

_WRITE_BYTES = 1 << 20


def build_index(vectors: Floats, index_key: str) -> Index:
    """An inner-product index over `vectors`, float32 (n_items, width); `index_key` is FAISS's factory string."""
    index = faiss.index_factory(vectors.shape[1], index_key, faiss.METRIC_INNER_PRODUCT)
    index.add(np.ascontiguousarray(vectors))
    return index


def write_index(index: Index, path: Path) -> None:
    """Write `index` to `path`. Raises OSError where the disk refuses."""
    # Not by FAISS itself: where the last bytes find no room, it prints a line and goes on.
    with path.open("wb") as file:
        writer = faiss.PyCallbackIOWriter(file.write, _WRITE_BYTES)  # type: ignore[attr-defined]  # made by SWIG
        faiss.write_index(index, writer)


def read_index(path: Path, index_key: str, n_items: int, width: int) -> Index:
    """The index in `path`, mapped into memory: the processes that open it share its pages. Never add to it.

    Raises BundleError where it is not an inner-product index of this kind over (n_items, width).
    """
    if index_key not in _FIRST_BYTES:
        raise BundleError(
            f"{path.parent}: index_key is {index_key!r} in the manifest; this program reads {', '.join(INDEX_KEYS)}"
        )
    with path.open("rb") as file:
        kind = file.read(4)
    if kind != _FIRST_BYTES[index_key]:
        raise BundleError(f"{path}: begins with {kind!r}, so it is no {index_key} index by inner product")
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except (RuntimeError, MemoryError) as error:
        raise BundleError(f"{path}: FAISS can't read it: {_last_words(error)}") from error
    if (index.ntotal, index.d) != (n_items, width):
        raise BundleError(f"{path}: holds {index.ntotal} × {index.d} vectors, the manifest says {n_items} × {width}")
    if index.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise BundleError(f"{path}: is for metric {index.metric_type}, not for inner products")
    return index


def search(index: Index, queries: Floats, k: int) -> NDArray[np.int64]:
    """The rows of the k best vectors for each query, float32 (n, width), best first: int64 (n, k), −1 past the end."""
    rows: NDArray[np.int64] = index.search(np.ascontiguousarray(queries), k)[1]
    return rows


def _last_words(error: BaseException) -> str:
    """The end of a FAISS message: before it come C++ signatures and source lines."""
    return str(error).rsplit("failed: ", maxsplit=1)[-1].strip() or type(error).__name__
