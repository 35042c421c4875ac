"""`winback backtest`: train in the past, judge on what came, several times over."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from features.errors import DataError, UsageError, describe
from features.local_day import local_midnight_us
from features.progress import Progress, silent
from features.warehouse import Warehouse
from models.bundle import KINDS, Kind
from pipelines.backtest_runs import log_backtest
from pipelines.config import Config, Windows
from pipelines.observation import RunDates, plan_run
from pipelines.tracking import check_reachable, shown_uri
from pipelines.train import collect_material
from training.backtest import KindBacktest, OriginForecasts, Slice, forecast_origin, judge_origins
from training.fit import check_counts
from training.folds import Folds, folds_before, last_midnight
from training.labels import DAY_US, window_us
from training.ladder import estimate_json, judged_json

REPORT_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class BacktestPlan:
    """Which origins to judge.

    Attributes
    ----------
    origins : how many, the latest first.
    step_days : days between them.
    last_origin : local date of the latest; None: the latest whose outcomes are known.
    horizon_days : another label window than the configuration's; None: that one.
    """

    origins: int = 6
    step_days: int = 28
    last_origin: date | None = None
    horizon_days: float | None = None


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
    UsageError : fewer than one origin, or no distance between them.
    ArtifactError : no warehouse, or MLflow does not answer (checked before any work).
    DataError : an origin's outcomes are not fully observed (the text names the date to
        wait for), or the history before one is too short or has too few returns.
    """
    if plan.origins < 1 or plan.step_days < 1:
        raise _nothing_to_do(plan)
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
    layouts = _lay_out(config, dates, plan)
    forecasts: dict[Kind, list[OriginForecasts]] = {kind: [] for kind in KINDS}
    for done, folds in enumerate(layouts):
        progress("training and judging origins", done, len(layouts))
        for kind, found in _forecast(config, warehouse, inputs, dates, folds).items():
            forecasts[kind].append(found)
    progress("training and judging origins", len(layouts), len(layouts))
    timezone = ZoneInfo(config.business.timezone)
    report = BacktestReport(
        as_of=dates.until,
        observed_until=last_midnight(dates.folds.observed_until_us, timezone),
        gap_days=config.windows.gap_days,
        horizon_days=config.windows.horizon_days,
        origins=tuple(folds.of("test")[0].day for folds in layouts),
        folds=tuple(_fold_days(folds) for folds in layouts),
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
    )
    if not track:
        return report
    progress("logging to MLflow", 0, 1)
    run_id = log_backtest(config, report)
    progress("logging to MLflow", 1, 1)
    return replace(report, run_id=run_id, tracking_uri=shown_uri(config))


def _forecast(
    config: Config,
    warehouse: Warehouse,
    inputs: dict[str, int],
    dates: RunDates,
    folds: Folds,
) -> dict[Kind, OriginForecasts]:
    origin = folds.of("test")[0].day
    material = collect_material(
        config, warehouse, inputs, folds=folds, first_us=dates.first_us, end_us=folds.test_us
    )
    try:
        check_counts(material.panel, folds, min_positives=config.training.min_positives)
    except DataError as error:
        raise DataError(f"origin {origin}: {error}") from error
    return forecast_origin(material, plan=config.training, tier_quantile=config.list.tier_quantile)


def _lay_out(config: Config, dates: RunDates, plan: BacktestPlan) -> list[Folds]:
    """The folds of every origin, earliest first."""
    timezone = ZoneInfo(config.business.timezone)
    observed_until_us = dates.folds.observed_until_us
    last = plan.last_origin or dates.folds.of("test")[0].day
    reach = window_us(config.windows.gap_days) + window_us(config.windows.horizon_days)
    ends_us = local_midnight_us(last, timezone) + reach
    if ends_us > observed_until_us:
        raise _not_observed(
            last,
            observed=last_midnight(observed_until_us, timezone),
            wait_for=last_midnight(ends_us + DAY_US - 1, timezone) + timedelta(days=1),
        )
    layouts: list[Folds] = []
    for step in range(plan.origins):
        origin = last - timedelta(days=plan.step_days * step)
        try:
            folds = folds_before(
                origin,
                first_us=dates.first_us,
                observed_until_us=observed_until_us,
                trained_until_us=dates.until_us,
                timezone=timezone,
                windows=(config.windows.gap_days, config.windows.horizon_days),
                step_days=config.training.step_days,
                most=(config.training.max_cutoffs, config.training.validation_cutoffs),
            )
        except DataError as error:
            raise _too_early(origin, fitting=step, plan=plan, cause=error) from error
        layouts.append(folds)
    return layouts[::-1]


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


def _nothing_to_do(plan: BacktestPlan) -> UsageError:
    return UsageError(
        describe(
            "backtest",
            f"{plan.origins} origins, {plan.step_days} days apart",
            expected="at least one origin, at least one day apart",
            fix="raise --origins or --step-days",
        )
    )


def _not_observed(origin: date, *, observed: date, wait_for: date) -> DataError:
    return DataError(
        describe(
            f"backtest from {origin}",
            f"its label window is not fully observed: days are complete up to {observed}",
            expected="an origin whose outcomes are all known",
            fix=f"wait for {wait_for} and ingest until then, or choose an earlier --last-origin",
        )
    )


def _too_early(origin: date, *, fitting: int, plan: BacktestPlan, cause: DataError) -> DataError:
    return DataError(
        describe(
            f"backtest from {origin}",
            f"the history before it is too short, so {fitting} of {plan.origins} origins fit: "
            f"{str(cause).split('. Expected')[0]}",
            expected="label windows of history before every origin",
            fix=f"use --origins {fitting}, or a smaller --step-days or --horizon"
            if fitting
            else "ingest older events, or use a smaller --horizon",
        )
    )
