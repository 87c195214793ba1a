"""Where predicted ratings are wrong: by the rating itself, and by how much is known of the user and of the item."""

import numpy as np

from training.evaluation.breakdowns import (
    Groups,
    count_groups,
    error_edges,
    error_shares,
    group_means,
    group_rmse,
    quantile_groups,
    value_groups,
)
from training.evaluation.evaluate import MODEL
from training.evaluation.report.axes import Axis, group_axis, linear_axis, range_axis
from training.evaluation.report.chart import Chart, Point, Series, beside, group_points
from training.evaluation.report.evidence import Evidence
from training.evaluation.report.section import Section

_N_PREDICTED = 10
_LEAST = 30
"""Ratings in a group: of fewer the figure says little."""

_PULL = (
    "Every model that minimises squared error is pulled towards the mean: what was rated lowest is predicted higher, "
    "what was rated highest lower. That is no fault by itself. What has to hold is the other direction: of all that "
    "was predicted as 4, the real ratings should be 4 on average."
)
_ACTIVITY = (
    "The less is known of a user or an item, the less a model can say. Where its curve is not below that of bias only, "
    "the embeddings add nothing to the two biases."
)
_NO_RATINGS = (
    "This model was fit to rank: its scores are preferences, not ratings, so there are no errors of predicted ratings "
    "to show."
)


def rating_errors(evidence: Evidence) -> list[Section]:
    """Errors by rating and by activity; one sentence where the model predicts no ratings."""
    if not evidence.scores_are_ratings:
        return [Section("by-rating", "Error by rating", [_NO_RATINGS])]
    return [_by_rating(evidence), _by_activity(evidence)]


def _by_rating(evidence: Evidence) -> Section:
    groups = value_groups(evidence.held_out.values)
    sentences = [_PULL]
    if len(groups.labels) == 1:
        sentences.append("All held-out ratings are the same, so there is little to tell apart here.")
    charts = [
        _calibration(evidence),
        _predicted_by_real(evidence, groups),
        _rmse_by(evidence, groups, "RMSE by real rating", "real rating", "ratings"),
        _distribution(evidence),
    ]
    return Section("by-rating", "Error by rating", sentences, charts=charts)


def _by_activity(evidence: Evidence) -> Section:
    held_out = evidence.held_out
    by_user = count_groups(evidence.n_seen[held_out.user_rows], _LEAST)
    by_item = count_groups(evidence.popularity[held_out.item_rows], _LEAST)
    charts = [
        _rmse_by(evidence, by_user, "RMSE by activity of the user", "ratings of the user in training", "held-out"),
        _rmse_by(evidence, by_item, "RMSE by popularity of the item", "ratings of the item in training", "held-out"),
    ]
    return Section("by-activity", "Error by activity", [_ACTIVITY], charts=charts)


def _rmse_by(evidence: Evidence, groups: Groups, title: str, label: str, of: str) -> Chart:
    owners = evidence.held_out.user_rows
    series = beside(
        [
            Series(name, group_points(groups, group_rmse(errors, groups, owners)), evidence.tone(name))
            for name, errors in evidence.errors.items()
        ]
    )
    values = [value for one in series for point in one.points for value in (point.y, point.low, point.high)]
    return Chart(
        title,
        "Root of the mean squared error in each group, with its interval of 95%.",
        group_axis(label, groups, of),
        linear_axis("RMSE, rating points", values),
        series,
    )


def _predicted_by_real(evidence: Evidence, groups: Groups) -> Chart:
    """The mean prediction for each real rating."""
    real = group_means(evidence.held_out.values, groups, evidence.held_out.user_rows).centre
    series = []
    for name, predicted in evidence.predictions.items():
        points = group_points(groups, group_means(predicted, groups, evidence.held_out.user_rows))
        points = [point._replace(x=float(at)) for point, at in zip(points, real, strict=True)]
        series.append(Series(name, points, evidence.tone(name)))
    return Chart(
        "Mean prediction for each real rating",
        "The flatter the curve, the stronger the pull towards the mean.",
        _rating_axis(evidence, "real rating"),
        _rating_axis(evidence, "mean predicted rating"),
        series,
        diagonal="predicted = real",
    )


def _calibration(evidence: Evidence) -> Chart:
    """The mean real rating for predictions of about the same height."""
    series = []
    for name, predicted in evidence.predictions.items():
        groups = quantile_groups(predicted, _N_PREDICTED)
        at = group_means(predicted, groups, evidence.held_out.user_rows).centre
        points = group_points(groups, group_means(evidence.held_out.values, groups, evidence.held_out.user_rows))
        points = [point._replace(x=float(x)) for point, x in zip(points, at, strict=True)]
        series.append(Series(name, points, evidence.tone(name)))
    return Chart(
        "Mean real rating for each prediction",
        "Tenths of the held-out ratings by what was predicted, with intervals of 95%. On the diagonal, predictions "
        "can be taken at their word.",
        _rating_axis(evidence, "predicted rating"),
        _rating_axis(evidence, "mean real rating"),
        series,
        diagonal="real = predicted",
    )


def _rating_axis(evidence: Evidence, label: str) -> Axis:
    return range_axis(label, *evidence.scale)


def _distribution(evidence: Evidence) -> Chart:
    """How often which error occurs."""
    edges = error_edges(evidence.scale)
    lows, highs = edges[:-1], edges[1:]
    shares = {name: error_shares(errors, edges) for name, errors in evidence.errors.items()}
    # Both are drawn over the bins that either has anything in.
    used = np.flatnonzero(np.sum(list(shares.values()), axis=0))
    kept = slice(max(0, used[0] - 1), used[-1] + 2)
    series = []
    for name, each in shares.items():
        points = [
            Point(float(low + high) / 2, float(share), f"{low:+.2f} to {high:+.2f}")
            for share, low, high in zip(each[kept], lows[kept], highs[kept], strict=True)
        ]
        series.append(Series(name, points, evidence.tone(name), "bars" if name == MODEL else "steps"))
    highest = max(point.y for one in series for point in one.points)
    return Chart(
        "Distribution of errors",
        _bias_sentence(evidence),
        range_axis("predicted − real, rating points", float(lows[kept][0]), float(highs[kept][-1])),
        linear_axis("share of held-out ratings", [0.0, highest], zero=True, percent=True),
        series,
        ".1%",
        names="corner",
    )


def _bias_sentence(evidence: Evidence) -> str:
    errors = evidence.errors[MODEL]
    mean, median = float(np.mean(errors, dtype=np.float64)), float(np.median(np.abs(errors)))
    # Rounded first and made positive: never "-0.000".
    shown = f"{round(mean, 3) + 0.0:+.3f}"
    return f"The mean error of the model is {shown}; half of all predictions are within {median:.2f} of the rating."
