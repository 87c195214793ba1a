"""How the model was fit: a curve for each figure that its sweeps left, and the trials of hyper-parameters."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from training.evaluation.report.axes import linear_axis, range_axis
from training.evaluation.report.chart import Chart, Point, Series
from training.evaluation.report.evidence import Evidence
from training.evaluation.report.section import Section, Table

_VALIDATION = "val_"
_ASIDE = ("sweep", "epoch", "seconds")
_MOST_TRIALS = 40
_COLUMNS_BESIDE = 6
"""A table with more does not fit beside a chart."""

Trials = Sequence[Mapping[str, Any]]


def learning(evidence: Evidence) -> Section:
    """The learning curves and the search."""
    history = _records(evidence.embeddings.description.get("history"))
    search = _records(evidence.embeddings.description.get("search"))
    sentences = [_history_sentence(history), *_search_sentences(search)]
    tables = [_search_table(search)] if search else []
    return Section("learning", "How it was learnt", sentences, charts=_curves(history, _unit(evidence)), tables=tables)


def _records(value: object) -> Trials:
    """The dicts of a list of dicts; none where a manifest holds anything else."""
    return [record for record in value if isinstance(record, dict)] if isinstance(value, list) else []


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _history_sentence(history: Trials) -> str:
    if not history:
        return "These embeddings carry no history of their sweeps, so there are no learning curves."
    seconds = sum(filter(math.isfinite, (_number(record.get("seconds")) for record in history)))
    took = f" in {seconds:,.1f} s" if seconds else ""
    said = f"{len(history):,} sweep{'s' * (len(history) > 1)} over the ratings{took}."
    if not any(
        name.removeprefix(_VALIDATION) in record
        for record in history
        for name in record
        if name.startswith(_VALIDATION)
    ):
        return said
    return f"{said} Where the validation curve turns while the other goes on, the model has begun to learn the noise."


def _unit(evidence: Evidence) -> str:
    """Of errors."""
    return "rating points" if evidence.scores_are_ratings else "preferences, 0 to 1"


def _curves(history: Trials, unit: str) -> list[Chart]:
    """One chart for each figure, the fitted part and the validation part in it."""
    names = dict.fromkeys(name for record in history for name, value in record.items() if math.isfinite(_number(value)))
    stems = dict.fromkeys(name.removeprefix(_VALIDATION) for name in names if name not in _ASIDE)
    charts = (_curve(stem, history, unit) for stem in stems)
    return [chart for chart in charts if chart.series]


def _curve(stem: str, history: Trials, unit: str) -> Chart:
    series = []
    for tone, (name, called) in enumerate(((_VALIDATION + stem, "validation"), (stem, "fitted"))):
        points = [Point(place, _number(record.get(name)), str(place)) for place, record in enumerate(history, 1)]
        if any(math.isfinite(point.y) for point in points):
            series.append(Series(called, points, tone))
    values = [point.y for one in series for point in one.points]
    label = stem if "@" not in stem else stem.upper()
    label = {"rmse": f"RMSE, {unit}"}.get(label, label)
    return Chart(
        f"{label.split(',')[0]} after each sweep",
        _best_sentence(stem, series, validated=any(_is_validation(name) for record in history for name in record)),
        range_axis("sweep", 1, len(history), whole=True),
        linear_axis(label, values),
        series,
        ".4f",
    )


def _is_validation(name: object) -> bool:
    return str(name).startswith(_VALIDATION)


def _best_sentence(stem: str, series: Sequence[Series], *, validated: bool) -> str:
    validation = [point for one in series if one.name == "validation" for point in one.points if math.isfinite(point.y)]
    if not validation:
        apart = "the validation part was judged by another figure" if validated else "none were kept apart"
        return f"On the ratings that were fitted to; {apart}."
    best = (max if "@" in stem else min)(validation, key=lambda point: point.y)
    return f"On the validation part best after sweep {best.label}: {best.y:.4f}."


def _search_sentences(search: Trials) -> list[str]:
    if not search:
        return []
    tried = "1 setting of the hyper-parameters was" if len(search) == 1 else f"{len(search):,} settings were"
    return [f"{tried} tried on the validation part; nothing was chosen by the ratings that this page measures."]


def _search_table(search: Trials) -> Table:
    """The trials, the best first by the validation figure, where there is one."""
    head = list(dict.fromkeys(str(name) for record in search for name in record))
    judged = next((name for name in head if name.startswith(_VALIDATION)), None)
    if judged is not None:
        sign = -1 if "@" in judged else 1
        search = sorted(search, key=lambda record: _last_if_missing(sign * _number(record.get(judged))))
    rows = [[_cell(record.get(name)) for name in head] for record in search[:_MOST_TRIALS]]
    left_out = f"; the best {_MOST_TRIALS} of {len(search):,}" if len(search) > _MOST_TRIALS else ""
    return Table(
        f"Settings that were tried{left_out}",
        [name.replace("_", " ") for name in head],
        rows,
        0 if judged is not None else None,
        wide=len(head) > _COLUMNS_BESIDE,
    )


def _last_if_missing(value: float) -> float:
    return value if math.isfinite(value) else math.inf


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "–" if value is None else str(value)
