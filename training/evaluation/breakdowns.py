"""Where a model errs and what it recommends: figures by group, pure NumPy.

Intervals are of 95 %, as in confidence.py: what belongs to one user is drawn together. A group of one user has none
(NaN).
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.confidence import Z

Numbers = NDArray[np.floating[Any]] | NDArray[np.integer[Any]]
Values = NDArray[np.float64]
Rows = NDArray[np.int64]

_MOST_VALUES = 12
_MOST_COUNTS = 7
# The starts of groups in each decade, the finest first.
_DECADES: tuple[Sequence[int], ...] = ((1, 2, 5), (1, 3), (1,))


@dataclass(frozen=True)
class Groups:
    """n things in groups that none of them is missing from, in the order of a scale."""

    labels: tuple[str, ...]
    """Of each group; no group is empty."""
    short: tuple[str, ...]
    """The same in a few letters, for an axis."""
    rows: Rows
    """(n,) the group of each thing."""

    def sizes(self) -> Rows:
        """How many things each group has: int64 (n_groups,)."""
        return np.bincount(self.rows, minlength=len(self.labels)).astype(np.int64)


@dataclass(frozen=True)
class Figures:
    """One figure a group, with its interval of 95 %; all float64 (n_groups,), in the order of the groups."""

    centre: Values
    low: Values
    high: Values

    def within(self, low: float, high: float) -> "Figures":
        """The same with intervals that keep to what the figure can be."""
        return Figures(self.centre, np.maximum(self.low, low), np.minimum(self.high, high))


def value_groups(values: Numbers) -> Groups:
    """One group for each distinct value of `values` (n,); bins of equal width where there are more than twelve."""
    distinct, rows = np.unique(values, return_inverse=True)
    if len(distinct) <= _MOST_VALUES:
        labels = tuple(f"{value:g}" for value in distinct)
        return Groups(labels, labels, rows.astype(np.int64))
    edges = np.linspace(distinct[0], distinct[-1], _MOST_VALUES - 1)
    rows = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    labels = tuple(f"{low:.3g}–{high:.3g}" for low, high in itertools.pairwise(edges))
    return _occupied(Groups(labels, tuple(f"{low:.3g}+" for low in edges[:-1]), rows))


def count_groups(counts: Numbers, least: int) -> Groups:
    """Groups of `counts` (n,), whole numbers from 0: 0, 1, 2–4, 5–9, 10–19 …, or coarser so that seven are enough.

    Neighbours are put together until each group has `least` things, where there are so many.
    """
    smallest, largest = int(counts.min()), int(counts.max())
    for starts in _DECADES:
        edges = [0, *(start * 10**power for power in range(len(str(largest))) for start in starts)]
        first, end = np.searchsorted(edges, (smallest, largest), side="right")
        groups = _ranges(_wide_enough(edges[first - 1 : end], counts, least), counts)
        if len(groups.labels) <= _MOST_COUNTS:
            break
    return groups


def _wide_enough(starts: Sequence[int], counts: Numbers, least: int) -> list[int]:
    """Those of `starts` from which to the next there are at least `least` of `counts`."""
    above = len(counts) - np.searchsorted(np.sort(counts), starts)
    kept: list[int] = []
    beyond = 0
    for start, n_above in zip(reversed(starts), reversed(above.tolist()), strict=True):
        if n_above - beyond >= least:
            kept.append(start)
            beyond = n_above
    # What is left over at the low end goes to the lowest group.
    return [starts[0], *reversed(kept[:-1])]


def _ranges(starts: Sequence[int], counts: Numbers) -> Groups:
    """The ranges of whole numbers that begin at `starts`; the last ends at the largest count."""
    ends = [*(start - 1 for start in starts[1:]), int(counts.max())]
    labels = tuple(f"{low:,}" if low == high else f"{low:,}–{high:,}" for low, high in zip(starts, ends, strict=True))
    short = tuple(f"{low}" if low == high else f"{short_count(low)}+" for low, high in zip(starts, ends, strict=True))
    return _occupied(Groups(labels, short, np.searchsorted(starts, counts, side="right") - 1))


def short_count(count: int) -> str:
    """At most four figures: 950, 1k, 1.2k, 35k, 2.1M."""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if count >= size:
            return f"{math.floor(10 * count / size) / 10:g}{unit}" if count < 10 * size else f"{count // size}{unit}"
    return str(count)


def _occupied(groups: Groups) -> Groups:
    """The groups that have anything in them, renumbered."""
    used, rows = np.unique(groups.rows, return_inverse=True)
    labels, short = ([texts[group] for group in used] for texts in (groups.labels, groups.short))
    return Groups(tuple(labels), tuple(short), rows.astype(np.int64))


def group_means(values: Numbers, groups: Groups, owners: Rows) -> Figures:
    """The mean of `values` (n,) in each group; those of one of `owners` (n,) are drawn together.

    The variance of a mean x̄ of n values of U owners is U / (U − 1) · Σ_owners (Σ (x − x̄))² / n².
    """
    sizes = groups.sizes()
    means = np.bincount(groups.rows, values, len(sizes)) / sizes
    _, firsts, clusters = np.unique(
        groups.rows * (int(owners.max()) + 1) + owners, return_index=True, return_inverse=True
    )
    sums = np.bincount(clusters, values - means[groups.rows])
    squares = np.bincount(groups.rows[firsts], np.square(sums), len(sizes))
    n_owners = np.bincount(groups.rows[firsts], minlength=len(sizes))
    margins = np.full(len(sizes), np.nan)
    several = n_owners > 1
    margins[several] = Z * np.sqrt(squares * n_owners / sizes**2)[several] / np.sqrt(n_owners[several] - 1)
    return Figures(means, means - margins, means + margins)


def group_rmse(errors: Numbers, groups: Groups, owners: Rows) -> Figures:
    """√(Σ e² / n) of `errors` (n,) in each group; its interval is the root of that of the mean squared error."""
    squares = group_means(np.square(errors, dtype=np.float64), groups, owners).within(0, math.inf)
    return Figures(np.sqrt(squares.centre), np.sqrt(squares.low), np.sqrt(squares.high))


def quantile_groups(values: Numbers, n_groups: int) -> Groups:
    """About equally large groups of `values` (n,), fewer where values repeat; labelled by their means."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, n_groups + 1)[1:-1]))
    _, rows = np.unique(np.searchsorted(edges, values, side="left"), return_inverse=True)
    means = np.bincount(rows, values) / np.bincount(rows)
    labels = tuple(f"{mean:.3g}" for mean in means)
    return Groups(labels, labels, rows.astype(np.int64))


def error_edges(scale: tuple[float, float]) -> Values:
    """The edges of 41 bins that hold every error possible on `scale`, one of them centred at 0: float64 (42,)."""
    widest = max(scale[1] - scale[0], 1e-6) * 41 / 40
    return np.linspace(-widest, widest, 42)


def error_shares(errors: Numbers, edges: Values) -> Values:
    """The share of `errors` (n,) in each bin: float64 (len(edges) − 1,); what lies outside counts at the ends."""
    counts, _ = np.histogram(np.clip(errors, edges[0], edges[-1]), edges)
    shares: Values = counts / len(errors)
    return shares


def concentration(counts: Numbers, popularity: Numbers, shares: Values) -> Values:
    """What share of all `counts` (n_items,) falls to the most popular `shares` of the items: float64 (len(shares),).

    Items of equal `popularity` (n_items,) share their counts, so that the order of the rows decides nothing. All 0
    where nothing was counted.
    """
    total = counts.sum(dtype=np.float64)
    if total == 0:
        return np.zeros(len(shares))
    levels, rows = np.unique(-popularity.astype(np.float64), return_inverse=True)
    ends = np.cumsum(np.bincount(rows, minlength=len(levels))) / len(counts)
    reached = np.cumsum(np.bincount(rows, counts, len(levels))) / total
    found: Values = np.interp(shares, [0.0, *ends], [0.0, *reached])
    return found


def gini(counts: Numbers) -> float:
    """How unequal `counts` (n,) are: 0 where all are the same, 1 − 1/n where one has everything.

    G = Σ_i (2i − n − 1) x_i / (n Σ x) with x ascending and i from 1; 0 where all are 0.
    """
    ordered = np.sort(counts).astype(np.float64)
    n, total = len(ordered), float(ordered.sum())
    weights = 2 * np.arange(1, n + 1) - n - 1
    return float(weights @ ordered) / (n * total) if total else 0.0
