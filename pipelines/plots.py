"""Pictures of a trained model for MLflow: calibration, captured share, importance."""

from pathlib import Path
from typing import Any

from training.ladder import ModelReport

TITLES = {"dormancy_risk": "Dormancy risk", "natural_return": "Natural return"}
MODEL_COLOUR, GUIDE_COLOUR = "#1f5fa8", "#8a8a8a"
_TOP_FEATURES = 20


def draw_plots(report: ModelReport, folder: Path) -> tuple[Path, ...]:
    """Write calibration, lift and importance of one model as PNG files.

    Parameters
    ----------
    report : the model's training report; the curves are of its test fold.
    folder : where to write; made if missing.

    Returns
    -------
    The files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawings = {
        "calibration": _draw_calibration,
        "lift": _draw_lift,
        "importance": _draw_importance,
    }
    files = []
    for name, draw in drawings.items():
        file = folder / f"{report.kind}_{name}.png"
        figure, axes = new_figure(tall=name == "importance")
        draw(report, axes)
        axes.set_title(f"{TITLES[report.kind]}: {axes.get_title()}", loc="left")
        figure.savefig(file, dpi=110, metadata={"Software": None})
        files.append(file)
    return tuple(files)


def new_figure(*, tall: bool) -> tuple[Any, Any]:
    """A figure with one pair of axes."""
    # A Figure of our own, not pyplot's: no global state, nothing to close.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 6.4 if tall else 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _draw_calibration(report: ModelReport, axes: Any) -> None:
    curves = report.curves
    top = max(*curves.predicted, *curves.observed, 0.01) * 1.05
    axes.plot([0, top], [0, top], color=GUIDE_COLOUR, linewidth=1, label="ideal")
    axes.plot(curves.predicted, curves.observed, "o-", color=MODEL_COLOUR, label=report.shipped)
    axes.set_xlabel("predicted probability (mean of bins of equal mass)")
    axes.set_ylabel("observed rate")
    axes.set_title(f"calibration, out of time from {report.test.days[0]}")
    axes.legend(frameon=False)


def _draw_lift(report: ModelReport, axes: Any) -> None:
    curves = report.curves
    axes.plot([0, 1], [0, 1], color=GUIDE_COLOUR, linewidth=1, label="by chance")
    for name, captured in curves.captured.items():
        style = (
            {"color": MODEL_COLOUR, "linewidth": 2} if name == report.shipped else {"linewidth": 1}
        )
        axes.plot(curves.shares, captured, label=name, **style)
    axes.set_xlabel("share of customers, highest probability first")
    axes.set_ylabel("share of all positives among them")
    axes.set_title("captured share")
    axes.legend(frameon=False)


def _draw_importance(report: ModelReport, axes: Any) -> None:
    top = report.importance[:_TOP_FEATURES][::-1]
    axes.barh([name for name, _ in top], [share for _, share in top], color=MODEL_COLOUR)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_xlabel("share of total split gain")
    axes.set_title("importance")
