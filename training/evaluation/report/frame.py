"""Where the figures of a chart lie in its box."""

from dataclasses import dataclass

from training.evaluation.report.chart import Chart, Point

WIDTH, HEIGHT = 400.0, 280.0
LINE = 15.0
"""From one line of text to the next."""
LETTER = 7.6
"""How wide a letter of a name is in a wide font."""

_LEFT, _TOP, _BOTTOM, _RIGHT = 52.0, 34.0, 44.0, 20.0


@dataclass(frozen=True)
class Frame:
    """Where the figures of a chart lie in its box."""

    chart: Chart
    left: float
    right: float
    top: float
    bottom: float

    @classmethod
    def of(cls, chart: Chart) -> "Frame":
        """Room for the ticks, and to the right for the names where they stand there."""
        names = [series.name for series in chart.series] if len(chart.series) > 1 and chart.names == "ends" else []
        right = WIDTH - _RIGHT - max((len(name) for name in names), default=0) * LETTER
        bottom = HEIGHT - _BOTTOM - (LINE if any(tick.below for tick in chart.x.ticks) else 0)
        return cls(chart, _LEFT, right, _TOP, bottom)

    def x(self, value: float) -> float:
        """From the left edge of the box."""
        axis = self.chart.x
        return self.left + (value - axis.low) / (axis.high - axis.low) * (self.right - self.left)

    def y(self, value: float) -> float:
        """From the upper edge of the box."""
        axis = self.chart.y
        return self.bottom - (value - axis.low) / (axis.high - axis.low) * (self.bottom - self.top)

    def place(self, point: Point) -> tuple[float, float]:
        """Where a point is."""
        return self.x(point.x), self.y(point.y)
