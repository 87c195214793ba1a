"""Work in the background of a process that answers requests: in parts, between which the other threads have a turn."""

import time

_TURN_S = 5e-4


def give_turn() -> None:
    """Let other threads run Python. They get nowhere while this one lets go of Python's lock for a moment only."""
    time.sleep(_TURN_S)
