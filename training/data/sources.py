"""Where ratings and titles lie: plain files, `.gz` or members of a `.zip`; named, or by known names in a folder."""

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from training.errors import RatingsError

RATINGS_NAMES = ("ratings.csv", "rating.csv", "ratings.dat", "u.data", "ratings.parquet", "ratings.tsv")
"""What a file of ratings is called, before .gz or .zip."""
TITLES_NAMES = ("movies.csv", "movie.csv", "movies.dat", "u.item", "books.csv", "items.csv", "movies.parquet",
                "items.parquet")  # fmt: skip
"""What a file of titles is called, before .gz or .zip."""

# A text of ratings compresses about five times; a thousand times is what deflate can do to nonsense.
_MAX_EXPANSION = 200
_ALWAYS_ALLOWED_BYTES = 1 << 28


@dataclass(frozen=True)
class Stored:
    """One file, or one member of a zip archive."""

    path: Path
    """The file, or the archive."""
    member: str = ""
    """The member's name in the archive; empty for a file."""

    def __str__(self) -> str:
        return f"{self.path}/{self.member}" if self.member else str(self.path)

    @property
    def name(self) -> str:
        """The last part of its name, without .gz."""
        return PurePosixPath(self.member or self.path.name).name.removesuffix(".gz")

    @property
    def folder(self) -> str:
        """What it shares with the files beside it."""
        return str(PurePosixPath(self.member).parent) if self.member else str(self.path.parent)

    @property
    def is_gzip(self) -> bool:
        """Whether it is compressed by itself, not only by the archive that it may lie in."""
        return (self.member or self.path.name).endswith(".gz")

    @property
    def n_bytes(self) -> int | None:
        """How long its content is, decompressed; None where only reading on to its end would tell."""
        if self.is_gzip:
            return None
        if not self.member:
            return self.path.stat().st_size
        with zipfile.ZipFile(self.path) as archive:
            return archive.getinfo(self.member).file_size

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Its content, decompressed. Reading raises RatingsError where the compressed data is damaged or absurd."""
        with _open_raw(self) as raw:
            if not self.member and not self.is_gzip:
                yield cast(BinaryIO, raw)
                return
            plain = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if self.is_gzip else raw
            yield io.BufferedReader(_Guarded(plain, self), 1 << 20)


@contextmanager
def _open_raw(stored: Stored) -> Iterator[IO[bytes]]:
    if not stored.member:
        with stored.path.open("rb") as file:
            yield file
        return
    with zipfile.ZipFile(stored.path) as archive:
        try:
            member = archive.open(stored.member)
        except (RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
            raise RatingsError(f"{stored}: can't be read from the archive: {error}; unpack it first") from error
        with member:
            yield member


class _Guarded(io.RawIOBase):
    """Reads from `inner`; turns what decompression finds into RatingsError and stops at an absurd expansion."""

    def __init__(self, inner: IO[bytes], stored: Stored) -> None:
        self._inner, self._stored = inner, stored
        self._n_read = 0
        self._limit = max(_ALWAYS_ALLOWED_BYTES, _MAX_EXPANSION * stored.path.stat().st_size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]  # typeshed's Buffer has no len()
        try:
            data = self._inner.read(len(buffer))
        except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
            raise RatingsError(f"{self._stored}: damaged or cut off: {error}; copy or download it again") from error
        self._n_read += len(data)
        if self._n_read > self._limit:
            raise RatingsError(
                f"{self._stored}: unpacks to more than {self._limit:,} bytes, {_MAX_EXPANSION} times its size; "
                "that is no text of ratings"
            )
        buffer[: len(data)] = data
        return len(data)


def locate_ratings(source: Path) -> tuple[Stored, list[Stored]]:
    """The one file of ratings in `source`, and the files of titles beside it.

    `source` is a file, a zip archive or a folder. Raises RatingsError where there is none or more than one.
    """
    if not source.exists():
        raise RatingsError(f"{source}: no such file or folder; give ratings, such as a ratings.csv or its folder")
    if source.is_dir():
        beside = _in_folder(source)
        ratings = _only_ratings(source, beside)
    elif source.suffix == ".zip":
        members = _in_archive(source)
        ratings = _only_ratings(source, members)
        beside = members if len(members) > 1 else _in_folder(source.parent)
    else:
        ratings, beside = Stored(source), _in_folder(source.parent)
    titles = [stored for stored in beside if stored.name in TITLES_NAMES and _belongs(stored, ratings)]
    return ratings, titles


def _belongs(titles: Stored, ratings: Stored) -> bool:
    return titles.path != ratings.path or titles.folder == ratings.folder


def locate_titles(file: Path) -> Stored:
    """The file of titles that a person named. Raises RatingsError where it is not there."""
    if not file.is_file():
        raise RatingsError(f"{file}: no such file; --items names the file with the titles")
    if file.suffix != ".zip":
        return Stored(file)
    members = _in_archive(file)
    known = [stored for stored in members if stored.name in TITLES_NAMES] or members
    if len(known) != 1:
        raise RatingsError(f"{file}: holds {_names(known)}; unpack it and name the file with the titles")
    return known[0]


def _in_folder(folder: Path) -> list[Stored]:
    """The files in `folder`; an archive named after the file in it, such as rating.csv.zip, counts as that file."""
    files: list[Stored] = []
    for path in sorted(folder.iterdir()):
        if path.suffix == ".zip" and path.stem in RATINGS_NAMES + TITLES_NAMES:
            files.extend(_in_archive(path))
        elif path.is_file():
            files.append(Stored(path))
    return files


def _in_archive(path: Path) -> list[Stored]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info.filename for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise RatingsError(f"{path}: is damaged or no zip archive: {error}; copy or download it again") from error
    return [Stored(path, member) for member in members if not member.startswith("__MACOSX/")]


def _only_ratings(source: Path, files: Sequence[Stored]) -> Stored:
    known = [stored for stored in files if stored.name in RATINGS_NAMES]
    if not known and not source.is_dir() and len(files) == 1:
        return files[0]
    if not known:
        there = f"it holds {_names(files)}" if files else "it is empty"
        raise RatingsError(f"{source}: no ratings there, such as {', '.join(RATINGS_NAMES[:4])}; {there}")
    if len(known) > 1:
        raise RatingsError(f"{source}: several files could be the ratings: {_names(known)}; name one of them")
    return known[0]


def _names(files: Sequence[Stored]) -> str:
    return ", ".join(stored.member or stored.path.name for stored in files[:10]) + (", …" if len(files) > 10 else "")
