"""Models in MLflow: what a training run leaves there."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from features.manifest import feature_manifest
from models.bundle import AnyBundle, save_bundle
from pipelines.champions import CHAMPION, Source, artifact_path, champion, model_name
from pipelines.config import Config
from pipelines.effect_record import EffectRecord, effect_figures
from pipelines.local_champion import keep_copy
from pipelines.plots import draw_plots
from pipelines.promotion import Registration, give_aliases, promote_challengers
from pipelines.return_time_record import ReturnTimeRecord, draw_brier, return_time_figures
from pipelines.tracking import check_reachable, connect, experiment_id, log_metrics, metric_word
from pipelines.tuning_runs import TuningReport, log_trials
from training.fit import TrainedModel
from training.ladder import ModelReport

__all__ = [
    "Registration",
    "Source",
    "TrainingRecord",
    "champion",
    "check_reachable",
    "model_name",
    "promote_challengers",
    "record",
]


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """What a training run tells MLflow: no customer is in it.

    Attributes
    ----------
    models : the trained models.
    parameters : settings and provenance by name.
    report : the whole training report as JSON.
    promote : make the new versions champion even if there is one.
    tuning : the search for settings, whose trials become nested runs.
    return_time : the return-time model; None where too little was known for one.
    effects : the model of what contacts change.
    """

    models: tuple[TrainedModel, ...]
    parameters: dict[str, str]
    report: dict[str, Any]
    promote: bool
    tuning: TuningReport | None = None
    return_time: ReturnTimeRecord | None = None
    effects: EffectRecord | None = None

    @property
    def results(self) -> tuple[TrainedModel | ReturnTimeRecord | EffectRecord, ...]:
        """All that is registered, the two models that decide a night first."""
        further = [one for one in (self.return_time, self.effects) if one is not None]
        return (*self.models, *further)


def record(config: Config, training: TrainingRecord, *, run_name: str) -> tuple[Registration, ...]:
    """Log a training run and register its models.

    First versions become `champion`. Later ones become `challenger`, unless `promote` moves
    the champion on purpose or a present champion cannot serve this configuration.

    Parameters
    ----------
    config : names the tracking URI, experiment and registry prefix.
    training : what to log.
    run_name : name of the MLflow run.

    Returns
    -------
    One registration per model, in the order of `training.results`.

    Raises
    ------
    TrackingUnreachableError : MLflow failed; the run there is marked as failed.
    """
    with connect(config) as client, TemporaryDirectory() as scratch:
        run = client.create_run(experiment_id(config, client), run_name=run_name)
        run_id = str(run.info.run_id)
        finished = False
        try:
            for name, value in training.parameters.items():
                client.log_param(run_id, name, value[:6000])
            figures = [pair for model in training.models for pair in _figures(model.report)]
            if training.return_time is not None:
                figures += return_time_figures(training.return_time.report)
            if training.effects is not None:
                figures += effect_figures(training.effects.report)
            log_metrics(client, run_id, figures)
            _log_audit(client, run_id, training.report.get("audit"))
            if training.tuning is not None:
                log_trials(client, run, training.tuning)
            _write_artifacts(training, Path(scratch))
            client.log_artifacts(run_id, scratch)
            # Aliases come last: a fault half-way must not leave champions of two runs.
            versions = [
                _register(config, client, run, one.bundle, one.report.verdicts)
                for one in training.results
            ]
            kinds = [one.bundle.kind for one in training.results]
            registrations = give_aliases(
                config,
                client,
                dict(zip(kinds, versions, strict=True)),
                promote=training.promote,
            )
            finished = True
        finally:
            client.set_terminated(run_id, status="FINISHED" if finished else "FAILED")
    for one, registration in zip(training.results, registrations, strict=True):
        if registration.alias == CHAMPION:
            keep_copy(config, one.bundle, version=registration.version)
    return registrations


def _register(
    config: Config, client: Any, run: Any, bundle: AnyBundle, verdicts: Sequence[str]
) -> Any:
    """A new version of the registered model, without an alias."""
    from mlflow.exceptions import MlflowException

    name, kind, run_id = model_name(config, bundle.kind), bundle.kind, run.info.run_id
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return client.create_model_version(
        name,
        source=f"{run.info.artifact_uri}/{artifact_path(kind)}",
        run_id=run_id,
        tags={
            "winback.digest": bundle.digest(),
            "winback.kind": kind,
            "winback.version": bundle.winback_version,
        },
        description="\n".join(verdicts),
    )


def _figures(report: ModelReport) -> list[tuple[str, float]]:
    """Metric names and values: kind/fold/forecaster/metric, with .low and .high."""
    figures = []
    for fold in report.folds:
        place = f"{report.kind}/{fold.fold}"
        figures += [(f"{place}/rows", float(fold.rows)), (f"{place}/base_rate", fold.base_rate)]
        for rung in fold.ladder:
            who = metric_word(rung.name)
            for metric, estimate in rung.metrics.items():
                ends = {"": estimate.value, ".low": estimate.low, ".high": estimate.high}
                figures += [
                    (f"{place}/{who}/{metric}{end}", value)
                    for end, value in ends.items()
                    if value is not None
                ]
    return figures


def _log_audit(client: Any, run_id: str, audit: dict[str, Any] | None) -> None:
    """The leak audit's figures as audit/check/model/figure; the findings are in audit.json."""
    if audit is None:
        return
    figures = {f"audit/{name}": float(audit[name]) for name in ("failed", "warnings")}
    for check in audit["checks"]:
        place = f"audit/{check['name']}/{check['subject'] or 'all'}"
        for name, value in check["figures"].items():
            if isinstance(value, int | float):
                figures[f"{place}/{metric_word(name)}"] = float(value)
    log_metrics(client, run_id, list(figures.items()))


def _write_artifacts(training: TrainingRecord, folder: Path) -> None:
    (folder / "report.json").write_text(json.dumps(training.report, indent=1) + "\n")
    if training.report.get("audit") is not None:
        text = json.dumps(training.report["audit"], indent=1)
        (folder / "audit.json").write_text(text + "\n")
    for one in training.results:
        save_bundle(one.bundle, folder / artifact_path(one.bundle.kind))
        if not isinstance(one, EffectRecord):
            _write_importance(one, folder / f"importance_{one.bundle.kind}.csv")
    for model in training.models:
        draw_plots(model.report, folder / "plots")
    if training.return_time is not None:
        draw_brier(training.return_time.report, folder / "plots")


def _write_importance(result: TrainedModel | ReturnTimeRecord, file: Path) -> None:
    about = {feature.name: feature for feature in feature_manifest(result.bundle.spec)}
    with file.open("w", newline="") as opened:
        table = csv.writer(opened)
        table.writerow(["feature", "gain_share", "unit", "meaning"])
        table.writerows(
            [name, f"{share:.6f}", about[name].unit, about[name].meaning]
            for name, share in result.report.importance
        )
