"""Send windows: local time, preference, quiet hours, both changes of the clocks."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest

from scoring.policy import Channel, span_times
from scoring.timing import MINUTE_US, ChannelDay, ListDay, Slots, find_channel_day

BERLIN = "Europe/Berlin"


def micros(text: str, zone: str = BERLIN) -> int:
    """A local wall-clock time as microseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1_000_000


def channel(
    *windows: str,
    quiet: tuple[str, ...] = ("21:00-09:00",),
    send: tuple[str, ...] | None = None,
    seats: int | None = None,
) -> Channel:
    """A channel with these windows."""
    return Channel(
        label="x",
        cost=0.0,
        windows=windows or ("11:00-12:00",),
        quiet_hours=quiet,
        send_hours=send,
        seats_per_hour=seats,
    )


def day_of(
    item: Channel, *zones: str, day: str = "2026-11-20", as_of: str | None = None
) -> ChannelDay | None:
    """The channel's day of a list whose as-of is midnight in Berlin."""
    list_day = ListDay(date.fromisoformat(day), micros(as_of or f"{day}T00:00"))
    return find_channel_day(item, zones=zones or (BERLIN,), list_day=list_day)


def spans(slots: Slots) -> list[tuple[int, int]]:
    """Start and end of each slot."""
    return list(zip(slots.start_us.tolist(), slots.end_us.tolist(), strict=True))


def first_window(item: Channel, *zones: str, day: str = "2026-11-20") -> tuple[int, int] | None:
    """The span that the configured windows lead to."""
    found = day_of(item, *zones, day=day)
    return None if found is None else spans(found.configured)[0]


def test_the_preferred_window_wins_over_the_earlier_one() -> None:
    assert first_window(channel("19:00-21:00", "11:00-12:00")) == (
        micros("2026-11-20T19:00"),
        micros("2026-11-20T21:00"),
    )


def test_the_customer_s_zone_counts() -> None:
    assert first_window(channel("11:00-12:00"), "America/New_York") == (
        micros("2026-11-20T11:00", "America/New_York"),
        micros("2026-11-20T12:00", "America/New_York"),
    )


def test_a_window_already_begun_gives_way_to_the_next() -> None:
    # Midnight in Berlin is 13:00 on Kiritimati.
    assert first_window(channel("11:00-12:00", "19:00-21:00"), "Pacific/Kiritimati") == (
        micros("2026-11-20T19:00", "Pacific/Kiritimati"),
        micros("2026-11-20T21:00", "Pacific/Kiritimati"),
    )


def test_the_next_day_serves_when_the_windows_of_the_day_are_over() -> None:
    found = first_window(channel("11:00-12:00"), "Pacific/Kiritimati")
    assert found is not None
    assert found[0] == micros("2026-11-21T11:00", "Pacific/Kiritimati")


def test_hours_are_of_the_list_s_day_until_all_of_them_have_begun() -> None:
    # Midnight in Berlin is 13:00 on Kiritimati, of the list's own day.
    found = day_of(channel(), "Pacific/Kiritimati")
    assert found is not None
    assert found.hours.hour.tolist() == [13, 14, 15, 16, 17, 18, 19, 20]
    assert not found.hours.later_day.any()
    late = day_of(channel(quiet=("12:00-09:00",)), "Pacific/Kiritimati")
    assert late is not None
    assert late.hours.hour.tolist() == [9, 10, 11]
    assert late.hours.later_day.all()


def test_quiet_hours_clip_a_window() -> None:
    assert first_window(channel("20:00-23:00")) == (
        micros("2026-11-20T20:00"),
        micros("2026-11-20T21:00"),
    )


def test_quiet_hours_inside_a_window_leave_its_parts() -> None:
    found = day_of(channel("10:00-16:00", quiet=("12:00-14:00",)))
    assert found is not None
    assert spans(found.configured)[:2] == [
        (micros("2026-11-20T10:00"), micros("2026-11-20T12:00")),
        (micros("2026-11-20T14:00"), micros("2026-11-20T16:00")),
    ]


def test_a_window_in_quiet_hours_gives_way_and_without_any_the_allowed_hours_serve() -> None:
    assert first_window(channel("22:00-23:00", "11:00-12:00")) == first_window(channel())
    assert first_window(channel("22:00-23:00")) == (
        micros("2026-11-20T09:00"),
        micros("2026-11-20T10:00"),
    )
    assert first_window(channel("11:00-12:00", quiet=("00:00-00:00",))) is None


def test_a_window_past_midnight() -> None:
    assert first_window(channel("22:00-01:00", quiet=("02:00-09:00",))) == (
        micros("2026-11-20T22:00"),
        micros("2026-11-21T01:00"),
    )


def test_nothing_lies_outside_send_hours() -> None:
    found = day_of(channel("08:00-12:00", quiet=(), send=("10:30-12:00", "17:00-18:00")))
    assert found is not None
    assert spans(found.hours) == [
        (micros("2026-11-20T10:30"), micros("2026-11-20T11:00")),
        (micros("2026-11-20T11:00"), micros("2026-11-20T12:00")),
        (micros("2026-11-20T17:00"), micros("2026-11-20T18:00")),
    ]
    assert spans(found.configured)[0] == (micros("2026-11-20T10:30"), micros("2026-11-20T12:00"))
    assert day_of(channel(quiet=("09:00-19:00",), send=("10:00-18:00",))) is None


def test_what_began_before_the_list_is_made_is_left_out() -> None:
    found = day_of(channel(), as_of="2026-11-20T10:30")
    assert found is not None
    assert found.hours.hour[0] == 11


def test_clocks_put_forward_leave_no_window_that_does_not_exist() -> None:
    found = first_window(channel("02:00-03:00", quiet=()), day="2026-03-29")
    assert found is not None
    assert found[0] == micros("2026-03-30T02:00")
    day = day_of(channel(quiet=()), day="2026-03-29")
    assert day is not None
    assert 2 not in day.hours.hour


def test_clocks_put_back_end_a_window_before_its_repeated_hour() -> None:
    # 02:00-03:00 is shown twice; 02:30-03:30 is broken by the second 02:00.
    found = first_window(channel("02:30-03:30", quiet=()), day="2026-10-25")
    assert found is not None
    assert found[1] - found[0] == 30 * MINUTE_US


def test_an_hour_shown_twice_is_one_slot_but_two_hours_of_seats() -> None:
    whole = day_of(channel(quiet=()), day="2026-10-25")
    assert whole is not None
    length = {
        hour: end - start
        for hour, (start, end) in zip(whole.hours.hour.tolist(), spans(whole.hours), strict=True)
    }
    assert length[2] == 120 * MINUTE_US
    counted = day_of(channel(quiet=(), seats=1), day="2026-10-25")
    assert counted is not None
    assert counted.hours.hour.tolist() == [0, 1, 2, 2, *range(3, 24)]
    assert counted.hours.seat_hour.tolist() == list(range(25))


def test_where_seats_are_counted_no_slot_crosses_their_hours() -> None:
    # 09:00 in Kolkata is 04:30 in Berlin: its local hours straddle the hours of the seats.
    found = day_of(channel(seats=2), "Asia/Kolkata")
    assert found is not None
    for (start, end), seat in zip(spans(found.hours), found.hours.seat_hour.tolist(), strict=True):
        assert (start - micros("2026-11-20T00:00")) // 3_600_000_000 == seat
        assert end - start == 30 * MINUTE_US


def test_an_unknown_zone_gets_times_that_are_allowed_in_every_plausible_one() -> None:
    # 09:00-21:00 in New York is 15:00-03:00 in Berlin.
    found = day_of(channel(), BERLIN, "America/New_York")
    assert found is not None
    assert found.hours.hour.tolist() == [15, 16, 17, 18, 19, 20]
    # Nobody is awake in all of these at once.
    assert day_of(channel(), BERLIN, "Asia/Tokyo", "America/Los_Angeles") is None


def is_quiet(minute: int, quiet: tuple[str, ...]) -> bool:
    """Whether a minute of the day lies in one of the spans."""
    for span in quiet:
        start, end = (moment.hour * 60 + moment.minute for moment in span_times(span))
        inside = start <= minute < end if start < end else minute >= start or minute < end
        if inside:
            return True
    return False


def clock_changes(zone: str, year: int) -> list[date]:
    """Local dates of a year on which the offset changes."""
    place = ZoneInfo(zone)
    days = [datetime(year, 1, 1, 12, tzinfo=UTC) + timedelta(days=n) for n in range(365)]
    offsets = [day.astimezone(place).utcoffset() for day in days]
    return [days[n].astimezone(place).date() for n in range(1, 365) if offsets[n] != offsets[n - 1]]


def minutes_shown(slots: Slots, zone: str) -> Iterator[int]:
    """Minute of the local day at every minute of the slots, found without winback's code."""
    place = ZoneInfo(zone)
    for start, end in spans(slots):
        for moment_us in range(start, end, MINUTE_US):
            shown = datetime.fromtimestamp(moment_us // 1_000_000, tz=UTC).astimezone(place)
            yield shown.hour * 60 + shown.minute


ZONES = [
    *sorted(available_timezones())[::11],
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/St_Johns",
    "Antarctica/Troll",
    "Europe/Berlin",
    "Pacific/Chatham",
]


@pytest.mark.parametrize(
    ("quiet", "send"),
    [
        (("21:00-09:00",), None),
        (("02:15-02:45", "12:00-14:00"), ("01:00-03:00", "11:30-15:00")),
        (("03:00-23:30",), None),
    ],
)
def test_no_contact_in_quiet_hours_in_any_zone_when_clocks_change(
    quiet: tuple[str, ...], send: tuple[str, ...] | None
) -> None:
    checked = 0
    item = channel("01:30-03:30", "11:30-13:00", "23:00-01:30", quiet=quiet, send=send)
    for zone in ZONES:
        for change in clock_changes(zone, 2026) or [date(2026, 6, 1)]:
            list_day = ListDay(change, micros(f"{change}T00:00"))
            found = find_channel_day(item, zones=(zone,), list_day=list_day)
            if found is None:
                continue
            for slots in (found.hours, found.configured):
                assert (slots.start_us >= list_day.as_of_us).all()
                assert (slots.end_us > slots.start_us).all()
                for minute in minutes_shown(slots, zone):
                    assert not is_quiet(minute, quiet), (zone, change)
                    assert send is None or is_quiet(minute, send), (zone, change)
            checked += 1
    assert checked > 60
