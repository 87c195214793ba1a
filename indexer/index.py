"""FAISS indexes over item vectors: built, written, and read back without trusting the file."""

import os
import struct
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.errors import BundleError
from indexer.vectors import Floats

Index = Any
"""A FAISS index; FAISS ships no types."""

INDEX_KEYS = ("Flat",)
"""The index keys that this program builds and reads."""

_WRITE_BYTES = 1 << 20
# Kind, d, ntotal, two numbers without meaning, is_trained, metric, how many floats follow.
_FLAT_HEADER = struct.Struct("<4siq16xBiq")


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
    if index_key not in INDEX_KEYS:
        raise BundleError(
            f"{path.parent}: index_key is {index_key!r} in the manifest; this program reads {', '.join(INDEX_KEYS)}"
        )
    _check_flat(path, n_items, width)
    try:
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except (RuntimeError, MemoryError) as error:
        raise BundleError(f"{path}: FAISS can't read it: {_last_words(error)}") from error


def _check_flat(path: Path, n_items: int, width: int) -> None:
    """Prove that FAISS can read `path` as a flat index: it builds whatever a file asks for, and may crash in search."""
    with path.open("rb") as file:
        raw = file.read(_FLAT_HEADER.size)
        n_bytes = os.fstat(file.fileno()).st_size
    if len(raw) < _FLAT_HEADER.size or not raw.startswith(b"IxFI"):
        raise BundleError(f"{path}: begins with {raw[:4]!r}, so it is no Flat index by inner product")
    _, d, ntotal, is_trained, metric, n_floats = _FLAT_HEADER.unpack(raw)
    if (ntotal, d) != (n_items, width):
        raise BundleError(f"{path}: holds {ntotal} × {d} vectors, the manifest says {n_items} × {width}")
    if metric != faiss.METRIC_INNER_PRODUCT:
        raise BundleError(f"{path}: is for metric {metric}, not for inner products")
    if (is_trained, n_floats, n_bytes) != (1, n_items * width, _FLAT_HEADER.size + 4 * n_items * width):
        raise BundleError(f"{path}: has {n_bytes} bytes with {n_floats} floats, which do not fit {n_items} × {width}")


def search(index: Index, queries: Floats, k: int) -> NDArray[np.int64]:
    """The rows of the k best vectors for each query, float32 (n, width), best first: int64 (n, k), −1 past the end."""
    rows: NDArray[np.int64] = index.search(np.ascontiguousarray(queries), k)[1]
    return rows


def _last_words(error: BaseException) -> str:
    """The end of a FAISS message: before it come C++ signatures and source lines."""
    return str(error).rsplit("failed: ", maxsplit=1)[-1].strip() or type(error).__name__
