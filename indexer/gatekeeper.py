"""Asks the gates about a version that is about to be published, and keeps what they said."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from indexer.bundle import Bundle
from indexer.comparison import metrics, movement
from indexer.gates import Figures, Gates, judge
from indexer.store import Check


class Gatekeeper:
    """What `Store.publish` asks before a new version is seen by anybody."""

    def __init__(self, gates: Gates) -> None:
        self._gates = gates
        self.told: dict[str, Any] | None = None
        """Once asked, "compared_with", None where nothing was current, and "passed"; None where there are no gates."""

    @property
    def check(self) -> Check | None:
        """What to hand to `Store.publish`; None where there are no gates, so that nothing is opened in vain."""
        return self._check if self._gates != Gates() else None

    def _check(self, current: Bundle | None, new: Bundle) -> None:
        """Raises PublishGateError where `new` is too far from what is `current`; the first one passes."""
        if current is None:
            self.told = {"compared_with": None, "passed": []}
            return
        asks_overlap = self._gates.least_overlap is not None
        figures = Figures(
            overlap=movement(current, new).overlap if asks_overlap else None,
            before=metrics(current.manifest),
            after=metrics(new.manifest),
        )
        passed = judge(self._gates, figures)
        self.told = {"compared_with": current.version, "passed": [asdict(gate) for gate in passed]}


def gate_rows(told: dict[str, Any] | None) -> Sequence[tuple[str, str]]:
    """Name and words for people of each gate in what a Gatekeeper told."""
    if told is None:
        return []
    if told["compared_with"] is None:
        return [("gates", "passed: nothing was current to compare with")]
    return [
        (f"gate {gate['gate']}", f"passed: {gate['figure']:.4f}, the limit is {gate['limit']:g}")
        for gate in told["passed"]
    ]
