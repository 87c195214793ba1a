"""The figures of `evaluate` as a table for people: one row a figure, one column a contestant, the best in bold."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

_NAMES = {
    "rmse": "RMSE", "mae": "MAE", "ndcg": "NDCG", "recall": "Recall", "precision": "Precision", "map": "MAP",
    "mrr": "MRR", "coverage": "Coverage", "popularity": "Popularity", "ratings_per_item": "Ratings per item",
    "gini": "Gini",
}  # fmt: skip
_BEST = {"rmse": min, "mae": min, **dict.fromkeys(("ndcg", "recall", "precision", "map", "mrr"), max)}
"""Which is the best; of what is recommended none is as such."""
_SECTION_ENDS = ("mae", "mrr")
_ASIDE = ("name", "n_users", "ci")

Row = Mapping[str, Any]


def figures_table(rows: Sequence[Row]) -> Table:
    """The table of the result's `rows`; – where there is no figure, ± half the interval of 95 %."""
    table = Table(header_style="")
    table.add_column()
    for row in rows:
        table.add_column(row["name"], justify="right")
    names = [name for name in rows[0] if name not in _ASIDE]
    for name, following in zip(names, [*names[1:], ""], strict=True):
        is_last = _metric(name) in _SECTION_ENDS and _metric(name) != _metric(following)
        table.add_row(_called(name), *_cells(rows, name), end_section=is_last)
    return table


def _cells(rows: Sequence[Row], name: str) -> list[Text]:
    """One figure of each contestant."""
    shown = [_shown(row.get(name), name) for row in rows]
    measured = [row[name] for row in rows if row.get(name) is not None]
    best = _BEST.get(_metric(name))
    winner = _shown(best(measured), name) if best and measured else None
    return [
        Text.assemble((value, "bold" if value == winner else ""), (_margin(row, name), "dim"))
        for value, row in zip(shown, rows, strict=True)
    ]


def _shown(value: float | None, name: str) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if _metric(name) == "ratings_per_item" else f"{value:.4f}"


def _margin(row: Row, name: str) -> str:
    interval = row["ci"].get(name)
    return f" ± {(interval[1] - interval[0]) / 2:.4f}" if interval else ""


def _metric(name: str) -> str:
    return name.partition("@")[0]


def _called(name: str) -> str:
    metric, at, k = name.partition("@")
    return _NAMES[metric] + at + k
