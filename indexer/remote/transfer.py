"""One version between a folder and a remote store: whole and verified at the other end, or not there.

<url>/versions/<version>/<file>         as in a folder
<url>/versions/<version>/manifest.json  written last: without it the version is not there
"""

import os
import re
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from indexer.bundle import read_bundle_manifest
from indexer.errors import BundleError, StoreError
from indexer.remote.objects import Objects
from indexer.versions import content_prefix
from training.artefact import MANIFEST, Manifest, sync

VERSIONS = "versions"
_MAX_MANIFEST_BYTES = 1 << 24
_MAX_FILES, _MAX_FILE_BYTES = 1000, 1 << 50
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_BLOCK_BYTES = 8 << 20
_AT_A_TIME = 4
# What the disk keeps for others.
_SPARE_BYTES = 64 << 20


def folder_of(version: str) -> str:
    """The prefix of a version's objects."""
    return f"{VERSIONS}/{version}"


def upload(objects: Objects, folder: Path, version: str) -> None:
    """Make the bundle in `folder` the version of this name, but for its manifest: `commit` writes that.

    Raises BundleError where an object is not of the size that was uploaded.
    """
    files = read_bundle_manifest(folder)["files"]
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        sent = [pool.submit(objects.upload, folder / name, f"{folder_of(version)}/{name}") for name in files]
        _finish(pool, sent)
    _check_sizes(objects, version, files)


def commit(objects: Objects, folder: Path, version: str) -> None:
    """Write the manifest of what was uploaded: from now on the version is there."""
    objects.write(f"{folder_of(version)}/{MANIFEST}", (folder / MANIFEST).read_bytes())


def fetch_manifest(objects: Objects, version: str, folder: Path) -> Manifest:
    """The manifest of `version`, written into `folder` and proved whole and its own. Raises BundleError, RemoteError.

    It names nothing outside its folder, and not more than a disk could hold.
    """
    place = f"{objects.url}/{folder_of(version)}"
    raw = objects.read(f"{folder_of(version)}/{MANIFEST}", _MAX_MANIFEST_BYTES)
    if raw is None:
        raise BundleError(f"{place}: has no {MANIFEST}, so it was never finished or was removed")
    (folder / MANIFEST).write_bytes(raw)
    try:
        manifest = read_bundle_manifest(folder)
    except BundleError as error:
        raise BundleError(str(error).replace(str(folder), place)) from error
    if not manifest["content_sha256"].startswith(content_prefix(version)):
        raise BundleError(f"{place}: holds the content of another version; publish again")
    files = manifest["files"]
    strange = [name for name, file in files.items() if not _is_sane(name, file["bytes"])]
    if strange or len(files) > _MAX_FILES:
        what = f"the file {strange[0][:60]!r}" if strange else f"{len(files)} files"
        raise BundleError(f"{place}: its manifest names {what} as no version has it; nothing of it was fetched")
    return manifest


def fetch(objects: Objects, version: str, folder: Path) -> None:
    """Copy `version` into the empty `folder`; whoever opens it there verifies its checksums.

    Raises BundleError where the remote has not what its manifest says, RemoteError, and OSError where the disk is full.
    """
    files = fetch_manifest(objects, version, folder)["files"]
    _check_sizes(objects, version, files)
    needed, free = sum(file["bytes"] for file in files.values()), shutil.disk_usage(folder).free
    if needed > free - _SPARE_BYTES:
        raise StoreError(f"{folder.parent}: {version} needs {needed} bytes there, {free} are free; make room")
    blocks = [(name, *block) for name, file in files.items() for block in _blocks(file["bytes"])]
    for name in files:
        (folder / name).touch(exist_ok=False)
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        _finish(pool, [pool.submit(partial(_fetch_block, objects, version, folder), *block) for block in blocks])
    _sync_all(folder)


def _is_sane(name: str, n_bytes: int) -> bool:
    """Whether a version can have this file: in its folder, not its manifest, of a size that there is."""
    return bool(_NAME.fullmatch(name)) and name != MANIFEST and 0 <= n_bytes <= _MAX_FILE_BYTES


def _check_sizes(objects: Objects, version: str, files: dict[str, Any]) -> None:
    """Prove that every file is there in full, before any is read. Raises BundleError naming the first that is not."""
    prefix = folder_of(version)
    found = objects.sizes(prefix)
    for name, file in files.items():
        size = found.get(f"{prefix}/{name}")
        if size != file["bytes"]:
            what = "is missing" if size is None else f"has {size} bytes, not {file['bytes']}"
            raise BundleError(f"{objects.url}/{prefix}/{name}: {what}; publish again")


def _blocks(n_bytes: int) -> Iterable[tuple[int, int]]:
    return ((start, min(start + _BLOCK_BYTES, n_bytes)) for start in range(0, n_bytes, _BLOCK_BYTES))


def _fetch_block(objects: Objects, version: str, folder: Path, name: str, start: int, end: int) -> None:
    data = objects.read_range(f"{folder_of(version)}/{name}", start, end)
    descriptor = os.open(folder / name, os.O_WRONLY | os.O_NOFOLLOW)
    try:
        while data:
            written = os.pwrite(descriptor, data, start)
            data, start = data[written:], start + written
    finally:
        os.close(descriptor)


def _finish(pool: ThreadPoolExecutor, work: Iterable[Any]) -> None:
    """Wait for all; the first that fails is raised, and what has not begun is not begun."""
    try:
        for future in work:
            future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _sync_all(folder: Path) -> None:
    for path in folder.iterdir():
        sync(path)
    sync(folder)
