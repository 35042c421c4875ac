"""Active hours against a slow count by zoneinfo, and blind to what arrives later."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from features.active_hours import (
    BUSY_FROM,
    ActiveHours,
    CustomerZones,
    count_active_hours,
    join_active_hours,
    select_active_hours,
)
from features.history import History
from features.history_reader import history_from_tables
from features.kernels.feature import DAY_US
from features.kernels.hours import HALF_LIFE_DAYS, HOUR_US, MAX_AGE_DAYS
from features.local_day import local_midnight_us
from features.spec import FeatureSpec
from features.zone_offsets import zone_offsets

ZONES = ("America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Europe/Berlin")
DEFAULT = "Europe/Berlin"
DAY = date(2026, 11, 20)
AS_OF = local_midnight_us(DAY, ZoneInfo(DEFAULT))
SPEC = FeatureSpec(
    event_types=("visit", "purchase", "refund", "mailed"),
    activity=("visit", "purchase"),
    orders=("purchase",),
    refunds=("refund",),
    channels=("push", "sms"),
)
TIME = pa.timestamp("us", tz="UTC")
Event = tuple[str, int, int, str]


def history_of(events: list[Event], contacts: list[dict[str, Any]] | None = None) -> History:
    """Events as (customer, occurred, arrived, type) and contacts as rows."""
    table = pa.table(
        {
            "customer_id": pa.array([row[0] for row in events]),
            "occurred_at": pa.array([row[1] for row in events], pa.int64()).cast(TIME),
            "arrived_at": pa.array([row[2] for row in events], pa.int64()).cast(TIME),
            "event_type": pa.array([row[3] for row in events]),
        }
    )
    sent = None
    if contacts:
        times = ("sent_at", "arrived_at", "clicked_at", "opened_at")
        sent = pa.table(
            {
                "customer_id": [row["customer_id"] for row in contacts],
                "contact_id": [row["contact_id"] for row in contacts],
                "channel": [row["channel"] for row in contacts],
                **{
                    name: pa.array([row.get(name) for row in contacts], pa.int64()).cast(TIME)
                    for name in times
                },
            }
        )
    return history_from_tables(0, spec=SPEC, events=table, contacts=sent)


def counted(history: History, zone_of: dict[str, int]) -> ActiveHours:
    """Count all customers of the history; a zone of -1 is unknown."""
    zone = np.array([zone_of.get(name, -1) for name in history.customer_id], dtype=np.int32)
    return count_active_hours(
        history,
        np.arange(history.n_customers, dtype=np.int32),
        spec=SPEC,
        zones=CustomerZones(names=ZONES, zone=zone, default=DEFAULT),
        as_of_us=AS_OF,
    )


def drawn_world(seed: int) -> tuple[list[Event], list[dict[str, Any]]]:
    """Events in bursts over three years, some arrived late, and contacts with versions."""
    rng = np.random.default_rng(seed)
    events: list[Event] = []
    contacts: list[dict[str, Any]] = []
    for number in range(25):
        name = f"c{number:02d}"
        for _ in range(int(rng.integers(1, 90))):
            at = AS_OF - int(rng.integers(-30 * DAY_US, 1300 * DAY_US))
            for _ in range(int(rng.integers(1, 4))):
                late = int(rng.choice([0, 0, 0, 40 * DAY_US]))
                events.append((name, at, at + late, str(rng.choice(SPEC.event_types))))
                at += int(rng.integers(0, HOUR_US))
        for k in range(int(rng.integers(0, 6))):
            sent = events[-1 - k][1] - int(rng.integers(0, 3 * HOUR_US))
            contacts += [
                {
                    "customer_id": name,
                    "contact_id": f"{name}-{k}",
                    "channel": ("push", "sms", "letter")[k % 3],
                    "sent_at": sent,
                    "arrived_at": sent + version * 20 * DAY_US,
                    "clicked_at": sent + HOUR_US if version else None,
                    "opened_at": sent + HOUR_US // 2 if k % 2 else None,
                }
                for version in range(int(rng.integers(1, 3)))
            ]
    return events, contacts


def slow_hours(
    events: list[Event], contacts: list[dict[str, Any]], name: str, zone: str
) -> tuple[np.ndarray, np.ndarray]:
    """Effective occasions by weekday and hour of one customer, and before scaling."""
    place = ZoneInfo(zone)
    latest: dict[str, dict[str, Any]] = {}
    for row in sorted(contacts, key=lambda row: row["arrived_at"]):
        if row["customer_id"] == name and row["arrived_at"] < AS_OF and row["sent_at"] < AS_OF:
            latest[row["contact_id"]] = row
    moments = [
        row[key]
        for row in latest.values()
        for key in ("sent_at", "clicked_at", "opened_at")
        if row.get(key) is not None and row[key] < AS_OF
    ]
    weight_of: dict[datetime, float] = {}
    for owner, at, arrived, kind in events:
        old = at < AS_OF - MAX_AGE_DAYS * DAY_US
        if owner != name or at >= AS_OF or arrived >= AS_OF or old:
            continue
        if kind in ("refund", "mailed") or any(0 <= at - m < 2 * HOUR_US for m in moments):
            continue
        local = datetime.fromtimestamp(at / 1e6, tz=UTC).astimezone(place)
        # The naive wall-clock hour and its offset tell repeated hours apart.
        hour = local.replace(minute=0, second=0, microsecond=0)
        weight = (2.0 if kind == "purchase" else 1.0) * 0.5 ** (
            (AS_OF - at) // DAY_US / HALF_LIFE_DAYS
        )
        weight_of[hour] = max(weight_of.get(hour, 0.0), weight)
    plain = np.zeros((7, 24))
    for hour, weight in weight_of.items():
        plain[hour.weekday(), hour.hour] += weight
    squares = sum(weight**2 for weight in weight_of.values())
    return plain * (plain.sum() / squares if squares else 1.0), plain


@pytest.mark.parametrize("seed", [1, 2])
def test_hours_are_those_of_a_slow_count(seed: int) -> None:
    events, contacts = drawn_world(seed)
    history = history_of(events, contacts)
    zone_of = {name: number % 5 - 1 for number, name in enumerate(history.customer_id)}
    found = counted(history, zone_of)
    names = (*ZONES, DEFAULT)
    week = np.zeros((7, 24))
    busy = []
    for row, name in enumerate(history.customer_id):
        scaled, plain = slow_hours(events, contacts, name, names[zone_of[name]])
        week += plain
        np.testing.assert_allclose(found.hours[row], scaled.sum(axis=0), rtol=2e-3, atol=1e-3)
        if scaled.sum() > BUSY_FROM:
            busy.append(row)
            # 20 November 2026 is a Friday.
            days = found.busy_days[len(busy) - 1]
            np.testing.assert_allclose(days, scaled[[4, 5]], rtol=2e-3, atol=1e-3)
    np.testing.assert_allclose(found.week, week, rtol=1e-5, atol=1e-5)
    assert found.busy.tolist() == busy
    assert found.zones == tuple((name, 5) for name in ZONES)


def same(left: ActiveHours, right: ActiveHours) -> bool:
    """Whether two counts are equal to the byte."""
    arrays = ("hours", "busy", "busy_days", "week")
    equal = [np.array_equal(getattr(left, name), getattr(right, name)) for name in arrays]
    equal += [np.array_equal(a, b) for a, b in zip(left.contacts, right.contacts, strict=True)]
    return all(equal) and left.zones == right.zones


def test_rows_that_arrive_later_or_lie_ahead_change_nothing() -> None:
    events, contacts = drawn_world(3)
    rng = np.random.default_rng(4)
    zone_of = {f"c{number:02d}": number % 5 - 1 for number in range(25)}
    known_e = [row for row in events if row[1] < AS_OF and row[2] < AS_OF]
    known_c = [row for row in contacts if row["arrived_at"] < AS_OF and row["sent_at"] < AS_OF]
    # Only customers of whom something is known: the others are in no night.
    names = {row[0] for row in known_e}
    later_e = [
        (name, AS_OF - int(rng.integers(0, 90 * DAY_US)), AS_OF + k, "purchase")
        for k, name in enumerate(sorted(names))
    ] + [(name, AS_OF + k, AS_OF + k, "visit") for k, name in enumerate(sorted(names))]
    later_c = [
        {
            **row,
            "arrived_at": AS_OF + 5,
            "clicked_at": row["sent_at"] + 60_000_000,
            "sent_at": row["sent_at"],
        }
        for row in known_c
    ]
    before = counted(history_of(known_e, known_c), zone_of)
    order = rng.permutation(len(known_e) + len(later_e))
    mixed = [[*known_e, *later_e][place] for place in order.tolist()]
    after = counted(history_of(mixed, [*later_c, *known_c]), zone_of)
    assert same(before, after)


def test_an_hour_is_one_occasion_and_an_order_in_it_counts_double() -> None:
    start = AS_OF - 10 * DAY_US + HOUR_US // 2
    events = [("a", start + k * 50_000_000, start, "visit") for k in range(30)]
    events += [("b", start, start, "visit"), ("b", start + 1, start, "purchase")]
    events += [("b", start + DAY_US, start, "visit")]
    found = counted(history_of(events), {"a": 3, "b": 3})
    assert found.hours[0].sum() == pytest.approx(1.0)
    near, far = found.hours[1].astype(float), 0.5 ** (1 / HALF_LIFE_DAYS)
    assert near.sum() == pytest.approx((2 * far + 1) ** 2 / (4 * far**2 + 1), rel=1e-3)


def test_silence_leaves_the_number_of_occasions_as_it_is() -> None:
    events = [
        (name, AS_OF - (age + k) * DAY_US, AS_OF - (age + k) * DAY_US, "visit")
        for name, age in (("fresh", 1), ("silent", 700))
        for k in range(5)
    ]
    found = counted(history_of(events), {})
    np.testing.assert_allclose(found.hours.sum(axis=1), 5.0, rtol=1e-2)
    recent = found.week.sum()
    assert recent < 5.1, "the silent one weighs little among all"


def test_what_a_contact_leads_to_is_not_the_customer_s_own_hour() -> None:
    sent = AS_OF - 9 * DAY_US
    events = [
        ("a", sent + HOUR_US, sent, "visit"),
        ("a", sent + 3 * HOUR_US, sent, "visit"),
        ("a", sent + 8 * HOUR_US, sent, "visit"),
    ]
    contact = {"customer_id": "a", "contact_id": "k", "channel": "sms"}
    contact |= {"sent_at": sent, "arrived_at": sent, "clicked_at": sent + 2 * HOUR_US}
    found = counted(history_of(events, [contact]), {})
    assert np.flatnonzero(found.hours[0]).tolist() == [8]
    assert np.argwhere(found.contacts.sends).tolist() == [[1, 0]]
    assert np.argwhere(found.contacts.clicks).tolist() == [[1, 0]]
    assert not found.contacts.opens.any()


def test_clocks_that_change_move_the_local_hour() -> None:
    # Noon in UTC is 14:00 in Berlin in summer, 13:00 in winter; clocks change on 25 October.
    days = [datetime(2026, 10, day, 12, tzinfo=UTC) for day in (24, 25)]
    events = [("a", int(day.timestamp()) * 1_000_000, 0, "visit") for day in days]
    found = counted(history_of(events), {"a": 3})
    assert np.flatnonzero(found.hours[0]).tolist() == [13, 14]


def test_offsets_are_zoneinfo_s_on_both_sides_of_every_change() -> None:
    first, last = AS_OF - 800 * DAY_US, AS_OF
    table = zone_offsets(ZONES, first_us=first, last_us=last)
    for code, name in enumerate(ZONES):
        rows = slice(table.starts[code], table.starts[code + 1])
        for from_us, offset in zip(table.from_us[rows], table.offset_us[rows], strict=True):
            for moment, expected in ((from_us, offset), (from_us - 60_000_000, None)):
                shown = datetime.fromtimestamp(moment / 1e6, tz=UTC).astimezone(ZoneInfo(name))
                seconds = shown.utcoffset().total_seconds()  # type: ignore[union-attr]
                assert (seconds * 1e6 == offset) == (expected is not None or from_us == first)


def test_joined_parts_and_selected_rows_keep_their_customers() -> None:
    events, contacts = drawn_world(1)
    history = history_of(events, contacts)
    zone_of = {name: number % 5 - 1 for number, name in enumerate(history.customer_id)}
    whole = counted(history, zone_of)
    parts = []
    for mine in (np.arange(10), np.arange(10, 25)):
        zone = np.array([zone_of[history.customer_id[i]] for i in mine], dtype=np.int32)
        zones = CustomerZones(names=ZONES, zone=zone, default=DEFAULT)
        rows = mine.astype(np.int32)
        parts.append(count_active_hours(history, rows, spec=SPEC, zones=zones, as_of_us=AS_OF))
    joined = join_active_hours(parts)
    assert np.array_equal(joined.hours, whole.hours)
    assert np.array_equal(joined.busy, whole.busy)
    assert np.array_equal(joined.busy_days, whole.busy_days)
    assert joined.zones == whole.zones
    np.testing.assert_allclose(joined.week, whole.week)
    rows = np.array([*whole.busy[::-1], 0], dtype=np.int64)
    some = select_active_hours(whole, rows)
    assert np.array_equal(some.hours, whole.hours[rows])
    assert np.array_equal(some.busy_days[: len(whole.busy)], whole.busy_days[::-1])
