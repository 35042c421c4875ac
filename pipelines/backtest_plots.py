"""Pictures of a backtest: the rungs' log loss and AUC by origin, calibration, captured share."""

from pathlib import Path
from typing import Any

from pipelines.plots import GUIDE_COLOUR, MODEL_COLOUR, TITLES, new_figure
from training.backtest import CURRENT, KindBacktest


def draw_backtest(model: KindBacktest, folder: Path) -> tuple[Path, ...]:
    """Write the pictures of one model as PNG files; returns them."""
    folder.mkdir(parents=True, exist_ok=True)
    drawings: dict[str, Any] = {
        "log_loss": lambda axes: _draw_over_time(model, axes, "log_loss", "log loss"),
        "auc": lambda axes: _draw_over_time(model, axes, "auc", "AUC"),
        "calibration": lambda axes: _draw_calibration(model, axes),
        "captured": lambda axes: _draw_captured(model, axes),
    }
    files = []
    for name, draw in drawings.items():
        file = folder / f"{model.kind}_{name}.png"
        figure, axes = new_figure(tall=False)
        draw(axes)
        axes.set_title(f"{TITLES[model.kind]}: {axes.get_title()}", loc="left")
        figure.savefig(file, dpi=110, metadata={"Software": None})
        files.append(file)
    return tuple(files)


def _style(name: str) -> dict[str, Any]:
    return {"color": MODEL_COLOUR, "linewidth": 2.5} if name == CURRENT else {"linewidth": 1}


def _draw_over_time(model: KindBacktest, axes: Any, metric: str, label: str) -> None:
    judged = [one for one in model.origins if one.rungs]
    names = [rung.name for rung in judged[0].rungs] if judged else []
    for at, name in enumerate(names):
        estimates = [one.rungs[at].metrics[metric] for one in judged]
        days = [one.name for one in judged]
        axes.plot(days, [one.value for one in estimates], "o-", label=name, **_style(name))
        if name == CURRENT and all(one.low is not None for one in estimates):
            low, high = [one.low for one in estimates], [one.high for one in estimates]
            axes.fill_between(days, low, high, color=MODEL_COLOUR, alpha=0.15, linewidth=0)
    axes.set_ylabel(label)
    axes.tick_params(axis="x", labelrotation=30)
    axes.set_title(f"{label} by origin")
    if names:
        axes.legend(frameon=False, fontsize=8)


def _draw_calibration(model: KindBacktest, axes: Any) -> None:
    curves = model.curves
    top = max(*curves.predicted, *curves.observed, 0.01) * 1.05
    axes.plot([0, top], [0, top], color=GUIDE_COLOUR, linewidth=1, label="ideal")
    axes.plot(curves.predicted, curves.observed, "o-", color=MODEL_COLOUR, label=CURRENT)
    axes.set_xlabel("predicted probability (mean of bins of equal mass)")
    axes.set_ylabel("observed rate")
    axes.set_title("calibration, all origins")
    axes.legend(frameon=False)


def _draw_captured(model: KindBacktest, axes: Any) -> None:
    axes.plot([0, 1], [0, 1], color=GUIDE_COLOUR, linewidth=1, label="by chance")
    for name, captured in model.curves.captured.items():
        axes.plot(model.curves.shares, captured, label=name, **_style(name))
    axes.set_xlabel("share of customers, highest probability first")
    axes.set_ylabel("share of all positives among them")
    axes.set_title("captured share, all origins")
    axes.legend(frameon=False, fontsize=8)
