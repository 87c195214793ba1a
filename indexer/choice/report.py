"""The manifest of a bundle → a page that shows why it has the indexes that it has: recall against latency."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from indexer.choice.told import HEAD, NAMES, Tried, is_taken, lowest_recall, row, settings, verdict
from training.evaluation.report.axes import Axis, Tick, linear_axis
from training.evaluation.report.chart import Chart, Point, Series
from training.evaluation.report.html import Heading, render_page, write_page
from training.evaluation.report.section import Section, Table, Tile

_HEADING = Heading("matinee index", "Matinee: choice of an index", "index", "Which index, and why?")
_TIMES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)


def write_report(file: Path, version: str, manifest: Mapping[str, Any], *, overwrite: bool = False) -> None:
    """Write the page of `version`, whole or not at all. Raises as `check_report_place` of training's pages."""
    write_page(file, render(version, manifest), overwrite=overwrite)


def render(version: str, manifest: Mapping[str, Any]) -> str:
    """The page as HTML."""
    indexes = manifest["indexes"]
    sections = [
        _summary(manifest),
        *(_section(name, indexes[name], manifest) for name in indexes),
        _facts(version, manifest),
    ]
    return render_page(_HEADING, sections)


def _summary(manifest: Mapping[str, Any]) -> Section:
    how = (
        "Each index is asked by one thread, one question after the other, as the server asks it: real users with what"
        " they have seen left out, at every weight of the item biases that a request may ask for, and real items. The"
        f" fastest is taken that finds at least {manifest['target_recall']:.1%} of the true top 10 of each kind of"
        " question. Whatever finds the candidates, their scores are computed again exactly."
    )
    return Section("summary", "In short", [how], [_tile(name, index) for name, index in manifest["indexes"].items()])


def _tile(name: str, index: Tried) -> Tile:
    times = "exact" if index["index_key"] == "Flat" else f"{index['flat_ratio']:.2f} × the time of Flat"
    recall = f"recall@10 {lowest_recall(index):.4f}, {index['p50_us']:,.0f} µs"
    return Tile(NAMES[name], index["index_key"], "", f"{times}; {recall}")


def _section(name: str, index: Mapping[str, Any], manifest: Mapping[str, Any]) -> Section:
    tried = index["tried"]
    target = float(manifest["target_recall"])
    kept = (
        "The kind of the version before was as good as it was then, so nothing else was tried."
        if index["reused"]
        else ""
    )
    groups = Table(
        "recall@10 of each kind of question",
        ["index", *index["recall"]],
        [[one["index_key"], *(f"{value:.4f}" for value in one["recall"].values())] for one in tried],
        _place(tried, index),
        wide=True,
    )
    rows = [row(one, index, target) for one in tried]
    table = Table("All that was tried", list(HEAD), rows, _place(tried, index), wide=True)
    return Section(
        name.removesuffix(".faiss"),
        NAMES[name].capitalize(),
        [kept] if kept else [],
        charts=[_chart(name, tried, index, target)],
        tables=[table, groups],
    )


def _place(tried: Sequence[Tried], index: Tried) -> int:
    return next(place for place, one in enumerate(tried) if is_taken(one, index))


def _chart(name: str, tried: Sequence[Tried], index: Mapping[str, Any], target: float) -> Chart:
    """A point for each that was tried: to the left is fast, to the top finds all."""
    series = [
        Series(
            f"{one['index_key']}{' (taken)' if is_taken(one, index) else ''}",
            [_point(one, index, target)],
            tone,
            "points",
        )
        for tone, one in enumerate(tried)
    ]
    return Chart(
        f"Recall against time: {NAMES[name]}",
        f"Left is fast, up finds more; the time of one answer as a multiple of that of Flat. Asked for: {target:g}.",
        _time_axis([float(one["flat_ratio"]) for one in tried]),
        linear_axis("recall@10, the lowest of the kinds", [*map(lowest_recall, tried), target, 1.0]),
        series,
        ".4f",
    )


def _point(one: Tried, index: Mapping[str, Any], target: float) -> Point:
    said = ", ".join(filter(None, (settings(one), f"{one['p50_us']:,.0f} µs", verdict(one, index, target))))
    return Point(_log(one["flat_ratio"]), lowest_recall(one), said)


def _log(value: float) -> float:
    return math.log10(max(value, 1e-4))


def _time_axis(ratios: Sequence[float]) -> Axis:
    low = max((time for time in _TIMES if time <= min(ratios)), default=_TIMES[0])
    high = min((time for time in _TIMES if time >= max(ratios)), default=_TIMES[-1])
    ticks = [Tick(_log(time), f"{time:g}×") for time in _TIMES if low <= time <= high]
    return Axis("time, × Flat's (log)", ticks, _log(low) - 0.05, _log(high) + 0.05)


def _facts(version: str, manifest: Mapping[str, Any]) -> Section:
    libraries = ", ".join(f"{name} {number}" for name, number in manifest["libraries"].items())
    facts = [
        ("version", version),
        ("users × items", f"{manifest['n_users']:,} × {manifest['n_items']:,}"),
        ("columns", f"{manifest['dim']} and the bias, {manifest['width']} with what fills up"),
        ("target recall", f"{manifest['target_recall']:g}"),
        ("built in", f"{manifest['build_s']:,.1f} s"),
        ("libraries", libraries),
    ]
    return Section("facts", "What was built", facts=facts)
