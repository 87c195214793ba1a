"""FAISS's files, read through once before FAISS may: it builds whatever a file asks for, and may crash in a search.

Every length in the file must fit what the file holds, every row that it names must exist, and nothing may be left over.
The layouts are those of faiss/impl/index_write.cpp as of FAISS 1.15, of the kinds that indexer.keys knows.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import DTypeLike, NDArray

from indexer.errors import BundleError
from indexer.keys import Family, IndexKey

_SCALAR_QUANTISERS = {
    "SQfp16": (faiss.ScalarQuantizer.QT_fp16, 2, 0),
    "SQ8": (faiss.ScalarQuantizer.QT_8bit, 1, 2),
}
"""By FAISS's name: its number, bytes a column, trained floats a column."""
_PQ_CENTROIDS, _PQ_BITS, _BLOCK = 16, 4, 32
_MOST_LEVELS = 64


class _WrongFileError(Exception):
    """What does not fit, as the end of a sentence."""


def check_file(path: Path, key: IndexKey, n_items: int, width: int) -> None:
    """Prove that `path` holds an index made by `key` over (n_items, width). Raises BundleError saying what is wrong."""
    raw = np.memmap(path, np.uint8, mode="r") if path.stat().st_size else np.empty(0, np.uint8)
    cursor = _Cursor(raw, n_items, width)
    try:
        _WALKS[key.family](cursor, key)
        cursor.end()
    except _WrongFileError as error:
        raise BundleError(f"{path}: is no {key.text} index of {n_items} × {width} vectors: {error}") from error


@dataclass
class _Cursor:
    """Reads one field after the other of `raw`, uint8."""

    raw: NDArray[np.uint8]
    n_items: int
    width: int
    at: int = 0

    def fields(self, form: str) -> tuple[Any, ...]:
        """The next fields, as struct spells them."""
        size = struct.calcsize(f"<{form}")
        return struct.unpack(f"<{form}", self.take(size).tobytes())

    def take(self, size: int) -> NDArray[np.uint8]:
        """The next `size` bytes."""
        if size > len(self.raw) - self.at:
            raise _WrongFileError(f"it ends at byte {len(self.raw)}, within a field of {size} bytes at {self.at}")
        self.at += size
        return self.raw[self.at - size : self.at]

    def array(self, dtype: DTypeLike, length: int) -> NDArray[Any]:
        """An array that follows its own length, which must be `length`."""
        (said,) = self.fields("Q")
        expect(said, length, "a length")
        return self.take(length * np.dtype(dtype).itemsize).view(dtype) if length else np.empty(0, dtype)

    def skip_array(self, item_bytes: int, most: int) -> int:
        """Leave out an array of at most `most` entries; how many there were."""
        (said,) = self.fields("Q")
        if said > most:
            raise _WrongFileError(f"a length is {said} at byte {self.at - 8}; there can be at most {most}")
        self.take(said * item_bytes)
        return int(said)

    def kind(self, expected: bytes) -> None:
        """The four letters that name what follows."""
        expect(self.take(4).tobytes(), expected, "the kind")

    def header(self, n_items: int, metric: int) -> None:
        """What every index begins with after its kind."""
        d, ntotal, is_trained, found = self.fields("iq16xBi")
        expect((ntotal, d), (n_items, self.width), "the shape")
        expect(is_trained, 1, "is_trained")
        expect(found, metric, "the metric")

    def end(self) -> None:
        """Prove that nothing is left."""
        if self.at != len(self.raw):
            raise _WrongFileError(f"{len(self.raw) - self.at} bytes follow its end")


def expect(found: object, expected: object, what: str) -> None:
    """Raise _WrongFileError where the two differ."""
    if found != expected:
        raise _WrongFileError(f"{what} is {found}, not {expected}")


def _scan(cursor: _Cursor, key: IndexKey) -> None:
    if key.m:
        return _fast_scan(cursor, key.m)
    if key.text in _SCALAR_QUANTISERS:
        return _scalar_quantiser(cursor, key.text)
    return _flat(cursor, key, cursor.n_items)


def _metric(key: IndexKey) -> int:
    return faiss.METRIC_L2 if key.equalised else faiss.METRIC_INNER_PRODUCT


def _flat(cursor: _Cursor, key: IndexKey, n_rows: int) -> None:
    cursor.kind(b"IxF2" if key.equalised else b"IxFI")
    cursor.header(n_rows, _metric(key))
    cursor.array(np.float32, n_rows * cursor.width)


def _scalar_quantiser(cursor: _Cursor, name: str) -> None:
    cursor.kind(b"IxSQ")
    cursor.header(cursor.n_items, faiss.METRIC_INNER_PRODUCT)
    cursor.array(np.uint8, cursor.n_items * _scalar_codes(cursor, name))


def _scalar_codes(cursor: _Cursor, name: str) -> int:
    """The quantiser's own fields; the bytes of a code."""
    qtype, bytes_each, trained_each = _SCALAR_QUANTISERS[name]
    code_bytes = bytes_each * cursor.width
    found = cursor.fields("ii4xQQ")
    expect((found[0], *found[2:]), (qtype, cursor.width, code_bytes), "the scalar quantiser")
    cursor.array(np.float32, trained_each * cursor.width)
    return code_bytes


def _product_quantiser(cursor: _Cursor, m: int) -> None:
    expect(cursor.fields("QQQ"), (cursor.width, m, _PQ_BITS), "the product quantiser")
    cursor.array(np.float32, _PQ_CENTROIDS * cursor.width)


def _even(m: int) -> int:
    return m + m % 2


def _fast_scan(cursor: _Cursor, m: int) -> None:
    cursor.kind(b"IPfs")
    cursor.header(cursor.n_items, faiss.METRIC_INNER_PRODUCT)
    _product_quantiser(cursor, m)
    n_padded = -(-cursor.n_items // _BLOCK) * _BLOCK
    # implem and qbs choose among ways to the same result, by FAISS itself where they are 0; a wrong one aborts it.
    expect(cursor.fields("iiiQQ"), (0, _BLOCK, 0, n_padded, _even(m)), "the blocks")
    cursor.array(np.uint8, n_padded * _even(m) // 2)


def _lists(cursor: _Cursor, key: IndexKey) -> None:
    quantiser = key.quantiser
    cursor.kind(b"IwPf" if key.m else b"IwSq" if quantiser in _SCALAR_QUANTISERS else b"IwFl")
    cursor.header(cursor.n_items, _metric(key))
    # nprobe is 1 as long as nobody sets it; 0 is an error only in a search.
    expect(cursor.fields("QQ"), (key.nlist, 1), "nlist and nprobe")
    _flat(cursor, key, key.nlist)
    expect(cursor.fields("B"), (0,), "the direct map")
    cursor.array(np.int64, 0)
    if key.m:
        _fast_scan_lists(cursor, key)
    elif quantiser in _SCALAR_QUANTISERS:
        code_bytes = _scalar_codes(cursor, quantiser)
        expect(cursor.fields("QB"), (code_bytes, 1), "the code size and by_residual")
        _array_lists(cursor, code_bytes, key.nlist)
    else:
        _array_lists(cursor, 4 * cursor.width, key.nlist)


def _fast_scan_lists(cursor: _Cursor, key: IndexKey) -> None:
    m, nlist = key.m, key.nlist
    expect(cursor.fields("BQiQiQ"), (0, -(-m // 2), _BLOCK, _even(m), 0, 0), "the blocks")
    _product_quantiser(cursor, m)
    cursor.kind(b"ilbl")
    block_bytes = _even(m) // 2 * _BLOCK
    found = cursor.fields("QQQQ")
    expect((found[0], *found[2:]), (nlist, _BLOCK, block_bytes), "the lists")
    rows = _Rows(cursor.n_items)
    for _ in range(nlist):
        n_rows = _peeked_length(cursor, cursor.n_items)
        rows.add(cursor.array(np.int64, n_rows))
        cursor.array(np.uint8, -(-n_rows // _BLOCK) * block_bytes)
    rows.end()


def _peeked_length(cursor: _Cursor, most: int) -> int:
    (said,) = struct.unpack("<Q", cursor.raw[cursor.at : cursor.at + 8].tobytes().ljust(8, b"\0"))
    if said > most:
        raise _WrongFileError(f"a length is {said} at byte {cursor.at}; there can be at most {most}")
    return int(said)


def _array_lists(cursor: _Cursor, code_bytes: int, nlist: int) -> None:
    cursor.kind(b"ilar")
    expect(cursor.fields("QQ"), (nlist, code_bytes), "the lists")
    form = cursor.take(4).tobytes()
    if form == b"full":
        sizes = cursor.array(np.uint64, nlist).tolist()
    elif form == b"sprs":
        pairs = cursor.array(np.uint64, _peeked_length(cursor, 2 * nlist)).reshape(-1, 2)
        if len(pairs) and (pairs[:, 0].max() >= nlist or np.any(np.diff(pairs[:, 0].astype(np.int64)) <= 0)):
            raise _WrongFileError("a list is named that is not there")
        sizes = pairs[:, 1].tolist()
    else:
        raise _WrongFileError(f"the lists are {form!r}, not full or sprs")
    rows = _Rows(cursor.n_items)
    for size in sizes:
        if size > cursor.n_items:
            raise _WrongFileError(f"a list has {size} rows")
        cursor.take(size * code_bytes)
        rows.add(cursor.take(size * 8).view(np.int64))
    rows.end()


class _Rows:
    """Proves that lists name each row once."""

    def __init__(self, n_items: int) -> None:
        self._seen = np.zeros(n_items, np.bool_)
        self._count = 0

    def add(self, rows: NDArray[np.int64]) -> None:
        if len(rows) and (rows.min() < 0 or rows.max() >= len(self._seen)):
            raise _WrongFileError("a list names a row that is not there")
        self._seen[rows] = True
        self._count += len(rows)

    def end(self) -> None:
        if self._count != len(self._seen) or not self._seen.all():
            raise _WrongFileError("its lists do not name each row once")


def _graph(cursor: _Cursor, key: IndexKey) -> None:
    cursor.kind(b"IHNf")
    cursor.header(cursor.n_items, _metric(key))
    n_levels = cursor.skip_array(8, _MOST_LEVELS)
    capacity = cursor.array(np.int32, n_levels + 1).astype(np.int64)
    expected = np.concatenate([[0], 2 * key.links + key.links * np.arange(n_levels)])
    expect(capacity.tolist(), expected.tolist(), "the links a level")
    levels = cursor.array(np.int32, cursor.n_items)
    if levels.min() < 1 or levels.max() > n_levels:
        raise _WrongFileError(f"a level is not within 1 to {n_levels}")
    offsets = cursor.array(np.uint64, cursor.n_items + 1).astype(np.int64)
    if offsets[0] != 0 or not np.array_equal(np.diff(offsets), capacity[levels]):
        raise _WrongFileError("its offsets do not fit its levels")
    neighbours = cursor.array(np.int32, int(offsets[-1]))
    if neighbours.min() < -1 or neighbours.max() >= cursor.n_items:
        raise _WrongFileError("it links to a row that is not there")
    entry, top_level, *_ = cursor.fields("iiiii")
    if not 0 <= entry < cursor.n_items or not 0 <= top_level < n_levels or levels[entry] != top_level + 1:
        raise _WrongFileError("its entry point is not there")
    _check_levels(neighbours, offsets, levels, capacity, key.links)
    _flat(cursor, key, cursor.n_items)


def _check_levels(
    neighbours: NDArray[np.int32],
    offsets: NDArray[np.int64],
    levels: NDArray[np.int32],
    capacity: NDArray[np.int64],
    links: int,
) -> None:
    """Prove that a link above the ground leads to a row that stands there too: FAISS reads that row's links next."""
    for level in range(1, int(levels.max())):
        rows = np.flatnonzero(levels > level)
        linked = neighbours[offsets[rows, np.newaxis] + capacity[level] + np.arange(links)]
        if np.any(levels[linked[linked >= 0]] <= level):
            raise _WrongFileError(f"level {level} links to a row that is not on it")


_WALKS = {Family.SCAN: _scan, Family.LISTS: _lists, Family.GRAPH: _graph}
