"""Order pace and coupon history: against slow counts in pandas, and blind to what comes later."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from feature_oracle import Tables, orders_of
from feature_tables import AS_OFS, SPEC, arrow_table, random_tables
from night_home import table_of

from features.contract import TABLES
from features.coupon_history import (
    HABIT_DAYS,
    NO_OFFERS_KNOWN,
    OFFER_DAYS,
    CouponHistory,
    OfferWindow,
    find_offer_window,
)
from features.history import NO_CODE, NO_TIME, History
from features.history_reader import history_from_tables
from features.order_habits import OrderHabits, order_habits
from features.order_pace import MONTH_DAYS, RECENT_DAYS, USUAL_DAYS, OrderPace
from features.stage import Stage
from features.stage_state import StageStates, stage_states
from features.warehouse import Warehouse

OFFERS = ("coupon", "none", "gift")
NONE = OFFERS.index("none")
STAGES = (Stage("any", "any", SPEC.activity, SPEC.activity, ("purchase",), 30.0),)
DAY = pd.Timedelta(days=1)
DAY_US = 86_400_000_000


def micro(at: pd.Timestamp) -> int:
    return int(at.value) // 1000


def tables_of(seed: int) -> Tables:
    """Tables with offers: some null, "none", or no longer configured; some contacts shared."""
    tables = random_tables(seed, customers=10, mean_events=40.0)
    rng = np.random.default_rng(seed)
    names = np.array([None, *OFFERS, "long_gone"], dtype=object)
    first = tables.contacts.groupby("contact_id")["customer_id"].transform("size") > 0
    offer = names[rng.integers(0, len(names), size=len(tables.contacts))]
    contacts = tables.contacts[first].assign(offer=offer)
    # Offers shortly before orders are what the count is about.
    orders = tables.events[tables.events["event_type"].isin(SPEC.orders)]
    picked = orders.sample(frac=0.5, random_state=seed)
    close = contacts.sample(len(picked), replace=True, random_state=seed).assign(
        contact_id=[f"x{i}" for i in range(len(picked))],
        customer_id=picked["customer_id"].to_numpy(),
    )
    away = pd.to_timedelta(rng.choice([0, 1, 13, 14, 15], size=len(picked)), unit="D")
    close = close.reset_index(drop=True)
    close["sent_at"] = (picked["occurred_at"].reset_index(drop=True) - away).astype(
        "datetime64[us, UTC]"
    )
    close["arrived_at"] = close["sent_at"] + pd.to_timedelta(
        rng.choice([0, 0, 30], size=len(picked)), unit="D"
    )
    return Tables(tables.events, pd.concat([contacts, close], ignore_index=True), tables.profiles)


def read(tables: Tables) -> History:
    return history_from_tables(
        0,
        spec=SPEC,
        events=arrow_table(tables.events),
        contacts=arrow_table(tables.contacts),
        offers=OFFERS,
    )


def states_of(history: History, as_of: pd.Timestamp) -> StageStates:
    return stage_states(history, STAGES, spec=SPEC, as_ofs=np.array([micro(as_of)]))


def habits_of(
    tables: Tables, as_of: pd.Timestamp, *, orders_from: int = 0
) -> tuple[list[str], OrderHabits]:
    history = read(tables)
    states = states_of(history, as_of)
    window = OfferWindow(no_offer=NONE, orders_from_us=orders_from)
    found = order_habits(history, spec=SPEC, states=states, window=window)
    return history.customer_id[states.customer].tolist(), found


def visible(events: pd.DataFrame, name: str, as_of: pd.Timestamp) -> pd.DataFrame:
    mine = events[(events["customer_id"] == name) & events["event_type"].isin(SPEC.event_types)]
    seen = mine[(mine["occurred_at"] < as_of) & (mine["arrived_at"] < as_of)]
    seen = seen.sort_values(["occurred_at", "event_type", "order_id", "amount", "discount"])
    return seen.assign(age=(as_of - seen["occurred_at"]) / DAY)


def slow_offers(tables: Tables, name: str, as_of: pd.Timestamp) -> list[pd.Timestamp]:
    mine = tables.contacts[tables.contacts["customer_id"] == name]
    seen = mine[(mine["arrived_at"] < as_of) & (mine["sent_at"] < as_of)]
    last = seen.sort_values("arrived_at").groupby("contact_id").tail(1)
    return list(last[last["offer"].notna() & (last["offer"] != "none")]["sent_at"])


def slow_coupons(
    tables: Tables, name: str, as_of: pd.Timestamp, orders_from: pd.Timestamp
) -> tuple[int, int, int, int]:
    orders = orders_of(visible(tables.events, name, as_of).query("event_type in @SPEC.orders"))
    offers = slow_offers(tables, name, as_of)
    plain = alone = prompted = 0
    for order in orders.itertuples():
        at = as_of - pd.Timedelta(days=float(order.age)).round("us")
        if at < max(orders_from, as_of - HABIT_DAYS * DAY):
            continue
        if order.discount <= 0:
            plain += 1
        elif any(at - OFFER_DAYS * DAY <= sent < at for sent in offers):
            prompted += 1
        else:
            alone += 1
    return plain, alone, prompted, sum(sent >= as_of - HABIT_DAYS * DAY for sent in offers)


@pytest.mark.parametrize("seed", range(4))
def test_coupons_are_those_of_a_slow_count(seed: int) -> None:
    tables = tables_of(seed)
    for as_of in AS_OFS:
        start = pd.Timestamp("2025-03-01", tz="UTC")
        names, habits = habits_of(tables, as_of, orders_from=micro(start))
        assert names
        for row, name in enumerate(names):
            found = tuple(int(getattr(habits.coupons, f.name)[row]) for f in fields(CouponHistory))
            assert found == slow_coupons(tables, name, as_of, start), name
    assert habits.coupons.prompted.sum() > 0
    assert habits.coupons.alone.sum() > 0


def slow_pace(tables: Tables, name: str, as_of: pd.Timestamp) -> dict[str, float]:
    orders = orders_of(visible(tables.events, name, as_of).query("event_type in @SPEC.orders"))
    days = sorted(set(np.ceil(orders["age"].astype(float))), reverse=True)
    later = days[1:]
    span = min(days[0] - 1 - RECENT_DAYS, USUAL_DAYS) if days else 0
    then = as_of - MONTH_DAYS * DAY
    before = visible(tables.events, name, then)
    year = before[before["age"] <= 365]
    bought = orders_of(before.query("event_type in @SPEC.orders"))
    bought = bought[bought["age"] <= 365]
    refunded = year[year["event_type"].isin(SPEC.refunds)]["amount"].abs().sum()
    return {
        "known_then": float(not before.empty),
        "spend_then": max(float(bought["amount"].sum()) - float(refunded), 0.0),
        "orders_then": len(bought),
        "recent_days": sum(day <= RECENT_DAYS for day in later),
        "usual_days": sum(RECENT_DAYS < day <= RECENT_DAYS + USUAL_DAYS for day in later),
        "usual_span": max(span, 0.0),
    }


@pytest.mark.parametrize("seed", range(4))
def test_pace_is_that_of_a_slow_count(seed: int) -> None:
    tables = tables_of(seed)
    for as_of in AS_OFS:
        names, habits = habits_of(tables, as_of)
        for row, name in enumerate(names):
            slow = slow_pace(tables, name, as_of)
            found = {f.name: float(getattr(habits.pace, f.name)[row]) for f in fields(OrderPace)}
            assert found == pytest.approx(slow, rel=1e-5, abs=1e-4), name


def content(habits: OrderHabits) -> list[bytes]:
    return [
        getattr(part, field.name).tobytes()
        for part in (habits.pace, habits.coupons)
        for field in fields(part)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_what_arrives_later_changes_nothing(seed: int) -> None:
    tables, as_of = tables_of(seed), AS_OFS[1]
    events, contacts = tables.events, tables.contacts
    late = (events["occurred_at"] >= as_of) | (events["arrived_at"] >= as_of)
    late_contact = (contacts["sent_at"] >= as_of) | (contacts["arrived_at"] >= as_of)
    scrambled_events = events.copy()
    scrambled_events.loc[late, ["amount", "discount"]] = 999.0
    scrambled_contacts = contacts.copy()
    scrambled_contacts.loc[late_contact, "offer"] = "gift"
    more = tables_of(seed + 20)
    seen = set(events["customer_id"][~late])
    more_events = more.events.assign(arrived_at=as_of + 3 * DAY)
    numbers = "late" + more.contacts["contact_id"]
    more_contacts = more.contacts.assign(arrived_at=as_of, contact_id=numbers)
    cases = [
        (events, contacts),
        (scrambled_events, scrambled_contacts),
        (events[~late], contacts[~late_contact]),
        (
            pd.concat([events, more_events[more_events["customer_id"].isin(seen)]]),
            pd.concat([contacts, more_contacts]),
        ),
    ]
    told = [habits_of(Tables(e, c, tables.profiles), as_of) for e, c in cases]
    assert all(names == told[0][0] for names, _ in told)
    assert all(content(habits) == content(told[0][1]) for _, habits in told)


def test_what_was_known_a_month_ago_stays_as_it_was_then() -> None:
    tables, as_of = tables_of(2), AS_OFS[2]
    then = as_of - MONTH_DAYS * DAY
    _, now = habits_of(tables, as_of)
    late = tables.events["arrived_at"] >= then
    changed = tables.events.copy()
    changed.loc[late, "amount"] = 999.0
    _, other = habits_of(Tables(changed, tables.contacts, tables.profiles), as_of)
    assert now.pace.spend_then.tobytes() == other.pace.spend_then.tobytes()
    assert now.pace.orders_then.tobytes() == other.pace.orders_then.tobytes()


def one_customer(*events: tuple[float, str, float | None], contacts: Any = ()) -> OrderHabits:
    """The habits of one customer: events as days before the as-of, type, discount."""
    as_of = AS_OFS[1]
    rows = [
        {
            "customer_id": "c",
            "occurred_at": as_of - age * DAY,
            "arrived_at": as_of - age * DAY,
            "event_type": kind,
            "amount": -10.0 if kind == "refund" else 10.0,
            "discount": discount,
        }
        for age, kind, discount in events
    ]
    sent = [
        {"contact_id": f"k{n}", "customer_id": "c", "channel": "push", "offer": offer}
        | {"sent_at": as_of - age * DAY, "arrived_at": as_of - age * DAY}
        for n, (age, offer) in enumerate(contacts)
    ]
    times = ["delivered_at", "opened_at", "clicked_at", "unsubscribed_at"]
    columns = ["contact_id", "customer_id", "channel", "offer", "sent_at", "arrived_at"]
    frame = pd.DataFrame(sent, columns=columns)
    frame = frame.assign(**dict.fromkeys(times, pd.NaT))
    return habits_of(Tables(pd.DataFrame(rows), frame, pd.DataFrame()), as_of)[1]


def test_the_offer_counts_for_fourteen_days_and_not_for_the_order_of_that_instant() -> None:
    orders = [(float(age), "purchase", 2.0) for age in (100, 80, 60, 40)]
    offers = [(114.0, "gift"), (94.001, "gift"), (60.0, "gift"), (54.0, "none")]
    coupons = one_customer(*orders, contacts=offers).coupons
    assert (coupons.prompted[0], coupons.alone[0], coupons.offers[0]) == (1, 3, 3)


def test_an_offer_that_is_no_longer_configured_is_an_offer() -> None:
    coupons = one_customer((10.0, "purchase", 1.0), contacts=[(12.0, "long_gone")]).coupons
    assert (coupons.prompted[0], coupons.alone[0], coupons.offers[0]) == (1, 0, 1)


def test_without_orders_and_with_refunds_only_everything_is_zero() -> None:
    for kind in ("view", "refund"):
        habits = one_customer((40.0, kind, None), contacts=[(20.0, "coupon")])
        assert habits.coupons.orders[0] == 0
        assert habits.coupons.offers[0] == 1
        pace = habits.pace
        assert (pace.spend_then[0], pace.orders_then[0]) == (0.0, 0)
        assert (pace.recent_days[0], pace.usual_days[0], pace.usual_span[0]) == (0, 0, 0.0)
        assert pace.known_then[0]


def test_refunds_take_off_at_most_what_was_spent() -> None:
    habits = one_customer((50.0, "purchase", None), *[(45.0, "refund", None)] * 3)
    assert habits.pace.spend_then[0] == 0.0
    assert habits.pace.orders_then[0] == 1


def contact(sent: int, offer: str | None, *, arrived: int | None = None) -> dict[str, Any]:
    at = sent * DAY_US
    return {
        "contact_id": f"k{sent}{offer}",
        "customer_id": f"c{sent}",
        "sent_at": at,
        "arrived_at": at if arrived is None else arrived * DAY_US,
        "channel": "push",
        "offer": offer,
    }


def test_orders_count_from_two_weeks_after_the_first_known_offer(tmp_path: Path) -> None:
    warehouse = Warehouse.open(str(tmp_path), n_buckets=3, create=True)

    def window(as_of: int, offers: tuple[str, ...] = OFFERS) -> OfferWindow:
        return find_offer_window(warehouse, offers, as_of_us=as_of * DAY_US, no_offer="none")

    assert window(1000) == OfferWindow(NONE, NO_TIME)
    early = [contact(100, "none"), contact(110, None), contact(90, "gift", arrived=300)]
    rows = [*early, contact(120, "long_gone"), contact(130, "gift")]
    warehouse.append("contacts", table_of("contacts", rows))
    assert window(120) == OfferWindow(NONE, NO_TIME)
    assert window(121) == OfferWindow(NONE, (120 + OFFER_DAYS) * DAY_US)
    assert window(300) == window(121)
    assert window(301) == OfferWindow(NONE, (90 + OFFER_DAYS) * DAY_US)
    assert window(301, ("gift",)).no_offer == NO_CODE
    assert "offer" in TABLES["contacts"].schema.names


def test_where_no_offer_is_known_no_order_counts() -> None:
    tables = tables_of(1)
    history = read(tables)
    states = states_of(history, AS_OFS[1])
    coupons = order_habits(history, spec=SPEC, states=states, window=NO_OFFERS_KNOWN).coupons
    assert not coupons.orders.any()
    assert pa.array(coupons.orders).null_count == 0
