"""Follows a store's CURRENT: opens, verifies and warms up a new version, then lets it answer in place of the old one.

Whatever is wrong with a new version, the old one goes on serving. The log says so once, not at each look.
"""

import logging
import time
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from indexer.background import in_background
from indexer.store import Store
from matinee.errors import MatineeError
from server import retriever
from server.live import Live
from server.proving import Prover
from server.retriever import Answered, Retriever
from server.rounds import Rounds
from server.threads import one_core

_logger = logging.getLogger(__name__)

_LONGEST_RETRY_S = 15.0
_LEAVING_S = 0.5


@dataclass(frozen=True)
class Refusal:
    """A version that could not be loaded: why, and when it is tried again."""

    version: str | None
    reason: str
    retry_after_s: float
    retry_at: float
    """By time.monotonic."""


class Tried(Protocol):
    """Told of every attempt to serve another version; must raise nothing."""

    def __call__(self, version: str | None, reason: str | None, seconds: float) -> None:
        """`version` (None: none is current) serves now, or is refused for `reason`, after this time."""


def unobserved(version: str | None, reason: str | None, seconds: float) -> None:
    """A `Tried` that does nothing."""


class Watcher:
    """A thread that keeps `live` at the version that the store says is current.

    `on_ready` is called once, when the first version answers; `tried` at each swap and each refusal; `answered` at each
    answer of the versions that it loads.
    """

    def __init__(
        self,
        store: Path,
        live: Live,
        poll_interval_s: float,
        on_ready: Callable[[], None],
        tried: Tried = unobserved,
        answered: Answered = retriever.unobserved,
    ) -> None:
        self._store = Store(store)
        self._live = live
        self._poll_interval_s = poll_interval_s
        self._on_ready = on_ready
        self._tried = tried
        self._answered = answered
        self._refusal: Refusal | None = None
        self._prover = Prover()
        # Requests hold the retriever, and this what it is made of: whoever ends last frees nothing but a shell.
        self._leaving: list[tuple[weakref.ref[Retriever], dict[str, Any]]] = []
        self._rounds = Rounds("matinee-watcher", self._round)

    @property
    def refusal(self) -> Refusal | None:
        """Why the version that is current is not the one that answers, or None."""
        return self._refusal

    def start(self) -> None:
        """Begin to watch; returns when the version that is current now is live, or was refused."""
        self._rounds.start().wait()

    def look_now(self) -> None:
        """Look at once, also at a version that was refused; returns when what is current is live, or was refused."""
        self._rounds.now()

    def stop(self) -> None:
        """End watching; a version that is being proved is left alone, one that is being opened is waited for."""
        self._prover.stop()
        self._rounds.stop()

    def _round(self, asked: bool) -> float:
        # Without it a warm-up search would take every core from the requests.
        one_core()
        self._look(asked)
        self._leaving = [(retriever, parts) for retriever, parts in self._leaving if retriever() is not None]
        return min(self._poll_interval_s, _LEAVING_S) if self._leaving else self._poll_interval_s

    def _look(self, asked: bool) -> None:
        version, started = None, time.monotonic()
        try:
            version = self._store.current()
            if version == self._live.version:
                self._refusal = None
            elif version is None:
                self._refuse(None, "the store has no CURRENT any more", started)
            elif asked or self._is_due(version):
                self._swap(started)
        except Exception as error:  # noqa: BLE001  whatever is wrong with a new version, the old one serves on
            if self._prover.is_stopped:
                return
            # What is no sentence for people is a bug, and is logged with its traceback.
            bug = None if isinstance(error, MatineeError | OSError) else error
            self._refuse(version, str(error) or type(error).__name__, started, bug)

    def _is_due(self, version: str) -> bool:
        refusal = self._refusal
        return refusal is None or refusal.version != version or time.monotonic() >= refusal.retry_at

    def _swap(self, started: float) -> None:
        old = self._live.version
        # As long as nothing is served there is nobody to disturb.
        with in_background() if old else nullcontext():
            store = replace(self._store, prove=self._prover if old else None)
            loaded = Retriever(store.open_current(), self._answered)
            loaded.warm_up()
        self._flip(loaded)
        self._refusal = None
        _logger.info(
            "serving %s%s: %s items, %s users, loaded in %.2f s",
            loaded.version,
            f" in place of {old}" if old else "",
            f"{loaded.n_items:,}",
            f"{loaded.n_users:,}",
            time.monotonic() - started,
        )
        self._tried(loaded.version, None, time.monotonic() - started)
        if old is None:
            self._on_ready()

    def _flip(self, loaded: Retriever) -> None:
        if before := self._live.flip(loaded):
            self._leaving.append((weakref.ref(before), vars(before)))

    def _refuse(self, version: str | None, reason: str, started: float, bug: BaseException | None = None) -> None:
        before = self._refusal
        again = before is not None and before.version == version
        delay_s = min(2 * before.retry_after_s, _LONGEST_RETRY_S) if before and again else self._poll_interval_s
        self._refusal = Refusal(version, reason, delay_s, time.monotonic() + delay_s)
        if before is None or (before.version, before.reason) != (version, reason):
            serving = f"{self._live.version} goes on serving" if self._live.version else "nothing is served yet"
            _logger.error("%s; %s", reason, serving, exc_info=bug)
        self._tried(version, reason, time.monotonic() - started)
