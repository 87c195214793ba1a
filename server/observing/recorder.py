"""Where a server process counts what happens in it."""

import threading
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import grpc

from server.observing.families import (
    CODES,
    METHODS,
    REQUEST_SECONDS,
    REQUESTS,
    SHADOW_ANSWERS,
    SHADOW_EXPECTED,
    SHADOW_FOUND,
    SHED,
    SWAP_SECONDS,
    SWAPS,
    cell,
)
from server.observing.pages import Pages

_SAMPLE_S = 0.25
_SHED = grpc.StatusCode.RESOURCE_EXHAUSTED


class Serving(Protocol):
    """A version that answers."""

    version: str
    n_items: int
    n_users: int


class _Mine(threading.local):
    """The calling thread's page."""

    def __init__(self, pages: Pages) -> None:
        self._page = pages.take()
        self.cells = self._page.cells


class Recorder:
    """Counts into the file at `path`; every method is safe in many threads and takes less than a microsecond.

    Cells are found once, here, and not by their labels at each call.
    """

    def __init__(self, path: Path, n_threads: int) -> None:
        self._pages = Pages(path, n_threads)
        self._mine = _Mine(self._pages)
        self._by_method = {
            method: (
                cell(REQUESTS, method, grpc.StatusCode.OK.name),
                cell(REQUEST_SECONDS, method),
                cell(SHED, method),
            )
            for method in METHODS
        }
        self._shadow = {
            method: (
                cell(SHADOW_ANSWERS, method, "compared"),
                cell(SHADOW_EXPECTED, method),
                cell(SHADOW_FOUND, method),
            )
            for (method,) in SHADOW_FOUND.children
        }
        self._dropped = {method: cell(SHADOW_ANSWERS, method, "dropped") for method in self._shadow}
        self._stopping = threading.Event()

    def ended(
        self,
        method: str,
        code: grpc.StatusCode,
        seconds: float,
        caller: object | None,
        request_id: str | None = None,  # noqa: ARG002  as an `Ended` of server/rpc.py has it
    ) -> None:
        """An `Ended` of `server/rpc.py`. Methods of other services are not counted."""
        if method not in self._by_method:
            return
        cells = self._mine.cells
        requests, histogram, shed = self._by_method[method]
        cells[requests + CODES[code]] += 1
        if caller is not None:
            _observe(cells, histogram, REQUEST_SECONDS.bounds, seconds)
        elif code is _SHED:
            cells[shed] += 1

    def swapped(self, serving: Serving, seconds: float) -> None:
        """A version answers from now on; it took this time to load it."""
        cells = self._mine.cells
        cells[cell(SWAPS, "loaded")] += 1
        _observe(cells, cell(SWAP_SECONDS), SWAP_SECONDS.bounds, seconds)
        self._pages.say("n_items", serving.n_items)
        self._pages.say("n_users", serving.n_users)
        self._pages.say_version(serving.version)

    def refused(self) -> None:
        """A version could not be loaded."""
        self._mine.cells[cell(SWAPS, "refused")] += 1

    def compared(self, method: str, n_expected: int, n_found: int) -> None:
        """An answer was compared with exact search."""
        cells = self._mine.cells
        answers, expected, found = self._shadow[method]
        cells[answers] += 1
        cells[expected] += n_expected
        cells[found] += n_found

    def dropped(self, method: str) -> None:
        """An answer was not compared for want of time."""
        self._mine.cells[self._dropped[method]] += 1

    def watch_load(self, load: Callable[[], tuple[int, int]]) -> None:
        """Ask `load` for the calls that are worked on and that wait, four times a second, until closed."""
        threading.Thread(target=self._watch_load, args=(load,), name="matinee-load", daemon=True).start()

    def close(self) -> None:
        """What this process says of itself holds no longer; its counts stay."""
        self._stopping.set()
        self._pages.close()

    def _watch_load(self, load: Callable[[], tuple[int, int]]) -> None:
        while not self._stopping.wait(_SAMPLE_S):
            working, waiting = load()
            # They are not counted at the same moment.
            self._pages.say("working", max(0, working))
            self._pages.say("waiting", waiting)


def _observe(cells: "memoryview[float]", start: int, bounds: tuple[float, ...], value: float) -> None:
    cells[start + bisect_left(bounds, value)] += 1
    cells[start + len(bounds) + 1] += value
