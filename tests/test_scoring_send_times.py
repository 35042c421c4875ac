"""Send times: whose hours they rest on, which slots are taken, and what no night may do."""

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.active_hours import ActiveHours
from features.kernels.hours import HOUR_US, HourGrid
from features.local_day import local_midnight_us
from scoring.arms import CONTACT, EXPLORE
from scoring.policy import Channel
from scoring.reachability import NO_ZONE, Reachability
from scoring.send_times import (
    SEND_BASES,
    Audience,
    DueContacts,
    SendTimes,
    TimingRules,
    choose_send_times,
)
from scoring.send_windows import (
    UNKNOWN_ZONE,
    find_send_windows,
    has_send_window,
    plausible_zones,
    seats_tonight,
)
from scoring.time_columns import local_texts, row_zones, time_columns
from scoring.timing import ListDay

BERLIN = "Europe/Berlin"
ZONES = (BERLIN, "America/New_York")
DAY = date(2026, 11, 20)
LIST_DAY = ListDay(DAY, local_midnight_us(DAY, ZoneInfo(BERLIN)))
PUSH = Channel(label="push", cost=0.0, quiet_hours=("22:00-06:00",), attention_hours=1)
Hours = NDArray[np.float64]


def active_hours(
    hours: Hours, zones: tuple[tuple[str, int], ...] = ((BERLIN, 100),)
) -> ActiveHours:
    """Counted hours of customers without busy ones or answers."""
    return ActiveHours(
        hours=hours.astype(np.float16),
        busy=np.empty(0, dtype=np.int64),
        busy_days=np.empty((0, 2, 24), dtype=np.float16),
        week=np.tile(hours.sum(axis=0) / 7, (7, 1)),
        contacts=HourGrid(*(np.zeros((1, 24)) for _ in HourGrid._fields)),
        zones=zones,
    )


def peaks(*hours: int | None, each: float = 20.0) -> Hours:
    """Customers with so many occasions at one hour; null for one of whom nothing is known."""
    counts = np.zeros((len(hours), 24))
    for row, hour in enumerate(hours):
        if hour is not None:
            counts[row, hour] = each
    return counts


def audience(
    hours: Hours | None, *, zone: list[int] | None = None, n: int | None = None
) -> Audience:
    """Customers on one stage; zone codes into `ZONES`, all in Berlin by default."""
    size = len(hours) if hours is not None else n or 0
    return Audience(
        customer_id=pa.array([f"c{number}" for number in range(size)]),
        reach=Reachability(
            do_not_contact=np.zeros(size, dtype=np.bool_),
            flag_names=(),
            flags=np.zeros((size, 0), dtype=np.bool_),
            zones=ZONES,
            zone=np.array(zone or [0] * size, dtype=np.int32),
        ),
        stage=np.zeros(size, dtype=np.int16),
        orders=np.zeros(size),
        active=None if hours is None else active_hours(hours),
    )


def due_of(size: int, *, arm: int = CONTACT, gain: Hours | None = None) -> DueContacts:
    """All customers, in the one channel."""
    return DueContacts(
        row=np.arange(size, dtype=np.int64),
        channel=np.zeros(size, dtype=np.int64),
        gain=np.ones(size) if gain is None else gain,
        tie=np.arange(size) / max(size, 1),
        minute=np.full(size, 0.5),
        arm=np.full(size, arm, dtype=np.int8),
    )


def sent(
    people: Audience, channel: Channel = PUSH, *, due: DueContacts | None = None, share: float = 0.2
) -> SendTimes:
    """Send to everybody with a known window."""
    channels = {"push": channel}
    windows = find_send_windows(
        people.reach, channels, zone=BERLIN, list_day=LIST_DAY, active=people.active
    )
    rules = TimingRules(channels, share, "salt", LIST_DAY.as_of_us, DAY.weekday())
    contacts = due or due_of(len(people.stage))
    return choose_send_times(people, contacts, windows=windows, rules=rules)


def local(times: SendTimes, zone: str = BERLIN) -> list[str]:
    """Wall-clock time of each contact."""
    return [
        datetime.fromtimestamp(at // 1_000_000, tz=UTC).astimezone(ZoneInfo(zone)).strftime("%H:%M")
        for at in times.send_at_us.tolist()
    ]


def bases(times: SendTimes) -> list[str]:
    """What each time rests on."""
    return [SEND_BASES[code] for code in times.basis]


CROWD = peaks(*[9] * 60, *[19] * 60)
"""Enough customers for everybody's hours to be known."""


def test_customers_get_their_own_hour_and_the_minute_chance_picks() -> None:
    times = sent(audience(np.concatenate((peaks(9, 19, 13), CROWD))))
    assert local(times)[:3] == ["09:30", "19:30", "13:30"]
    assert bases(times)[:3] == ["own"] * 3
    assert (times.end_us - times.send_at_us == HOUR_US // 2).all()


def test_a_channel_noticed_later_is_sent_earlier() -> None:
    people = audience(np.concatenate((peaks(19), CROWD)))
    assert local(sent(people, replace(PUSH, attention_hours=6)))[0] < "18:00"


def test_one_without_occasions_gets_the_segment_s_hour() -> None:
    crowd = peaks(*[19] * 120)
    times = sent(audience(np.concatenate((peaks(None), crowd))))
    assert local(times)[0] == "19:30"
    assert bases(times)[0] == "segment"


def test_one_of_a_small_segment_gets_everybody_s_hour() -> None:
    people = audience(np.concatenate((peaks(None), peaks(*[19] * 120))))
    alone = replace(people, stage=np.where(np.arange(121) == 0, 1, 0).astype(np.int16))
    times = sent(alone)
    assert local(times)[0] == "19:30"
    assert bases(times)[0] == "all"


@pytest.mark.parametrize("hours", [None, peaks(None, None)])
def test_where_nothing_is_known_the_configured_windows_serve(hours: Hours | None) -> None:
    times = sent(audience(hours, n=2))
    assert local(times) == ["11:30", "11:30"]
    assert bases(times) == ["configured"] * 2
    evening = replace(PUSH, windows=("19:00-21:00", "11:00-12:00"))
    assert local(sent(audience(hours, n=2), evening)) == ["20:00", "20:00"]


def test_one_order_late_at_night_does_not_move_the_hour() -> None:
    always = replace(PUSH, quiet_hours=())
    late = peaks(2, each=2.0)
    times = sent(audience(np.concatenate((late, CROWD))), always)
    assert local(times)[0] in {"09:30", "19:30"}
    assert bases(times)[0] == "segment"


def test_night_workers_are_real_but_quiet_hours_win() -> None:
    times = sent(audience(np.concatenate((peaks(3), CROWD))))
    assert "06:00" <= local(times)[0] < "22:00"
    hours = replace(PUSH, send_hours=("15:00-17:30",), windows=("15:00-16:00",))
    assert all("15:00" <= at < "17:30" for at in local(sent(audience(CROWD), hours)))


def test_hours_are_of_the_customer_s_own_zone() -> None:
    people = audience(np.concatenate((peaks(19, 19), CROWD)), zone=[1, 0] + [0] * len(CROWD))
    times = sent(people)
    assert local(times, "America/New_York")[0] == "19:30"
    assert local(times)[1] == "19:30"


def test_an_unknown_zone_keeps_to_what_is_allowed_in_every_plausible_one() -> None:
    hours = np.concatenate((peaks(9, 9), CROWD))
    people = audience(hours, zone=[NO_ZONE, 0] + [0] * len(CROWD))
    people = replace(people, active=active_hours(hours, ((ZONES[1], 40), (BERLIN, 60))))
    times = sent(people)
    assert local(times)[1] == "09:30"
    # From 06:00 on in New York, it is 12:00 in Berlin.
    assert local(times)[0] >= "12:00"
    rare = replace(people, active=active_hours(hours, ((ZONES[1], 1), (BERLIN, 200))))
    assert local(sent(rare))[0] == "09:30", "less than 1 % live there"


def test_plausible_zones_are_the_business_s_and_the_common_ones() -> None:
    counts = {"Asia/Tokyo": 1, "America/New_York": 5, BERLIN: 94}
    assert plausible_zones(counts, default="UTC") == (
        "UTC", "America/New_York", "Asia/Tokyo", BERLIN,
    )  # fmt: skip
    assert plausible_zones({"Asia/Tokyo": 1, BERLIN: 199}, default=BERLIN) == (BERLIN,)
    assert plausible_zones({}, default=BERLIN) == (BERLIN,)


def test_a_channel_without_an_allowed_hour_is_closed() -> None:
    people = audience(None, zone=[0, 1, NO_ZONE], n=3)
    narrow = {"push": PUSH, "sms": replace(PUSH, send_hours=("09:00-11:00",))}
    windows = find_send_windows(people.reach, narrow, zone=BERLIN, list_day=LIST_DAY, active=None)
    assert windows[UNKNOWN_ZONE, "sms"] is None
    assert has_send_window(people.reach, narrow, windows).tolist() == [
        [True, True], [True, True], [True, False],
    ]  # fmt: skip


def test_a_share_of_the_exploring_arm_is_sent_at_a_random_allowed_hour() -> None:
    people = audience(peaks(*[19] * 2000))
    times = sent(people, due=due_of(2000, arm=EXPLORE))
    explored = np.array(bases(times)) == "explore"
    assert 0.17 < explored.mean() < 0.23
    hours = np.array([int(at[:2]) for at in local(times)])
    assert set(hours[~explored]) == {19}
    assert set(hours[explored]) == set(range(6, 22))
    counts = np.bincount(hours[explored], minlength=24)[6:22]
    assert counts.min() > 0.4 * counts.mean()
    again = sent(people, due=due_of(2000, arm=EXPLORE))
    assert np.array_equal(times.send_at_us, again.send_at_us)
    contacted = sent(people, due=due_of(2000))
    assert "explore" not in bases(contacted)


def test_the_largest_gains_keep_their_hour_where_seats_are_few() -> None:
    phone = replace(PUSH, seats_per_hour=2, send_hours=("13:00-16:00",), windows=("13:00-16:00",))
    people = audience(np.concatenate((peaks(*[14] * 7), CROWD)))
    due = replace(due_of(7, gain=np.array([1.0, 7.0, 3.0, 6.0, 2.0, 5.0, 4.0])), row=np.arange(7))
    times = sent(people, phone, due=due)
    hour = [int(at[:2]) for at in local(times)]
    assert (hour[1], hour[3]) == (14, 14), "the two largest"
    assert times.seated.tolist() == [False, True, True, True, True, True, True]
    assert sorted(hour[1:]) == [13, 13, 14, 14, 15, 15]


def test_seats_outside_the_windows_serve_once_those_inside_are_taken() -> None:
    """Nothing is known of anybody: the window's two seats first, then the other hours'."""
    phone = replace(PUSH, seats_per_hour=2, send_hours=("12:00-15:00",), windows=("13:00-14:00",))
    times = sent(audience(None, n=7), phone)
    assert sorted(int(at[:2]) for at, ok in zip(local(times), times.seated, strict=True) if ok) == [
        12, 12, 13, 13, 14, 14,
    ]  # fmt: skip
    assert times.seated.sum() == 6
    unlimited = sent(audience(None, n=7), replace(phone, seats_per_hour=None))
    assert {at[:2] for at in local(unlimited)} == {"13"}


def test_seats_are_counted_over_all_zones() -> None:
    phone = replace(PUSH, seats_per_hour=3)
    size = 90
    people = audience(
        np.concatenate((peaks(*[12] * size), CROWD)), zone=[n % 2 for n in range(size + 120)]
    )
    times = sent(people, phone, due=due_of(size))
    taken = (times.send_at_us[times.seated] - LIST_DAY.as_of_us) // HOUR_US
    assert np.bincount(taken).max() == 3
    # 16 hours in each zone, 6 apart: 22 different ones.
    assert times.seated.sum() == 22 * 3
    windows = find_send_windows(
        people.reach, {"push": phone}, zone=BERLIN, list_day=LIST_DAY, active=people.active
    )
    assert seats_tonight({"push": phone}, windows) == [66]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 23), st.integers(-1, 1), st.integers(0, 5)), min_size=1),
    st.integers(1, 4),
)
def test_no_hour_is_ever_over_booked_and_a_free_seat_is_never_refused(
    rows: list[tuple[int, int, int]], seats: int
) -> None:
    phone = replace(
        PUSH, seats_per_hour=seats, send_hours=("12:00-15:00",), windows=("13:00-14:00",)
    )
    people = audience(peaks(*(peak for peak, _, _ in rows)), zone=[zone for _, zone, _ in rows])
    due = due_of(len(rows), gain=np.array([float(gain) for _, _, gain in rows]))
    windows = find_send_windows(
        people.reach, {"push": phone}, zone=BERLIN, list_day=LIST_DAY, active=people.active
    )
    open_to = has_send_window(people.reach, {"push": phone}, windows)[:, 0]
    mine = np.flatnonzero(open_to)
    due = DueContacts(*(getattr(due, name)[mine] for name in DueContacts.__slots__))
    times = sent(people, phone, due=due)
    hour = (times.send_at_us - LIST_DAY.as_of_us) // HOUR_US
    used = np.bincount(hour[times.seated].astype(np.int64), minlength=48)
    assert used.max(initial=0) <= seats
    for row in np.flatnonzero(~times.seated):
        zone = people.reach.zone[due.row[row]]
        day = windows[(*ZONES, UNKNOWN_ZONE)[zone], "push"]
        assert day is not None
        assert (used[day.hours.seat_hour] == seats).all()
        larger = times.seated & (due.gain < due.gain[row])
        held = np.isin(hour[larger], day.hours.seat_hour)
        assert not held.any(), "a smaller gain has a seat that this one could have had"


def test_columns_say_when_on_whose_clock_and_until_when() -> None:
    people = audience(np.concatenate((peaks(19, 9), CROWD)), zone=[1, 0] + [0] * len(CROWD))
    times = sent(people).take(np.array([0, 1], dtype=np.int64))
    times = replace(times, seated=np.array([True, False]))
    zones = row_zones(people.reach, np.array([0, 1]), default=BERLIN)
    expiry = LIST_DAY.as_of_us + 24 * HOUR_US
    columns = time_columns(times, zones, day=DAY, expiry_us=expiry)
    assert columns["send_at_local"].to_pylist() == ["2026-11-20T19:30:00-05:00", None]
    assert columns["send_basis"].to_pylist() == ["own", None]
    # 20:00 in New York lies after the list's own expiry, midnight in Berlin.
    assert columns["expires_at"].tolist() == [times.end_us[0], expiry]


def test_local_texts_are_those_of_datetime_around_a_change_of_the_clocks() -> None:
    day = date(2026, 3, 29)
    zones = [BERLIN, "Australia/Lord_Howe", "America/St_Johns", "Asia/Kolkata"] * 200
    rng = np.random.default_rng(1)
    start = local_midnight_us(day, ZoneInfo(BERLIN))
    minute = start // 60_000_000 + rng.integers(0, 2880, len(zones))
    found = local_texts(
        minute * 60_000_000, zones, sent=np.ones(len(zones), dtype=np.bool_), day=day
    )
    expected = [
        datetime.fromtimestamp(at * 60, tz=UTC).astimezone(ZoneInfo(zone)).isoformat()
        for at, zone in zip(minute.tolist(), zones, strict=True)
    ]
    assert found.tolist() == expected
