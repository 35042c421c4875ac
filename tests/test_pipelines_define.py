"""`winback define` from the warehouse to terminal, JSON and page, and what it refuses."""

import io
import json
import re
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console
from small_shop import DAY_US, DAYS, START_US, events_table, make_home, shop_events
from typer.testing import CliRunner

from features.errors import ArtifactError, DataError, UsageError
from pipelines import define as define_module
from pipelines.cli import app
from pipelines.config import Config
from pipelines.define import DefinitionReport, run_define
from pipelines.render_definition import render_definition
from pipelines.report.definition_page import build_definition_page, check_place, write_page
from training.definition_lifecycle import STATES

NOW = datetime(2025, 11, 27, 8, tzinfo=UTC)
AS_OF = date(2025, 9, 1)
AS_OF_US = START_US + 243 * DAY_US - 3600 * 1_000_000
"""Midnight of that day in Berlin, in summer time."""

Row = tuple[str, int, str, float | None]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return make_home(tmp_path_factory.mktemp("shop"), shop_events(500))


@pytest.fixture(scope="module")
def report(shop: Config) -> DefinitionReport:
    return run_define(shop, horizon_days=30, now=NOW)


def run(home: Path, rows: list[Row], **options: object) -> DefinitionReport:
    config = make_home(home, events_table(rows))
    return run_define(config, now=NOW, **options)  # type: ignore[arg-type]


def once_each(days: list[float], amount: float | None = 10.0) -> list[Row]:
    return [(f"c{i}", START_US + int(d * DAY_US), "purchase", amount) for i, d in enumerate(days)]


def terminal(report: DefinitionReport) -> str:
    stream = io.StringIO()
    render_definition(report, Console(file=stream, width=140))
    return stream.getvalue()


def test_it_proposes_a_window_and_counts_what_it_means(report: DefinitionReport) -> None:
    assert report.as_of == date(2025, 11, 27)
    stage = report.definition.stages[0]
    by_rule, by_cost, configured = stage.opinions
    assert by_rule.window_days is not None
    assert 30 < by_rule.window_days < 90
    assert by_rule.earliest_days is not None
    assert by_rule.earliest_days <= by_rule.window_days
    assert by_cost.window_days is not None
    assert configured.window_days == 25.0
    by_rule_means, _, configured_means = stage.meanings
    assert by_rule_means is not None
    assert configured_means is not None
    assert by_rule_means.return_rate is not None
    assert by_rule_means.return_rate <= 0.10
    assert configured_means.dormant > by_rule_means.dormant
    assert configured_means.return_rate > by_rule_means.return_rate  # type: ignore[operator]
    assert by_rule_means.dormant_then is not None
    assert by_rule_means.woke_since == by_rule_means.returned_since
    assert sum(stage.states.values()) == stage.customers == report.definition.customers
    assert stage.personal is not None
    assert stage.movement is not None
    assert report.definition.tiers is not None
    assert not report.notes


def test_dormant_counts_are_those_of_the_night(shop: Config, report: DefinitionReport) -> None:
    """The configured window counts the same customers as the stage states do."""
    from features.history_reader import HistoryReader
    from features.stage_state import stage_states
    from features.warehouse import Warehouse

    warehouse = Warehouse.open(shop.warehouse_path, n_buckets=3)
    reader = HistoryReader(warehouse, spec=shop.feature_spec())
    as_of = int(datetime(2025, 11, 26, 23, tzinfo=UTC).timestamp()) * 1_000_000
    dormant = sum(
        int(
            stage_states(
                reader.read(bucket), shop.stages, spec=reader.spec, as_ofs=[as_of]
            ).dormant.sum()
        )
        for bucket in range(3)
    )
    meaning = report.definition.stages[0].meanings[2]
    assert meaning is not None
    assert meaning.dormant == dormant > 0


def test_json_is_plain_and_has_a_version(report: DefinitionReport) -> None:
    document = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert document["schema_version"] == 1
    stage = document["stages"][0]
    assert [one["source"] for one in stage["windows"]] == ["return rule", "D-curve", "configured"]
    curve = stage["return_curves"][0]
    lengths = {len(curve[key]) for key in ("days", "return_rate", "low", "high", "reached")}
    assert lengths == {len(curve["days"])}
    assert len(curve["days"]) <= 100
    assert list(stage["states"]) == list(STATES)


def test_the_terminal_tells_windows_curves_states_and_movement(report: DefinitionReport) -> None:
    text = terminal(report)
    for part in ("return anyway within 30 days", "D-curve", "States today", "Moved in 28 days"):
        assert part in text
    assert "Early warning" in text
    assert "fast (gap to" in text
    assert max(map(len, text.splitlines())) <= 140


def test_the_page_stands_alone(report: DefinitionReport, tmp_path: Path) -> None:
    page = build_definition_page(report)
    assert page.count("<figure>") == 4
    assert "http" not in page
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page
    for points in re.findall(r'points="([^"]+)"', page):
        numbers = [float(number) for pair in points.split() for number in pair.split(",")]
        assert all(0 <= number <= 400 for number in numbers)
    assert write_page(report, tmp_path / "page.html") == str(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == page
    check_place(tmp_path / "page.html")
    with pytest.raises(ArtifactError, match="its folder does not exist"):
        check_place(tmp_path / "nowhere" / "page.html")
    with pytest.raises(ArtifactError, match="it is a folder"):
        check_place(tmp_path)


def test_the_page_escapes_names(report: DefinitionReport) -> None:
    from dataclasses import replace

    page = build_definition_page(replace(report, business="<script>alert(1)</script>"))
    assert "<script>" not in page


def test_what_arrives_or_happens_later_changes_nothing(tmp_path: Path) -> None:
    base = shop_events(200, seed=4)
    times = base["occurred_at"].cast(pa.int64()).to_numpy()
    rng = np.random.default_rng(1)
    arrived = times + (rng.exponential(4, len(times)) * DAY_US).astype(np.int64) * (
        rng.random(len(times)) < 0.2
    )
    rows = list(
        zip(
            base["customer_id"].to_pylist(),
            times.tolist(),
            base["event_type"].to_pylist(),
            base["amount"].to_pylist(),
            strict=True,
        )
    )
    later = (times >= AS_OF_US) | (arrived >= AS_OF_US)
    assert 0 < later.sum() < len(rows)
    kept = [i for i in range(len(rows)) if not later[i]]
    scrambled = [
        (row[0], row[1], "purchase", 1e6) if gone else row
        for row, gone in zip(rows, later, strict=True)
    ]
    more: list[Row] = [(f"new{i}", AS_OF_US + i, "purchase", 9.0) for i in range(30)]
    tables = {
        "whole": events_table(rows, arrived=arrived.tolist()),
        "scrambled": events_table(scrambled, arrived=arrived.tolist()),
        "cut": events_table([rows[i] for i in kept], arrived=arrived[kept].tolist()),
        "more": events_table(
            [*rows, *more], arrived=[*arrived.tolist(), *(AS_OF_US + i for i in range(30))]
        ),
    }
    documents = {
        name: run_define(
            make_home(tmp_path / name, table), as_of=AS_OF, horizon_days=30, now=NOW
        ).to_json()
        for name, table in tables.items()
    }
    assert documents["whole"]["stages"][0]["windows"][0]["window_days"] is not None
    for name in ("scrambled", "cut", "more"):
        assert documents[name] == documents["whole"], name


def test_buckets_and_threads_change_nothing(
    shop: Config, report: DefinitionReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = run_define(shop, horizon_days=30, now=NOW)
    assert again.to_json() == report.to_json()
    monkeypatch.setattr(define_module, "DRAWN_CUSTOMERS", 200)
    sampled = run_define(shop, horizon_days=30, now=NOW)
    assert sampled.drawn_share == pytest.approx(200 / 500)
    assert "Bands come from 200 draws of 40 %" in " ".join(sampled.notes)
    windows = [one.definition.stages[0].opinions[0].window_days for one in (sampled, report)]
    assert windows[0] == windows[1]


def test_one_purchase_per_customer_gives_no_window_but_counts(tmp_path: Path) -> None:
    found = run(tmp_path, once_each([i % 300 for i in range(300)]), horizon_days=30)
    stage = found.definition.stages[0]
    assert stage.opinions[0].window_days is None
    assert "none of 300 silences ended" in (stage.opinions[0].reason or "")
    assert stage.opinions[1].window_days is None
    assert stage.personal is None
    meaning = stage.meanings[2]
    assert meaning is not None
    assert meaning.return_rate is None
    assert meaning.dormant > 250
    assert stage.states["dormant"] == meaning.dormant
    assert "no window" in terminal(found)
    assert "no answer" in build_definition_page(found)


@pytest.mark.parametrize(("day", "dormant"), [(299.0, 0), (10.0, 60)], ids=["none", "all"])
def test_all_or_none_dormant(tmp_path: Path, day: float, dormant: int) -> None:
    rows = [*once_each([day] * 60), ("last", START_US + 299 * DAY_US, "visit", None)]
    found = run(tmp_path, rows, as_of=date(2025, 10, 28), horizon_days=30)
    meaning = found.definition.stages[0].meanings[2]
    assert meaning is not None
    assert meaning.dormant == dormant
    assert terminal(found)


def test_a_single_month_says_what_is_missing(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    rows: list[Row] = [
        (f"c{rng.integers(150)}", START_US + int(at * DAY_US), "purchase", 5.0)
        for at in rng.uniform(0, 25, 900)
    ]
    found = run(tmp_path, rows)
    stage = found.definition.stages[0]
    assert "horizon of 90 days is longer than the data" in (stage.opinions[0].reason or "")
    assert stage.movement is None
    assert found.definition.tiers is None
    notes = " ".join(found.notes)
    assert "nothing is said about movement" in notes
    assert "who was dormant one horizon ago is not known" in notes
    meaning = stage.meanings[2]
    assert meaning is not None
    assert meaning.dormant_then is None
    page = build_definition_page(found)
    assert "longer than the data" in page


def test_prices_of_zero_leave_one_value_tier_empty(tmp_path: Path) -> None:
    base = shop_events(150, seed=3)
    zero = pa.array(np.zeros(base.num_rows))
    table = base.set_column(base.schema.get_field_index("amount"), "amount", zero)
    found = run_define(make_home(tmp_path, table), horizon_days=30, now=NOW)
    curves = {curve.name: curve for curve in found.definition.stages[0].curves}
    assert curves["high value"].silences == 0
    assert curves["low value"].silences == curves["all"].silences
    assert "no order amount" in " ".join(found.notes)
    assert terminal(found)
    assert build_definition_page(found)


def test_days_without_events_around_the_as_of_are_reported(tmp_path: Path) -> None:
    rows = [row for row in shop_rows() if not 100 <= (row[1] - START_US) / DAY_US < 110]
    found = run(tmp_path, rows, as_of=date(2025, 11, 27), horizon_days=30)
    assert found.empty_days.longest == 10
    assert found.empty_days.longest_from == date(2025, 4, 11)
    assert found.empty_days.longest_to == date(2025, 4, 20)
    assert "2025-04-11 to 2025-04-20" in " ".join(found.notes)
    early = [row for row in rows if row[1] < START_US + 300 * DAY_US]
    late = run(tmp_path / "late", early, as_of=date(2025, 11, 26), horizon_days=30)
    assert late.empty_days.before_as_of == 29
    assert "No event is known of the last 29 days before 2025-11-26" in late.notes[0]
    same = run(tmp_path / "same", early, horizon_days=30)
    assert same.empty_days.before_as_of == 0
    # Silence is followed to the last day with events only: a lost feed is no silence.
    curves = [one.definition.stages[0].curves[0] for one in (late, same)]
    assert np.array_equal(curves[0].survival, curves[1].survival)


def shop_rows() -> list[Row]:
    base = shop_events(150, seed=3)
    return list(
        zip(
            base["customer_id"].to_pylist(),
            base["occurred_at"].cast(pa.int64()).to_pylist(),
            base["event_type"].to_pylist(),
            base["amount"].to_pylist(),
            strict=True,
        )
    )


def test_an_empty_warehouse_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of the 0 stored events"):
        run(tmp_path, [])


def test_an_as_of_before_all_data_or_in_the_future_is_refused(shop: Config) -> None:
    with pytest.raises(DataError, match="had happened and arrived before it"):
        run_define(shop, as_of=date(2024, 12, 1), now=NOW)
    with pytest.raises(DataError, match="that day has not begun"):
        run_define(shop, as_of=date(2026, 12, 1), now=NOW)


def test_a_missing_warehouse_is_a_missing_artefact(tmp_path: Path) -> None:
    from small_shop import TOML

    from pipelines.config import parse_config

    config = parse_config(TOML.encode(), place="winback.toml", home=tmp_path)
    with pytest.raises(ArtifactError):
        run_define(config, now=NOW)


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"q": 0.0}, "--q"),
        ({"q": 1.0}, "--q"),
        ({"q": float("nan")}, "--q"),
        ({"horizon_days": 0}, "--horizon"),
        ({"horizon_days": 5000}, "--horizon"),
        ({"late_cost": 0.0}, "--late-cost"),
        ({"late_cost": float("inf")}, "--late-cost"),
    ],
)
def test_senseless_options_are_refused(
    shop: Config, options: dict[str, float], option: str
) -> None:
    with pytest.raises(UsageError, match=option):
        run_define(shop, now=NOW, **options)  # type: ignore[arg-type]


def test_only_visits_leave_nobody_on_a_stage(tmp_path: Path) -> None:
    rows: list[Row] = [(f"c{i}", START_US + i * DAY_US, "visit", None) for i in range(60)]
    found = run(tmp_path, rows, horizon_days=30)
    stage = found.definition.stages[0]
    assert stage.customers == 0
    assert found.definition.without_stage == 60
    assert "no customer has ever been silent" in (stage.opinions[0].reason or "")
    assert "On no stage yet: 60 customers" in terminal(found)
    assert build_definition_page(found)


def test_the_command_prints_json_and_writes_the_page(shop: Config, tmp_path: Path) -> None:
    page = tmp_path / "definition.html"
    result = CliRunner().invoke(
        app,
        ["define", "-c", str(shop.home), "--horizon", "30", "--html", str(page), "--json"],
    )
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["horizon_days"] == 30
    assert document["page"] == str(page)
    assert document["written"] == []
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert DAYS == 330
