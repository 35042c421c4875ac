"""`winback train`: from the warehouse to judged and registered models."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from features.history_reader import HistoryReader, learn_vocabulary
from features.progress import Progress, silent
from features.warehouse import Warehouse
from models.bundle import KINDS, Kind, installed_version, stages_digest
from models.return_probability import ReturnModels
from pipelines.audit import audit_panel, require_clean
from pipelines.config import Config
from pipelines.effect_record import EffectsReport, train_effects
from pipelines.engine import iterate_buckets
from pipelines.observation import plan_run
from pipelines.registry import Registration, TrainingRecord, record
from pipelines.return_time_record import ReturnTimeRecord
from pipelines.tracking import check_reachable, shown_uri
from pipelines.tuning_runs import TuningReport, tune_models
from training.fit import TrainedModel, check_counts, fit_model
from training.folds import Folds, last_midnight
from training.ladder import ModelReport
from training.leak_audit import LeakAudit
from training.level_fit import fit_processes
from training.levels import CUSTOMERS, LevelRows, collect_levels, concat_levels, level_as_ofs
from training.material import Material
from training.panel import Exclusions, Panel, PanelCollector, build_panel
from training.plan import TrainingPlan
from training.return_time import Skipped, bundle_return_time, train_return_time
from training.return_time_judge import ReturnTimeReport
from training.tuning import check_trials
from training.uncontacted import use_uncontacted

REPORT_SCHEMA = 2


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
    audit : what the leak audit found; None if it was left out.
    tuning : the search for settings; None if none was asked for.
    models : one report per model that decides a night.
    return_time : what became of the return-time model, or why there is none.
    effects : how the model of what contacts change came about; None without channels.
    registrations : one per registered model, the deciding ones first; a note says why a
        champion was replaced.
    tracking_uri : where MLflow is, without credentials.
    notes : what a reader should know about the data, one or two sentences each.
    """

    as_of: date
    observed_until: date
    gap_days: float
    horizon_days: float
    inputs: dict[str, int]
    features: int
    excluded: Exclusions
    sampled_share: float
    audit: LeakAudit | None
    tuning: TuningReport | None
    models: tuple[ModelReport, ...]
    return_time: ReturnTimeReport | Skipped
    effects: EffectsReport | None
    registrations: tuple[Registration, ...]
    tracking_uri: str
    notes: tuple[str, ...] = ()

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
            "audit": None if self.audit is None else self.audit.to_json(),
            "tuning": None if self.tuning is None else self.tuning.to_json(),
            "models": [model.to_json() for model in self.models],
            "return_time": {"skipped": self.return_time.reason}
            if isinstance(self.return_time, Skipped)
            else self.return_time.to_json(),
            "effects": None if self.effects is None else self.effects.to_json(),
            "registrations": [asdict(one) for one in self.registrations],
            "tracking_uri": self.tracking_uri,
            "notes": list(self.notes),
        }


def run_train(
    config: Config,
    *,
    as_of: date | None = None,
    promote: bool = False,
    audit: bool = True,
    tune: int | None = None,
    now: datetime,
    progress: Progress = silent,
) -> TrainReport:
    """Train all models, judge them out of time, log and register them.

    Parameters
    ----------
    config : the configuration.
    as_of : local date; nothing that arrived at or after its midnight is read. Null:
        training.as_of of the configuration, else all that had arrived before today.
    promote : make the new versions champion even if there are champions.
    audit : look for leaks before any model is fitted.
    tune : trials of other learner settings for each model; None keeps the present ones.
    now : the present instant, for "today".
    progress : told what is being done.

    Raises
    ------
    UsageError : fewer than one trial.
    ArtifactError : no warehouse, or MLflow does not answer (checked before any work).
    DataError : no events, too short a history, too few positives.
    GateError : the audit found a leak; nothing is registered.
    """
    if tune is not None:
        check_trials(tune)
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=config.storage.buckets)
    check_reachable(config)
    inputs = warehouse.versions()
    plan, timezone = config.training, ZoneInfo(config.business.timezone)
    dates = plan_run(config, as_of, now=now, version=inputs["events"])
    folds = dates.folds
    material = collect_material(
        config,
        warehouse,
        inputs,
        folds=folds,
        first_us=dates.first_us,
        end_us=dates.until_us,
        progress=progress,
    )
    panel = material.panel
    check_counts(panel, folds, min_positives=plan.min_positives)
    leaks = _find_no_leaks(config, warehouse, inputs, material, progress) if audit else None
    tuning = None
    if tune is not None:
        tuning = tune_models(material, plan=plan, trials=tune, progress=progress)
        plan = tuning.plan
    trained = fit_models(material, plan=plan, progress=progress)
    return_time = fit_return_times(material, plan=plan, progress=progress)
    risk, natural = (model.bundle for model in trained)
    effects = train_effects(
        config,
        warehouse,
        inputs,
        material=material,
        models=ReturnModels(risk=risk, natural=natural),
        first_us=dates.first_us,
        progress=progress,
    )
    report = TrainReport(
        as_of=dates.until,
        observed_until=last_midnight(folds.observed_until_us, timezone),
        gap_days=config.windows.gap_days,
        horizon_days=config.windows.horizon_days,
        inputs=inputs,
        features=len(trained[0].bundle.feature_names),
        excluded=panel.excluded,
        sampled_share=panel.sampled_share,
        audit=leaks,
        tuning=tuning,
        models=tuple(model.report for model in trained),
        return_time=return_time if isinstance(return_time, Skipped) else return_time.report,
        effects=None if effects is None else effects.report,
        registrations=(),
        tracking_uri=shown_uri(config),
        notes=(
            *dates.known.notes(as_of=dates.until, folds=[folds]),
            *(() if material.windows is None else (material.windows.note,)),
        ),
    )
    progress("registering models", 0, 1)
    registrations = record(
        config,
        TrainingRecord(
            models=trained,
            parameters=_parameters(config, plan, report),
            report=report.to_json(),
            promote=promote,
            tuning=tuning,
            return_time=None if isinstance(return_time, Skipped) else return_time,
            effects=effects,
        ),
        run_name=f"train {dates.until.isoformat()}",
    )
    progress("registering models", 1, 1)
    return replace(report, registrations=registrations)


def _find_no_leaks(
    config: Config,
    warehouse: Warehouse,
    inputs: dict[str, int],
    material: Material,
    progress: Progress,
) -> LeakAudit:
    """Audit what the models are about to learn from; a leak ends the run."""
    leaks = audit_panel(
        config,
        HistoryReader(warehouse, spec=material.spec, versions=inputs),
        material.panel.rows,
        n_buckets=warehouse.n_buckets,
        folds=material.folds,
        progress=progress,
    )
    require_clean(leaks)
    return leaks


def collect_material(
    config: Config,
    warehouse: Warehouse,
    inputs: dict[str, int],
    *,
    folds: Folds,
    first_us: int,
    end_us: int,
    progress: Progress = silent,
) -> Material:
    """Read all that the models of a run are fitted from.

    Parameters
    ----------
    config : the configuration.
    warehouse : open.
    inputs : Delta version of each table.
    folds : the run's cutoffs; attribute values are learnt from what the test cutoff knows.
    first_us : first occurred_at known to the run.
    end_us : the last instant a level is forecast for.
    progress : told after each bucket.
    """
    spec = learn_vocabulary(warehouse, config.feature_spec(), folds.test_us, versions=inputs)
    reader = HistoryReader(warehouse, spec=spec, versions=inputs)
    timezone = ZoneInfo(config.business.timezone)
    as_ofs = level_as_ofs(folds, config.stages, span_us=(first_us, end_us), timezone=timezone)
    at_most = -(-CUSTOMERS // warehouse.n_buckets)

    collector = PanelCollector(config.training.max_rows)

    def rows_of(bucket: int) -> tuple[int, Panel, LevelRows]:
        history = reader.read(bucket)
        panel = build_panel(
            history, spec=spec, stages=config.stages, folds=folds, share=collector.share
        )
        levels = collect_levels(
            history,
            spec=spec,
            stages=config.stages,
            folds=folds,
            as_ofs=as_ofs,
            at_most=at_most,
        )
        return bucket, panel, levels

    levels = []
    found = iterate_buckets(
        rows_of,
        range(warehouse.n_buckets),
        threads=config.training.learner.threads,
        progress=progress,
        task="computing features and labels",
    )
    for bucket, panel, level_rows in found:
        collector.add(bucket, panel)
        levels.append(level_rows)
    rows = concat_levels(levels)
    progress("fitting purchase processes", 0, 1)
    processes = fit_processes(rows)
    progress("fitting purchase processes", 1, 1)
    panel, windows = use_uncontacted(
        collector.collect(),
        folds,
        windows=config.training.natural_return_windows,
        min_positives=config.training.min_positives,
    )
    return Material(
        panel=panel,
        folds=folds,
        levels=rows,
        processes=processes,
        spec=spec,
        stages_digest=stages_digest(config.stages),
        windows=windows,
    )


def fit_models(
    material: Material,
    *,
    plan: TrainingPlan,
    kinds: Sequence[Kind] = KINDS,
    progress: Progress = silent,
) -> tuple[TrainedModel, ...]:
    """Fit and judge the models of a run, one after the other."""
    trained = []
    for done, kind in enumerate(kinds):
        progress("fitting and judging models", done, len(kinds))
        trained.append(fit_model(kind, material, plan=plan))
    progress("fitting and judging models", len(kinds), len(kinds))
    return tuple(trained)


def fit_return_times(
    material: Material, *, plan: TrainingPlan, progress: Progress = silent
) -> ReturnTimeRecord | Skipped:
    """Fit and judge the return-time model, or say why the data give none."""
    progress("fitting and judging return times", 0, 1)
    found = train_return_time(material.panel, material.folds, spec=material.spec, plan=plan)
    progress("fitting and judging return times", 1, 1)
    if isinstance(found, Skipped):
        return found
    return ReturnTimeRecord(bundle_return_time(found, material), found.report)


def _parameters(config: Config, training: TrainingPlan, report: TrainReport) -> dict[str, str]:
    """What decides the run, by name, for MLflow."""
    plan = asdict(training)
    learner, models = plan.pop("learner"), plan.pop("models")
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
        "audit": "left out" if report.audit is None else "clean",
        **{f"input.{name}.version": str(version) for name, version in report.inputs.items()},
        **{f"cutoffs.{fold.fold}": ", ".join(map(str, fold.days)) for fold in test.folds},
        **{f"excluded.{name}": str(rows) for name, rows in asdict(report.excluded).items()},
        **{f"training.{name}": str(value) for name, value in plan.items() if name != "as_of"},
        **{f"learner.{name}": str(value) for name, value in learner.items()},
        **{
            f"learner.{kind}.{name}": str(value)
            for kind, own in models.items()
            for name, value in own.items()
            if value is not None
        },
    }
