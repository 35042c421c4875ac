"""The holdout ledger: append-only, never lost, rotated by date; and who contacted controls."""

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from night_home import AS_OF_US, DAY, DAY_US, N_BUCKETS, night, read_list, table_of

from features.errors import DataError
from features.local_day import local_midnight_us
from features.warehouse import Warehouse
from pipelines.config import Config
from pipelines.contamination import Contamination, find_contamination
from pipelines.earlier_lists import read_ghosts
from pipelines.nightly_inputs import night_policy
from pipelines.status import warehouse_status
from scoring.holdout import holdout_members

pytestmark = pytest.mark.usefixtures("champions")

BEFORE, TOMORROW = DAY - timedelta(days=1), DAY + timedelta(days=1)


def open_warehouse(config: Config) -> Warehouse:
    return Warehouse.open(config.warehouse_path, n_buckets=N_BUCKETS)


def ledger(config: Config) -> list[dict[str, Any]]:
    table = open_warehouse(config).dataset("holdout_ledger").to_table()
    return sorted(table.to_pylist(), key=lambda row: (row["customer_id"], row["salt"], str(row)))


def with_experiment(config: Config, **changes: Any) -> Config:
    return replace(config, experiment=replace(config.experiment, **changes))


def arm_of(config: Config, day: date, arm: str) -> set[str]:
    rows = read_list(night(config, as_of=day, force=True)).to_pylist()
    return {row["customer_id"] for row in rows if row["arm"] == arm}


def test_every_scored_member_is_recorded_on_its_first_night(shop: Config) -> None:
    assert night(shop, dry_run=True).summary.listed > 0
    assert ledger(shop) == []
    report = night(shop)
    rows = ledger(shop)
    decided = open_warehouse(shop).dataset("decisions").to_table(columns=["customer_id"])
    ids = decided["customer_id"].to_pylist()
    members = holdout_members(ids, experiment=shop.experiment)
    expected = sorted(one for one, member in zip(ids, members, strict=True) if member)
    assert [row["customer_id"] for row in rows] == expected
    assert {row["entered_on"] for row in rows} == {DAY}
    assert {row["holdout_share"] for row in rows} == {0.1}
    assert {row["left_on"] for row in rows} == {None}
    listed = read_list(report).to_pylist()
    assert {row["customer_id"] for row in listed if row["arm"] == "holdout"} <= set(expected)


def test_a_rerun_and_the_next_night_record_nobody_twice(shop: Config) -> None:
    night(shop)
    first, version = ledger(shop), open_warehouse(shop).table_version("holdout_ledger")
    night(shop)
    assert open_warehouse(shop).table_version("holdout_ledger") == version
    night(shop, as_of=TOMORROW)
    ids = [row["customer_id"] for row in ledger(shop)]
    assert len(ids) == len(set(ids))
    assert ledger(shop)[: len(first)] == first or set(ids) > {row["customer_id"] for row in first}


def test_a_lowered_share_loses_no_member(shop: Config) -> None:
    held = arm_of(shop, DAY, "holdout")
    recorded = {row["customer_id"] for row in ledger(shop)}
    lowered = with_experiment(shop, holdout_share=0.0)
    # Their pause is over by then.
    rows = read_list(night(lowered, as_of=DAY + timedelta(days=4))).to_pylist()
    again = {row["customer_id"] for row in rows if row["arm"] == "holdout"}
    assert held & again
    assert again <= recorded
    assert not {row["customer_id"] for row in rows if row["arm"] != "holdout"} & recorded
    # Their chance of being held out is the one they were drawn with.
    assert {row["propensity"] for row in rows if row["arm"] == "holdout"} == {0.1}


def test_another_salt_without_a_date_is_refused_before_anything_is_written(shop: Config) -> None:
    night(shop)
    changed = with_experiment(shop, salt="another-salt")
    with pytest.raises(DataError, match=r"experiment\.salt: .*set experiment\.rotated_on"):
        night(changed, as_of=TOMORROW, dry_run=True)
    assert DataError.exit_code == 3


def test_a_dated_rotation_lets_the_old_members_leave_on_its_date(shop: Config) -> None:
    old = arm_of(shop, BEFORE, "holdout")
    members = {row["customer_id"] for row in ledger(shop)}
    rotated = with_experiment(shop, salt="another-salt", rotated_on=TOMORROW.isoformat())
    # The day before the rotation the old salt is still in force.
    rows = read_list(night(rotated, as_of=DAY)).to_pylist()
    assert {row["customer_id"] for row in rows if row["arm"] == "holdout"} <= members
    assert {row["salt"] for row in ledger(shop)} == {shop.experiment.salt}
    new = arm_of(rotated, TOMORROW, "holdout")
    left = [row for row in ledger(shop) if row["left_on"] is not None]
    assert {row["customer_id"] for row in left} == members
    assert {(row["salt"], row["left_on"]) for row in left} == {(shop.experiment.salt, TOMORROW)}
    entered = {row["customer_id"] for row in ledger(shop) if row["salt"] == "another-salt"}
    assert new <= entered
    assert new != old
    count = len(ledger(shop))
    night(rotated, as_of=TOMORROW, force=True)
    night(rotated, as_of=TOMORROW + timedelta(days=1))
    again = [row for row in ledger(shop) if row["left_on"] is not None]
    assert (len(again), len(ledger(shop)) >= count) == (len(left), True)
    since, until = (total.since for total in warehouse_status(rotated).holdout)
    assert (since, until) == (BEFORE, TOMORROW)


def contamination(config: Config) -> tuple[Contamination, ...]:
    warehouse, policy = open_warehouse(config), night_policy(config, DAY)
    ghosts = read_ghosts(warehouse, policy, control_days=32.0)
    return find_contamination(warehouse, policy, ghosts=ghosts)


def contact(customer_id: str, sent_us: int, **values: Any) -> dict[str, Any]:
    row = {"contact_id": f"{customer_id}-{sent_us}", "customer_id": customer_id}
    times = {"sent_at": sent_us, "arrived_at": sent_us + 1}
    return {**row, **times, "channel": "push", **values}


def test_contacts_to_controls_are_counted_by_channel_and_told(shop: Config) -> None:
    rows = read_list(night(shop, as_of=BEFORE)).to_pylist()
    # The shop's own contacts of that day reach a member of the holdout too.
    (push,) = contamination(shop)
    assert push == Contamination("push", 1, 0)
    held, ghost, sent = (
        next(row["customer_id"] for row in rows if row["arm"] == arm)
        for arm in ("holdout", "ghost", "contact")
    )
    begin = local_midnight_us(BEFORE, ZoneInfo("Europe/Berlin"))
    contacts = [
        contact(held, begin + 10),
        contact(held, begin + 10, arrived_at=begin + 20, opened_at=begin + 15),
        contact(held, begin - DAY_US),
        contact(ghost, begin + 10, channel="email"),
        contact(ghost, begin - 10, channel="email"),
        contact(ghost, begin + 11, channel="email", arrived_at=AS_OF_US + DAY_US),
        contact(sent, begin + 10),
    ]
    open_warehouse(shop).append("contacts", table_of("contacts", contacts))
    assert contamination(shop) == (Contamination("email", 0, 1), Contamination("push", 2, 0))
    notes = night(shop).summary.notes
    (note,) = [one for one in notes if one.startswith("Controls were contacted")]
    assert (
        "e-mail: 1 (0 to the holdout, 1 to ghosts); push message: 2 (2 to the holdout, 0 to ghosts)"
    ) in note
    document = json.loads(json.dumps(warehouse_status(shop).to_json()))
    assert document["contamination"][0] == {"channel": "email", "holdout": 0, "ghost": 1}
    assert document["holdout"][0]["since"] == BEFORE.isoformat()
