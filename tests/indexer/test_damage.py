"""A bundle of which one bit, one file or one end has changed is never opened."""

import os
from pathlib import Path

import pytest

from indexer.bundle import open_bundle
from indexer.errors import BundleError, CurrentError
from indexer.store import Store
from tests.indexer.small import published


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = Store(tmp_path / "store")
    return store.path(published(store))


def is_refused(folder: Path) -> bool:
    try:
        open_bundle(folder)
    except BundleError:
        return True
    return False


def test_a_flipped_bit_in_any_byte_is_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    n_bytes = 0
    for path in sorted(folder.iterdir()):
        with path.open("r+b", buffering=0) as file:
            original = path.read_bytes()
            for position, byte in enumerate(original):
                os.pwrite(file.fileno(), bytes([byte ^ 1 << position % 8]), position)
                assert is_refused(folder), f"{path.name}: byte {position}"
                os.pwrite(file.fileno(), bytes([byte]), position)
            n_bytes += len(original)
    with capsys.disabled():
        print(f"\n{n_bytes} bytes flipped in turn, every one found")
    open_bundle(folder)


def test_a_flipped_bit_in_any_byte_of_the_pointer_is_found(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    for seed in range(2):
        published(store, seed)
    pointer = store.folder / "CURRENT"
    original = pointer.read_bytes()
    for position, byte in enumerate(original):
        for bit in range(8):
            pointer.write_bytes(original[:position] + bytes([byte ^ 1 << bit]) + original[position + 1 :])
            with pytest.raises(CurrentError):
                store.open_current()


def test_every_file_cut_off_or_longer_or_gone_is_found(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        original = path.read_bytes()
        for changed in (b"", original[:1], original[: len(original) // 2], original[:-1], original + b"\0"):
            path.write_bytes(changed)
            assert is_refused(folder), f"{path.name}: {len(changed)} of {len(original)} bytes"
        path.unlink()
        assert is_refused(folder), f"{path.name} is gone"
        path.mkdir()
        assert is_refused(folder), f"{path.name} is a folder"
        path.rmdir()
        path.write_bytes(original)
    open_bundle(folder)


def test_every_file_of_another_bundle_is_found(folder: Path, tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    foreign = other.path(published(other, seed=1))
    n_different = 0
    for path in sorted(folder.iterdir()):
        original, replaced = path.read_bytes(), (foreign / path.name).read_bytes()
        if original != replaced and path.name != "manifest.json":
            path.write_bytes(replaced)
            assert is_refused(folder), path.name
            path.write_bytes(original)
            n_different += 1
    assert n_different >= 6
