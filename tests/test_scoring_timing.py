"""Send windows: local time, preference, quiet hours, both changes of the clocks."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest

from scoring.policy import Channel, span_times
from scoring.timing import MINUTE_US, Slot, find_slot, slot_minute

BERLIN = "Europe/Berlin"


def micros(text: str, zone: str = BERLIN) -> int:
    """A local wall-clock time as microseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1_000_000


def channel(*windows: str, quiet: tuple[str, ...] = ("21:00-09:00",)) -> Channel:
    """A channel with these windows."""
    return Channel(label="x", cost=0.0, windows=windows, quiet_hours=quiet)


def slot_of(item: Channel, *, zone: str = BERLIN, day: str = "2026-11-20") -> Slot | None:
    """The slot on a list's day whose as-of is midnight in Berlin."""
    return find_slot(
        item, zone=zone, day=date.fromisoformat(day), not_before_us=micros(f"{day}T00:00")
    )


def test_the_preferred_window_wins_over_the_earlier_one() -> None:
    assert slot_of(channel("19:00-21:00", "11:00-12:00")) == Slot(
        micros("2026-11-20T19:00"), micros("2026-11-20T21:00")
    )


def test_the_customer_s_zone_counts() -> None:
    slot = slot_of(channel("11:00-12:00"), zone="America/New_York")
    assert slot == Slot(
        micros("2026-11-20T11:00", "America/New_York"),
        micros("2026-11-20T12:00", "America/New_York"),
    )


def test_a_window_already_begun_gives_way_to_the_next() -> None:
    # Midnight in Berlin is 13:00 on Kiritimati.
    slot = slot_of(channel("11:00-12:00", "19:00-21:00"), zone="Pacific/Kiritimati")
    assert slot == Slot(
        micros("2026-11-20T19:00", "Pacific/Kiritimati"),
        micros("2026-11-20T21:00", "Pacific/Kiritimati"),
    )


def test_the_next_day_serves_when_the_day_is_over() -> None:
    slot = slot_of(channel("11:00-12:00"), zone="Pacific/Kiritimati")
    assert slot is not None
    assert slot.start_us == micros("2026-11-21T11:00", "Pacific/Kiritimati")


def test_quiet_hours_clip_a_window() -> None:
    assert slot_of(channel("20:00-23:00")) == Slot(
        micros("2026-11-20T20:00"), micros("2026-11-20T21:00")
    )


def test_quiet_hours_inside_a_window_leave_its_first_part() -> None:
    slot = slot_of(channel("10:00-16:00", quiet=("12:00-14:00",)))
    assert slot == Slot(micros("2026-11-20T10:00"), micros("2026-11-20T12:00"))


def test_a_window_in_quiet_hours_gives_way_and_all_of_them_give_none() -> None:
    assert slot_of(channel("22:00-23:00", "11:00-12:00")) == slot_of(channel("11:00-12:00"))
    assert slot_of(channel("22:00-23:00")) is None
    assert slot_of(channel("11:00-12:00", quiet=("00:00-00:00",))) is None


def test_a_window_past_midnight() -> None:
    slot = slot_of(channel("22:00-01:00", quiet=("02:00-09:00",)))
    assert slot == Slot(micros("2026-11-20T22:00"), micros("2026-11-21T01:00"))


def test_clocks_put_forward_leave_no_window_that_does_not_exist() -> None:
    slot = slot_of(channel("02:00-03:00", quiet=()), day="2026-03-29")
    assert slot is not None
    assert slot.start_us == micros("2026-03-30T02:00")


def test_clocks_put_back_end_a_window_before_its_repeated_hour() -> None:
    # 02:00-03:00 is shown twice; 02:30-03:30 is broken by the second 02:00.
    slot = slot_of(channel("02:30-03:30", quiet=()), day="2026-10-25")
    assert slot is not None
    assert slot.minutes == 30


def test_minutes_of_the_slot() -> None:
    slot = Slot(0, 3 * MINUTE_US)
    assert [slot_minute(slot, draw) for draw in (0.0, 0.34, 0.999)] == [0, MINUTE_US, 2 * MINUTE_US]


def shown_at(moment_us: int, zone: str) -> tuple[date, int]:
    """Local date and minute of the day on the wall, found without winback's code."""
    shown = datetime.fromtimestamp(moment_us // 1_000_000, tz=UTC).astimezone(ZoneInfo(zone))
    return shown.date(), shown.hour * 60 + shown.minute


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


ZONES = [
    *sorted(available_timezones())[::6],
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/St_Johns",
    "Antarctica/Troll",
    "Europe/Berlin",
    "Pacific/Chatham",
]


@pytest.mark.parametrize(
    "quiet", [("21:00-09:00",), ("02:15-02:45", "12:00-14:00"), ("03:00-23:30",)]
)
def test_no_contact_in_quiet_hours_in_any_zone_when_clocks_change(quiet: tuple[str, ...]) -> None:
    windows = ("01:30-03:30", "11:30-13:00", "20:00-22:00", "23:00-01:30")
    checked = 0
    for zone in ZONES:
        for change in clock_changes(zone, 2026) or [date(2026, 6, 1)]:
            for window in windows:
                item = channel(window, quiet=quiet)
                as_of = micros(f"{change}T00:00")
                slot = find_slot(item, zone=zone, day=change, not_before_us=as_of)
                if slot is None:
                    continue
                assert slot.start_us >= as_of
                start, end = (moment.hour * 60 + moment.minute for moment in span_times(window))
                for step in range(0, slot.minutes):
                    _, minute = shown_at(slot.start_us + step * MINUTE_US, zone)
                    assert not is_quiet(minute, quiet), (zone, change, window)
                    inside = (
                        start <= minute < end if start < end else minute >= start or minute < end
                    )
                    assert inside, (zone, change, window)
                checked += 1
    assert checked > 100
