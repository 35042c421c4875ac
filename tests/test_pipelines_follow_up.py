"""Follow-ups across nights, through the warehouse: planned, awaited, carried out, stopped."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import small_shop
from follow_up_nights import (
    DUE,
    Row,
    decisions_of,
    earlier,
    followed,
    is_sent,
    midnight,
    open_warehouse,
    planning,
    report,
    rows_of,
)
from night_home import (
    DAY,
    DAY_US,
    copy_home,
    digests,
    fit_champions,
    night,
    read_list,
    serving,
    table_of,
)

from pipelines import nightly_inputs
from pipelines.config import Config
from pipelines.explain import explain
from scoring.arms import SENT_ARMS
from scoring.decisions import SCHEMA

pytestmark = pytest.mark.usefixtures("champions")


@pytest.fixture(scope="module")
def listed_home(home: Config, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A shop whose list of `DAY` is written."""
    config = copy_home(home, tmp_path_factory.mktemp("listed") / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nightly_inputs, "champion", serving(fit_champions(home)))
        night(config)
    return config


@pytest.fixture
def shop(listed_home: Config, tmp_path: Path) -> Config:
    """The same, for one test alone."""
    return copy_home(listed_home, tmp_path / "home")


def test_a_follow_up_is_planned_and_carried_out_on_its_night(shop: Config) -> None:
    first = rows_of(shop, DAY)
    planned = planning(first)
    assert len(planned) > 20
    assert {row["arm"] for row in planned.values()} == set(SENT_ARMS)
    order = {name: place for place, name in enumerate(shop.channels)}
    for row in planned.values():
        assert order[row["follow_up_channel"]] > order[row["channel"]]
        assert row["follow_up_at"].timestamp() * 1e6 == midnight(DUE)
    assert all(row["follow_up_of"] is None for row in first)
    for offset in (1, 2):
        between = rows_of(shop, DAY + timedelta(days=offset))
        assert not {row["customer_id"] for row in between if is_sent(row)} & set(planned)
    second = [row for row in rows_of(shop, DUE) if row["customer_id"] in planned]
    assert len(second) > 10
    decided = decisions_of(shop, DUE)
    for row in second:
        before = planned[row["customer_id"]]
        assert row["follow_up_of"] == before["list_row_id"]
        assert row["channel"] == before["follow_up_channel"]
        known = decided[row["customer_id"]]
        assert known["follow_up_step"] == 1
        assert known["follow_up_of"] == before["list_row_id"]
        assert known["follow_up_channel"] == row["follow_up_channel"]
        if not is_sent(row):
            assert row["follow_up_channel"] is None
    blocks = {row["channel_blocks"] for row in decided.values() if row["channel_blocks"]}
    assert any("push=follow_up_step" in text for text in blocks)


def test_steps_go_on_down_the_ladder_and_count_up(home: Config, tmp_path: Path) -> None:
    """The less a channel does, the later its turn: all three are carried out in order."""
    shop = copy_home(home, tmp_path / "home")
    effects = {"push": 1.2, "email": 0.8, "phone": 0.5}
    channels = {
        name: replace(shop.channels[name], effect_prior=effect, cost=0.001, capacity=None)
        for name, effect in effects.items()
    }
    caps = replace(shop.caps, max_per_7d=7, max_per_30d=9)
    eager = replace(shop, caps=caps, channels=channels)
    paths: dict[str, list[Row]] = {}
    steps: dict[str, list[int]] = {}
    for day in (DAY, DUE, DUE + timedelta(days=3)):
        rows = rows_of(eager, day)
        decided = decisions_of(eager, day)
        for row in filter(is_sent, rows):
            path = paths.setdefault(row["customer_id"], [])
            assert row["follow_up_of"] in {None, *(one["list_row_id"] for one in path[-1:])}
            path.append(row)
            step = decided[row["customer_id"]]["follow_up_step"]
            assert (step > 0) == (row["follow_up_of"] is not None)
            steps.setdefault(row["customer_id"], []).append(step)
    assert max(map(max, steps.values())) == 2
    followed_up = {name: path for name, path in paths.items() if steps[name] == [0, 1, 2]}
    assert {tuple(row["channel"] for row in path) for path in followed_up.values()} == {
        ("push", "email", "phone")
    }
    assert all(path[-1]["follow_up_channel"] is None for path in followed_up.values())


def test_who_waits_is_counted_under_its_own_code(shop: Config) -> None:
    swift = replace(shop, caps=replace(shop.caps, min_pause_days=0))
    planned = planning(rows_of(swift, DAY))
    report_ = night(swift, as_of=DAY + timedelta(days=2))
    assert report_.summary.exclusions["in_follow_up"] > 20
    decided = decisions_of(swift, DAY + timedelta(days=2))
    codes = {decided[name]["exclusion"] for name in planned}
    assert "in_follow_up" in codes
    assert codes <= {"in_follow_up", "cap_1d", "not_dormant", "recent_order"}


def test_a_follow_up_lapses_days_after_it_was_due(shop: Config) -> None:
    planned = planning(rows_of(shop, DAY))
    last = DUE + timedelta(days=3)
    assert followed(shop, last) & set(planned)
    assert not followed(shop, last + timedelta(days=1))
    rows = rows_of(shop, last + timedelta(days=1))
    assert {row["customer_id"] for row in rows} & set(planned)
    assert all(row["follow_up_of"] is None for row in rows)


def test_an_order_since_the_list_stops_it(shop: Config) -> None:
    planned = sorted(planning(rows_of(shop, DAY)))
    running = followed(shop, DUE)
    buyer, late = [name for name in planned if name in running][:2]
    at = midnight(DAY) + 1
    events = small_shop.events_table(
        [(buyer, at, "purchase", 5.0), (late, at, "purchase", 5.0)], arrived=[at, midnight(DUE)]
    )
    open_warehouse(shop).append("events", events)
    # What arrives on the night itself is not known yet.
    assert followed(shop, DUE) == running - {buyer}


def test_leaving_a_channel_since_the_list_stops_it(shop: Config) -> None:
    planned = planning(rows_of(shop, DAY))
    running = followed(shop, DUE)
    left, stays, late = [planned[name] for name in sorted(planned) if name in running][:3]
    at = midnight(DAY) + DAY_US
    report(shop, left, unsubscribed_at=at, arrived_at=at)
    report(shop, stays)
    report(shop, late, unsubscribed_at=at, arrived_at=midnight(DUE))
    assert followed(shop, DUE) == running - {left["customer_id"]}
    for row in rows_of(shop, DUE):
        if row["customer_id"] == left["customer_id"]:
            assert row["follow_up_of"] is None
            assert row["channel"] != left["channel"]


def test_rows_that_were_not_sent_start_no_follow_up(shop: Config) -> None:
    planned = planning(rows_of(shop, DAY))
    running = followed(shop, DUE)
    of_push = sorted(name for name, row in planned.items() if row["channel"] == "push")
    named, *others = [planned[name] for name in of_push if name in running]
    assert others
    report(shop, named)
    later = midnight(DAY) + 2 * DAY_US
    report(shop, named, contact_id="x", customer_id="c00009", sent_at=later, arrived_at=later)
    after = followed(shop, DUE)
    assert named["customer_id"] in after
    assert not {row["customer_id"] for row in others} & after
    assert {name for name in running if planned[name]["channel"] != "push"} <= after


def test_a_follow_up_waits_for_the_caps(shop: Config) -> None:
    planned = planning(rows_of(shop, DAY))
    capped = replace(shop, caps=replace(shop.caps, max_per_7d=1))
    assert not [row for row in rows_of(capped, DUE) if row["customer_id"] in planned]
    codes = {decisions_of(capped, DUE)[name]["exclusion"] for name in planned}
    assert "cap_7d" in codes


def test_later_rows_change_nothing(shop: Config) -> None:
    planned = planning(rows_of(shop, DAY))
    before = night(shop, as_of=DUE)
    bytes_before = digests(before.folder)
    names = sorted({row["customer_id"] for row in read_list(before).to_pylist()} & set(planned))
    assert names
    for offset in (1, 3):
        night(shop, as_of=DUE + timedelta(days=offset))
    for name in names[:5]:
        late = midnight(DUE)
        report(shop, planned[name], unsubscribed_at=late - DAY_US, arrived_at=late)
    open_warehouse(shop).append(
        "events",
        small_shop.events_table(
            [(name, midnight(DAY) + 1, "purchase", 9.0) for name in names[5:10]],
            arrived=[midnight(DUE)] * len(names[5:10]),
        ),
    )
    later = (DUE + timedelta(days=1)).isoformat()
    scrambled = {**planned[names[0]], "as_of": later, "list_id": "x", "rank": 1}
    scrambled = {key: value for key, value in scrambled.items() if key in SCHEMA.names}
    open_warehouse(shop).replace_partition(
        "decisions",
        pa.Table.from_pylist([scrambled], schema=SCHEMA),
        column="as_of",
        value=later,
    )
    shutil.rmtree(before.folder)
    after = digests(night(shop, as_of=DUE).folder)
    lists = {name for name in bytes_before if name.startswith("recall_list")}
    assert lists
    assert {name: after[name] for name in lists} == {name: bytes_before[name] for name in lists}


def test_without_follow_ups_nothing_is_planned_or_awaited(shop: Config) -> None:
    none = replace(shop, follow_up=replace(shop.follow_up, max_steps=0))
    planned = planning(rows_of(shop, DAY))
    assert not planning(rows_of(none, DUE))
    assert planned
    assert not followed(none, DUE)


def test_the_latest_sent_row_decides(shop: Config) -> None:
    row = {"customer_id": "c00001", "arm": "contact", "channel": "push", "rank": 1}
    plan = {"follow_up_channel": "email", "follow_up_at": midnight(DUE), "follow_up_step": 0}
    days = [DAY, DAY + timedelta(days=1), DAY + timedelta(days=2)]
    for day, values in zip(days, ({**plan}, {}, {**plan, "arm": "ghost"}), strict=True):
        whole = {**row, "as_of": day.isoformat(), "list_id": f"{day}-x", **values}
        open_warehouse(shop).replace_partition(
            "decisions",
            pa.Table.from_pylist([whole], schema=SCHEMA),
            column="as_of",
            value=day.isoformat(),
        )
    # The second row planned nothing, so the first one's plan is over; ghosts follow nothing up.
    assert earlier(shop, DAY + timedelta(days=1)).follow_ups.to_pylist() == [
        {
            "customer_id": "c00001",
            "list_row_id": f"{DAY}-x/1",
            "channel": "email",
            "step": 1,
            "as_of_us": midnight(DAY),
            "due_us": midnight(DUE),
        }
    ]
    assert earlier(shop, DUE).follow_ups.num_rows == 0


def test_complaints_and_recent_orders_keep_customers_off_the_list(shop: Config) -> None:
    names = [row["customer_id"] for row in rows_of(shop, DAY) if is_sent(row)]
    angry, calm, late = names[:3]
    records = [
        {
            "customer_id": name,
            "changed_at": midnight(DAY) - DAY_US,
            "arrived_at": arrived,
            "flags": {"app_installed": True, "email_consent": True, "open_complaint": is_open},
            "attributes": {"city": "Ulm"},
        }
        for name, is_open, arrived in (
            (angry, True, midnight(DAY) - 1),
            (calm, False, midnight(DAY) - 1),
            (late, True, midnight(DAY)),
        )
    ]
    open_warehouse(shop).append("customers", table_of("customers", records))
    careful = replace(
        shop, caps=replace(shop.caps, complaint_flags=("open_complaint",), recent_order_days=60)
    )
    found = night(careful, force=True)
    decided = decisions_of(careful, DAY)
    assert decided[angry]["exclusion"] == "open_complaint"
    assert decided[calm]["exclusion"] != "open_complaint"
    assert decided[late]["exclusion"] != "open_complaint"
    assert found.summary.exclusions["open_complaint"] == 1
    recent = [row for row in decided.values() if row["exclusion"] == "recent_order"]
    assert len(recent) == found.summary.exclusions["recent_order"] > 10
    assert all(row["silence_days"] < 60 for row in recent)
    told = explain(careful, angry)
    assert told.exclusion == "open_complaint"


def test_explanations_tell_of_follow_ups(shop: Config) -> None:
    planned = planning(rows_of(shop, DAY))
    row = next(row for row in planned.values() if row["channel"] == "push")
    name, row_id = row["customer_id"], row["list_row_id"]
    told = explain(shop, name)
    assert told.follow_up.sentences(DAY) == (f"Without a return by then, e-mail follows on {DUE}.",)
    night(shop, as_of=DAY + timedelta(days=1))
    told = explain(shop, name)
    assert told.exclusion == "cap_1d"
    assert told.follow_up.sentences(told.day) == (
        f"A follow-up of list row {row_id} is running: step 1, by e-mail, is planned for {DUE}; "
        f"it lapses after {DUE + timedelta(days=3)}.",
    )
    document = told.to_json()["follow_up"]
    assert document["next_step"] is None
    assert document["running"] == {
        "list_row_id": row_id,
        "step": 1,
        "channel": "email",
        "label": "e-mail",
        "due_on": DUE.isoformat(),
        "lapses_after": (DUE + timedelta(days=3)).isoformat(),
    }
    second = [row for row in rows_of(shop, DUE) if row["follow_up_of"]]
    told = explain(shop, second[0]["customer_id"])
    first = planned[second[0]["customer_id"]]
    assert f"Follows up the contact of list row {first['list_row_id']}." in (
        told.follow_up.sentences(DUE)
    )
    assert {view.code for view in told.channels if view.channel == first["channel"]} <= {
        "follow_up_step",
        "channel_cap_7d",
    }
    unlisted = replace(shop, caps=replace(shop.caps, max_per_7d=1))
    night(unlisted, as_of=DUE, force=True)
    told = explain(unlisted, name, as_of=DUE)
    assert told.exclusion == "cap_7d"
    assert f"by e-mail, is due since {DUE}" in told.follow_up.sentences(DUE)[0]


def test_a_day_decided_before_there_were_follow_ups_is_explained(shop: Config) -> None:
    warehouse = open_warehouse(shop)
    table = warehouse.dataset("decisions").to_table()
    old = table.drop_columns([name for name in table.column_names if "follow_up" in name])
    warehouse.replace_partition("decisions", old, column="as_of", value=DAY.isoformat())
    listed = old.filter(pc.is_valid(old["rank"]))["customer_id"][0].as_py()
    assert explain(shop, listed).follow_up.sentences(DAY) == ()
    assert night(shop, as_of=DUE).summary.listed
