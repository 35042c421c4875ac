"""`winback backtest`: train in the past, judge on what came, several times over."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from features.errors import DataError
from features.progress import Progress, silent
from features.warehouse import Warehouse
from models.bundle import KINDS, Kind
from pipelines.backtest_origins import BacktestPlan, Origin, lay_out
from pipelines.backtest_runs import log_backtest
from pipelines.config import Config, Windows
from pipelines.observation import plan_run
from pipelines.tracking import check_reachable, shown_uri
from pipelines.train import collect_material
from training.backtest import KindBacktest, OriginForecasts, Slice, forecast_origin, judge_origins
from training.fit import check_counts
from training.folds import Folds, last_midnight
from training.ladder import estimate_json, judged_json

REPORT_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """What the same training would have been worth at each origin.

    Attributes
    ----------
    as_of : local date; outcomes that arrived before its midnight are known.
    observed_until : local date before which all days are taken to be complete.
    gap_days, horizon_days : the label window.
    origins : local dates, earliest first.
    folds : by origin, the days of its training and validation cutoffs.
    inputs : Delta version of each table.
    models : one per model.
    notes : what a reader should know about the data, one or two sentences each.
    run_id : the parent MLflow run; None if nothing was logged.
    tracking_uri : where MLflow is, without credentials; None likewise.
    """

    as_of: date
    observed_until: date
    gap_days: float
    horizon_days: float
    origins: tuple[date, ...]
    folds: tuple[dict[str, list[str]], ...]
    inputs: dict[str, int]
    models: tuple[KindBacktest, ...]
    notes: tuple[str, ...] = ()
    run_id: str | None = None
    tracking_uri: str | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON object; its layout is named by schema_version."""
        return {
            "schema_version": REPORT_SCHEMA,
            "as_of": self.as_of.isoformat(),
            "observed_until": self.observed_until.isoformat(),
            "gap_days": self.gap_days,
            "horizon_days": self.horizon_days,
            "origins": [
                {"day": day.isoformat(), **folds}
                for day, folds in zip(self.origins, self.folds, strict=True)
            ],
            "inputs": self.inputs,
            "models": [_kind_json(model) for model in self.models],
            "notes": list(self.notes),
            "run_id": self.run_id,
            "tracking_uri": self.tracking_uri,
        }


def run_backtest(
    config: Config,
    plan: BacktestPlan,
    *,
    as_of: date | None = None,
    track: bool = True,
    now: datetime,
    progress: Progress = silent,
) -> BacktestReport:
    """Train at every origin with what was known there; judge on [t + gap, t + gap + horizon).

    Parameters
    ----------
    config : the configuration.
    plan : the origins.
    as_of : local date; outcomes known before its midnight count. Null as in `run_train`.
    track : log to MLflow, one run with a nested run per origin.
    now : the present instant, for "today".
    progress : told what is being done.

    Raises
    ------
    UsageError : a number or date of the plan makes no sense.
    ArtifactError : no warehouse, or MLflow does not answer (checked before any work).
    DataError : an origin's outcomes are not fully observed (the text names the date to
        wait for), or the history before one is too short or has too few returns.
    """
    plan.check()
    if plan.horizon_days is not None:
        config = replace(
            config,
            windows=Windows(gap_days=config.windows.gap_days, horizon_days=plan.horizon_days),
        )
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=config.storage.buckets)
    if track:
        check_reachable(config)
    inputs = warehouse.versions()
    dates = plan_run(config, as_of, now=now, version=inputs["events"])
    origins = lay_out(config, dates, plan, version=inputs["events"])
    forecasts: dict[Kind, list[OriginForecasts]] = {kind: [] for kind in KINDS}
    notes: list[str] = []
    for done, origin in enumerate(origins):
        progress("training and judging origins", done, len(origins))
        of_origin, note = _forecast(config, warehouse, inputs, origin)
        for kind, found in of_origin.items():
            forecasts[kind].append(found)
        notes += [] if note is None else [f"Origin {origin.day}: {note}"]
    progress("training and judging origins", len(origins), len(origins))
    timezone = ZoneInfo(config.business.timezone)
    report = BacktestReport(
        as_of=dates.until,
        observed_until=last_midnight(dates.folds.observed_until_us, timezone),
        gap_days=config.windows.gap_days,
        horizon_days=config.windows.horizon_days,
        origins=tuple(origin.day for origin in origins),
        folds=tuple(_fold_days(origin.folds) for origin in origins),
        inputs=inputs,
        models=tuple(
            judge_origins(
                kind,
                forecasts[kind],
                stage_names=[stage.name for stage in config.stages],
                draws=config.training.bootstrap_draws,
                seed=config.training.learner.seed,
            )
            for kind in KINDS
        ),
        notes=(
            *dates.known.notes(as_of=dates.until, folds=[origin.folds for origin in origins]),
            *notes,
        ),
    )
    if not track:
        return report
    progress("logging to MLflow", 0, 1)
    run_id = log_backtest(config, report)
    progress("logging to MLflow", 1, 1)
    return replace(report, run_id=run_id, tracking_uri=shown_uri(config))


def _forecast(
    config: Config, warehouse: Warehouse, inputs: dict[str, int], origin: Origin
) -> tuple[dict[Kind, OriginForecasts], str | None]:
    """Forecasts by model, and a note where natural return had to learn from all windows."""
    folds = origin.folds
    material = collect_material(
        config, warehouse, inputs, folds=folds, first_us=origin.first_us, end_us=folds.test_us
    )
    try:
        check_counts(material.panel, folds, min_positives=config.training.min_positives)
    except DataError as error:
        raise DataError(f"origin {origin.day}: {error}") from error
    fell_back = material.windows is not None and material.windows.lacking
    return (
        forecast_origin(material, plan=config.training, tier_quantile=config.list.tier_quantile),
        material.windows.note if material.windows is not None and fell_back else None,
    )


def _fold_days(folds: Folds) -> dict[str, list[str]]:
    return {
        "training": [cutoff.day.isoformat() for cutoff in folds.of("training")],
        "validation": [cutoff.day.isoformat() for cutoff in folds.of("validation")],
    }


def _kind_json(model: KindBacktest) -> dict[str, Any]:
    return {
        "kind": model.kind,
        "shipped": list(model.shipped),
        "levels": list(model.levels),
        "pooled": _slice_json(model.pooled),
        "origins": _slices_json(model.origins),
        "stages": _slices_json(model.stages),
        "tiers": _slices_json(model.tiers),
        "curves": asdict(model.curves),
    }


def _slices_json(slices: Sequence[Slice]) -> list[dict[str, Any]]:
    return [_slice_json(one) for one in slices]


def _slice_json(one: Slice) -> dict[str, Any]:
    return {
        "name": one.name,
        "rows": one.rows,
        "customers": one.customers,
        "positives": one.positives,
        **judged_json(one.rungs, one.differences),
        "captured_value": {
            captured.name: {name: estimate_json(at) for name, at in captured.shares.items()}
            for captured in one.captured_value
        },
    }
