"""A worker's place, without a supervisor."""

from multiprocessing import get_context
from multiprocessing.connection import wait
from pathlib import Path

from server.observing.options import Observed, Seen
from server.workers.slot import Slot
from tests.server.hammer import TIMEOUT_S
from tests.server.running import configured


def test_a_worker_that_has_just_ended_can_be_asked_to_look(tmp_path: Path) -> None:
    slot = Slot(0, configured(tmp_path), Observed(Seen(), None), 0.0, get_context("forkserver"))
    slot.start()
    channel, ended = slot.sources()
    assert wait([channel], TIMEOUT_S)
    slot.hear([channel])
    assert slot.is_ready
    slot.kill()
    assert wait([ended], TIMEOUT_S)
    # Nobody has noticed yet.
    assert slot.ask_to_look() == 1
    slot.bury([ended], expected=True)
    assert slot.has_looked(1)
