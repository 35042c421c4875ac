"""Bars as numbers: what the template draws as inline SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH = 640
ROW_HEIGHT = 28
LABEL_WIDTH = 150
VALUE_WIDTH = 60


@dataclass(frozen=True, slots=True)
class Segment:
    """One coloured part of a bar, in pixels."""

    name: str
    x: float
    width: float
    count: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a bar chart: label, its coloured parts, and their sum."""

    label: str
    y: int
    segments: tuple[Segment, ...]
    end: float
    total: int


@dataclass(frozen=True, slots=True)
class BarChart:
    """Horizontal bars of one scale."""

    bars: tuple[Bar, ...]
    width: int
    height: int
    label_width: int


def stack_bars(rows: Sequence[tuple[str, Mapping[str, int]]]) -> BarChart:
    """Lay out stacked horizontal bars.

    Parameters
    ----------
    rows : label and counts by name, one per bar; zero counts get no part.
    """
    room = WIDTH - LABEL_WIDTH - VALUE_WIDTH
    most = max((sum(counts.values()) for _, counts in rows), default=0)
    scale = room / most if most else 0.0
    bars = []
    for place, (label, counts) in enumerate(rows):
        x = float(LABEL_WIDTH)
        segments = []
        for name, count in counts.items():
            if count:
                segments.append(Segment(name, round(x, 1), round(count * scale, 1), count))
                x += count * scale
        total = sum(counts.values())
        bars.append(Bar(label, place * ROW_HEIGHT, tuple(segments), round(x, 1), total))
    return BarChart(tuple(bars), WIDTH, max(len(rows), 1) * ROW_HEIGHT, LABEL_WIDTH)
