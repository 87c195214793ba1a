"""A folder of arrays that describes itself: written whole or not at all, verified before anything in it is read.

`manifest.json` is the commit point: it names every file with its size and SHA-256, and carries a SHA-256 of itself.
The folder is filled under a temporary name beside its place, synced to disk and renamed, so that a kill at any moment
leaves either no folder or a whole one.
"""

import ctypes
import hashlib
import json
import os
import shutil
import sys
import tempfile
import tokenize
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.columns import Arrays, read_only
from training.errors import ArtefactError, PlaceTakenError

MANIFEST = "manifest.json"
Manifest = dict[str, Any]

_MAX_MANIFEST_BYTES = 1 << 24
_MAX_NAME_BYTES = 255
_MAX_READ_BYTES = 4096
# What NumPy raises about headers that are not its own.
_UNREADABLE = (
    ArithmeticError, EOFError, MemoryError, RecursionError, SyntaxError, TypeError, ValueError, tokenize.TokenError,
)  # fmt: skip
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def save_arrays(folder: Path, arrays: Arrays) -> None:
    """Write each array to `<folder>/<name>.npy`."""
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)


def check_place(folder: Path, *, overwrite: bool) -> None:
    """Raise PlaceTakenError or ArtefactError where an artefact can't be written to `folder`: before long work."""
    if folder.exists() and not overwrite:
        raise PlaceTakenError(folder)
    if folder.exists() and not (folder / MANIFEST).is_file():
        raise ArtefactError(
            f"{folder}: is not something that Matinee wrote, so it is not overwritten; choose another place"
        )
    parent = next(parent for parent in folder.absolute().parents if parent.exists())
    if not parent.is_dir():
        raise ArtefactError(f"{folder}: {parent} is a file, not a folder; choose another place")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise ArtefactError(f"{folder}: {parent} can't be written to; choose another place")


def write_artefact(
    folder: Path,
    kind: str,
    version: int,
    description: Mapping[str, Any],
    fill: Callable[[Path], None],
    *,
    overwrite: bool,
) -> Manifest:
    """Make `folder` hold what `fill` writes into the empty folder that it is given, with a manifest.

    `kind` and `version` name the format. An existing `folder` is replaced in one step under `overwrite`; without it
    ArtefactError is raised before anything is written. Returns the manifest.
    """
    check_place(folder, overwrite=overwrite)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with draft_beside(folder) as draft:
        fill(draft)
        manifest = seal(draft, kind, version, description)
        place(draft, folder)
    return manifest


@contextmanager
def draft_beside(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder`; whatever lies under that name at the end is removed."""
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".draft", dir=folder.parent))
    try:
        draft.chmod(0o755)
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def seal(draft: Path, kind: str, version: int, description: Mapping[str, Any]) -> Manifest:
    """Write the manifest of all files in `draft` and sync every one of them to disk; the manifest."""
    files = {path.name: {"bytes": path.stat().st_size, "sha256": _sha256(path)} for path in sorted(draft.iterdir())}
    manifest: Manifest = {
        "format": kind,
        "format_version": version,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **description,
        "files": files,
    }
    manifest["content_sha256"] = _content_hash(manifest)
    (draft / MANIFEST).write_bytes(_canonical(manifest))
    for path in draft.iterdir():
        sync(path)
    sync(draft)
    return manifest


def place(draft: Path, folder: Path) -> None:
    """Rename `draft` to `folder`, in one step even where `folder` exists, and sync the parent folder.

    Where `folder` existed, `draft` holds its old content afterwards.
    """
    if folder.exists():
        _exchange(draft, folder)
    else:
        draft.rename(folder)
    sync(folder.parent)


def _exchange(first: Path, second: Path) -> None:
    # The one system call that replaces a folder that is not empty without a moment in which there is none.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), str(second))


def sync(path: Path) -> None:
    """Wait until `path`, a file or a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_manifest(folder: Path, kind: str, version: int) -> Manifest:
    """The manifest of `folder`, proved whole. Raises ArtefactError where it is missing, damaged or of another kind."""
    path = folder / MANIFEST
    if not path.is_file():
        raise ArtefactError(f"{folder}: no {MANIFEST} there, so it is no {kind} folder or was never finished")
    if path.stat().st_size > _MAX_MANIFEST_BYTES:
        raise ArtefactError(f"{path}: {path.stat().st_size} bytes are more than any manifest has")
    raw = path.read_bytes()
    try:
        manifest = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ArtefactError(f"{path}: damaged, it is not JSON; write or copy the folder again") from error
    if not isinstance(manifest, dict) or manifest.get("format") != kind:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise ArtefactError(f"{path}: describes {found!r}, not {kind!r}; is it the right folder?")
    if manifest.get("format_version") != version:
        found = manifest.get("format_version")
        raise ArtefactError(
            f"{path}: format_version is {found!r}, this program reads {version}; write it again with this release"
        )
    if _canonical(manifest) != raw or manifest.get("content_sha256") != _content_hash(manifest):
        raise ArtefactError(f"{path}: damaged, its checksum does not fit; write or copy the folder again")
    if not _is_listing(manifest.get("files")):
        raise ArtefactError(f"{path}: does not list its files with bytes and sha256; write or copy the folder again")
    return manifest


def _is_listing(files: object) -> bool:
    return isinstance(files, dict) and all(
        isinstance(file, dict) and isinstance(file.get("bytes"), int) and isinstance(file.get("sha256"), str)
        for file in files.values()
    )


def verify_files(folder: Path, manifest: Manifest, n_threads: int | None = None) -> None:
    """Prove that every file is the one that was written. Raises ArtefactError naming the first that is not.

    `n_threads` read at a time; as many as there are cores where that is None.
    """
    with ThreadPoolExecutor(n_threads or os.cpu_count()) as pool:
        for _ in pool.map(lambda name: _verify_file(folder, name, manifest["files"][name]), manifest["files"]):
            pass


def _verify_file(folder: Path, name: str, expected: Mapping[str, Any]) -> None:
    path = folder / name
    if Path(name).name != name or len(name.encode(errors="surrogatepass")) > _MAX_NAME_BYTES:
        raise ArtefactError(f"{folder}: its manifest names {name!r}, which is not a file in it")
    if not path.is_file():
        raise ArtefactError(f"{path}: missing; write or copy the folder again")
    if path.stat().st_size != expected["bytes"]:
        found = path.stat().st_size
        raise ArtefactError(f"{path}: has {found} bytes, not {expected['bytes']}; write or copy the folder again")
    if _sha256(path) != expected["sha256"]:
        raise ArtefactError(f"{path}: damaged, its SHA-256 is not the manifest's; write or copy the folder again")


def load_arrays(
    folder: Path, manifest: Manifest, between: Callable[[], object] = lambda: None
) -> dict[str, NDArray[Any]]:
    """Every `.npy` file that the manifest names, memory-mapped and read-only, by its name without `.npy`.

    `between` is called after each.
    """
    arrays = {}
    for name in manifest["files"]:
        if name.endswith(".npy"):
            arrays[Path(name).stem] = load_array(folder / name)
            between()
    return arrays


def load_array(path: Path) -> NDArray[Any]:
    """The array in a `.npy` file, memory-mapped where it is not small, read-only; no pickle is ever opened.

    Raises ArtefactError where its header is not NumPy's or does not fit the file's size.
    """
    # Not np.load, which takes a zip for an array too.
    try:
        with np.errstate(over="raise"):
            # Mapping checks the header against the file's size; an empty array can't be mapped: small files are read.
            if path.stat().st_size > _MAX_READ_BYTES:
                array: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
            else:
                with path.open("rb") as file:
                    array = np.lib.format.read_array(file, allow_pickle=False)
    except _UNREADABLE as error:
        raise ArtefactError(f"{path}: is not a NumPy array that can be read safely: {error}") from error
    array = np.asarray(array)
    read_only(array)
    return array


def check_array(arrays: Arrays, name: str, dtype: type[np.generic], shape: tuple[int, ...]) -> NDArray[Any]:
    """The array `name`, proved to have this dtype and shape. Raises ArtefactError naming both where it has not."""
    if name not in arrays:
        raise ArtefactError(f"{name}.npy: missing from the manifest")
    array = arrays[name]
    if array.dtype != dtype or array.shape != shape:
        raise ArtefactError(f"{name}.npy: is {array.dtype} {array.shape}, the manifest says {np.dtype(dtype)} {shape}")
    return array


def check_count(manifest: Mapping[str, Any], name: str) -> int:
    """The count `name` of a manifest. Raises ArtefactError where it is no whole number above 0."""
    value = manifest.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ArtefactError(f"{name} is {value!r} in the manifest; it must be a whole number above 0")
    return value


def check_number(manifest: Mapping[str, Any], name: str) -> float:
    """The number `name` of a manifest. Raises ArtefactError where it is not one, or not finite."""
    value = manifest.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= sys.float_info.max:
        raise ArtefactError(f"{name} is {value!r} in the manifest; it must be a number")
    return float(value)


def _canonical(manifest: Manifest) -> bytes:
    return (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode(errors="surrogatepass")


def _content_hash(manifest: Manifest) -> str:
    rest = {key: value for key, value in manifest.items() if key != "content_sha256"}
    return hashlib.sha256(_canonical(rest)).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
