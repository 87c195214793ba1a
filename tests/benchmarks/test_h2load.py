"""What h2load prints and logs, as its version 1.52 does."""

import numpy as np
import pytest

from benchmarks.serving import h2load
from benchmarks.serving.h2load import Calls, answered, parsed, pooled

OUTPUT = """\
starting benchmark...
progress: 100% done

finished in 1.50s, 2.00 req/s, 1.02KB/s
requests: 3 total, 3 started, 3 done, {succeeded} succeeded, {failed} failed, {errored} errored, 0 timeout
status codes: 3 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 1.53KB (1570) total, 270B (270) headers (space savings 81.63%), 1.27KB (1300) data
                     min         max         mean         sd        +/- sd
time for request:       97us      1.04ms       212us        86us    90.67%
"""
LOG = np.array([[1_000_000, 200, 150], [1_000_500, 200, 250], [2_000_000, 200, 500_000]])


def test_times_bytes_and_rate_are_read() -> None:
    calls = parsed(OUTPUT.format(succeeded=3, failed=0, errored=0), LOG)
    assert calls.times_us.tolist() == [150, 250, 500_000]
    assert (calls.data_bytes, calls.n_failed) == (1300, 0)
    assert calls.per_s == pytest.approx(2.0)


def test_a_broken_call_is_a_failure_once() -> None:
    log = LOG.copy()
    log[1, 1] = -1
    assert parsed(OUTPUT.format(succeeded=2, failed=1, errored=1), log).n_failed == 1


def test_another_output_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="no summary"):
        parsed("h2load: no such option", LOG)


def test_a_refusal_is_noticed_by_the_bytes_that_are_missing() -> None:
    calls = parsed(OUTPUT.format(succeeded=3, failed=0, errored=0), LOG)
    with pytest.raises(SystemExit, match="1300 bytes came instead of 1500"):
        answered(calls, 500)
    assert answered(Calls(LOG[:2, 0], LOG[:2, 2], 1000, 0), 500).data_bytes == 1000


def test_runs_are_pooled() -> None:
    both = pooled([Calls(LOG[:1, 0], LOG[:1, 2], 500, 0), Calls(LOG[1:, 0], LOG[1:, 2], 800, 1)])
    assert both.times_us.tolist() == LOG[:, 2].tolist()
    assert (both.data_bytes, both.n_failed) == (1300, 1)


def test_a_missing_h2load_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SystemExit, match="h2load is not installed"):
        h2load.require()
