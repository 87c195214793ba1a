"""The signals that end a server, captured in one place and restored."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stop_signals(
    stoppers: Sequence[signal.Signals] = STOPPING, *, second_ends: bool = True
) -> Iterator[threading.Event]:
    """An event that is set by the first of these signals; a second one ends the process at once if `second_ends`.

    To be entered in the main thread. The handlers from before are put back at the end.
    """
    stopping = threading.Event()

    def stop(_signum: int, _frame: FrameType | None) -> None:
        stopping.set()
        for stopper in stoppers if second_ends else ():
            signal.signal(stopper, signal.SIG_DFL)

    before = {stopper: signal.signal(stopper, stop) for stopper in stoppers}
    try:
        yield stopping
    finally:
        for stopper, handler in before.items():
            signal.signal(stopper, handler)
