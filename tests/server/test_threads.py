"""Threads for calls stay as many as they are, whatever happens in one."""

import threading

import pytest

from server.threads import RequestThreads
from tests.server.hammer import TIMEOUT_S, wait_until


def fail() -> None:
    raise ZeroDivisionError


def test_a_call_that_fails_outside_its_method_takes_no_thread_away(caplog: pytest.LogCaptureFixture) -> None:
    threads, done = RequestThreads(count=1, limit=8, max_wait_s=1.0), threading.Event()
    threads.submit(fail)
    threads.submit(done.set)
    assert done.wait(TIMEOUT_S)
    wait_until(lambda: threads.here == 0)
    assert "a call failed outside its method" in caplog.text
    threads.shutdown()
