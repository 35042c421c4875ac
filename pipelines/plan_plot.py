"""The picture of `winback plan`: gain against spend, a line per number of seats."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.errors import UsageError, describe
from pipelines.plots import new_figure

if TYPE_CHECKING:
    from pipelines.plan_night import PlanReport

_ENDINGS = (".png", ".svg", ".pdf")
_MARKERS = "osD^v"
_ROOM = 0.08
"""Room above the highest marker, as a share of its height."""
_SEEN = 2e-3
"""Curves whose points differ by less than this share lie on each other."""


def check_plot_place(file: Path) -> None:
    """Refuse a place or ending that cannot be drawn to, before any work.

    Raises
    ------
    UsageError : there is no such folder, or the ending is none of a picture's.
    """
    if file.suffix.lower() not in _ENDINGS or not file.resolve().parent.is_dir():
        raise UsageError(
            describe(
                f"--plot {file}",
                "no picture can be written there",
                expected=f"a file ending in {', '.join(_ENDINGS)} in an existing folder",
                fix="choose another place, such as --plot frontier.png",
            )
        )


def frontier_curves(report: "PlanReport") -> list[tuple[str, list[tuple[float, float]]]]:
    """Spend and gain per number of seats; numbers that come to the same share one curve."""
    curves: list[tuple[list[str], list[tuple[float, float]]]] = []
    for seats in dict.fromkeys(one.seats for one in report.scenarios):
        points = sorted((one.spent, one.gain) for one in report.scenarios if one.seats == seats)
        name = "no limit of" if seats is None else f"{seats:,}"
        equal = next((names for names, known in curves if _look_equal(known, points)), None)
        if equal is None:
            curves.append(([name], points))
        else:
            equal.append(name)
    return [(f"{' or '.join(names)} {report.channel} seats", points) for names, points in curves]


def _look_equal(one: list[tuple[float, float]], other: list[tuple[float, float]]) -> bool:
    return len(one) == len(other) and bool(np.allclose(one, other, rtol=_SEEN, atol=0.01))


def draw_frontier(report: "PlanReport", file: Path) -> None:
    """Draw expected gain against expected spend."""
    figure, axes = new_figure(tall=False)
    for place, (label, points) in enumerate(frontier_curves(report)):
        marker = _MARKERS[place % len(_MARKERS)]
        axes.plot(*zip(*points, strict=True), marker=marker, label=label)
    axes.set_xlabel(f"expected spend, {report.currency}")
    axes.set_ylabel(f"expected gain, {report.currency}")
    axes.set_title(f"gain against spend on {report.day}", loc="left")
    most = max((one.gain for one in report.scenarios), default=0.0)
    axes.set_ylim(bottom=0, top=(1 + _ROOM) * most if most > 0 else None)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    software = {"Date": None} if file.suffix.lower() == ".svg" else {}
    figure.savefig(file, dpi=110, metadata=software)
