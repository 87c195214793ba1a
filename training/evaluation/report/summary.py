"""The head of the page: the figures that matter, in a sentence and large, and what was measured."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from training.evaluation.report.evidence import Evidence, figure, interval
from training.evaluation.report.ranking import LOWER_IS_BETTER, called, shown
from training.evaluation.report.section import Section, Tile

_SAME = 5e-4
"""Relative differences that are not worth a word."""

Row = Mapping[str, Any]


def summary(evidence: Evidence) -> Section:
    """The headline figures, each beside the best baseline."""
    names = [name for name in _headline_names(evidence) if math.isfinite(figure(evidence.rows[0], name))]
    tiles = [_tile(evidence, name) for name in names]
    return Section("summary", "In short", [*_kind(evidence), *_advice(evidence)], tiles=tiles)


def _kind(evidence: Evidence) -> list[str]:
    if evidence.scores_are_ratings:
        return []
    return ["This model was fit to rank. Its scores are preferences and not ratings, so there is no error of ratings."]


def _headline_names(evidence: Evidence) -> list[str]:
    errors = ["rmse", "mae"] if evidence.scores_are_ratings else []
    k = evidence.k
    return errors if k is None else [*errors, f"ndcg@{k}", f"recall@{max(evidence.ks)}", f"mrr@{k}", f"coverage@{k}"]


def _tile(evidence: Evidence, name: str) -> Tile:
    model, others = evidence.rows[0], evidence.rows[1:]
    value, (low, high) = figure(model, name), interval(model, name)
    spread = "" if math.isnan(low) else f"{shown(name, low)} – {shown(name, high)}"
    if name.startswith("coverage"):
        n_items = evidence.embeddings.n_items
        return Tile(called(name), shown(name, value), spread, f"{round(value * n_items):,} of {n_items:,} items")
    return Tile(called(name), shown(name, value), spread, _against(value, others, name))


def _against(value: float, others: Sequence[Row], name: str) -> str:
    """How the model compares with the best of the baselines."""
    best, whose = _best(others, name)
    if not whose:
        return ""
    change = value / best - 1 if best else 0.0
    if abs(change) < _SAME:
        return f"like {whose}, {best:.4f}"
    better = (change < 0) == (name in LOWER_IS_BETTER)
    return f"{'better' if better else 'worse'} than {whose}, {best:.4f}, by {abs(change):.1%}"


def _best(others: Sequence[Row], name: str) -> tuple[float, str]:
    """The best of the baselines and its name, empty where none has the figure."""
    found = [(figure(row, name), str(row["name"])) for row in others if math.isfinite(figure(row, name))]
    return (min if name in LOWER_IS_BETTER else max)(found, default=(math.nan, ""))


def _advice(evidence: Evidence) -> list[str]:
    """What to do about a model of ratings that ranks worse than a baseline."""
    name = f"ndcg@{evidence.k}"
    best, whose = _best(evidence.rows[1:], name)
    if not evidence.scores_are_ratings or not figure(evidence.rows[0], name) < best:
        return []
    advice = "A model fit to the errors of ratings seldom ranks well; to serve lists, train with --objective ranking."
    return [f"As lists, {whose} does better. {advice}"]
