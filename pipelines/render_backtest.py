"""A backtest as terminal text."""

from typing import TYPE_CHECKING

from rich.console import Console

from pipelines.terminal import text_table
from training.backtest import CURRENT

if TYPE_CHECKING:
    from pipelines.backtest import BacktestReport
    from training.backtest import KindBacktest, Slice
    from training.ladder import Difference
    from training.metrics import Estimate

_SHOWN = (
    "auc",
    "log_loss",
    "average_precision",
    "brier",
    "ece",
    "calibration_slope",
    "lift_top_10pct",
)


def render_backtest(report: "BacktestReport", console: Console) -> None:
    """Every model's ladder over all origins, then by origin, stage and tier."""
    console.print(
        f"Trained at {len(report.origins)} origins, {report.origins[0]} to {report.origins[-1]}, "
        f"each judged on {report.gap_days:g} to {report.gap_days + report.horizon_days:g} days "
        "after it. Nothing later than an origin was known there."
    )
    for note in report.notes:
        console.print(f"  {note}")
    for model in report.models:
        _render_kind(model, console)
    if report.tracking_uri is not None:
        console.print(f"MLflow: {report.tracking_uri}, run {report.run_id}", soft_wrap=True)


def _render_kind(model: "KindBacktest", console: Console) -> None:
    pooled = model.pooled
    title = (
        f"{model.kind.replace('_', ' ')}: all origins ({pooled.rows:,} forecasts for "
        f"{pooled.customers:,} customers, base rate {pooled.positives / max(pooled.rows, 1):.1%})"
    )
    if not pooled.rungs:
        console.print(f"{title}: too few of either outcome to judge\n")
        return
    # Two tables, as one would not fit a terminal of 80 columns.
    columns = ["forecaster", "AUC", "log loss", "AP", "Brier", "ECE", "slope", "lift"]
    figures = [
        [rung.name, *(_number(rung.metrics[metric], metric) for metric in _SHOWN)]
        for rung in pooled.rungs
    ]
    console.print(text_table(title, columns, figures, numeric=1))
    differences = [
        [rung.name, *(_minus(pooled, rung.name, metric) for metric in ("auc", "log_loss"))]
        for rung in pooled.rungs
        if rung.name != CURRENT
    ]
    columns = ["forecaster", "AUC", "log loss"]
    console.print(text_table(f"{CURRENT} minus", columns, differences, numeric=1))
    for name, slices in (
        ("origin", model.origins),
        ("stage", model.stages),
        ("tier", model.tiers),
    ):
        if name == "stage" and len(slices) < 2:
            continue
        console.print(_slice_table(name, slices))
    shipped = ", ".join(
        f"{rung} {model.shipped.count(rung)}x" for rung in dict.fromkeys(model.shipped)
    )
    console.print(f"  shipped: {shipped}")
    for difference in pooled.differences:
        if difference.metric == "log_loss" and {difference.baseline} != set(model.shipped):
            console.print(f"  against {difference.baseline}: {difference.verdict}")
    console.print("")


def _slice_table(name: str, slices: "tuple[Slice, ...]") -> object:
    metrics = ("auc", "log_loss", "ece", "calibration_slope")
    rows = []
    for one in slices:
        rung = next((rung for rung in one.rungs if rung.name == CURRENT), None)
        figures = ["too few", "", "", ""]
        if rung is not None:
            figures = [_number(rung.metrics[metric], metric) for metric in metrics]
        base = f"{one.positives / max(one.rows, 1):.1%}"
        label = one.name.replace(", ", ",\n") if name == "tier" else one.name
        rows.append([label, f"{one.rows:,}", base, *figures, _captured(one)])
    columns = [name, "rows", "rate", "AUC", "log loss", "ECE", "slope", "value"]
    return text_table(
        f"{CURRENT}, by {name} (value: share of the spend at stake in the top 10 %)",
        columns,
        rows,
        numeric=1,
    )


def _captured(one: "Slice") -> str:
    for captured in one.captured_value:
        if captured.name == CURRENT and captured.shares:
            return f"{captured.shares['captured_value_top_10pct'].value:.1%}"
    return ""


def _minus(one: "Slice", baseline: str, metric: str) -> str:
    for each in one.differences:
        if each.baseline == baseline and each.metric == metric:
            return _signed(each)
    return ""


def _signed(difference: "Difference") -> str:
    estimate = difference.estimate
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:+.4f}"
    return f"{estimate.value:+.4f} [{estimate.low:+.4f}, {estimate.high:+.4f}]"


def _number(estimate: "Estimate", metric: str) -> str:
    return f"{estimate.value:.4f}" if metric == "log_loss" else f"{estimate.value:.3f}"
