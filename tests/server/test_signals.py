import signal

from server.signals import STOPPING, stop_signals


def test_a_signal_is_told_once_and_the_handlers_from_before_come_back() -> None:
    before = [signal.getsignal(signum) for signum in STOPPING]
    with stop_signals() as stopping:
        assert not stopping.is_set()
        signal.raise_signal(signal.SIGTERM)
        assert stopping.is_set()
        assert [signal.getsignal(signum) for signum in STOPPING] == [signal.SIG_DFL, signal.SIG_DFL]
    assert [signal.getsignal(signum) for signum in STOPPING] == before
