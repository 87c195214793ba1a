"""HTTP downloads that go on where an earlier one was cut off."""

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from training.errors import DownloadError

_ATTEMPTS = 4
_PAUSE_S = 0.5
_TIMEOUT_S = 30.0
_CHUNK_BYTES = 1 << 16
_NOT_FOUND, _RANGE_NOT_SATISFIABLE, _PARTIAL_CONTENT = 404, 416, 206

Watch = Callable[[int, int | None], object]
"""Told how many bytes there are and how many there will be (None: unknown)."""


class _CutOffError(Exception):
    """The connection ended too soon; what has come is in the file."""


@dataclass(frozen=True)
class ResumingDownloader:
    """What pooch calls to fetch a file: collects it in `part`, which survives failures and is continued."""

    part: Path
    watch: Watch

    def __call__(self, url: str, output_file: str, pooch: object) -> None:  # noqa: ARG002  # pooch's signature
        """Fetch `url` to `output_file`. Raises DownloadError; then `part` keeps what came."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                _fetch(url, self.part, self.watch)
                break
            except _CutOffError as error:
                if attempt == _ATTEMPTS:
                    n_bytes = self.part.stat().st_size if self.part.exists() else 0
                    raise DownloadError(
                        f"{url}: {error}; {n_bytes:,} bytes have come, the same command goes on from there"
                    ) from error
                time.sleep(_PAUSE_S * attempt)
        self.part.replace(output_file)


def read_small(url: str) -> str:
    """A short text. Raises DownloadError where there is none."""
    try:
        with _opened(url, 0) as response:
            return response.read(4096).decode("ascii", "replace")
    except (_CutOffError, ConnectionError, TimeoutError, http.client.HTTPException) as error:
        raise DownloadError(f"{url}: {str(error) or type(error).__name__}; try again") from error


def _fetch(url: str, part: Path, watch: Watch) -> None:
    """Bring `part` to its full length. Raises _CutOffError where the connection ends before that."""
    start = part.stat().st_size if part.exists() else 0
    try:
        with _opened(url, start) as response:
            goes_on = response.status == _PARTIAL_CONTENT
            if goes_on and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                part.unlink()
                raise _CutOffError("the server sent another part than was asked for")
            _collect(response, part, start if goes_on else 0, watch)
    except (ConnectionError, TimeoutError, http.client.HTTPException) as error:
        raise _CutOffError(str(error) or type(error).__name__) from error


def _collect(response: http.client.HTTPResponse, part: Path, start: int, watch: Watch) -> None:
    length = response.headers.get("Content-Length")
    total = start + int(length) if length is not None else None
    received = start
    with part.open("ab" if start else "wb") as file:
        while chunk := response.read(_CHUNK_BYTES):
            file.write(chunk)
            received += len(chunk)
            watch(received, total)
    if total is not None and received < total:
        raise _CutOffError(f"the connection was cut at {received:,} of {total:,} bytes")


def _opened(url: str, start: int) -> http.client.HTTPResponse:
    """The server's answer, from byte `start` on if it can. Raises DownloadError where the server refuses."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise DownloadError(f"{url}: only http and https are fetched")
    headers = {"Range": f"bytes={start}-"} if start else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  # the scheme is checked above
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=_TIMEOUT_S)  # noqa: S310  # the same
    except urllib.error.HTTPError as error:
        with error:
            if error.code == _RANGE_NOT_SATISFIABLE and start:
                return _opened(url, 0)  # what lies here is longer than the file: it can't be its beginning
            advice = "is the name right?" if error.code == _NOT_FOUND else "try again later"
            raise DownloadError(f"{url}: the server answers {error.code} {error.reason}; {advice}") from error
    except urllib.error.URLError as error:
        raise DownloadError(f"{url}: can't be reached: {error.reason}; is this machine online?") from error
    return response
