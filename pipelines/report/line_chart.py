"""Line charts as SVG figures: positions in, ready coordinates out."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

WIDTH, HEIGHT = 400, 250
"""The drawing's own units; small, so that its text stays readable on a phone."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 42, 392, 10, 216
_MOST_POINTS = 200
_STEPS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000)


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its name, a CSS class, and its heights at x = 0, 1, 2, ..."""

    name: str
    style: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Mark:
    """A dashed line across the plot at a day (vertical) or a share (horizontal)."""

    name: str
    style: str
    at: float


@dataclass(frozen=True, slots=True)
class Path:
    """A line or an area as the template draws it."""

    name: str
    style: str
    points: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled position on an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class LineChart:
    """A chart with all coordinates computed."""

    title: str
    x_name: str
    lines: tuple[Path, ...]
    area: Path | None
    down: tuple[tuple[Mark, float], ...]
    across: tuple[tuple[Mark, float], ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    width: int = field(default=WIDTH)
    height: int = field(default=HEIGHT)
    left: int = field(default=_LEFT)
    right: int = field(default=_RIGHT)
    top: int = field(default=_TOP)
    bottom: int = field(default=_BOTTOM)


def draw_lines(
    title: str,
    lines: Sequence[Line],
    *,
    x_name: str,
    band: tuple[Sequence[float], Sequence[float]] | None = None,
    down: Sequence[Mark] = (),
    across: Sequence[Mark] = (),
) -> LineChart:
    """Lay out a chart of days (x) and shares (y, shown as per cent).

    Parameters
    ----------
    title : above the chart.
    lines : those with at least two values are drawn.
    x_name : what the horizontal axis counts.
    band : lower and upper edge of the area around the first line.
    down, across : marks; those outside the plot are left out.
    """
    drawn = [line for line in lines if len(line.values) > 1]
    days = max((len(line.values) for line in drawn), default=2) - 1
    highest = max((max(line.values) for line in drawn), default=1.0)
    if band is not None and len(band[1]):
        highest = max(highest, *band[1])
    step = _step(max(highest, 0.01) * 100, 5) / 100
    top = step * math.ceil(round(highest / step, 6)) or step

    def x_at(day: float) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * day / days, 1)

    def y_at(share: float) -> float:
        return round(_BOTTOM - (_BOTTOM - _TOP) * share / top, 1)

    def points(values: Sequence[float]) -> list[str]:
        stride = -(-len(values) // _MOST_POINTS)
        kept = [*range(0, len(values) - 1, stride), len(values) - 1]
        return [f"{x_at(day)},{y_at(values[day])}" for day in kept]

    x_step = _step(days, 5)
    return LineChart(
        title=title,
        x_name=x_name,
        lines=tuple(Path(one.name, one.style, " ".join(points(one.values))) for one in drawn),
        area=_area(band, points),
        down=tuple((mark, x_at(mark.at)) for mark in down if 0 <= mark.at <= days),
        across=tuple((mark, y_at(mark.at)) for mark in across if 0 <= mark.at <= top),
        x_ticks=tuple(Tick(x_at(day), str(day)) for day in range(0, days + 1, int(x_step))),
        y_ticks=tuple(
            Tick(y_at(number * step), f"{100 * number * step:g} %")
            for number in range(round(top / step) + 1)
        ),
    )


def _area(
    band: tuple[Sequence[float], Sequence[float]] | None,
    points: Callable[[Sequence[float]], list[str]],
) -> Path | None:
    if band is None or len(band[0]) < 2:
        return None
    edge = [*points(band[0]), *reversed(points(band[1]))]
    return Path("95 % band", "band", " ".join(edge))


def _step(length: float, most: int) -> float:
    """The smallest round distance of ticks of which at most `most` fit."""
    return next((step for step in _STEPS if length / step <= most), _STEPS[-1])
