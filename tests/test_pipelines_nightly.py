"""The nightly job end to end on a small shop: bytes, leaks, faults, limits."""

import csv
import json
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import small_shop
from night_home import (
    AS_OF_US,
    DAY,
    DAY_US,
    N_BUCKETS,
    NOW,
    contact_rows,
    copy_home,
    customer_rows,
    digests,
    make_night_home,
    night,
    read_list,
    table_of,
)

from features.errors import ArtifactError, DataError
from features.warehouse import Warehouse
from models.bundle import Bundle
from pipelines.config import Config
from scoring import publishing
from scoring.arms import SENT_ARMS
from scoring.recall_list import check_recall_list

pytestmark = pytest.mark.usefixtures("champions")


def test_a_night_writes_a_list_that_keeps_its_contract(shop: Config) -> None:
    report = night(shop)
    table = read_list(report)
    check_recall_list(table)
    assert report.status == "written"
    assert table.num_rows == report.summary.listed > 100
    assert set(report.files) == {path.name for path in report.folder.iterdir()}
    assert set(table["arm"].to_pylist()) == {"contact", "explore", "ghost", "holdout"}
    assert report.summary.scored == report.summary.listed + sum(report.summary.exclusions.values())
    assert [row["rank"] for row in report.top_rows] == list(range(1, 11))
    json.dumps(report.to_json())


def test_a_rerun_writes_the_same_bytes(shop: Config, tmp_path: Path) -> None:
    first = night(shop)
    before = digests(first.folder)
    assert night(shop).status == "unchanged"
    shutil.rmtree(first.folder)
    later = night(shop, now=NOW + timedelta(days=9))
    assert later.status == "written"
    assert digests(later.folder) == before


def test_the_manifest_names_every_file_and_its_bytes(shop: Config) -> None:
    report = night(shop)
    manifest = json.loads((report.folder / "manifest.json").read_text())
    found = digests(report.folder)
    found.pop("manifest.json")
    assert {name: entry["sha256"] for name, entry in manifest["files"].items()} == found
    assert manifest["tables"].keys() == {"events", "customers", "contacts"}
    assert manifest["listed"] == report.summary.listed
    assert [model["version"] for model in manifest["models"]] == ["3", "3", "3"]


def test_nobody_is_contacted_against_the_rules(shop: Config) -> None:
    table = read_list(night(shop))
    records = {row["customer_id"]: row for row in customer_rows()}
    sent = table.filter(pc.is_in(table["arm"], value_set=pa.array(SENT_ARMS))).to_pylist()
    flags = {"push": "app_installed", "email": "email_consent"}
    for row in table.to_pylist():
        record = records.get(row["customer_id"], {"flags": {}, "do_not_contact": False})
        assert not record["do_not_contact"]
        assert row["channel"] == "phone" or record["flags"].get(flags[row["channel"]])
    assert 0 < sum(row["channel"] == "phone" for row in sent) <= 5
    assert 0 < sum(row["channel"] == "push" for row in sent) <= 40
    unsubscribed = {
        (row["customer_id"], row["channel"]) for row in contact_rows() if row["unsubscribed_at"]
    }
    assert not unsubscribed & {(row["customer_id"], row["channel"]) for row in sent}
    recent = {
        row["customer_id"] for row in contact_rows() if row["sent_at"] > AS_OF_US - 2 * DAY_US
    }
    assert not recent & {row["customer_id"] for row in table.to_pylist()}


def test_having_unsubscribed_is_no_reason_to_contact(shop: Config) -> None:
    table = read_list(night(shop))
    texts = [text for place in (1, 2, 3) for text in table[f"reason_{place}"].to_pylist() if text]
    assert len(texts) > 300
    assert not any("unsubscribed" in text for text in texts)


def test_times_are_local_and_controls_have_none(shop: Config) -> None:
    offsets, bases = set(), set()
    for row in read_list(night(shop)).to_pylist():
        if row["arm"] not in SENT_ARMS:
            assert row["send_at_utc"] is None
            continue
        local = datetime.fromisoformat(row["send_at_local"])
        offsets.add(row["send_at_local"][-6:])
        assert local == row["send_at_utc"]
        assert 9 <= local.hour < 21, "quiet hours of the default"
        bases.add(row["send_basis"])
    assert offsets == {"+01:00", "-05:00", "+09:00"}
    assert "own" in bases


def test_channel_files_hold_no_control(shop: Config) -> None:
    report = night(shop)
    arms = {row["list_row_id"]: row["arm"] for row in read_list(report).to_pylist()}
    total = 0
    for channel in shop.channels:
        with (report.folder / f"recall_list_{channel}.csv").open(newline="") as stream:
            rows = [row["list_row_id"] for row in csv.DictReader(stream)]
        assert {arms[row] for row in rows} <= {"contact", "explore"}
        total += len(rows)
    by_arm = report.summary.by_arm
    assert total == by_arm["contact"] + by_arm["explore"]


def test_what_arrives_later_never_changes_a_byte(home: Config, tmp_path: Path) -> None:
    expected = digests(night(copy_home(home, tmp_path / "a")).folder)
    config = copy_home(home, tmp_path / "b")
    scramble_future(config)
    changed = digests(night(config).folder)
    assert changed.pop("manifest.json") != expected.pop("manifest.json")
    assert changed == expected


def scramble_future(config: Config) -> None:
    """Add rows of every table that happened or arrived at or after the as-of."""
    rng = np.random.default_rng(5)
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=N_BUCKETS)
    events = []
    for number in range(0, 600, 3):
        late = AS_OF_US + int(rng.integers(0, 5 * DAY_US))
        early = AS_OF_US - int(rng.integers(1, 60 * DAY_US))
        events.append((f"c{number:05d}", late, "purchase", 999.0))
        events.append((f"c{number:05d}", early, "purchase", 777.0))
    rows = small_shop.events_table(events)
    arrived = pa.array([AS_OF_US + 1 + n for n in range(len(rows))]).cast(rows["arrived_at"].type)
    warehouse.append("events", rows.set_column(3, rows.schema.field(3), arrived))
    customers = customer_rows()
    for row in customers:
        row |= {"do_not_contact": True, "timezone": "Asia/Tokyo", "arrived_at": AS_OF_US}
    warehouse.append("customers", table_of("customers", customers))
    contacts = contact_rows()
    for row in contacts:
        row |= {"unsubscribed_at": row["sent_at"], "arrived_at": AS_OF_US + 5}
    warehouse.append("contacts", table_of("contacts", contacts))


def test_a_list_of_that_day_that_differs_is_refused_unless_forced(
    shop: Config, champions: dict[str, Bundle]
) -> None:
    first = night(shop)
    before = digests(first.folder)
    ladder = replace(champions["natural_return"].ladder, level=0.5)
    champions["natural_return"] = replace(champions["natural_return"], ladder=ladder)
    with pytest.raises(ArtifactError, match=r"files differ .*recall_list.csv.*--force"):
        night(shop)
    assert digests(first.folder) == before
    assert decisions_of(shop)["list_id"].unique().to_pylist() == [first.summary.list_id]
    report = night(shop, force=True)
    assert report.status == "replaced"
    assert digests(report.folder) != before
    assert decisions_of(shop)["list_id"].unique().to_pylist() == [report.summary.list_id]


def decisions_of(config: Config) -> pa.Table:
    """All rows of the decisions table."""
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=N_BUCKETS)
    return pa.concat_tables(pq.ParquetFile(file).read() for file in warehouse.files("decisions"))


def test_a_dry_run_writes_nothing(shop: Config) -> None:
    before = sorted(shop.home.rglob("*"))
    report = night(shop, dry_run=True)
    assert report.status == "dry run"
    assert report.summary.listed > 100
    assert sorted(shop.home.rglob("*")) == before


def test_every_scored_customer_has_one_decision_per_day(shop: Config) -> None:
    report = night(shop)
    night(shop)
    night(shop, as_of=DAY - timedelta(days=1))
    table = decisions_of(shop)
    per_day = table.group_by(["model_version"]).aggregate([("customer_id", "count")])
    assert len(per_day) == 1
    listed = table.filter(pc.equal(table["list_id"], report.summary.list_id))
    assert len(listed) == report.summary.scored
    assert len(set(listed["customer_id"].to_pylist())) == len(listed)
    ranks = {
        row["customer_id"]: (row["rank"], row["arm"], row["channel"], row["offer"])
        for row in listed.to_pylist()
        if row["rank"] is not None
    }
    assert ranks == {
        row["customer_id"]: (row["rank"], row["arm"], row["channel"], row["offer"])
        for row in read_list(report).to_pylist()
    }
    assert all(
        (row["exclusion"] is None) == (row["rank"] is not None) for row in listed.to_pylist()
    )


def test_a_crash_while_writing_leaves_no_list(
    shop: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(publishing, "_flush", crash)
        with pytest.raises(KeyboardInterrupt):
            night(shop)
    assert [path.name for path in shop.lists_path.iterdir()] == [".lock"]
    assert night(shop).status == "written"


@pytest.mark.parametrize(
    ("day", "words"),
    [
        (date(2024, 12, 31), "before all data, whose first event is of 2025-01-"),
        (date(2026, 2, 1), "beyond the horizon: the last event is of 2025-11-26"),
    ],
)
def test_an_as_of_without_data_is_refused(shop: Config, day: date, words: str) -> None:
    with pytest.raises(DataError, match=words):
        night(shop, as_of=day)
    assert not shop.lists_path.exists()


def test_a_warehouse_without_events_is_refused(tmp_path: Path) -> None:
    config = make_night_home(tmp_path / "none", events=small_shop.events_table([]))
    with pytest.raises(DataError, match="0 rows"):
        night(config)


def test_nothing_had_arrived_by_the_as_of(tmp_path: Path) -> None:
    rows = small_shop.events_table([("c1", AS_OF_US - DAY_US, "purchase", 1.0)])
    arrived = pa.array([AS_OF_US]).cast(rows["arrived_at"].type)
    late = rows.set_column(3, rows.schema.field(3), arrived)
    config = make_night_home(tmp_path / "late", events=late)
    with pytest.raises(DataError, match="had arrived before it"):
        night(config)


def test_an_extra_return_costs_contacts_and_offers_by_its_uplift(shop: Config) -> None:
    report = night(shop)
    rows = read_list(report).to_pylist()
    sent = [row for row in rows if row["arm"] in SENT_ARMS]
    warehouse = Warehouse.open(shop.warehouse_path, n_buckets=N_BUCKETS)
    parts = [pq.read_table(path) for path in warehouse.files("decisions")]
    decided = pa.concat_tables(parts).select(["customer_id", "order_value"]).to_pylist()
    value = {row["customer_id"]: row["order_value"] for row in decided}
    cost = sum(row["contact_cost"] for row in sent)
    for row in sent:
        offer = shop.offers[row["offer"]]
        given = offer.discount * value[row["customer_id"]] + offer.cost_on_return
        cost += row["p_return_contacted"] * given
    expected = cost / sum(row["uplift"] for row in sent)
    assert report.summary.cost_per_return == pytest.approx(expected, rel=0.005)
    assert report.summary.acquisition_cost == 20.0


def test_the_default_as_of_is_todays_local_midnight(shop: Config) -> None:
    before_midnight_utc = datetime(2025, 11, 19, 23, 30, tzinfo=UTC)
    report = night(shop, as_of=None, now=before_midnight_utc, dry_run=True)
    assert report.summary.day == DAY
    assert report.summary.as_of == datetime(2025, 11, 19, 23, tzinfo=UTC)


def test_a_rerun_records_the_same_decisions_only_once(shop: Config) -> None:
    night(shop)
    warehouse = Warehouse.open(shop.warehouse_path, n_buckets=N_BUCKETS)
    version = warehouse.table_version("decisions")
    assert night(shop).status == "unchanged"
    assert warehouse.table_version("decisions") == version
    warehouse.replace_partition(
        "decisions",
        decisions_of(shop)
        .slice(1)
        .append_column("as_of", pa.array([DAY.isoformat()] * (decisions_of(shop).num_rows - 1))),
        column="as_of",
        value=DAY.isoformat(),
    )
    night(shop)
    assert warehouse.table_version("decisions") == 2


def test_at_risk_customers_join_when_asked_for(home: Config, tmp_path: Path) -> None:
    toml = (home.home / "winback.toml").read_text() + "[list]\nat_risk_probability = 0.05\n"
    config = copy_home(home, tmp_path / "home", toml=toml)
    table = read_list(night(config))
    at_risk = table.filter(pc.is_valid(table["p_dormant"]))
    assert at_risk.num_rows > 0
    assert pc.min(at_risk["p_dormant"]).as_py() >= 0.05
    both = pc.add(at_risk["p_dormant"], at_risk["p_return_natural"]).to_numpy()
    assert both == pytest.approx(np.ones(len(both)), abs=2e-6)


def test_max_rows_counts_controls(home: Config, tmp_path: Path) -> None:
    toml = (home.home / "winback.toml").read_text() + "[list]\nmax_rows = 17\n"
    report = night(copy_home(home, tmp_path / "home", toml=toml))
    assert report.summary.listed == 17
    assert report.summary.exclusions["list_full"] > 50
