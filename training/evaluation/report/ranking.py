"""How good lists are: every metric at every k beside the baselines, and for whom lists are good."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from training.evaluation.breakdowns import count_groups, group_means
from training.evaluation.metrics import rank
from training.evaluation.report.axes import Axis, Tick, group_axis, linear_axis
from training.evaluation.report.chart import Chart, Point, Series, beside, group_points
from training.evaluation.report.evidence import Evidence, figure, interval
from training.evaluation.report.section import Section, Table

_CHARTED = ("ndcg", "recall", "precision", "map", "mrr", "hit_rate")
_NAMES = {
    "ndcg": "NDCG", "recall": "Recall", "precision": "Precision", "map": "MAP", "mrr": "MRR", "hit_rate": "Hit rate",
    "rmse": "RMSE", "mae": "MAE", "coverage": "Coverage", "popularity": "Popularity", "gini": "Gini",
    "ratings_per_item": "Ratings per item",
}  # fmt: skip
_SHORT = {"precision": "Prec.", "hit_rate": "Hits"}
_FORMATS = {"coverage": ".1%", "popularity": ".3f", "gini": ".3f", "ratings_per_item": ",.1f"}
LOWER_IS_BETTER = ("rmse", "mae")
_LEAST = 20
"""Users in a group: of fewer the figure says little."""
_READINGS = {
    "ndcg": "Liked items found, those high in the list counting more; 1 is a perfect list.",
    "recall": "Of the liked items that could be in a list of k, the share that is.",
    "precision": "The share of a list that the user liked.",
    "map": "The mean of the precision at each liked item.",
    "mrr": "1 ÷ the place of the first liked item, 0 where there is none.",
    "hit_rate": "The share of lists with at least one liked item.",
}


def ranking(evidence: Evidence) -> Section:
    """The metrics of all contestants."""
    table = _table(evidence)
    if evidence.k is None:
        return Section("ranking", "Ranking", [_nobody(evidence)], tables=[table])
    metrics = [metric for metric in _CHARTED if metric in evidence.ranking_metrics]
    charts = [_by_k(evidence, metric) for metric in metrics]
    if len(evidence.ks) == 1:
        charts = [_at_one_k(evidence, metrics)]
    return Section("ranking", "Ranking", [_how(evidence)], charts=[*charts, _by_activity(evidence)], tables=[table])


def _how(evidence: Evidence) -> str:
    n_users, threshold = int(evidence.rows[0]["n_users"]), evidence.result["threshold"]
    return (
        "All items that a user has not rated in training are ranked, for "
        f"{n_users:,} user{'s' * (n_users != 1)} with a held-out rating of {threshold:g} or more; those items count as "
        "liked. Means over users, intervals of 95%; equal scores share their places. Held-out ratings know only what "
        "people chose to rate, so the figures compare models and are no probabilities of being liked."
    )


def _nobody(evidence: Evidence) -> str:
    return (
        f"No held-out rating of a known user and item is {evidence.result['threshold']:g} or more, so nobody is known "
        "to like anything and no ranking can be judged."
    )


def _by_k(evidence: Evidence, metric: str) -> Chart:
    """One metric over the lengths of lists."""
    series = []
    for row in evidence.rows:
        points = [
            Point(place, figure(row, f"{metric}@{k}"), f"k = {k}", *interval(row, f"{metric}@{k}"))
            for place, k in enumerate(evidence.ks)
        ]
        series.append(Series(row["name"], points, evidence.tone(row["name"])))
    ticks = [Tick(place, str(k)) for place, k in enumerate(evidence.ks)]
    name, axis = _NAMES[metric], Axis(f"length of the list, k ({_n_users(evidence)})", ticks, -0.5, len(ticks) - 0.5)
    return Chart(f"{name}@k", _READINGS[metric], axis, _from_zero(f"{name}@k", series), beside(series), ".4f")


def _at_one_k(evidence: Evidence, metrics: Sequence[str]) -> Chart:
    """All metrics side by side: of one length of list there are no curves."""
    k = evidence.ks[0]
    series = []
    for row in evidence.rows:
        points = [
            Point(place, figure(row, f"{metric}@{k}"), _NAMES[metric], *interval(row, f"{metric}@{k}"))
            for place, metric in enumerate(metrics)
        ]
        series.append(Series(row["name"], points, evidence.tone(row["name"]), "points"))
    ticks = [Tick(place, _SHORT.get(metric, _NAMES[metric])) for place, metric in enumerate(metrics)]
    axis = Axis(f"metric ({_n_users(evidence)})", ticks, -0.5, len(ticks) - 0.5)
    reading = "With intervals of 95%. Give --k more than once to see them over the length of the list."
    return Chart(f"Lists of {k}", reading, axis, _from_zero(f"metric@{k}", series), beside(series), ".4f")


def _n_users(evidence: Evidence) -> str:
    return f"n = {evidence.rows[0]['n_users']:,} users"


def _from_zero(label: str, series: Sequence[Series]) -> Axis:
    values = [value for one in series for point in one.points for value in (point.y, point.high)]
    return linear_axis(label, values, zero=True)


def _by_activity(evidence: Evidence) -> Chart:
    """NDCG by how many ratings a user has."""
    users, relevant = evidence.ranked
    k = evidence.k or 10
    groups = count_groups(evidence.n_seen[users], _LEAST)
    series = []
    for name, contestant in evidence.contestants.items():
        ndcg = rank(contestant, users, relevant, evidence.embeddings.catalogue.seen, depth=k).ndcg(k)
        points = group_points(groups, group_means(ndcg, groups, users).within(0, 1))
        series.append(Series(name, points, evidence.tone(name)))
    return Chart(
        f"NDCG@{k} by activity of the user",
        "Users who rated much also have more liked items to find; compare the contestants within a group.",
        group_axis("ratings of the user in training", groups, "users"),
        _from_zero(f"NDCG@{k}", series),
        beside(series),
        ".4f",
    )


def _table(evidence: Evidence) -> Table:
    """Every figure of every contestant: a row for each figure, so that it fits a phone."""
    errors = [name for name in LOWER_IS_BETTER if name in evidence.rows[0]]
    names = [*errors, *(f"{metric}@{k}" for metric in evidence.ranking_metrics for k in evidence.ks)]
    rows = [[called(name), *(_with_interval(row, name) for row in evidence.rows)] for name in names]
    return Table("All figures, with intervals of 95%", ["", *(row["name"] for row in evidence.rows)], rows, wide=True)


def called(name: str) -> str:
    """What a figure is called on the page."""
    metric, _, k = name.partition("@")
    return _NAMES.get(metric, metric) + (f"@{k}" if k else "")


def shown(name: str, value: float) -> str:
    """A figure as the page writes it."""
    return format(value, _FORMATS.get(name.partition("@")[0], ".4f"))


def _with_interval(row: Mapping[str, Any], name: str) -> str:
    value, (low, high) = figure(row, name), interval(row, name)
    if math.isnan(value):
        return "–"
    return shown(name, value) + ("" if math.isnan(low) else f" [{shown(name, low)},\u00a0{shown(name, high)}]")
