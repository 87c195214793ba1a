"""Work beside a process's requests: in small parts, with so long between them that it takes hardly any of its time.

One thread at a time runs Python. What is done in one go makes all requests wait that come meanwhile, and where there is
little time to spare, they wait many times as long until all of them are served.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_PAUSE_S = 0.01


class _Mine(threading.local):
    """Of the calling thread."""

    is_in_background = False


_mine = _Mine()


@contextmanager
def in_background() -> Iterator[None]:
    """Let requests go before what the calling thread does meanwhile."""
    _mine.is_in_background = True
    try:
        yield
    finally:
        _mine.is_in_background = False


def give_turn() -> None:
    """Between two parts of some work: pause for the requests, if it is done in the background."""
    if _mine.is_in_background:
        time.sleep(_PAUSE_S)
