"""A thread that looks at something every so often, and at once when it is asked to."""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue


class Rounds:
    """Calls `look` again and again in a thread of its own.

    `look` is told whether somebody asked for it, must raise nothing, and returns how long to wait, in seconds.
    """

    def __init__(self, name: str, look: Callable[[bool], float]) -> None:
        self._look = look
        self._asked: SimpleQueue[threading.Event] = SimpleQueue()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go, name=name, daemon=True)

    def start(self) -> threading.Event:
        """Begin with a look at once; set when that is done."""
        done = threading.Event()
        self._asked.put(done)
        self._thread.start()
        return done

    def now(self, timeout_s: float | None = None) -> bool:
        """Look at once; whether that was done in time."""
        done = threading.Event()
        self._asked.put(done)
        self._wake.set()
        # Asked too late, nobody would answer.
        return not self._ended.is_set() and done.wait(timeout_s)

    def stop(self, timeout_s: float | None = None) -> None:
        """End; a look that is under way is waited for, at most `timeout_s`."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _go(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            asked = self._taken()
            delay_s = self._look(bool(asked))
            _set(asked)
            self._wake.wait(delay_s)
        self._ended.set()
        _set(self._taken())

    def _taken(self) -> list[threading.Event]:
        asked = []
        try:
            while True:
                asked.append(self._asked.get_nowait())
        except Empty:
            return asked


def _set(events: list[threading.Event]) -> None:
    for event in events:
        event.set()
