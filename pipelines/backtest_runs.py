"""A backtest in MLflow: one run, a nested run per origin, plots; no customer in it."""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from models.bundle import installed_version
from pipelines.backtest_plots import draw_backtest
from pipelines.config import Config
from pipelines.tracking import connect, experiment_id, log_metrics, metric_word
from training.backtest import Slice

if TYPE_CHECKING:
    from pipelines.backtest import BacktestReport


def log_backtest(config: Config, report: "BacktestReport") -> str:
    """Log the pooled figures, then a nested run per origin; returns the parent run's id.

    Raises
    ------
    TrackingUnreachableError : MLflow failed; the runs begun are marked as failed.
    """
    with connect(config) as client, TemporaryDirectory() as scratch:
        experiment = experiment_id(config, client)
        name = f"backtest {report.origins[0]} to {report.origins[-1]}"
        parent = client.create_run(experiment, run_name=name)
        parent_id = str(parent.info.run_id)
        begun = [parent_id]
        finished = False
        try:
            for key, value in _parameters(config, report).items():
                client.log_param(parent_id, key, value[:6000])
            log_metrics(client, parent_id, list(_pooled_figures(report)))
            for at, origin in enumerate(report.origins):
                child = client.create_run(
                    experiment,
                    run_name=f"origin {origin}",
                    tags={"mlflow.parentRunId": parent_id},
                )
                begun.append(str(child.info.run_id))
                client.log_param(begun[-1], "origin", origin.isoformat())
                for fold, days in report.folds[at].items():
                    client.log_param(begun[-1], f"cutoffs.{fold}", ", ".join(days))
                for model in report.models:
                    client.log_param(begun[-1], f"{model.kind}.shipped", model.shipped[at])
                log_metrics(client, begun[-1], list(_origin_figures(report, at)))
            folder = Path(scratch)
            (folder / "report.json").write_text(json.dumps(report.to_json(), indent=1) + "\n")
            for model in report.models:
                draw_backtest(model, folder / "plots")
            client.log_artifacts(parent_id, scratch)
            finished = True
        finally:
            for run_id in begun:
                client.set_terminated(run_id, status="FINISHED" if finished else "FAILED")
    return parent_id


def _parameters(config: Config, report: "BacktestReport") -> dict[str, str]:
    return {
        "winback_version": installed_version(),
        "config_digest": config.digest,
        "as_of": report.as_of.isoformat(),
        "gap_days": f"{report.gap_days:g}",
        "horizon_days": f"{report.horizon_days:g}",
        "origins": ", ".join(origin.isoformat() for origin in report.origins),
        **{f"input.{name}.version": str(version) for name, version in report.inputs.items()},
    }


def _pooled_figures(report: "BacktestReport") -> Iterator[tuple[str, float]]:
    for model in report.models:
        yield from _figures(model.kind, model.pooled)
        for group, slices in (("stage", model.stages), ("tier", model.tiers)):
            for one in slices:
                yield from _figures(f"{model.kind}/{group}/{metric_word(one.name)}", one)


def _origin_figures(report: "BacktestReport", at: int) -> Iterator[tuple[str, float]]:
    for model in report.models:
        yield from _figures(model.kind, model.origins[at])
        yield f"{model.kind}/level", model.levels[at]


def _figures(place: str, one: Slice) -> Iterator[tuple[str, float]]:
    """place/rung/metric with .low and .high, and place/minus/rung/metric for differences."""
    yield f"{place}/rows", float(one.rows)
    yield f"{place}/base_rate", one.positives / max(one.rows, 1)
    found: list[tuple[str, Any]] = [
        (f"{place}/{metric_word(rung.name)}/{metric}", estimate)
        for rung in one.rungs
        for metric, estimate in rung.metrics.items()
    ]
    found += [
        (f"{place}/minus/{metric_word(each.baseline)}/{each.metric}", each.estimate)
        for each in one.differences
    ]
    found += [
        (f"{place}/{metric_word(each.name)}/{metric}", estimate)
        for each in one.captured_value
        for metric, estimate in each.shares.items()
    ]
    for name, estimate in found:
        for end, value in (("", estimate.value), (".low", estimate.low), (".high", estimate.high)):
            if value is not None:
                yield f"{name}{end}", value
