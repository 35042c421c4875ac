"""`winback train`: from the warehouse to two judged and registered models."""

from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from features.history_reader import HistoryReader, learn_vocabulary
from features.local_day import local_midnight_us
from features.progress import Progress, silent
from features.spec import FeatureSpec
from features.warehouse import Warehouse
from models.bundle import KINDS, installed_version, stages_digest
from pipelines.config import Config
from pipelines.engine import iterate_buckets
from pipelines.observation import known_span, training_date
from pipelines.registry import Registration, TrainingRecord, record
from pipelines.tracking import check_reachable, shown_uri
from training.fit import TrainedModel, check_counts, fit_model
from training.folds import Folds, last_midnight, plan_folds
from training.ladder import ModelReport
from training.panel import Exclusions, Panel, PanelCollector, build_panel

REPORT_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What a training run used, found and registered.

    Attributes
    ----------
    as_of : local date; only what had arrived before its midnight was read.
    observed_until : local date before which all days are taken to be complete.
    gap_days, horizon_days : the label window.
    inputs : Delta version of each table.
    features : number of features.
    excluded : rows no model learnt from, by reason.
    sampled_share : share of customers kept to stay below training.max_rows.
    models : one report per model.
    registrations : one per model, in the same order; a note says why a champion was replaced.
    tracking_uri : where MLflow is, without credentials.
    """

    as_of: date
    observed_until: date
    gap_days: float
    horizon_days: float
    inputs: dict[str, int]
    features: int
    excluded: Exclusions
    sampled_share: float
    models: tuple[ModelReport, ...]
    registrations: tuple[Registration, ...]
    tracking_uri: str

    def to_json(self) -> dict[str, Any]:
        """A JSON object; its layout is named by schema_version."""
        return {
            "schema_version": REPORT_SCHEMA,
            "as_of": self.as_of.isoformat(),
            "observed_until": self.observed_until.isoformat(),
            "gap_days": self.gap_days,
            "horizon_days": self.horizon_days,
            "inputs": self.inputs,
            "features": self.features,
            "excluded_rows": asdict(self.excluded),
            "sampled_share": self.sampled_share,
            "models": [model.to_json() for model in self.models],
            "registrations": [asdict(one) for one in self.registrations],
            "tracking_uri": self.tracking_uri,
        }


def run_train(
    config: Config,
    *,
    as_of: date | None = None,
    promote: bool = False,
    now: datetime,
    progress: Progress = silent,
) -> TrainReport:
    """Train both models, judge them out of time, log and register them.

    Parameters
    ----------
    config : the configuration.
    as_of : local date; nothing that arrived at or after its midnight is read. Null:
        training.as_of of the configuration, else all that had arrived before today.
    promote : make the new versions champion even if there are champions.
    now : the present instant, for "today".
    progress : told what is being done.

    Raises
    ------
    ArtifactError : no warehouse, or MLflow does not answer (checked before any work).
    DataError : no events, too short a history, too few positives.
    """
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=config.storage.buckets)
    check_reachable(config)
    inputs = warehouse.versions()
    plan, timezone = config.training, ZoneInfo(config.business.timezone)
    until = training_date(config, as_of, now=now, version=inputs["events"])
    until_us = local_midnight_us(until, timezone)
    folds = plan_folds(
        known_span(config, until=until, until_us=until_us, version=inputs["events"]),
        trained_until_us=until_us,
        timezone=timezone,
        windows=(config.windows.gap_days, config.windows.horizon_days),
        step_days=plan.step_days,
        max_cutoffs=plan.max_cutoffs,
    )
    spec = learn_vocabulary(warehouse, config.feature_spec(), until_us, versions=inputs)
    panel = _collect_panel(config, warehouse, inputs, spec=spec, folds=folds, progress=progress)
    check_counts(panel, folds, min_positives=plan.min_positives)
    trained = _fit_models(config, panel, spec=spec, folds=folds, progress=progress)
    report = TrainReport(
        as_of=until,
        observed_until=last_midnight(folds.observed_until_us, timezone),
        gap_days=config.windows.gap_days,
        horizon_days=config.windows.horizon_days,
        inputs=inputs,
        features=len(trained[0].bundle.feature_names),
        excluded=panel.excluded,
        sampled_share=panel.sampled_share,
        models=tuple(model.report for model in trained),
        registrations=(),
        tracking_uri=shown_uri(config),
    )
    progress("registering models", 0, 1)
    registrations = record(
        config,
        TrainingRecord(
            models=trained,
            parameters=_parameters(config, report),
            report=report.to_json(),
            promote=promote,
        ),
        run_name=f"train {until.isoformat()}",
    )
    progress("registering models", 1, 1)
    return replace(report, registrations=registrations)


def _collect_panel(
    config: Config,
    warehouse: Warehouse,
    inputs: dict[str, int],
    *,
    spec: FeatureSpec,
    folds: Folds,
    progress: Progress,
) -> Panel:
    reader = HistoryReader(warehouse, spec=spec, versions=inputs)

    def panel_of(bucket: int) -> tuple[int, Panel]:
        history = reader.read(bucket)
        return bucket, build_panel(history, spec=spec, stages=config.stages, folds=folds)

    collector = PanelCollector(config.training.max_rows)
    panels = iterate_buckets(
        panel_of,
        range(warehouse.n_buckets),
        threads=config.training.learner.threads,
        progress=progress,
        task="computing features and labels",
    )
    for bucket, panel in panels:
        collector.add(bucket, panel)
    return collector.collect()


def _fit_models(
    config: Config, panel: Panel, *, spec: FeatureSpec, folds: Folds, progress: Progress
) -> tuple[TrainedModel, ...]:
    trained = []
    for done, kind in enumerate(KINDS):
        progress("fitting and judging models", done, len(KINDS))
        trained.append(
            fit_model(
                kind,
                panel,
                spec=spec,
                stages_digest=stages_digest(config.stages),
                folds=folds,
                plan=config.training,
            )
        )
    progress("fitting and judging models", len(KINDS), len(KINDS))
    return tuple(trained)


def _parameters(config: Config, report: TrainReport) -> dict[str, str]:
    """What decides the run, by name, for MLflow."""
    plan = asdict(config.training)
    learner = plan.pop("learner")
    test = report.models[0]
    return {
        "winback_version": installed_version(),
        "config_digest": config.digest,
        "stages_digest": stages_digest(config.stages),
        "as_of": report.as_of.isoformat(),
        "observed_until": report.observed_until.isoformat(),
        "gap_days": f"{report.gap_days:g}",
        "horizon_days": f"{report.horizon_days:g}",
        "features": str(report.features),
        "sampled_share": f"{report.sampled_share:g}",
        **{f"input.{name}.version": str(version) for name, version in report.inputs.items()},
        **{f"cutoffs.{fold.fold}": ", ".join(map(str, fold.days)) for fold in test.folds},
        **{f"excluded.{name}": str(rows) for name, rows in asdict(report.excluded).items()},
        **{f"training.{name}": str(value) for name, value in plan.items() if name != "as_of"},
        **{f"learner.{name}": str(value) for name, value in learner.items()},
    }
