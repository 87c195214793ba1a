"""Work in parts pauses between them in the background, and nowhere else."""

import threading
import time

import pytest

from indexer.background import give_turn, in_background


def test_only_the_thread_that_is_in_the_background_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[str] = []
    monkeypatch.setattr(time, "sleep", lambda _: pauses.append(threading.current_thread().name))

    def work() -> None:
        for _ in range(2):
            give_turn()

    work()
    with in_background():
        work()
        other = threading.Thread(target=work, name="other")
        other.start()
        other.join()
    work()
    assert pauses == [threading.current_thread().name] * 2
