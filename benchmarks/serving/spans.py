"""Where a call's time goes: every moment of it is charged to one rung, by wrapping the functions that do the work."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from time import perf_counter_ns
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.serving.figures import spread

Place = tuple[str, Any, str]
"""A rung, a class or module, and the name of the function in it."""


class Spans:
    """Times by rung. A function's time is its rung's, without that of the wrapped functions that it calls."""

    def __init__(self) -> None:
        self._calls: list[Counter[str]] = []
        self._running: list[str] = []
        self._charged_to_ns = 0

    @contextmanager
    def around(self, places: Sequence[Place]) -> Iterator[None]:
        """Wrap the functions at `places`; they are put back at the end."""
        with ExitStack() as stack:
            for rung, owner, name in places:
                stack.enter_context(patch.object(owner, name, self._wrapped(rung, getattr(owner, name))))
            yield

    def begin(self) -> None:
        """A call begins."""
        self._calls.append(Counter())

    def told(self, rungs: Sequence[str]) -> dict[str, dict[str, float]]:
        """Each rung's median and 99th percentile over all calls, in µs."""
        return {rung: spread(np.array([call[rung] for call in self._calls]) / 1000) for rung in rungs}

    def _wrapped(self, rung: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            self._charge()
            self._running.append(rung)
            try:
                return function(*arguments, **named)
            finally:
                self._charge()
                self._running.pop()

        return timed

    def _charge(self) -> None:
        """Charge the time since the last change to what was running."""
        now = perf_counter_ns()
        if self._running:
            self._calls[-1][self._running[-1]] += now - self._charged_to_ns
        self._charged_to_ns = perf_counter_ns()
