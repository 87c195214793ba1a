"""Files that are read anew when they change."""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Generic, TypeVar

_logger = logging.getLogger(__name__)

_LOOK_S = 1.0

T = TypeVar("T")
_Stamp = tuple[tuple[int, int, int] | None, ...]


class Reloaded(Generic[T]):
    """What `read` makes of some files. What can't be read is refused with one line in the log, and the old one stays.

    `read` raises OSError or ValueError, whose text is one sentence without what the files hold.
    """

    def __init__(self, files: Sequence[Path], read: Callable[[], T]) -> None:
        self._files = files
        self._read = read
        self._stamp = self._seen = _stamp(files)
        self._value = read()
        self._look_at = monotonic() + _LOOK_S
        self._lock = threading.Lock()

    def value(self) -> T:
        """What the files hold: looked at once a second at most."""
        now = monotonic()
        if now >= self._look_at and self._lock.acquire(blocking=False):
            try:
                self._look_at = now + _LOOK_S
                self._look()
            finally:
                self._lock.release()
        return self._value

    def _look(self) -> None:
        stamp = _stamp(self._files)
        if stamp == self._stamp:
            return
        try:
            value = self._read()
        except (OSError, ValueError) as error:
            # Files that change together do not in one moment: it is told once they are as bad at the next look.
            if stamp == self._seen:
                self._stamp = stamp
                _logger.error("%s; what was read before goes on being used", sentence(error))
            self._seen = stamp
            return
        if _stamp(self._files) == stamp:
            self._stamp, self._value = stamp, value
            _logger.info("read anew: %s", ", ".join(map(str, self._files)))


def sentence(error: OSError | ValueError) -> str:
    """What is wrong with which file."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _stamp(files: Sequence[Path]) -> _Stamp:
    return tuple(_stamp_of(file) for file in files)


def _stamp_of(file: Path) -> tuple[int, int, int] | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
