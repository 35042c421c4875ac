"""Earlier lists: their rows count until they are reported, their ghosts are left alone."""

import shutil
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from night_home import DAY, DAY_US, N_BUCKETS, copy_home, digests, night, read_list, table_of

from features.local_day import local_midnight_us
from features.warehouse import Warehouse
from pipelines.config import Config
from pipelines.earlier_lists import EarlierLists, read_earlier_lists
from pipelines.nightly_inputs import night_policy
from scoring.arms import ARMS, SENT_ARMS, draw_arms
from scoring.decisions import SCHEMA

pytestmark = pytest.mark.usefixtures("champions")

BEFORE = DAY - timedelta(days=1)
ROW = {"customer_id": "c00001", "arm": "contact", "channel": "push", "offer": "none", "rank": 1}


def open_warehouse(config: Config) -> Warehouse:
    return Warehouse.open(config.warehouse_path, n_buckets=N_BUCKETS)


def midnight(day: date) -> int:
    return local_midnight_us(day, ZoneInfo("Europe/Berlin"))


def decide(config: Config, day: date, *rows: dict[str, Any]) -> None:
    """Put decisions of a day into the warehouse."""
    whole = [{"as_of": day.isoformat(), "list_id": f"{day}-x", **row} for row in rows]
    table = pa.Table.from_pylist(whole, schema=SCHEMA)
    open_warehouse(config).replace_partition(
        "decisions", table, column="as_of", value=day.isoformat()
    )


def report_contact(config: Config, sent_us: int, **values: Any) -> None:
    """Ingest a contact, known a minute after it was sent."""
    row: dict[str, Any] = {"contact_id": f"k{sent_us}", "customer_id": "c00001", "channel": "push"}
    row = {**row, "sent_at": sent_us, "arrived_at": sent_us + 60_000_000, **values}
    open_warehouse(config).append("contacts", table_of("contacts", [row]))


def earlier(config: Config, *, day: date = DAY, control_days: float = 32.0) -> EarlierLists:
    policy = night_policy(config, day)
    return read_earlier_lists(open_warehouse(config), policy, control_days=control_days)


def listed_by_arm(table: pa.Table, *arms: str) -> set[str]:
    wanted = pc.is_in(table["arm"], value_set=pa.array(arms))
    return set(table.filter(wanted)["customer_id"].to_pylist())


def test_a_row_nobody_reported_on_counts_from_its_send_time(shop: Config) -> None:
    decide(shop, BEFORE, ROW, {**ROW, "customer_id": "c00002", "arm": "ghost", "rank": 2})
    found = earlier(shop)
    assert found.sent.to_pylist() == [
        {"customer_id": "c00001", "channel": "push", "sent_us": midnight(BEFORE)}
    ]
    until = midnight(BEFORE) + 32 * DAY_US
    ghost = {"customer_id": "c00002", "as_of_us": midnight(BEFORE), "until_us": until}
    assert found.ghosts.to_pylist() == [ghost]
    sent_us = midnight(BEFORE) + 11 * 3_600_000_000
    decide(shop, BEFORE, {**ROW, "send_at_utc": sent_us, "expires_at": midnight(DAY)})
    assert earlier(shop).sent["sent_us"].to_pylist() == [sent_us]


@pytest.mark.parametrize(
    "contact",
    [
        {},
        {"customer_id": "c00009", "list_row_id": f"{BEFORE}-x/1"},
        {"channel": "email"},
    ],
    ids=["of the customer in time", "of the row", "through another channel"],
)
def test_a_reported_row_does_not_count_besides_its_contact(
    contact: dict[str, Any], shop: Config
) -> None:
    decide(shop, BEFORE, ROW)
    report_contact(shop, midnight(BEFORE) + 1, **contact)
    assert earlier(shop).sent.num_rows == 0


def test_another_customers_contact_says_nothing_of_a_row_before_it_expires(shop: Config) -> None:
    decide(shop, BEFORE, ROW)
    report_contact(shop, midnight(BEFORE) + 1, customer_id="c00009")
    assert earlier(shop).sent.num_rows == 1


def test_a_row_was_not_sent_once_later_contacts_of_its_channel_are_known(shop: Config) -> None:
    first = DAY - timedelta(days=5)
    decide(shop, first, ROW, {**ROW, "customer_id": "c00003", "channel": "email", "rank": 2})
    expired = midnight(first) + 2 * DAY_US
    report_contact(shop, expired, customer_id="c00009")
    assert earlier(shop).sent["customer_id"].to_pylist() == ["c00003"]


def test_newsletters_do_not_report_on_lists_where_reports_name_their_rows(shop: Config) -> None:
    first = DAY - timedelta(days=5)
    decide(shop, first, ROW, {**ROW, "customer_id": "c00003", "rank": 2})
    report_contact(shop, midnight(first) + 1, list_row_id=f"{first}-x/1")
    expired = midnight(first) + 2 * DAY_US
    report_contact(shop, expired, customer_id="c00009")
    assert earlier(shop).sent["customer_id"].to_pylist() == ["c00003"]
    report_contact(shop, expired + 1, customer_id="c00009", list_row_id="another/1")
    assert earlier(shop).sent.num_rows == 0


def test_what_had_not_arrived_or_not_been_decided_before_the_as_of_is_not_known(
    shop: Config,
) -> None:
    decide(shop, BEFORE, ROW)
    known = earlier(shop)
    report_contact(shop, midnight(BEFORE) + 1, arrived_at=midnight(DAY))
    for day in (DAY, DAY + timedelta(days=1)):
        decide(shop, day, {**ROW, "customer_id": "c00007"}, {**ROW, "arm": "ghost", "rank": 2})
    assert earlier(shop) == known


def test_decisions_without_the_columns_of_today_are_read(shop: Config) -> None:
    names = ["as_of", "customer_id", "arm", "channel", "offer", "rank", "list_id"]
    row = {**ROW, "as_of": BEFORE.isoformat(), "list_id": "x"}
    schema = pa.schema([SCHEMA.field(name) for name in names])
    old = pa.Table.from_pylist([row], schema=schema)
    warehouse = open_warehouse(shop)
    warehouse.replace_partition("decisions", old, column="as_of", value=BEFORE.isoformat())
    assert earlier(shop).sent["sent_us"].to_pylist() == [midnight(BEFORE)]
    night(shop)
    assert earlier(shop).sent["sent_us"].to_pylist() == [midnight(BEFORE)]


def test_who_was_listed_is_not_listed_again_before_the_pause_is_over(shop: Config) -> None:
    first = read_list(night(shop, as_of=BEFORE))
    second = night(shop)
    again = set(read_list(second)["customer_id"].to_pylist())
    assert not listed_by_arm(first, *SENT_ARMS) & again
    assert second.summary.exclusions["cap_1d"] > 100
    # min_pause_days = 2 counts from the send time of the first list.
    third = read_list(night(shop, as_of=BEFORE + timedelta(days=4)))
    assert listed_by_arm(first, *SENT_ARMS) & set(third["customer_id"].to_pylist())


def test_a_ghost_stays_out_for_its_window(shop: Config) -> None:
    short = replace(shop, experiment=replace(shop.experiment, control_days=3.0))
    ghosts = listed_by_arm(read_list(night(short, as_of=BEFORE)), "ghost")
    assert ghosts
    inside = night(short, as_of=BEFORE + timedelta(days=2))
    assert not ghosts & set(read_list(inside)["customer_id"].to_pylist())
    held_out = earlier(short, day=BEFORE + timedelta(days=2)).held_out
    as_ghosts = pc.sum(pc.equal(held_out["arm"], "ghost")).as_py()
    # Some may have returned by themselves since.
    left_alone = inside.summary.exclusions["control_window"] - as_ghosts
    assert 0.9 * len(ghosts) < left_alone <= len(ghosts)
    after = read_list(night(short, as_of=BEFORE + timedelta(days=3)))
    assert ghosts & set(after["customer_id"].to_pylist())


def test_a_held_out_row_counts_as_what_it_would_have_been(shop: Config) -> None:
    ids = [f"c{number:05d}" for number in range(40)]
    rows = [{**ROW, "customer_id": name, "arm": "holdout", "rank": 1} for name in ids]
    decide(shop, BEFORE, *rows)
    found = earlier(shop)
    assert found.sent.num_rows == found.ghosts.num_rows == 0
    assert found.held_out["customer_id"].to_pylist() == ids
    draws = draw_arms(
        ids,
        experiment=shop.experiment,
        as_of_us=midnight(BEFORE),
        is_holdout=np.zeros(len(ids), dtype=np.bool_),
    )
    arms = [ARMS[code] for code in draws.arm]
    assert set(arms) == {"contact", "explore", "ghost"}
    assert found.held_out["arm"].to_pylist() == arms
    assert set(found.held_out["channel"].to_pylist()) == {"push"}
    assert set(found.held_out["sent_us"].to_pylist()) == {midnight(BEFORE) + DAY_US // 2}
    assert set(found.held_out["until_us"].to_pylist()) == {midnight(BEFORE) + 32 * DAY_US}


def test_a_held_out_row_counts_whatever_contacts_are_known(shop: Config) -> None:
    """Nothing was sent: reports on others' contacts neither confirm nor refute it."""
    first = DAY - timedelta(days=5)
    decide(shop, first, ROW, {**ROW, "customer_id": "c00003", "arm": "holdout", "rank": 2})
    report_contact(shop, midnight(first) + 2 * DAY_US, customer_id="c00009")
    found = earlier(shop)
    assert found.sent.num_rows == 0
    assert found.held_out["customer_id"].to_pylist() == ["c00003"]


def test_held_out_customers_do_not_pile_up_on_later_lists(home: Config, tmp_path: Path) -> None:
    """Being held out changes nobody's place: the lists are those of a shop without a holdout.

    Calls in the afternoon, everywhere within the list's day, and without follow-ups.
    """
    toml = (home.home / "winback.toml").read_text()
    for old, new in (
        ("capacity = 40", "capacity = 0"),
        ("[channels.email]", "[channels.email]\ncapacity = 0"),
        ("capacity = 5", 'send_hours = ["14:00-16:00"]'),
        ("explore_share = 0.2", "explore_share = 0.0\ncold_explore_share = 0.0"),
    ):
        toml = toml.replace(old, new)
    toml += "[list]\nmax_rows = 40\n[follow_up]\nmax_steps = 0\n"
    lists: dict[str, list[dict[str, str]]] = {}
    for share in ("0.0", "0.3"):
        changed = toml.replace("holdout_share = 0.1", f"holdout_share = {share}")
        config = copy_home(home, tmp_path / share, toml=changed)
        nights = [night(config, as_of=DAY + timedelta(days=after)) for after in range(5)]
        rows = [read_list(one).to_pylist() for one in nights]
        lists[share] = [{row["customer_id"]: row["arm"] for row in one} for one in rows]
    for free, held in zip(lists["0.0"], lists["0.3"], strict=True):
        assert free.keys() == held.keys()
        assert 0 < list(held.values()).count("holdout") < 20
    known = [name for one in lists["0.3"] for name, arm in one.items() if arm == "holdout"]
    assert len(set(known)) < len(known), "the pause is over within these nights"


def test_an_old_nights_rerun_has_the_same_bytes_although_later_lists_exist(shop: Config) -> None:
    night(shop, as_of=BEFORE)
    first = night(shop)
    before = digests(first.folder)
    later = DAY + timedelta(days=1)
    night(shop, as_of=later)
    shutil.rmtree(first.folder)
    assert digests(night(shop).folder) == before
    scrambled = {**ROW, "customer_id": read_list(first)["customer_id"][0].as_py()}
    decide(shop, later, scrambled, {**scrambled, "arm": "ghost", "rank": 2})
    shutil.rmtree(first.folder)
    assert digests(night(shop).folder) == before


def test_caps_hold_over_many_nights_without_any_feedback(shop: Config) -> None:
    sent: dict[str, list[tuple[int, str]]] = {}
    for offset in range(8):
        day = DAY + timedelta(days=offset)
        rows = read_list(night(shop, as_of=day)).to_pylist()
        for row in rows:
            if row["arm"] in SENT_ARMS:
                at = int(row["send_at_utc"].timestamp() * 1e6)
                sent.setdefault(row["customer_id"], []).append((at, row["channel"]))
    assert max(len(times) for times in sent.values()) == shop.caps.max_per_7d
    for times in sent.values():
        pauses = [later[0] - first[0] for first, later in pairwise(times)]
        # A night decides at its as-of, before which the whole pause must have passed.
        assert all(pause >= shop.caps.min_pause_days * DAY_US for pause in pauses)
        pushes = [at for at, channel in times if channel == "push"]
        assert all(later - first >= 7 * DAY_US for first, later in pairwise(pushes))


def test_a_warehouse_from_before_there_was_a_ledger_gets_one(shop: Config) -> None:
    shutil.rmtree(shop.home / "warehouse" / "holdout_ledger")
    assert night(shop).status == "written"
    assert open_warehouse(shop).table_stats("holdout_ledger").rows > 10
