"""MovieLens data sets by name: fetched, verified, unpacked, put in place whole."""

import logging
import re
import shutil
import zipfile
from pathlib import Path, PurePosixPath

import pooch

from training.artefact import draft_beside, place, sync
from training.data.resume import ResumingDownloader, Watch, read_small
from training.errors import DownloadError

BASE_URL = "https://files.grouplens.org/datasets/movielens"

# As published beside each archive. The small set is replaced from time to time, so its hash is asked for.
MD5: dict[str, str | None] = {
    "ml-latest-small": None,
    "ml-1m": "c4d9eecfca2ab87c1945afe126590906",
    "ml-20m": "cd245b17a1ae2cc31bb14903e1204af3",
    "ml-25m": "6b51fb2759a8657d3bfcbfc42b592ada",
    "ml-32m": "d472be332d4daa821edc399621853b57",
}


def download(name: str, out: Path, base_url: str, watch: Watch) -> str:
    """Put the data set `name`, a key of MD5, into the folder `out`; the archive's MD5.

    Raises DownloadError where `out` is taken, or the archive can't be had or is not what its hash says. What was
    fetched of it so far stays beside `out` as `<name>.zip.part`.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise DownloadError(f"{out}: exists already; choose another place, or remove it first")
    out.parent.mkdir(parents=True, exist_ok=True)
    url = f"{base_url.rstrip('/')}/{name}.zip"
    md5 = MD5[name] or _published_md5(url)
    archive = _fetched(url, md5, out.parent / f"{name}.zip", watch)
    with draft_beside(out) as draft:
        try:
            _unpack(archive, draft)
        except DownloadError:
            archive.unlink()
            raise
        content = draft / name if (draft / name).is_dir() else draft
        place(content, out)
    archive.unlink()
    return md5


def _published_md5(url: str) -> str:
    text = read_small(f"{url}.md5")
    found = re.search(r"\b[0-9a-fA-F]{32}\b", text)
    if not found:
        raise DownloadError(f"{url}.md5: holds no MD5 but {text[:60]!r}; is the address right?")
    return found.group().lower()


def _fetched(url: str, md5: str, archive: Path, watch: Watch) -> Path:
    """The verified archive. A part that is not the beginning of it costs one more download, from its beginning."""
    # Its remarks repeat what the progress bar and our errors say.
    pooch.get_logger().setLevel(logging.WARNING)
    part = archive.with_name(f"{archive.name}.part")
    while True:
        had_part = part.exists()
        try:
            pooch.retrieve(
                url,
                known_hash=f"md5:{md5}",
                fname=archive.name,
                path=archive.parent,
                downloader=ResumingDownloader(part, watch),
            )
            return archive
        except ValueError as error:  # pooch's word for a hash that does not fit; it has removed the file
            if not had_part:
                raise DownloadError(
                    f"{url}: is not what its MD5 {md5} says; nothing was kept: try again, or fetch it elsewhere"
                ) from error


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack into the empty `folder`, every file synced. Raises DownloadError where a name leads out of it."""
    try:
        with zipfile.ZipFile(archive) as source:
            for member in source.infolist():
                path = PurePosixPath(member.filename)
                if path.is_absolute() or ".." in path.parts or "\\" in member.filename:
                    raise DownloadError(
                        f"{archive}: holds {member.filename!r}, which leads out of its folder; it was removed"
                    )
                if not member.is_dir():
                    _extract(source, member, folder / path)
    except zipfile.BadZipFile as error:
        raise DownloadError(f"{archive}: is no zip archive that can be read: {error}; it was removed") from error


def _extract(source: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with source.open(member) as packed, path.open("wb") as file:
        shutil.copyfileobj(packed, file, 1 << 20)
    sync(path)
