"""Prepared ratings that are kept between runs, one entry a source."""

import hashlib
import shutil
from collections.abc import Iterable
from dataclasses import astuple
from pathlib import Path

from training.data.forms import Columns
from training.data.parts import Watch
from training.data.prepared import FORMAT_VERSION, is_prepared
from training.data.preparing import prepare
from training.data.sources import locate_ratings


def cached(source: Path, columns: Columns, cache: Path, watch: Watch) -> Path:
    """The folder in `cache` with the prepared form of `source`, made where it is not there.

    An entry is found again by the content of the ratings and of the titles and by how they are read, never by their
    time or size; a new entry replaces the one that the same source had. Raises what `prepare` raises.
    """
    stored, beside = locate_ratings(source)
    titles = (
        [columns.items] if columns.items is not None and columns.items.is_file() else [other.path for other in beside]
    )
    family = f"{source.resolve().name}-{_hash([str(source.resolve())])[:8]}"
    how = [str(FORMAT_VERSION), str(stored.member), *map(repr, astuple(columns))]
    entry = cache / f"{family}-{_hash([*how, *map(_content, [stored.path, *titles])])[:24]}"
    if not is_prepared(entry):
        prepare(source, entry, columns, watch)
        _remove_others(entry, family)
    return entry


def _remove_others(entry: Path, family: str) -> None:
    for other in entry.parent.iterdir():
        # With the dot it is what an earlier try left.
        if other.name.removeprefix(".").startswith(f"{family}-") and other != entry:
            shutil.rmtree(other)


def _content(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode(errors="surrogateescape")).hexdigest()
