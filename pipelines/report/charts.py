"""Bars as numbers: what the template draws as coloured boxes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Segment:
    """One coloured part of a bar; `percent` of the chart's width."""

    name: str
    percent: float
    count: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a bar chart: label, its coloured parts, and their sum."""

    label: str
    segments: tuple[Segment, ...]
    total: int


def stack_bars(rows: Sequence[tuple[str, Mapping[str, int]]]) -> tuple[Bar, ...]:
    """Lay out stacked horizontal bars of one scale; the longest fills the width.

    Parameters
    ----------
    rows : label and counts by name, one per bar; zero counts get no part.
    """
    most = max((sum(counts.values()) for _, counts in rows), default=0)
    return tuple(
        Bar(
            label,
            tuple(
                Segment(name, round(100 * count / most, 2), count)
                for name, count in counts.items()
                if count
            ),
            sum(counts.values()),
        )
        for label, counts in rows
    )
