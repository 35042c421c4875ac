"""Tuning inside a training run: every model's search, and a nested MLflow run per trial."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from features.progress import Progress, silent
from pipelines.tracking import log_metrics
from training.material import Material
from training.plan import TrainingPlan
from training.tuning import Tuning, tune
from training.tuning_report import settings_toml, tuned_plan, tuning_json, verdict_text
from training.tuning_trials import State, Trial

_STATUS: dict[State, str] = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}


@dataclass(frozen=True, slots=True)
class TuningReport:
    """The searches of a training run.

    Attributes
    ----------
    trials : of each model, the present settings included.
    models : one search per model.
    plan : the training plan with the settings that are used.
    moments_ms : by model, when its search began and each trial ended, ms since the epoch.
    """

    trials: int
    models: tuple[Tuning, ...]
    plan: TrainingPlan
    moments_ms: tuple[tuple[int, ...], ...]

    @property
    def toml(self) -> str | None:
        """What to write into winback.toml to keep the new settings; None if there are none."""
        return settings_toml(self.models)

    def to_json(self) -> dict[str, Any]:
        """A JSON object, part of the training report: no clock in it."""
        return {
            "trials": self.trials,
            "models": [tuning_json(one) for one in self.models],
            "toml": self.toml,
        }


def tune_models(
    material: Material, *, plan: TrainingPlan, trials: int, progress: Progress = silent
) -> TuningReport:
    """Search settings for every model of a run, one after the other.

    Parameters
    ----------
    material : what the models are about to be fitted from.
    plan : present settings.
    trials : of each model.
    progress : told after each trial.
    """
    tunings, moments = [], []
    for kind in material.panel.rows:
        task = f"tuning {kind.replace('_', ' ')}"
        ended = [_now_ms()]

        def tell(_: Trial, task: str = task, ended: list[int] = ended) -> None:
            ended.append(_now_ms())
            progress(task, len(ended) - 1, trials)

        progress(task, 0, trials)
        tunings.append(tune(kind, material, plan=plan, trials=trials, tell=tell))
        moments.append(tuple(ended))
    return TuningReport(trials, tuple(tunings), tuned_plan(plan, tunings), tuple(moments))


def log_trials(client: Any, parent: Any, report: TuningReport) -> None:
    """Log the outcome with the training run, and every trial as a run nested in it.

    A complete trial is FINISHED, a pruned one KILLED, a failed one FAILED; its log loss on
    the way is a metric by step.

    Parameters
    ----------
    client : inside `pipelines.tracking.connect`.
    parent : the training's run.
    report : from `tune_models`.
    """
    run_id = str(parent.info.run_id)
    client.log_param(run_id, "tuning.trials", str(report.trials))
    for tuning, moments in zip(report.models, report.moments_ms, strict=True):
        client.set_tag(run_id, f"winback.tuning.{tuning.kind}", verdict_text(tuning))
        log_metrics(client, run_id, list(_outcome(tuning)))
        for trial, begun, ended in zip(tuning.trials, moments, moments[1:], strict=False):
            _log_trial(client, parent, tuning, trial, (begun, ended))


def _log_trial(
    client: Any, parent: Any, tuning: Tuning, trial: Trial, between_ms: tuple[int, int]
) -> None:
    from mlflow.entities import Metric, Param

    child = client.create_run(
        str(parent.info.experiment_id),
        start_time=between_ms[0],
        run_name=f"{tuning.kind} trial {trial.number}",
        tags={
            "mlflow.parentRunId": str(parent.info.run_id),
            "winback.kind": tuning.kind,
            "winback.trial.state": trial.state,
            **({} if trial.fault is None else {"winback.trial.fault": trial.fault[:500]}),
        },
    )
    child_id, status = str(child.info.run_id), "FAILED"
    try:
        client.log_batch(
            child_id,
            metrics=[
                Metric("log_loss_so_far", loss, between_ms[1], step) for step, loss in trial.course
            ][-900:],
            params=[
                Param(f"learner.{name}", str(value))
                for name, value in asdict(trial.settings).items()
            ],
        )
        log_metrics(client, child_id, list(_trial_figures(trial)))
        status = _STATUS[trial.state]
    finally:
        client.set_terminated(child_id, status=status, end_time=between_ms[1])


def _trial_figures(trial: Trial) -> Iterator[tuple[str, float]]:
    if trial.log_loss is not None:
        yield "log_loss", trial.log_loss
    for fold, (loss, rounds) in enumerate(zip(trial.by_fold, trial.rounds, strict=True)):
        yield f"fold_{fold}/log_loss", loss
        yield f"fold_{fold}/rounds", float(rounds)


def _outcome(tuning: Tuning) -> Iterator[tuple[str, float]]:
    place = f"tuning/{tuning.kind}"
    states: tuple[State, ...] = ("complete", "pruned", "failed")
    for state in states:
        yield f"{place}/{state}", float(tuning.count(state))
    yield f"{place}/used", float(tuning.used)
    yield f"{place}/sampled_share", tuning.sampled_share
    for name, trial in (("present", tuning.trials[0]), ("best", tuning.best)):
        if trial is not None and trial.log_loss is not None:
            yield f"{place}/{name}_log_loss", trial.log_loss
    gap = tuning.difference
    if gap is not None:
        for end, value in (("", gap.value), (".low", gap.low), (".high", gap.high)):
            if value is not None:
                yield f"{place}/difference{end}", value


def _now_ms() -> int:
    return int(time.time() * 1000)
