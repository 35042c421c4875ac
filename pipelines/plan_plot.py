"""The picture of `winback plan`: gain against spend, a line per number of seats."""

from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import UsageError, describe
from pipelines.plots import new_figure

if TYPE_CHECKING:
    from pipelines.plan_night import PlanReport

_ENDINGS = (".png", ".svg", ".pdf")


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


def draw_frontier(report: "PlanReport", file: Path) -> None:
    """Draw expected gain against expected spend."""
    figure, axes = new_figure(tall=False)
    for seats in dict.fromkeys(one.seats for one in report.scenarios):
        points = sorted((one.spent, one.gain) for one in report.scenarios if one.seats == seats)
        label = "no limit of seats" if seats is None else f"{seats:,} {report.channel} seats"
        axes.plot(*zip(*points, strict=True), marker="o", label=label)
    axes.set_xlabel(f"expected spend, {report.currency}")
    axes.set_ylabel(f"expected gain, {report.currency}")
    axes.set_title(f"gain against spend on {report.day}", loc="left")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    software = {"Date": None} if file.suffix.lower() == ".svg" else {}
    figure.savefig(file, dpi=110, metadata=software)
