"""A file that is not what its key and counts say is refused before FAISS reads it, whichever byte it is."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.errors import BundleError
from indexer.faiss_layout import check_file
from indexer.index_file import load_index, map_index, write_index
from indexer.keys import parse_key
from tests.indexer.small import index_over

N_ROWS, WIDTH = 203, 24
VECTORS = np.random.default_rng(3).normal(size=(N_ROWS, WIDTH)).astype(np.float32)
VECTORS[:, -2:] = 0
KEYS = [
    "Flat", "SQfp16", "SQ8", "PQ12x4fs", "PQ3x4fs", "IVF4,Flat", "IVF4,SQ8", "IVF4,PQ12x4fs", "IVF200,Flat", "HNSW8",
    "Equalised,IVF4,Flat", "Equalised,IVF4,SQfp16", "Equalised,IVF4,PQ12x4fs", "Equalised,HNSW4",
]  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("indexes")
    for key in KEYS:
        write_index(index_over(VECTORS, key).faiss, folder / key)
    return {key: (folder / key).read_bytes() for key in KEYS}


@pytest.mark.parametrize("key", KEYS)
def test_what_was_written_is_read_mapped_or_not(key: str, files: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "index"
    path.write_bytes(files[key])
    expected = index_over(VECTORS, key).faiss.search(VECTORS[:9], 5)
    for read in (map_index, load_index):
        found = read(path, parse_key(key), N_ROWS, WIDTH).search(VECTORS[:9], 5)
        np.testing.assert_array_equal(found[1], expected[1])
        np.testing.assert_array_equal(found[0], expected[0])


@pytest.mark.parametrize("key", KEYS)
def test_it_is_no_index_of_another_key_or_of_more_rows(key: str, files: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "index"
    path.write_bytes(files[key])
    for other in (other for other in KEYS if other != key):
        with pytest.raises(BundleError, match=f"is no {other} index of {N_ROWS} × {WIDTH} vectors: "):
            check_file(path, parse_key(other), N_ROWS, WIDTH)
    for n_items, width in ((N_ROWS + 1, WIDTH), (N_ROWS - 1, WIDTH), (N_ROWS, WIDTH + 8), (1 << 40, WIDTH)):
        with pytest.raises(BundleError, match="is no "):
            check_file(path, parse_key(key), n_items, width)


@pytest.mark.parametrize("key", KEYS)
def test_it_is_refused_cut_off_anywhere_and_with_a_byte_too_many(
    key: str, files: dict[str, bytes], tmp_path: Path
) -> None:
    path, raw = tmp_path / "index", files[key]
    for end in {*range(0, 200, 7), *range(0, len(raw), 997), len(raw) - 1}:
        path.write_bytes(raw[:end])
        with pytest.raises(BundleError, match=r"it ends at byte|there can be at most"):
            check_file(path, parse_key(key), N_ROWS, WIDTH)
    path.write_bytes(raw + b"x")
    with pytest.raises(BundleError, match="1 bytes follow its end"):
        check_file(path, parse_key(key), N_ROWS, WIDTH)


@pytest.mark.parametrize("key", KEYS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True), length=st.integers(1, 8), seed=st.integers(0, 2**32 - 1))
def test_with_any_bytes_changed_it_is_refused_or_searched_without_a_crash(
    key: str, share: float, length: int, seed: int, files: dict[str, bytes], tmp_path: Path
) -> None:
    raw = bytearray(files[key])
    # Half of them in the fields at the beginning, where lengths are.
    at = int(share * (300 if seed % 2 else len(raw) - length))
    raw[at : at + length] = np.random.default_rng(seed).bytes(length)
    path = tmp_path / "index"
    path.write_bytes(raw)
    try:
        index = map_index(path, parse_key(key), N_ROWS, WIDTH)
    except BundleError:
        return
    rows = index.search(VECTORS[:3], 5)[1]
    assert rows.shape == (3, 5)
    assert rows.min() >= -1
    assert rows.max() < N_ROWS


@pytest.mark.parametrize("row", [-2, N_ROWS, 2**31 - 1])
def test_a_graph_that_links_to_a_row_that_is_not_there_is_refused(row: int, tmp_path: Path) -> None:
    write_index(index_over(VECTORS, "HNSW8").faiss, tmp_path / "index")
    raw = (tmp_path / "index").read_bytes()
    links = np.frombuffer(raw, np.uint8).copy()
    # Links end where the storage begins, 20 bytes of fields between.
    at = raw.rindex(b"IxFI") - 20 - 4 * 16
    links[at : at + 4] = np.frombuffer(np.int32(row).tobytes(), np.uint8)
    (tmp_path / "index").write_bytes(links.tobytes())
    with pytest.raises(BundleError, match="it links to a row that is not there"):
        check_file(tmp_path / "index", parse_key("HNSW8"), N_ROWS, WIDTH)


@pytest.mark.parametrize("row", [-1, N_ROWS, 0])
def test_lists_that_do_not_name_each_row_once_are_refused(row: int, files: dict[str, bytes], tmp_path: Path) -> None:
    raw = bytearray(files["IVF4,Flat"])
    last = int.from_bytes(raw[-8:], "little")
    assert 0 < last < N_ROWS
    raw[-8:] = np.int64(row).tobytes()
    (tmp_path / "index").write_bytes(raw)
    with pytest.raises(BundleError, match=r"names a row that is not there|do not name each row once"):
        check_file(tmp_path / "index", parse_key("IVF4,Flat"), N_ROWS, WIDTH)
