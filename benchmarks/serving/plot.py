"""Lines over time as an SVG, one panel for each."""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT, _LEFT, _GAP = 900, 160, 70, 50


def svg(title: str, seconds: Sequence[float], series: Mapping[str, Sequence[float]]) -> str:
    """`series`: by what a panel shows, its values at `seconds`. Every panel's axis begins at 0."""
    panels = [
        _panel(name, seconds, values, 40 + place * (_HEIGHT + _GAP))
        for place, (name, values) in enumerate(series.items())
    ]
    height = 40 + len(series) * (_HEIGHT + _GAP)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH + _LEFT + 20}" height="{height}"'
        ' font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="{_LEFT}" y="20" font-size="14">{escape(title)}</text>{"".join(panels)}</svg>\n'
    )


def _panel(name: str, seconds: Sequence[float], values: Sequence[float], top: float) -> str:
    most, last = max(values) * 1.05 or 1.0, seconds[-1] or 1.0
    points = " ".join(
        f"{_LEFT + _WIDTH * second / last:.1f},{top + _HEIGHT * (1 - value / most):.1f}"
        for second, value in zip(seconds, values, strict=True)
    )
    labels = "".join(
        f'<text x="{_LEFT - 6}" y="{top + _HEIGHT * (1 - part) + 4:.1f}" text-anchor="end">{most * part:.0f}</text>'
        for part in (0, 0.5, 1)
    )
    return (
        f'<rect x="{_LEFT}" y="{top}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#ccc"/>{labels}'
        f'<text x="{_LEFT}" y="{top - 6}">{escape(name)}</text>'
        f'<polyline fill="none" stroke="#06c" points="{points}"/>'
        f'<text x="{_LEFT + _WIDTH}" y="{top + _HEIGHT + 16}" text-anchor="end">{last:.0f} s</text>'
    )
