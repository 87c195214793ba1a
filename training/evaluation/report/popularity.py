"""Whether everybody gets the same few items: how recommendations divide among popular and rare ones."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.breakdowns import concentration
from training.evaluation.metrics import list_counts
from training.evaluation.report.axes import Axis, Tick, linear_axis
from training.evaluation.report.chart import Chart, Point, Series
from training.evaluation.report.evidence import Evidence, figure
from training.evaluation.report.ranking import called, shown
from training.evaluation.report.section import Section, Table
from training.evaluation.variety import variety

Counts = Mapping[str, NDArray[np.integer[Any]]]

RATINGS = "the ratings"
NEUTRAL_TONE = 7
_A_DECADE = 10
_VARIETY = ("coverage", "gini", "popularity", "ratings_per_item")
_EXPLAINED = (
    "Coverage: items that are in any list. Gini: 0 where all are equally often, near 1 where few are. Popularity: the "
    "share of other items that have fewer ratings; 0.5 where drawn by lot."
)


def popularity(evidence: Evidence) -> Section:
    """The popularity curve of recommendations, and figures of variety."""
    anchor, title = "popularity", "What is recommended"
    k = evidence.k
    if k is None:
        return Section(anchor, title, ["No ranking could be judged, so no lists were made."])
    users, _ = evidence.ranked
    counts = {
        name: list_counts(contestant, users, evidence.embeddings.catalogue.seen, k)
        for name, contestant in evidence.contestants.items()
    }
    sentence = (
        f"The lists of {k} that each of the same {len(users):,} users would get. A curve high on the left means that a "
        "few popular items fill the lists; a list that follows the ratings themselves is as varied as people are."
    )
    return Section(anchor, title, [sentence], charts=[_curve(evidence, counts)], tables=[_variety(evidence)])


def _curve(evidence: Evidence, counts: Counts) -> Chart:
    """The share of recommendations that goes to the most popular items."""
    n_items = evidence.embeddings.n_items
    decades = max(1, math.ceil(math.log10(n_items) - 1e-9))
    powers = np.linspace(-decades, 0, decades * _A_DECADE + 1)
    powers = powers[10.0**powers * n_items >= 1 - 1e-9]
    compared = {**counts, RATINGS: evidence.popularity}
    series = []
    for name, each in compared.items():
        reached = concentration(each, evidence.popularity, 10.0**powers)
        points = [
            Point(float(power), float(share), f"top {10**power:.2%}")
            for power, share in zip(powers, reached, strict=True)
        ]
        tone = NEUTRAL_TONE if name == RATINGS else evidence.tone(name)
        series.append(Series(name, points, tone))
    ticks = [Tick(power, f"{100 * 10.0**power:g}%") for power in range(-decades, 1) if power >= powers[0]]
    return Chart(
        "Share of recommendations that goes to the most popular items",
        f"Popular are items with many ratings in training; 1% of the catalogue are {max(1, round(n_items / 100)):,} "
        f"of {n_items:,} items.",
        Axis("most popular items, share of the catalogue (logarithmic)", ticks, float(powers[0]), 0),
        linear_axis("share of recommendations", [0.0, 1.0], zero=True, percent=True),
        series,
        ".1%",
        names="apart",
    )


def _variety(evidence: Evidence) -> Table:
    """How many items occur at all, how unequally, and how popular they are."""
    k = evidence.k
    rows = [[row["name"], *(shown(name, figure(row, f"{name}@{k}")) for name in _VARIETY)] for row in evidence.rows]
    ratings = variety(evidence.popularity, evidence.popularity)
    rows.append([RATINGS, *(shown(name, figure(ratings, name)) for name in _VARIETY)])
    caption = f"Variety of the lists of {k} of {evidence.rows[0]['n_users']:,} users. {_EXPLAINED}"
    return Table(caption, ["", *(called(name) for name in _VARIETY)], rows, 0)
