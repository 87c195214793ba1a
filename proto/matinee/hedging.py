"""Hedging: ask again before the first attempt has failed, and take whichever answer comes first.

gRPC's service config has a hedgingPolicy, which its clients in Java, .NET and Node follow; the core under Python's does
not read it. So it is done here, by the same rules, and once for both clients: `attempts` decides and neither calls
nor waits.
"""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import grpc

from matinee.errors import UsageError

_PUSHBACK = "grpc-retry-pushback-ms"
_FOR_EVER_S = 86_400.0
_NON_FATAL = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}


@dataclass(frozen=True)
class Hedging:
    """Where no answer came after `delay_ms`, ask once more, and take the first answer; the others are cancelled.

    With a delay at the service's p99, one call in a hundred costs a second request, and waits for no slow server. A
    server that is unavailable or sheds load is not waited for: the next attempt follows at once, or when it says
    (grpc-retry-pushback-ms).
    """

    delay_ms: float
    """How long to wait for one attempt before the next."""
    max_attempts: int = 2
    """How many attempts there may be, the first one included, 2 to 5."""

    def __post_init__(self) -> None:
        if not (2 <= self.max_attempts <= 5 and self.delay_ms >= 0):
            raise UsageError(f"{self}: there must be 2 to 5 attempts, with 0 ms or more between them")


class Throttle:
    """Stops further attempts while most calls fail, as gRPC's retryThrottling does.

    Shared by threads without a lock: it may err by an attempt.
    """

    def __init__(self, max_tokens: float = 10.0, token_ratio: float = 0.1) -> None:
        self._max_tokens = self._tokens = max_tokens
        self._token_ratio = token_ratio

    def count(self, code: grpc.StatusCode) -> None:
        """Take notice of how an attempt ended."""
        change = -1.0 if code in _NON_FATAL else self._token_ratio
        self._tokens = min(self._max_tokens, max(0.0, self._tokens + change))

    def allows(self) -> bool:
        """Whether there may be further attempts."""
        return self._tokens > self._max_tokens / 2


@dataclass(frozen=True)
class Ended:
    """An attempt that has its status."""

    call: Any
    """What was started."""
    code: grpc.StatusCode
    """OK where there is an answer."""
    trailer: tuple[tuple[str, str | bytes], ...]
    """What came with the status."""

    def wait_s(self) -> float | None:
        """How long the server asks to be left alone, 0 where it does not say, None where for good."""
        said = dict(self.trailer).get(_PUSHBACK, "0")
        return int(said) / 1000 if str(said).isdecimal() else None


def attempts(
    start: Callable[[float], object], timeout_s: float, hedging: Hedging, throttle: Throttle
) -> Generator[float, Ended | None, Ended]:
    """Start the attempts of one call, one by one, each with the seconds that are left; return the one that decides it.

    Yields how many seconds to wait at most for any of them to end; is sent the one that ended, or None when the time
    was up.
    """
    deadline = time.monotonic() + timeout_s
    n_started = n_failed = 0
    ended: Ended | None = None
    while True:
        left_s = deadline - time.monotonic()
        if ended is None:
            start(left_s)
            n_started += 1
            wait_s: float | None = hedging.delay_ms / 1000
        may_start = wait_s is not None and wait_s < left_s and n_started < hedging.max_attempts and throttle.allows()
        if ended and n_failed == n_started and not may_start:
            return ended
        ended = yield wait_s if may_start and wait_s is not None else _FOR_EVER_S
        if ended:
            throttle.count(ended.code)
            if ended.code not in _NON_FATAL:
                return ended
            n_failed += 1
            wait_s = ended.wait_s()
