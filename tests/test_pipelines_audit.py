"""`winback audit`: planted leaks are caught, sound shops are not accused."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from night_home import table_of
from rich.console import Console
from small_shop import DAY_US, DAYS, START_US, TOML, events_table, make_home, shop_events
from typer.testing import CliRunner

import features.matrix as matrix_module
import pipelines.train as train_module
from features.errors import GateError
from features.warehouse import Warehouse
from pipelines.audit import AuditReport, require_clean, run_audit
from pipelines.cli import app
from pipelines.config import Config, load_config
from pipelines.ingest import run_ingest
from pipelines.render_audit import render_audit
from pipelines.simulate import simulate_app
from pipelines.train import run_train
from training.leak_audit import Check, LeakAudit

NOW = datetime(2025, 11, 27, 8, tzinfo=UTC)
END_US = START_US + DAYS * DAY_US
EXAMPLES = Path(__file__).parent.parent / "examples"
DATA = Path(os.environ.get("WINBACK_DATA", EXAMPLES / ".." / ".." / "shared" / "data"))

Row = tuple[str, int, str, float | None]


def shop_rows(customers: int = 1500) -> list[Row]:
    table = shop_events(customers)
    times = table.column("occurred_at").cast("int64").to_pylist()
    names = table.column("customer_id").to_pylist()
    kinds = table.column("event_type").to_pylist()
    amounts = table.column("amount").to_pylist()
    return list(zip(names, times, kinds, amounts, strict=True))


def purchases(rows: list[Row]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for name, at, kind, _ in rows:
        times = found.setdefault(name, [])
        if kind == "purchase":
            times.append(at)
    return {name: sorted(times) for name, times in found.items()}


def shop(home: Path, rows: list[Row], *, toml: str = "", types: str = "") -> Config:
    config = make_home(home, events_table(rows))
    text = TOML
    if types:
        text = text.replace(
            'types = ["visit", "purchase"]', f'types = ["visit", "purchase", {types}]'
        )
    (home / "winback.toml").write_text(text + toml)
    return load_config(config.home)


def add_records(config: Config, records: list[dict[str, Any]]) -> None:
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=3)
    warehouse.append("customers", table_of("customers", records))


def check_of(report: AuditReport, name: str, subject: str | None = None) -> Check:
    (found,) = [
        check for check in report.audit.checks if (check.name, check.subject) == (name, subject)
    ]
    return found


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, AuditReport, list[str]]:
    config = shop(tmp_path_factory.mktemp("clean"), shop_rows())
    told: list[str] = []
    report = run_audit(config, now=NOW, progress=lambda task, done, total: told.append(task))
    return config, report, told


def test_a_sound_shop_passes(clean: tuple[Config, AuditReport, list[str]]) -> None:
    _, report, told = clean
    assert report.audit.clean
    assert not report.audit.of("warning")
    assert check_of(report, "future_scramble").verdict == "passed"
    for kind in ("dormancy_risk", "natural_return"):
        assert check_of(report, "single_feature_auc", kind).verdict == "passed"
        assert check_of(report, "random_minus_time_split", kind).verdict == "passed"
        assert check_of(report, "customer_records", kind).verdict == "not checked"
    assert list(dict.fromkeys(told)) == ["computing features and labels", "auditing for leaks"]
    require_clean(report.audit)


def test_the_report_is_json_without_customers(
    clean: tuple[Config, AuditReport, list[str]],
) -> None:
    text = json.dumps(clean[1].to_json(), allow_nan=False)
    document = json.loads(text)
    assert document["schema_version"] == 1
    assert document["clean"] is True
    assert {check["verdict"] for check in document["checks"]} <= {"passed", "not checked"}
    assert "c0000" not in text


def test_an_audit_again_says_the_same(clean: tuple[Config, AuditReport, list[str]]) -> None:
    config, report, _ = clean
    assert run_audit(config, now=NOW).audit.to_json() == report.audit.to_json()


def test_an_audit_of_an_earlier_date(clean: tuple[Config, AuditReport, list[str]]) -> None:
    config, report, _ = clean
    earlier = run_audit(config, as_of=date(2025, 10, 20), now=NOW)
    assert earlier.as_of == date(2025, 10, 20)
    assert sum(earlier.rows.values()) < sum(report.rows.values())


def test_an_event_written_afterwards_and_dated_back_is_named(tmp_path: Path) -> None:
    """`closed` is written once a customer has been silent, and dated to the last purchase."""
    rows = shop_rows()
    for name, times in purchases(rows).items():
        if END_US - times[-1] > 40 * DAY_US:
            rows.append((name, times[-1] + 3_600_000_000, "closed", None))
    report = run_audit(shop(tmp_path, rows, types='"closed"'), now=NOW)
    assert not report.audit.clean
    check = check_of(report, "single_feature_auc", "natural_return")
    assert check.verdict == "failed"
    assert "recency_days_type_closed" in check.named


@pytest.mark.parametrize("leak", ["flag", "days"])
def test_an_amount_filled_in_afterwards_is_named(tmp_path: Path, leak: str) -> None:
    """Amounts are corrected once it is known whether, or when, the customer came back."""
    rows = shop_rows()
    times = purchases(rows)
    known: list[Row] = []
    for name, at, kind, amount in rows:
        gaps = [(t - at) / DAY_US for t in times[name] if t > at]
        later = gaps[0] if gaps else 0.01
        if leak == "flag":
            later = float(bool(gaps) and gaps[0] > 20)
        known.append((name, at, kind, None if amount is None else later))
    report = run_audit(shop(tmp_path, known), now=NOW)
    named = {name for check in report.audit.of("failed") for name in check.named}
    assert "order_amount_last" in named


@pytest.mark.parametrize("leak", ["status", "tier"])
def test_an_attribute_of_today_that_knows_the_outcome_is_named(tmp_path: Path, leak: str) -> None:
    rows = shop_rows()
    toml = '[sources.customers.attributes]\nstatus = "status"\ncity = "city"\n'
    config = shop(tmp_path, rows, toml=toml)
    records = []
    for number, (name, times) in enumerate(purchases(rows).items()):
        recent = sum(END_US - at < 60 * DAY_US for at in times)
        status = "churned-secret" if recent == 0 else "active-secret"
        if leak == "tier":
            status = f"tier-{min(recent, 3)}-secret"
        records.append(
            {
                "customer_id": name,
                "changed_at": 0,
                "arrived_at": 0,
                "attributes": {"status": status, "city": ["Ulm", "Bonn"][number % 2]},
            }
        )
    add_records(config, records)
    report = run_audit(config, now=NOW)
    caught = [check for check in report.audit.of("failed") if check.name == "customer_records"]
    assert caught
    assert all(check.named == ("status",) for check in caught)
    assert "secret" not in json.dumps(report.to_json())
    with pytest.raises(GateError, match=r"no history.*changed_at"):
        require_clean(report.audit)


def test_lasting_traits_of_a_snapshot_pass(tmp_path: Path) -> None:
    rows = shop_rows()
    config = shop(tmp_path, rows, toml='[sources.customers.attributes]\ncity = "city"\n')
    cities = [["Ulm", "Bonn", "Kiel"][n % 3] for n in range(len(purchases(rows)))]
    add_records(
        config,
        [
            {"customer_id": name, "changed_at": 0, "arrived_at": 0, "attributes": {"city": city}}
            for name, city in zip(purchases(rows), cities, strict=True)
        ],
    )
    report = run_audit(config, now=NOW)
    assert report.audit.clean
    assert "no history" in check_of(report, "customer_records", "natural_return").meaning


@pytest.fixture
def peeking(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A kernel that sees a week of the future."""
    original = matrix_module.gather_details

    def later(chunk: Any, as_of: int, *rest: Any) -> None:
        original(chunk, as_of + 7 * DAY_US, *rest)

    monkeypatch.setattr(matrix_module, "gather_details", later)
    yield


@pytest.mark.usefixtures("peeking")
def test_a_kernel_that_peeks_is_caught(clean: tuple[Config, AuditReport, list[str]]) -> None:
    report = run_audit(clean[0], now=NOW)
    check = check_of(report, "future_scramble")
    assert check.verdict == "failed"
    assert "spend_30d" in check.named
    with pytest.raises(GateError, match=r"leak audit: .*future scramble.*--no-audit") as stop:
        require_clean(report.audit)
    assert stop.value.exit_code == 5
    assert "c0000" not in str(stop.value)


class FitReachedError(Exception):
    """Raised by a test's progress where training would start to fit."""


@pytest.mark.usefixtures("peeking")
def test_training_on_a_leak_fits_nothing_unless_told_to(
    clean: tuple[Config, AuditReport, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop_at_fit(task: str, _done: int, _total: int) -> None:
        if task == "fitting and judging models":
            raise FitReachedError

    # Neither MLflow nor the purchase processes come into play before the fit.
    monkeypatch.setattr(train_module, "check_reachable", lambda _config: None)
    monkeypatch.setattr(train_module, "fit_processes", lambda _rows: None)
    with pytest.raises(GateError, match=r"nothing was trained or registered.*spend"):
        run_train(clean[0], now=NOW, progress=stop_at_fit)
    with pytest.raises(FitReachedError):
        run_train(clean[0], audit=False, now=NOW, progress=stop_at_fit)


def run_command(config: Config, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["audit", "--config", str(config.home), *arguments])


def test_the_command_prints_every_check(clean: tuple[Config, AuditReport, list[str]]) -> None:
    result = run_command(clean[0])
    assert result.exit_code == 0, result.output
    assert "no leak found" in result.output
    for name in ("future scramble", "single feature auc", "random minus time split"):
        assert name in result.output


@pytest.mark.usefixtures("peeking")
def test_the_command_exits_with_5_and_one_json_document(
    clean: tuple[Config, AuditReport, list[str]],
) -> None:
    result = run_command(clean[0], "--json")
    assert result.exit_code == 5
    document = json.loads(result.stdout)
    assert document["clean"] is False
    assert document["failed"] >= 1


def test_findings_are_printed_with_their_fix() -> None:
    checks = (
        Check("future_scramble", None, "failed", "3 columns read the future.", fix="mend them"),
        Check("times_in_order", None, "warning", "Odd.", fix="look"),
        Check("customer_records", "natural_return", "not checked", "No records."),
    )
    report = AuditReport(date(2025, 11, 27), {}, {"natural_return": 7}, 1.5, LeakAudit(checks))
    console = Console(width=120, record=True, markup=False, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    render_audit(report, console)
    console.file.close()
    text = console.export_text()
    assert "LEAK FOUND (0 passed, 1 with a warning, 1 failed, 1 not checked)" in text
    assert "Fix: mend them." in text and "Fix: look." in text


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["retail", "lending"])
def test_simulated_apps_are_not_accused(tmp_path: Path, preset: str) -> None:
    result = CliRunner().invoke(app, ["init", "--preset", preset, "--folder", str(tmp_path)])
    assert result.exit_code == 0
    config = load_config(tmp_path)
    end = date(2025, 11, 20)
    raw = tmp_path / "raw"
    simulate_app(preset, customers=1000, days=480, end=end, seed=3, out=raw)
    now = datetime(2025, 11, 21, tzinfo=UTC)
    for kind, pattern in (
        ("events", "events*.parquet"),
        ("customers", "customers.csv"),
        ("contacts", "contacts.csv.gz"),
    ):
        run_ingest(config, kind, [str(raw / pattern)], now=now)  # type: ignore[arg-type]
    report = run_audit(config, now=now)
    assert report.audit.clean
    assert not report.audit.of("warning")


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "file"),
    [("cdnow", "CDNOW_master.txt"), ("online_retail_II", "online_retail_II.parquet")],
)
def test_real_shops_are_not_accused(tmp_path: Path, name: str, file: str) -> None:
    source = DATA / name / file
    if not source.is_file():
        pytest.skip(f"no {name}/{file} in the folder WINBACK_DATA ({DATA})")
    (tmp_path / "winback.toml").write_text((EXAMPLES / name / "winback.toml").read_text())
    config = load_config(tmp_path)
    now = datetime(2026, 11, 21, tzinfo=UTC)
    run_ingest(config, "events", [str(source)], now=now)
    report = run_audit(config, now=now)
    assert report.audit.clean
    assert not report.audit.of("warning")
    assert np.all([check.verdict != "failed" for check in report.audit.checks])
