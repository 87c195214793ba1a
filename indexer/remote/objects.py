"""The objects below one URL: read, written, listed and removed by name, with patience and a limit on every size."""

import errno
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from indexer.errors import RemoteError
from indexer.remote.backend import Patience, connect, scheme_of

T = TypeVar("T")
# What trying again does not change.
_FINAL = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)
_BUGS = (TypeError, AttributeError, NameError, AssertionError)


class Objects:
    """What is below `url`. Every method may be called from any thread, and raises RemoteError, one sentence."""

    def __init__(self, url: str, patience: Patience) -> None:
        self.url, self.patience = url.rstrip("/"), patience
        self._system, self._root = connect(url, patience)
        self._is_local = scheme_of(url) == "file"

    def read(self, name: str, limit_bytes: int) -> bytes | None:
        """The object `name`, or None where there is none. Raises RemoteError where it is above `limit_bytes`."""
        try:
            data = self._call(name, lambda: self._system.cat_file(self._at(name), start=0, end=limit_bytes + 1))
        except FileNotFoundError:
            return None
        if len(data) > limit_bytes:
            raise RemoteError(self._named(name), f"has more than the {limit_bytes} bytes that it can have")
        return bytes(data)

    def read_range(self, name: str, start: int, end: int) -> bytes:
        """The bytes from `start` to before `end`, all of them."""

        def whole() -> bytes:
            data: bytes = self._system.cat_file(self._at(name), start=start, end=end)
            if len(data) != end - start:
                raise OSError(errno.EIO, f"{len(data)} bytes came where {end - start} were asked for")
            return data

        try:
            return self._call(name, whole)
        except FileNotFoundError as error:
            raise RemoteError(self._named(name), "went away") from error

    def write(self, name: str, data: bytes) -> None:
        """Make `data` the object `name`, in one step; it is read back."""

        def replaced() -> None:
            if self._is_local:
                self._replace(name, data)
            else:
                self._system.pipe_file(self._at(name), data)

        self._written(name, replaced)
        if self.read(name, len(data)) != data:
            raise RemoteError(self._named(name), "is not what was written to it; does somebody else write there?")

    def create(self, name: str, data: bytes) -> bool:
        """Make `data`, which nobody else writes, the object `name` where there is none; whether it is."""

        def created() -> None:
            if self._is_local:
                # fsspec only looks whether it is there, and then writes.
                with self._system.open(self._at(name), "xb") as file:
                    file.write(data)
            else:
                self._system.pipe_file(self._at(name), data, mode="create")

        try:
            self._written(name, created)
        except (RemoteError, FileExistsError):
            # The answer may have been lost, and each back end refuses in words of its own: what is there decides.
            found = self.read(name, 1 << 16)
            if found is None:
                raise
            return found == data
        return True

    def upload(self, path: Path, name: str) -> None:
        """Make the file at `path` the object `name`."""
        self._written(name, lambda: self._system.put_file(str(path), self._at(name)))

    def sizes(self, prefix: str) -> dict[str, int]:
        """Bytes of every object whose name begins with the folder `prefix`, by its whole name."""
        try:
            found = self._call(prefix, lambda: self._system.find(self._at(prefix), detail=True))
        except FileNotFoundError:
            return {}
        start = len(self._root) + 1
        return {path[start:]: int(facts["size"]) for path, facts in found.items() if facts["type"] == "file"}

    def age_s(self, name: str) -> float:
        """How long ago `name` was written, by the remote's clock and ours; 0 where it is gone."""
        try:
            modified: datetime = self._call(name, lambda: self._system.modified(self._at(name)))
        except FileNotFoundError:
            return 0.0
        return (datetime.now(UTC) - modified).total_seconds()

    def remove(self, name: str) -> None:
        """Remove the object `name`; nothing where there is none."""
        try:
            self._call(name, lambda: self._system.rm_file(self._at(name)))
        except FileNotFoundError:
            return
        if self._is_local:
            # Only folders outlive what was in them.
            with suppress(OSError):
                Path(self._at(name)).parent.rmdir()

    def _replace(self, name: str, data: bytes) -> None:
        draft = self._at(f"{name}.{uuid.uuid4().hex}.draft")
        self._system.pipe_file(draft, data)
        Path(draft).replace(self._at(name))

    def _written(self, name: str, work: Callable[[], Any]) -> None:
        try:
            self._call(name, work)
        except FileNotFoundError as error:
            raise RemoteError(self._named(name), f"there is no such place: {error}; make the bucket first") from error

    def _call(self, name: str, work: Callable[[], T]) -> T:
        """What `work` returns, tried again with growing delays. FileNotFoundError and FileExistsError go through."""
        patience = self.patience
        for attempt in range(1, patience.attempts + 1):
            if patience.stopping.is_set():
                break
            try:
                return work()
            except (FileNotFoundError, FileExistsError, *_BUGS):
                raise
            except Exception as error:
                # Each back end raises errors of its own, of no common class.
                if isinstance(error, _FINAL) or attempt == patience.attempts:
                    raise RemoteError(self._named(name), _words(error)) from error
            patience.stopping.wait(patience.first_delay_s * 2 ** (attempt - 1))
        raise RemoteError(self._named(name), "was given up, since this process is stopping")

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def _named(self, name: str) -> str:
        return f"{self.url}/{name}" if name else self.url


def _words(error: Exception) -> str:
    """One line of what a back end says."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    text = " ".join(said.split()) or type(error).__name__
    if isinstance(error, PermissionError):
        return f"access is refused ({text}); are the credentials in the environment the right ones?"
    return text if len(text) <= 300 else f"{text[:300]}…"
