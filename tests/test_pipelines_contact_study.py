"""`winback contact-study` from a warehouse: what is read, said, logged and refused."""

import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from night_home import make_night_home
from rich.console import Console
from small_shop import DAY_US, START_US, shop_events
from typer.testing import CliRunner

from features.errors import UsageError
from features.history_reader import HistoryReader
from features.warehouse import Warehouse
from pipelines import contact_study
from pipelines.cli import app
from pipelines.config import Config
from pipelines.contact_study import ContactStudyReport, run_contact_study
from pipelines.contact_study_rows import choose_cutoffs, find_trials, sent_contacts
from pipelines.effect_rows import read_assigned
from pipelines.empty_days import DayCounts
from pipelines.render_contact_study import render_contact_study
from pipelines.tracking import connect
from training.contact_rows import OTHER_CONTACT

NOW = datetime(2025, 11, 27, 8, tzinfo=UTC)
CUSTOMERS = 500


def random_contacts(seed: int = 1) -> list[dict[str, Any]]:
    """Every customer with consent is contacted on some days, whatever they do."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for number in range(CUSTOMERS):
        for at in np.flatnonzero(rng.uniform(size=328) < 0.05).tolist():
            sent = START_US + at * DAY_US + 10 * 3_600_000_000
            channel = "email" if number % 4 and rng.uniform() < 0.7 else "push"
            rows.append(
                {
                    "contact_id": f"k{number}-{at}",
                    "customer_id": f"c{number:05d}",
                    "sent_at": sent,
                    "arrived_at": sent,
                    "channel": channel,
                    "offer": [None, "none", "coupon"][int(rng.integers(0, 3))],
                }
            )
    return rows


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Config:
    home = tmp_path_factory.mktemp("contacts") / "home"
    return one_thread(make_night_home(home, contacts=random_contacts()))


def one_thread(config: Config) -> Config:
    learner = replace(config.training.learner, threads=1)
    return replace(config, training=replace(config.training, learner=learner))


@pytest.fixture(scope="module")
def report(shop: Config) -> ContactStudyReport:
    return run_contact_study(shop, now=NOW)


def text_of(report: ContactStudyReport) -> str:
    console = Console(file=io.StringIO(), width=80)
    render_contact_study(report, console)
    return console.file.getvalue()


def test_contacts_at_random_are_compared_and_judged(report: ContactStudyReport) -> None:
    study = report.study
    assert report.as_of == date(2025, 11, 27)
    assert report.decision_days == 2
    assert 5 <= report.cutoffs <= 26
    assert study.contacted > 200
    assert study.any_contact.overlap.balanced
    assert study.placebo.rows > 0
    assert study.counts.considered > study.rows
    # Push needs the app, which not all who were pushed at had by their record.
    assert study.counts.closed_channel > 0
    assert {one.name for one in study.actions} <= set(study.prior.actions)
    assert study.prior.verdict in {"usable", "untested", "confounded", "unbalanced"}


def test_the_report_is_json_and_fits_a_terminal(report: ContactStudyReport) -> None:
    document = json.loads(json.dumps(report.to_json()))
    assert document["schema_version"] == 1
    assert document["prior"]["verdict"] == report.study.prior.verdict
    assert set(document["priors"]) == set(report.study.prior.actions)
    text = text_of(report)
    assert "Verdict:" in text
    assert "placebo" in text
    assert "…" not in text
    assert "c000" not in text


def test_figures_report_and_pictures_are_logged(shop: Config, report: ContactStudyReport) -> None:
    with connect(shop) as client:
        run = client.get_run(report.run_id)
        names = {item.path for item in client.list_artifacts(report.run_id, "plots")}
    assert run.info.status == "FINISHED"
    assert run.data.params["verdict"] == report.study.prior.verdict
    assert run.data.metrics["contact_study/contacted"] == report.study.contacted
    assert "contact_study/any_contact/placebo" in run.data.metrics
    assert names == {"plots/overlap.png", "plots/smd.png"}


def test_contacts_after_the_as_of_are_not_read(shop: Config) -> None:
    early = run_contact_study(shop, as_of=date(2025, 10, 1), track=False, now=NOW)
    again = run_contact_study(shop, as_of=date(2025, 10, 1), track=False, now=NOW)
    assert early.as_of == date(2025, 10, 1)
    assert early.study.prior.to_json() == again.study.prior.to_json()


def test_the_last_known_version_of_a_contact_counts(shop: Config) -> None:
    warehouse = Warehouse.open(shop.warehouse_path, n_buckets=shop.storage.buckets)
    history = HistoryReader(warehouse, spec=shop.feature_spec()).read(0)
    who = history.customer_id[0]
    schema = pa.schema(
        [
            ("customer_id", pa.string()),
            ("contact_id", pa.string()),
            ("channel", pa.string()),
            ("offer", pa.string()),
            ("arrived_at", pa.timestamp("us", tz="UTC")),
            ("sent_at", pa.timestamp("us", tz="UTC")),
        ]
    )
    rows = [
        (who, "k1", "push", "none", 10, 10),
        (who, "k1", "email", "coupon", 20, 11),
        (who, "k1", "push", "none", 99, 12),
        (who, "k2", "email", None, 5, 4),
        (who, "k3", "letter", "none", 6, 5),
        ("stranger", "k4", "email", "none", 6, 5),
    ]
    table = pa.Table.from_pylist(
        [dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema
    )
    found = sent_contacts(shop, table, history, known_before_us=50)
    offers, channels = tuple(shop.offers), tuple(shop.channels)
    email = channels.index("email") * len(offers)
    assert found.sent_at.tolist() == [4, 5, 11]
    assert found.action.tolist() == [email, OTHER_CONTACT, email + offers.index("coupon")]
    assert found.offsets[1] == 3


def test_who_is_on_a_list_or_in_an_experiment_is_not_studied_too(shop: Config) -> None:
    warehouse = Warehouse.open(shop.warehouse_path, n_buckets=shop.storage.buckets)
    history = HistoryReader(warehouse, spec=shop.feature_spec()).read(0)
    who = history.customer_id[:3].tolist()
    contacts = pa.table(
        {
            "customer_id": [who[0], who[0], who[1], "stranger"],
            "list_row_id": ["list/1", None, "list/2", "list/3"],
            "sent_at": pa.array([30, 40, 20, 50], pa.timestamp("us", tz="UTC")),
        }
    )
    nobody = read_assigned(shop, warehouse)
    found = find_trials(nobody, contacts, history)
    assert found.at.tolist() == [30, 20]
    assert found.offsets[:4].tolist() == [0, 1, 2, 2]
    assigned = replace(
        nobody,
        customer_id=pa.array([who[2], who[0]], pa.string()),
        row_id=pa.array(["x/1", "x/2"], pa.string()),
        bucket=np.zeros(2, dtype=np.int32),
        assigned_us=np.array([7, 9], dtype=np.int64),
        expires_us=np.array([70, 90], dtype=np.int64),
        arrived_us=np.array([7, 9], dtype=np.int64),
        action=np.array([0, -1], dtype=np.int16),
        propensity=np.array([0.5, 0.5]),
        experiment=np.zeros(2, dtype=np.int32),
    )
    more = find_trials(assigned, contacts, history)
    assert more.at.tolist() == [9, 30, 20, 7]


def test_without_contacts_or_channels_there_is_nothing_to_study(tmp_path: Path) -> None:
    old = [
        {
            "contact_id": "k1",
            "customer_id": "c00001",
            "sent_at": START_US,
            "arrived_at": START_US,
            "channel": "email",
        }
    ]
    config = one_thread(
        make_night_home(tmp_path / "home", contacts=old, events=shop_events(120, seed=3))
    )
    found = run_contact_study(config, track=False, now=NOW)
    assert found.study.prior.verdict == "nothing to study"
    assert not found.combined.moved.any()
    assert "no contacts" in text_of(found)
    bare = replace(config, channels={})
    nothing = run_contact_study(bare, track=False, now=NOW)
    assert nothing.study.prior.verdict == "nothing to study"
    assert nothing.to_json()["priors"] == {}


def test_a_weight_that_is_none_is_refused_before_any_work(shop: Config) -> None:
    with pytest.raises(UsageError, match=r"2 is no weight.*0 .*to 1"):
        run_contact_study(shop, weight=2.0, now=NOW)


def test_the_command_prints_json(shop: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def fake(config: Config, **options: Any) -> Any:
        asked.update(options)

        class Report:
            def to_json(self) -> dict[str, Any]:
                return {"schema_version": 1}

        return Report()

    monkeypatch.setattr(contact_study, "run_contact_study", fake)
    result = CliRunner().invoke(
        app,
        ["contact-study", "-c", str(shop.home), "--weight", "0.1", "--no-mlflow", "--json"],
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"schema_version": 1}
    assert asked["weight"] == 0.1
    assert asked["track"] is False


def test_cutoffs_are_the_midnights_that_most_contacts_followed() -> None:
    first = date(2025, 6, 1)
    per_day = np.zeros(40, dtype=np.int64)
    per_day[[3, 12, 13, 30]] = [5, 4, 9, 7]
    sent = DayCounts(first, per_day)
    chosen = choose_cutoffs(sent, first=date(2025, 5, 1), last=date(2025, 7, 10), decision_days=2)
    # The campaign of days 12 and 13 is met whole; of other weeks the later midnight that meets
    # all contacts is taken, and weeks without any have no cutoff.
    assert chosen == (date(2025, 6, 4), date(2025, 6, 13), date(2025, 7, 1))
    assert (
        choose_cutoffs(sent, first=date(2025, 6, 20), last=date(2025, 6, 28), decision_days=2) == ()
    )
    assert choose_cutoffs(None, first=first, last=first, decision_days=2) == ()
