"""What was tried, in words and figures, for a table on the screen and on a page."""

from collections.abc import Mapping
from typing import Any

NAMES = {"recommend.faiss": "recommendations", "similar.faiss": "similar items"}
HEAD = ("index", "searched with", "recall", "p50 µs", "p99 µs", "× Flat", "MB", "built in s", "")
ON_SCREEN = (0, 1, 2, 3, 5, 8)
"""Those of HEAD that a narrow screen has room for."""
Tried = Mapping[str, Any]
"""One of "tried" in a manifest."""


def row(tried: Tried, index: Mapping[str, Any], target_recall: float) -> list[str]:
    """The cells below HEAD of one that was tried for `index`, the manifest's entry of the one that was taken."""
    return [
        tried["index_key"],
        settings(tried),
        f"{lowest_recall(tried):.4f}",
        f"{tried['p50_us']:,.0f}",
        f"{tried['p99_us']:,.0f}",
        f"{tried['flat_ratio']:.2f}",
        f"{tried['bytes'] / 1e6:,.1f}",
        f"{tried['build_s']:,.1f}",
        verdict(tried, index, target_recall),
    ]


def verdict(tried: Tried, index: Mapping[str, Any], target_recall: float) -> str:
    """Why it was taken or not."""
    if is_taken(tried, index):
        return "kept" if index["reused"] else "taken"
    if lowest_recall(tried) < target_recall:
        return "too few"
    return "" if tried["flat_ratio"] > index["flat_ratio"] else "larger"


def is_taken(tried: Tried, index: Mapping[str, Any]) -> bool:
    """Whether it is the one that the bundle has."""
    return bool(tried["index_key"] == index["index_key"])


def lowest_recall(tried: Tried) -> float:
    """Of its groups of questions."""
    return float(min(tried["recall"].values(), default=1.0))


def settings(tried: Tried) -> str:
    """How far it looks, and after k× how many candidates are scored exactly for each item that is asked for."""
    effort = [f"{name} {tried[name]}" for name in ("nprobe", "efSearch") if name in tried]
    return ", ".join([*effort, *([f"k×{tried['k_factor']}"] if "k_factor" in tried else [])])
