"""A bundle that was proved elsewhere is opened without being read through, and only if it is the one that was."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer.build import build_bundle
from indexer.bundle import open_bundle, proved
from indexer.errors import BundleError
from indexer.proof import Proof, files_in
from indexer.store import Store
from tests.server.running import building
from tests.world import random_embeddings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    folder.mkdir()
    build_bundle(random_embeddings(n_users=9, n_items=40, dim=6), folder)
    return folder


def rewrite(path: Path) -> None:
    """The same bytes in another file, at the same time of change."""
    copy = path.with_name("copy")
    shutil.copy2(path, copy)
    copy.replace(path)


def write_in_place(path: Path) -> None:
    """Other bytes in the same file, at the same time of change."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"x")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "another file comes in place of one": rewrite,
    "a file is written to": write_in_place,
    "a file is cut off": lambda path: os.truncate(path, path.stat().st_size - 1),
    "a file comes": lambda path: path.with_name("more.npy").write_bytes(b""),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["manifest.json", "item_vectors.npy", "recommend.faiss", "tag_names_utf8.npy"])
def test_what_is_changed_after_it_was_proved_is_not_opened(folder: Path, change: str, name: str) -> None:
    def prove(folder: Path) -> Proof:
        proof = proved(folder)
        CHANGES[change](folder / name)
        return proof

    with pytest.raises(BundleError):
        open_bundle(folder, prove)


def test_a_bundle_opened_with_its_proof_holds_the_same(folder: Path) -> None:
    read, trusted = open_bundle(folder), open_bundle(folder, proved)
    np.testing.assert_array_equal(trusted.item_vectors, read.item_vectors)
    assert trusted.manifest == read.manifest
    for name, array in read.catalogue.to_arrays().items():
        np.testing.assert_array_equal(trusted.catalogue.to_arrays()[name], array)
    query = read.item_vectors[:3]
    np.testing.assert_array_equal(
        trusted.recommend_index.faiss.search(query, 5)[1], read.recommend_index.faiss.search(query, 5)[1]
    )


def test_a_bundle_that_came_in_place_of_another_before_it_was_proved_is_opened_whole(
    folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    build_bundle(random_embeddings(n_users=9, n_items=40, dim=6, seed=9), other)

    def prove(folder: Path) -> Proof:
        shutil.copytree(other, folder, dirs_exist_ok=True)
        return proved(folder)

    opened, expected = open_bundle(folder, prove), open_bundle(other)
    assert opened.manifest == expected.manifest
    np.testing.assert_array_equal(opened.item_vectors, expected.item_vectors)


def test_what_was_proved_is_not_read_through_again(folder: Path) -> None:
    vectors = np.load(folder / "user_embeddings.npy", mmap_mode="r+")
    vectors[0, 0] = np.nan
    vectors.flush()
    with pytest.raises(BundleError, match="damaged"):
        open_bundle(folder)
    assert np.isnan(open_bundle(folder, files_in).user_embeddings[0, 0])


def test_a_bundle_can_not_be_removed_while_it_is_proved(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = store.publish(building(random_embeddings(seed=1)))
    for seed in (2, 3):
        store.publish(building(random_embeddings(seed=seed)))
    in_use: list[str] = []

    def prove(folder: Path) -> Proof:
        in_use.extend(store.prune(keep=1)[1])
        return proved(folder)

    assert replace(store, prove=prove).open(first).version == first
    assert in_use == [first]


def test_a_process_that_is_not_the_parents_proves_nothing(folder: Path) -> None:
    command = [sys.executable, "-m", "indexer.proving", str(folder), "1"]
    ended = subprocess.run(command, capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, b"")
