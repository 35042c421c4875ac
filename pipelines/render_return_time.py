"""The return-time model of a training run as terminal text."""

from typing import TYPE_CHECKING

from rich.console import Console

from pipelines.terminal import text_table

if TYPE_CHECKING:
    from training.metrics import Estimate
    from training.return_time import Skipped
    from training.return_time_judge import ReturnTimeReport


def render_return_time(report: "ReturnTimeReport | Skipped", console: Console) -> None:
    """How well return times were foretold out of time, or why there is no such model."""
    from training.return_time import Skipped
    from training.return_time_judge import KAPLAN_MEIER

    if isinstance(report, Skipped):
        console.print(
            f"return time: no model: {report.reason}; the list's next_order columns stay empty.\n"
        )
        return
    console.print(
        text_table(
            f"return time: judged out of time on {report.customers:,} customers followed for "
            f"{report.judged_days:g} days; forecasts reach {report.horizon_days:g} days",
            ["customers", "number", "returns", "integrated Brier", KAPLAN_MEIER],
            [
                [
                    one.part,
                    f"{one.rows:,}",
                    f"{one.returns:,}",
                    _estimate_text(one.model),
                    _estimate_text(one.baseline),
                ]
                for one in report.comparisons
            ],
            numeric=1,
        )
    )
    for verdict in report.verdicts:
        console.print(f"  {verdict}")
    coverage = report.coverage
    if coverage.covered is not None:
        console.print(
            f"  {100 * coverage.level:g} % interval: {coverage.covered:.0%} of {coverage.rows:,} "
            "customers returned inside it, where the follow-up can tell"
        )
    console.print()


def _estimate_text(estimate: "Estimate") -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.4f}"
    return f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"
