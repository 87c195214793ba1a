"""One fit with given hyper-parameters, sweep by sweep, and when it has had enough."""

import math
from dataclasses import dataclass, field
from typing import Any

from training.errors import DivergedError
from training.fitting.objectives import Values
from training.fitting.validation import Validation

_HOPED_SWEEPS = 4
"""How many more sweeps as good as its last a trial is granted before it is given up."""


@dataclass
class Trial:
    """What has become of some hyper-parameters."""

    values: Values
    curve: list[dict[str, float]] = field(default_factory=list)
    """For each sweep its number, its seconds, `rmse` over the ratings fitted to and, where judged, the figure."""
    given_up: bool = False
    """Whether it ended without hope of being the best: more sweeps would still have bettered its figure."""

    @property
    def figures(self) -> set[str]:
        """Names of what its sweeps have."""
        return {name for sweep in self.curve for name in sweep}

    @property
    def seconds(self) -> float:
        """Of all its sweeps."""
        return sum(sweep["seconds"] for sweep in self.curve)

    def best_sweep(self, judge: Validation) -> dict[str, float]:
        """The sweep with the best figure."""
        return max(self.curve, key=lambda sweep: judge.better * sweep[judge.name])

    def costs(self, judge: Validation) -> list[float]:
        """The figure after each sweep, so that less is better."""
        return [-judge.better * sweep[judge.name] for sweep in self.curve]

    def cost(self, judge: Validation) -> float:
        """The least of them."""
        return min(self.costs(judge))

    def to_json(self, judge: Validation) -> dict[str, Any]:
        """For the manifest."""
        best = self.best_sweep(judge)
        figures = {judge.name: best[judge.name], "best_sweep": int(best["sweep"])}
        return {**self.values, **figures, "sweeps": len(self.curve), "seconds": self.seconds, "given_up": self.given_up}


def check_finite(trial: Trial, sweep: dict[str, float]) -> None:
    """Raise DivergedError where a figure of the sweep is not finite."""
    if not all(map(math.isfinite, sweep.values())):
        given = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in trial.values.items())
        raise DivergedError(f"the fit with {given} ended in NaN or infinity; give a larger --regularisation")


def is_over(trial: Trial, judge: Validation, patience: int, best: Trial | None) -> bool:
    """Whether a trial should end: no progress for `patience` sweeps, or no hope of being better than the `best`."""
    return has_settled(trial, judge, patience) or (best is not None and is_hopeless(trial, judge, best))


def has_settled(trial: Trial, judge: Validation, patience: int) -> bool:
    """Whether the last `patience` sweeps brought no progress worth the name."""
    costs = trial.costs(judge)
    if len(costs) <= patience:
        return False
    before = min(costs[:-patience])
    return min(costs[-patience:]) > before - judge.least_gain * abs(before)


def is_hopeless(trial: Trial, judge: Validation, best: Trial) -> bool:
    """Whether a trial that goes on will not be better than the `best`.

    Each sweep of alternating least squares gains less than the one before. So a trial is given up where it is behind
    what the best one was after as many sweeps, and some more gains as large as its last would not bring it level.
    """
    costs, others = trial.costs(judge), best.costs(judge)
    if len(costs) < 2:
        return False
    behind = costs[-1] > others[min(len(costs), len(others)) - 1]
    return behind and costs[-1] - _HOPED_SWEEPS * max(costs[-2] - costs[-1], 0.0) > min(others)
