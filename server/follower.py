"""Follows a store in a bucket: copies what becomes current there, verified, into a local store for the watcher.

Whatever is wrong with the bucket, or with what is in it, the copies stay as they are, and what is served goes on.
"""

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from indexer.bundle import proved
from indexer.errors import RemoteError
from indexer.places import cache_of, is_url
from indexer.proof import Proof
from indexer.remote.backend import Patience
from indexer.remote.store import RemoteStore
from matinee.errors import MatineeError
from server.proving import Prover
from server.rounds import Rounds

_logger = logging.getLogger(__name__)

_LONGEST_RETRY_S = 60.0
_TELL_S = 1.0


@dataclass(frozen=True)
class Following:
    """How a store at a URL is followed."""

    cache: Path | None = None
    """The folder for copies; the user's own cache folder where it is None."""
    poll_interval_s: float = 5.0
    """How often to ask for a new version."""
    timeout_s: float = 10.0
    """How long one request may wait for its answer, or for the next bytes of it."""


class Follower:
    """A thread that keeps the copies at the version that the remote store says is current."""

    def __init__(self, url: str, following: Following) -> None:
        self._stopping = threading.Event()
        patience = Patience(following.timeout_s, attempts=2, stopping=self._stopping)
        self._prover = Prover()
        self._remote = RemoteStore.at(url, cache_of(url, following.cache), patience=patience, prove=self._proof)
        self._poll_interval_s = following.poll_interval_s
        self._followed: str | None = None
        self._is_lost = False
        self._reason = ""
        self._delay_s = self._poll_interval_s
        self._rounds = Rounds("matinee-follower", self._round)

    @property
    def folder(self) -> Path:
        """The local store of copies."""
        return self._remote.cache.folder

    def start(self) -> None:
        """Begin to follow."""
        self._rounds.start()

    def look_now(self, timeout_s: float) -> bool:
        """Ask the bucket at once; whether it was asked, and what is new copied, in time."""
        return self._rounds.now(timeout_s)

    def stop(self) -> None:
        """End following; a request that is under way is not waited for."""
        self._stopping.set()
        self._prover.stop()
        # A copy that is cut off at any moment changes nothing.
        self._rounds.stop(_TELL_S)

    def _proof(self, folder: Path) -> Proof:
        """As long as there is no copy nothing is served, and there is nobody to disturb."""
        return self._prover(folder) if self._remote.cached() else proved(folder)

    def _round(self, _: bool) -> float:
        longest_s = max(_LONGEST_RETRY_S, self._poll_interval_s)
        self._delay_s = self._poll_interval_s if self._look() else min(2 * self._delay_s, longest_s)
        return self._delay_s

    def _look(self) -> bool:
        """Copy what is current, if it is new; whether nothing was wrong."""
        try:
            version = self._remote.current()
            if version is None and self._remote.cached():
                self._complain(False, f"{self._remote.url}: has no CURRENT any more")
                return False
            if version and (version != self._followed or self._remote.cached() != version):
                self._remote.follow(version)
            self._followed = version
        except Exception as error:  # noqa: BLE001  whatever is wrong with the bucket, the copies serve on
            # What is no sentence for people is a bug, and is logged with its traceback.
            bug = None if isinstance(error, MatineeError | OSError) else error
            self._complain(isinstance(error, RemoteError), str(error) or type(error).__name__, bug)
            return False
        if self._is_lost:
            _logger.info("%s answers again", self._remote.url)
        self._is_lost, self._reason = False, ""
        return True

    def _complain(self, is_lost: bool, reason: str, bug: BaseException | None = None) -> None:
        """Say it once: of a bucket that is gone, each attempt may fail in other words."""
        if self._stopping.is_set() or (is_lost and self._is_lost) or reason == self._reason:
            return
        serving = self._remote.cached()
        _logger.error("%s; %s", reason, f"the copy of {serving} stays" if serving else "no copy yet", exc_info=bug)
        self._is_lost, self._reason = is_lost or self._is_lost, reason


def follower(place: str, following: Following) -> Follower | None:
    """What follows the store at `place`, not yet started; None where that is a folder."""
    return Follower(place, following) if is_url(place) else None
