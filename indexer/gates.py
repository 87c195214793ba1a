"""What a new version may differ by from the one that is current: decided here, measured elsewhere."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from indexer.errors import PublishGateError

_LOWER_IS_BETTER = {"rmse", "mae", "mse", "loss"}
_HIGHER_IS_BETTER = {"ndcg", "recall", "precision", "hit_rate", "map", "mrr", "auc", "coverage"}


@dataclass(frozen=True)
class MetricGate:
    """A metric of the embeddings may be worse than the current version's by `most_loss` and no more."""

    name: str
    """As `indexer.comparison.metrics` names it, such as "val_ndcg@10" or "test.rmse"."""
    most_loss: float
    """In the metric's own unit, 0 or more."""


@dataclass(frozen=True)
class Gates:
    """All that a publish must pass; nothing by default."""

    least_overlap: float | None = None
    """Of the mean overlap@10 of `indexer.comparison`, 0 to 1."""
    metrics: tuple[MetricGate, ...] = ()


@dataclass(frozen=True)
class Figures:
    """What the gates look at."""

    overlap: float | None
    """The mean overlap@10; None where no user is in both, or nobody asks for it."""
    before: Mapping[str, float]
    """The current version's metrics by name."""
    after: Mapping[str, float]
    """The new one's."""


@dataclass(frozen=True)
class Passed:
    """A gate that let the new version through."""

    gate: str
    """Such as "overlap@10"."""
    figure: float
    """The overlap, or the loss: above 0 where the metric is worse."""
    limit: float


def parse_metric_gate(text: str) -> MetricGate:
    """The gate that `NAME:MAX_LOSS` says. Raises ValueError, saying what is wrong."""
    name, colon, most_loss = text.rpartition(":")
    if not colon or not name:
        raise ValueError("must be NAME:MAX_LOSS, such as val_ndcg@10:0.01")
    try:
        value = float(most_loss)
    except ValueError:
        raise ValueError(f"MAX_LOSS is {most_loss!r}; it must be a number") from None
    if not (value >= 0 and math.isfinite(value)):
        raise ValueError(f"MAX_LOSS is {most_loss}; it must be 0 or more")
    _lower_is_better(name)
    return MetricGate(name, value)


def judge(gates: Gates, figures: Figures) -> list[Passed]:
    """The gates that were passed, which is all of them. Raises PublishGateError at the first that was not.

    A figure that is exactly the limit passes.
    """
    passed = []
    if gates.least_overlap is not None:
        passed.append(_judged_overlap(figures.overlap, gates.least_overlap))
    return passed + [_judged_metric(gate, figures) for gate in gates.metrics]


def _judged_overlap(overlap: float | None, least: float) -> Passed:
    if overlap is None:
        raise PublishGateError(
            "--gate-overlap: no user is in both the new version and the current one, so nothing can be compared",
            "publish without that gate if the users are meant to be others",
        )
    if overlap < least:
        raise PublishGateError(
            f"--gate-overlap: users keep {overlap:.4f} of their ten best items on average, the limit is {least:g}",
            "look for what changed in the ratings or the training, or lower the limit",
        )
    return Passed("overlap@10", overlap, least)


def _judged_metric(gate: MetricGate, figures: Figures) -> Passed:
    for whose, metrics in (("the current version", figures.before), ("the new version", figures.after)):
        if not math.isfinite(metrics.get(gate.name, math.nan)):
            known = ", ".join(sorted(metrics)) or "none"
            raise PublishGateError(
                f"--gate-metric: {whose} has no metric {gate.name!r} (it has: {known})",
                "train with what measures it, or publish without that gate",
            )
    before, after = figures.before[gate.name], figures.after[gate.name]
    loss = after - before if _lower_is_better(gate.name) else before - after
    # 0.25 - 0.24 is a little more than 0.01.
    if loss > gate.most_loss and not math.isclose(loss, gate.most_loss, rel_tol=1e-9, abs_tol=1e-12):
        raise PublishGateError(
            f"--gate-metric: {gate.name} is {after:.4f}, {loss:.4f} worse than the current version's {before:.4f},"
            f" the limit is {gate.most_loss:g}",
            "train again, or raise the limit",
        )
    return Passed(gate.name, loss, gate.most_loss)


def _lower_is_better(name: str) -> bool:
    """Of the metric `name`, such as "test.rmse" or "val_ndcg@10". Raises ValueError where it is not known."""
    metric = name.rpartition(".")[2].partition("@")[0].removeprefix("val_")
    if metric not in _LOWER_IS_BETTER | _HIGHER_IS_BETTER:
        known = ", ".join(sorted(_LOWER_IS_BETTER | _HIGHER_IS_BETTER))
        raise ValueError(f"of {metric!r} it is not known whether higher is better; known are {known}")
    return metric in _LOWER_IS_BETTER
