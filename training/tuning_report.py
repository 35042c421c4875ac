"""A search for settings in words, in JSON and as lines of winback.toml."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from models.bundle import Kind
from training.plan import TrainingPlan, TreeSettings
from training.tuning import Tuning
from training.tuning_trials import Trial


def verdict_text(tuning: Tuning) -> str:
    """Which settings are used from here on, and why."""
    present, best, gap = tuning.trials[0], tuning.best, tuning.difference
    if best is not None and gap is not None:
        figures = (
            f"log loss {gap.value:+.4f}, 95 % interval {gap.low:+.4f} to {gap.high:+.4f}, of the "
            f"best of {tuning.count('complete') - (present.state == 'complete')} complete trials"
        )
        if tuning.used:
            return (
                f"settings of trial {best.number} used: better than the present ones on the tuning "
                f"folds ({figures})"
            )
        return (
            f"present settings kept: trial {best.number} is not proven to be better than they are "
            f"({figures})"
        )
    if present.state == "failed":
        return f"present settings kept, though they failed ({present.fault}): nothing to compare"
    if len(tuning.trials) == 1:
        return "present settings kept: no others were tried"
    return (
        f"present settings kept: no other trial was complete ({tuning.count('pruned')} pruned, "
        f"{tuning.count('failed')} failed)"
    )


def tuned_plan(plan: TrainingPlan, tunings: Sequence[Tuning]) -> TrainingPlan:
    """The plan with the settings that are used for each model."""
    used: dict[str, TreeSettings] = {one.kind: one.settings for one in tunings if one.used}
    return replace(plan, models=replace(plan.models, **used))


def settings_toml(tunings: Sequence[Tuning]) -> str | None:
    """The new settings as tables of winback.toml; None if the present ones were kept."""
    tables = [_table(one.kind, one.settings) for one in tunings if one.used]
    return "\n".join(tables) if tables else None


def tuning_json(tuning: Tuning) -> dict[str, Any]:
    """A JSON object: figures and settings only."""
    gap, best = tuning.difference, tuning.best
    return {
        "kind": tuning.kind,
        "folds": [
            {
                "days": [day.isoformat() for day in fold.days],
                "training_rows": fold.training_rows,
                "validation_rows": fold.validation_rows,
            }
            for fold in tuning.folds
        ],
        "sampled_share": tuning.sampled_share,
        "complete": tuning.count("complete"),
        "pruned": tuning.count("pruned"),
        "failed": tuning.count("failed"),
        "present_log_loss": tuning.trials[0].log_loss,
        "best_trial": None if best is None else best.number,
        "best_log_loss": None if best is None else best.log_loss,
        "difference": None
        if gap is None
        else {"value": gap.value, "low": gap.low, "high": gap.high},
        "used": tuning.used,
        "verdict": verdict_text(tuning),
        "settings": asdict(tuning.settings),
        "trials": [_trial_json(trial) for trial in tuning.trials],
    }


def _trial_json(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state,
        "log_loss": trial.log_loss,
        "log_loss_by_fold": list(trial.by_fold),
        "rounds": list(trial.rounds),
        "settings": asdict(trial.settings),
        "fault": trial.fault,
    }


def _table(kind: Kind, settings: TreeSettings) -> str:
    lines = [f"[training.models.{kind}]"]
    for name, value in asdict(settings).items():
        if value is not None:
            lines.append(f"{name} = {str(value).lower()}")
    return "\n".join(lines) + "\n"
