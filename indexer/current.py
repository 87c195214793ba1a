"""The pointer to what is served: `CURRENT`, one line that names a version."""

import os
from pathlib import Path

from indexer.errors import CurrentError
from indexer.versions import is_version
from training.artefact import sync

CURRENT = "CURRENT"
_MAX_BYTES = 100


def read_current(store: Path) -> str | None:
    """The version that CURRENT names, or None where there is no CURRENT. Raises CurrentError where it is damaged."""
    path = store / CURRENT
    # A file that is not regular could block or never end.
    if not path.is_file():
        if os.path.lexists(path):
            raise CurrentError(store, "is not a file")
        return None
    with path.open("rb") as file:
        text = file.read(_MAX_BYTES).decode(errors="replace")
    version = text.removesuffix("\n")
    if not is_version(version):
        raise CurrentError(store, f"holds {text[:40]!r}, which is no version")
    if not (store / "versions" / version).is_dir():
        raise CurrentError(store, f"names {version}, which is not there")
    return version


def write_current(store: Path, version: str) -> None:
    """Make `version` what CURRENT names, in one step that a power cut can't undo halfway."""
    replace_text(store / CURRENT, f"{version}\n")


def replace_text(path: Path, text: str) -> None:
    """Make `text` what the file at `path` holds: all of it or, where the system fails or the power does, none."""
    draft = draft_of(path)
    try:
        draft.write_text(text)
        sync(draft)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync(path.parent)


def draft_of(path: Path) -> Path:
    """What `replace_text` writes first, and what is left of it where it was killed."""
    return path.with_name(f".{path.name}.draft")
