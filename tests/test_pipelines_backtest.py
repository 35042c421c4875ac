"""`winback backtest`: what each origin knows, which it refuses, what is reported and logged."""

import io
import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console
from small_shop import DAY_US, START_US, events_table, make_home, shop_events
from typer.testing import CliRunner

from features.errors import DataError, UsageError
from features.local_day import local_midnight_us
from models.bundle import KINDS, Kind
from pipelines import backtest, backtest_runs
from pipelines.backtest import REPORT_SCHEMA, BacktestReport, run_backtest
from pipelines.backtest_origins import BacktestPlan, Origin, lay_out
from pipelines.cli import app
from pipelines.config import Config
from pipelines.observation import plan_run
from pipelines.render_backtest import render_backtest
from pipelines.tracking import TrackingUnreachableError, connect
from training.backtest import CURRENT, KindBacktest, OriginForecasts, judge_origins
from training.folds import last_midnight

NOW = datetime(2025, 11, 27, 8, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
LAST = date(2025, 10, 20)
PLAN = BacktestPlan(origins=2, step_days=28, last_origin=LAST)
FIRST = LAST - timedelta(days=28)

Row = tuple[str, int, str, float | None]


def small_plan(config: Config) -> Config:
    """Fewer rounds, draws and cutoffs; fewer returns than usual will do."""
    learner = replace(config.training.learner, max_rounds=8)
    return replace(
        config,
        training=replace(
            config.training, min_positives=10, max_cutoffs=3, validation_cutoffs=2, learner=learner
        ),
    )


def shop_rows() -> list[Row]:
    """The small shop; the day before the first origin has no event at all."""
    table = shop_events(500)
    times = table["occurred_at"].cast(pa.int64())
    columns = [table["customer_id"], times, table["event_type"], table["amount"]]
    rows: list[Row] = list(zip(*(column.to_pylist() for column in columns), strict=True))
    lost = local_midnight_us(FIRST, BERLIN)
    return [row for row in rows if not lost - DAY_US <= row[1] < lost]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return small_plan(make_home(tmp_path_factory.mktemp("shop"), events_table(shop_rows())))


@pytest.fixture(scope="module")
def run(shop: Config) -> tuple[BacktestReport, dict[Kind, Sequence[OriginForecasts]]]:
    """A tracked backtest, and what was forecast in it."""
    return watched(shop, track=True)


def watched(
    config: Config, *, track: bool = False
) -> tuple[BacktestReport, dict[Kind, Sequence[OriginForecasts]]]:
    forecasts: dict[Kind, Sequence[OriginForecasts]] = {}

    def judge(kind: Kind, origins: Sequence[OriginForecasts], **options: Any) -> KindBacktest:
        forecasts[kind] = origins
        return judge_origins(kind, origins, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backtest, "judge_origins", judge)
        # So few customers per bucket that those of the future would crowd others out.
        patch.setattr("pipelines.train.CUSTOMERS", 300)
        report = run_backtest(config, PLAN, track=track, now=NOW)
    return report, forecasts


def scrambled(rows: list[Row], border_us: int) -> pa.Table:
    """Another future: what occurs from the border on is mixed up, and old events turn up late."""
    rng = np.random.default_rng(5)
    before = [row for row in rows if row[1] < border_us]
    later = [row for row in rows if row[1] >= border_us and rng.random() < 0.8]
    times = rng.permutation([row[1] for row in later])
    future = [(row[0], int(at), row[2], row[3]) for row, at in zip(later, times, strict=True)]
    future += [(f"new{i:04d}", int(at), "purchase", 900.0) for i, at in enumerate(times[:300])]
    # Of before the first known event, of before the border, and all arrived at the border.
    filled = [
        (row[0], row[1] - int(rng.integers(1, 60)) * DAY_US, "purchase", 500.0)
        for row in before[::20]
    ]
    filled += [(f"old{i:04d}", START_US - 90 * DAY_US, "purchase", 1.0) for i in range(50)]
    arrived = [row[1] for row in before + future] + [border_us] * len(filled)
    return events_table([*before, *future, *filled], arrived=arrived)


def test_an_origin_knows_nothing_that_occurs_or_arrives_at_it_or_later(
    shop: Config,
    run: tuple[BacktestReport, dict[Kind, Sequence[OriginForecasts]]],
    tmp_path: Path,
) -> None:
    border = local_midnight_us(FIRST, BERLIN)
    other = small_plan(make_home(tmp_path, scrambled(shop_rows(), border)))
    report, forecasts = watched(other)
    assert report.origins == run[0].origins == (FIRST, LAST)
    assert report.folds[0] == run[0].folds[0]
    for kind in KINDS:
        (one, later), (same, changed) = run[1][kind], forecasts[kind]
        # Customers that only the future knows change the order of the rows, not the rows.
        by_customer = [np.argsort(each.customer) for each in (one, same)]
        for name in ("customer", "stage", "tier", "spend"):
            pair = [getattr(one, name)[by_customer[0]], getattr(same, name)[by_customer[1]]]
            assert pair[0].tolist() == pair[1].tolist(), name
        for rung, probabilities in one.probabilities.items():
            again = same.probabilities[rung][by_customer[1]]
            assert probabilities[by_customer[0]].tobytes() == again.tobytes(), rung
        assert (one.shipped, one.level) == (same.shipped, same.level)
        assert one.labels[by_customer[0]].tolist() != same.labels[by_customer[1]].tolist()
        assert len(later.labels) != len(changed.labels)


def test_origins_roll_and_each_trains_on_what_was_observed_before_it(
    run: tuple[BacktestReport, dict[Kind, Sequence[OriginForecasts]]],
) -> None:
    report, forecasts = run
    reach = timedelta(days=report.gap_days + report.horizon_days)
    assert [(b - a).days for a, b in pairwise(report.origins)] == [28]
    for at, origin in enumerate(report.origins):
        folds = {
            name: [date.fromisoformat(d) for d in report.folds[at][name]]
            for name in report.folds[at]
        }
        assert max(folds["validation"]) + reach <= origin
        assert max(folds["training"]) + reach <= min(folds["validation"])
    for model in report.models:
        assert [one.name for one in model.origins] == [str(day) for day in report.origins]
        assert model.pooled.rows == sum(len(one.labels) for one in forecasts[model.kind])
        for one in forecasts[model.kind]:
            assert one.probabilities[CURRENT] is one.probabilities[one.shipped]


@pytest.fixture(scope="module")
def daily(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """One event a day for two years, enough to lay out origins."""
    noon = START_US - 200 * DAY_US + DAY_US // 2
    rows: list[Row] = [("c1", noon + day * DAY_US, "purchase", 1.0) for day in range(600)]
    return make_home(tmp_path_factory.mktemp("daily"), events_table(rows))


def origins_at(config: Config, as_of: date, plan: BacktestPlan) -> tuple[Origin, ...]:
    dates = plan_run(config, as_of, now=datetime(2026, 2, 1, tzinfo=UTC), version=1)
    return lay_out(config, dates, plan, version=1)


@pytest.mark.parametrize(
    "origin",
    [
        date(2025, 6, 10),
        date(2025, 2, 26),  # the window ends at the beginning of a day of 23 hours
        date(2025, 3, 10),  # ... an hour into a day, as clocks went forward in it
        date(2025, 9, 24),  # ... at the beginning of a day of 25 hours
        date(2025, 9, 25),  # ... within its last hour
    ],
)
def test_the_date_to_wait_for_is_the_first_that_will_do(daily: Config, origin: date) -> None:
    plan = BacktestPlan(origins=1, last_origin=origin)
    with pytest.raises(DataError, match="not fully observed: days are complete up to") as refused:
        origins_at(daily, origin + timedelta(days=10), plan)
    (named,) = re.findall(r"wait for (\d{4}-\d\d-\d\d) and ingest", str(refused.value))
    wait_for = date.fromisoformat(named)
    (found,) = origins_at(daily, wait_for, plan)
    assert found.day == origin
    with pytest.raises(DataError, match=f"wait for {named} and"):
        origins_at(daily, wait_for - timedelta(days=1), plan)


def test_without_a_last_origin_it_is_the_latest_observed_one(daily: Config) -> None:
    found = origins_at(daily, date(2025, 7, 1), BacktestPlan(origins=3, step_days=7))
    days = [one.day for one in found]
    assert [(b - a).days for a, b in pairwise(days)] == [7, 7]
    with pytest.raises(DataError, match="not fully observed"):
        origins_at(
            daily,
            date(2025, 7, 1),
            BacktestPlan(origins=1, last_origin=days[-1] + timedelta(days=1)),
        )


def test_too_short_a_history_names_how_many_origins_fit(daily: Config) -> None:
    as_of = date(2025, 7, 1)
    with pytest.raises(DataError) as refused:
        origins_at(daily, as_of, BacktestPlan(origins=40))
    (fitting,) = re.findall(r"so (\d+) of 40 origins fit", str(refused.value))
    assert f"--origins {fitting}" in str(refused.value)
    assert "begin on 2024-06-15" in str(refused.value)
    found = origins_at(daily, as_of, BacktestPlan(origins=int(fitting)))
    assert len(found) == int(fitting)
    with pytest.raises(DataError, match=f"so {fitting} of"):
        origins_at(daily, as_of, BacktestPlan(origins=int(fitting) + 1))
    with pytest.raises(DataError, match=r"0 of 1 origins fit.*ingest older events"):
        origins_at(daily, as_of, BacktestPlan(origins=1, last_origin=date(1990, 1, 1)))


def test_history_that_was_filled_in_later_gives_an_origin_no_earlier_beginning(
    tmp_path: Path,
) -> None:
    noon = START_US - 200 * DAY_US + DAY_US // 2
    rows: list[Row] = [("c1", noon + day * DAY_US, "purchase", 1.0) for day in range(600)]
    arrived = [max(row[1], START_US) for row in rows]
    config = make_home(tmp_path, events_table(rows, arrived=arrived))
    as_of = date(2025, 7, 1)
    (known,) = origins_at(config, as_of, BacktestPlan(origins=1))
    assert last_midnight(known.first_us, BERLIN) == date(2024, 6, 15)
    with pytest.raises(DataError, match="no event was known there, so 0 of 1"):
        origins_at(config, as_of, BacktestPlan(origins=1, last_origin=date(2025, 1, 1)))


@pytest.mark.parametrize(
    ("plan", "option"),
    [
        (BacktestPlan(origins=0), "--origins"),
        (BacktestPlan(step_days=0), "--step-days"),
        (BacktestPlan(step_days=10**9), "--step-days"),
        (BacktestPlan(horizon_days=float("nan")), "--horizon"),
        (BacktestPlan(horizon_days=float("inf")), "--horizon"),
        (BacktestPlan(last_origin=date(1, 1, 1)), "--last-origin"),
        (BacktestPlan(last_origin=date.max), "--last-origin"),
    ],
)
def test_numbers_that_make_no_sense_are_a_usage_error(
    plan: BacktestPlan, option: str, daily: Config
) -> None:
    with pytest.raises(UsageError, match=option):
        run_backtest(daily, plan, track=False, now=NOW)


def test_too_few_returns_name_the_origin(tmp_path: Path) -> None:
    config = make_home(tmp_path, shop_events(60))
    with pytest.raises(DataError, match="origin 2025-09-22: training: too few positives"):
        run_backtest(config, PLAN, track=False, now=NOW)


def plain(report: BacktestReport) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(report.to_json(), allow_nan=False))
    return document


def test_mlflow_has_one_run_with_a_nested_run_per_origin(
    shop: Config, run: tuple[BacktestReport, dict[Kind, Sequence[OriginForecasts]]]
) -> None:
    report, _ = run
    with connect(shop) as client:
        (experiment,) = [
            e for e in client.search_experiments() if e.name == shop.storage.mlflow_experiment
        ]
        runs = client.search_runs([experiment.experiment_id])
    parent = next(one for one in runs if one.info.run_id == report.run_id)
    nested = {one.info.run_name: one for one in runs if one is not parent}
    assert set(nested) == {f"origin {day}" for day in report.origins}
    assert {one.data.tags["mlflow.parentRunId"] for one in nested.values()} == {report.run_id}
    assert {one.info.status for one in runs} == {"FINISHED"}
    assert parent.data.params["horizon_days"] == "30"
    for at, model in enumerate(report.models):
        place = f"{model.kind}/as_shipped/log_loss"
        (rung,) = [rung for rung in model.pooled.rungs if rung.name == CURRENT]
        assert parent.data.metrics[place] == rung.metrics["log_loss"].value
        assert parent.data.metrics[f"{place}.low"] == rung.metrics["log_loss"].low
        assert parent.data.metrics[f"{model.kind}/minus/stack/auc"] == 0.0
        assert f"{model.kind}/as_shipped/captured_value_top_10pct" in parent.data.metrics
        first = nested[f"origin {FIRST}"].data
        assert first.metrics[f"{model.kind}/rows"] == model.origins[0].rows
        assert first.params[f"{model.kind}.shipped"] == model.shipped[0]
        assert first.params["cutoffs.training"] == ", ".join(report.folds[0]["training"]), at
    files = [file for file in (shop.home / "mlartifacts").rglob("*") if file.is_file()]
    pictures = {
        f"{kind}_{name}.png"
        for kind in KINDS
        for name in ("log_loss", "auc", "calibration", "captured")
    }
    assert {file.name for file in files} == {"report.json", *pictures}
    (document,) = [file for file in files if file.name == "report.json"]
    assert json.loads(document.read_text())["models"] == plain(report)["models"]
    for file in [*files, shop.home / "mlflow.db"]:
        # MLflow's own ids are hexadecimal, and may hold these letters by chance.
        assert re.search(rb"(?<![0-9a-f])c0\d{4}(?![0-9a-f])", file.read_bytes()) is None, file


def test_the_report_is_json_and_says_which_days_have_no_events(
    run: tuple[BacktestReport, dict[Kind, Sequence[OriginForecasts]]],
) -> None:
    report, _ = run
    document = plain(report)
    assert document["schema_version"] == REPORT_SCHEMA
    assert [one["day"] for one in document["origins"]] == [str(FIRST), str(LAST)]
    assert re.search(r"c0\d{4}", json.dumps(document)) is None
    (note,) = document["notes"]
    assert re.match(rf"1 of \d+ cutoffs follow a day without any event: {FIRST}\. ", note)


def test_the_terminal_shows_ladder_slices_and_notes(
    run: tuple[BacktestReport, dict[Kind, Sequence[OriginForecasts]]],
) -> None:
    text = io.StringIO()
    render_backtest(run[0], Console(file=text, width=200))
    shown = text.getvalue()
    for part in (
        "Trained at 2 origins",
        "cutoffs follow a day",
        "by origin",
        "by tier",
        CURRENT,
        "MLflow: ",
    ):
        assert part in shown
    narrow = io.StringIO()
    render_backtest(run[0], Console(file=narrow, width=80))
    assert "…" not in narrow.getvalue()
    always = [model.shipped[0] for model in run[0].models if len(set(model.shipped)) == 1]
    for rung in set(always):
        # A rung that always shipped is not compared with itself.
        assert shown.count(f"against {rung}:") == len(KINDS) - always.count(rung)


def test_a_failed_run_is_marked_as_failed(
    shop: Config,
    run: tuple[BacktestReport, dict[Kind, Sequence[OriginForecasts]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(backtest_runs, "draw_backtest", fail)
    with pytest.raises(TrackingUnreachableError):
        backtest_runs.log_backtest(shop, run[0])
    with connect(shop) as client:
        (experiment,) = [
            e for e in client.search_experiments() if e.name == shop.storage.mlflow_experiment
        ]
        failed = client.search_runs([experiment.experiment_id], "attributes.status = 'FAILED'")
    assert len(failed) == 1 + len(run[0].origins)
    assert run[0].run_id not in [one.info.run_id for one in failed]


def command(config: Config, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["backtest", "--config", str(config.home), *arguments])


def test_the_command_without_mlflow_logs_nothing(tmp_path: Path) -> None:
    config = make_home(tmp_path, shop_events(500))
    options = ("--origins", "1", "--as-of", "2025-11-27", "--no-mlflow", "--json")
    result = command(config, *options)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["schema_version"] == REPORT_SCHEMA
    assert (document["run_id"], document["tracking_uri"]) == (None, None)
    assert not (tmp_path / "mlflow.db").exists()
    assert not (tmp_path / "mlartifacts").exists()


@pytest.mark.parametrize("option", ["--origins", "--step-days"])
def test_the_command_refuses_zero(daily: Config, option: str) -> None:
    assert command(daily, option, "0").exit_code == 2
