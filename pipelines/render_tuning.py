"""A search for settings as terminal text."""

from typing import TYPE_CHECKING

from rich.console import Console

from pipelines.terminal import text_table
from training.tuning_report import verdict_text

if TYPE_CHECKING:
    from pipelines.tuning_runs import TuningReport
    from training.tuning import Tuning
    from training.tuning_trials import Trial


def render_tuning(report: "TuningReport", console: Console) -> None:
    """The searches, what came of them, and how to keep it."""
    console.print(
        text_table(
            f"settings searched, {report.trials} trials for each model",
            ["model", "folds", "complete", "pruned", "failed", "present", "best", "difference"],
            [_row(one) for one in report.models],
            numeric=1,
        )
    )
    for one in report.models:
        name = one.kind.replace("_", " ")
        console.print(f"  {name}: {verdict_text(one)}")
        judges = "; ".join(", ".join(map(str, fold.days)) for fold in one.folds)
        only = "" if len(one.folds) > 1 else " (no rows for an earlier fold)"
        sampled = "" if one.sampled_share == 1 else f", on {one.sampled_share:.0%} of the customers"
        console.print(f"    log loss at {judges}{only}{sampled}")
    if report.toml is not None:
        console.print(
            "To keep these settings, put this into winback.toml (in place of tables of the same "
            "name);\nwithout it the next training uses the present ones again:\n"
        )
        console.print(report.toml, soft_wrap=True)


def _row(tuning: "Tuning") -> list[str]:
    gap = tuning.difference
    return [
        tuning.kind.replace("_", " "),
        str(len(tuning.folds)),
        str(tuning.count("complete")),
        str(tuning.count("pruned")),
        str(tuning.count("failed")),
        _loss(tuning.trials[0]),
        _loss(tuning.best),
        "" if gap is None else f"{gap.value:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]",
    ]


def _loss(trial: "Trial | None") -> str:
    return "" if trial is None or trial.log_loss is None else f"{trial.log_loss:.4f}"
