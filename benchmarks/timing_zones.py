"""S3: no send in quiet hours, in any IANA zone, at both changes of its clocks."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.active_hours import ActiveHours
from features.kernels.hours import DAYS, HOURS, HourGrid
from features.local_day import local_midnight_us
from scoring.arms import CONTACT, EXPLORE
from scoring.policy import Channel, span_times
from scoring.reachability import NO_ZONE, Reachability
from scoring.send_times import Audience, DueContacts, TimingRules, choose_send_times
from scoring.send_windows import UNKNOWN_ZONE, find_send_windows
from scoring.timing import MINUTE_US, ListDay

BoolArray = NDArray[np.bool_]
Int64Array = NDArray[np.int64]

YEAR = 2026
BUSINESSES = ("Europe/Berlin", "Pacific/Kiritimati", "Pacific/Pago_Pago")
"""As-ofs from the earliest to the latest midnight on earth."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Quiet hours, hours of sending and windows of a channel."""

    quiet: tuple[str, ...]
    send: tuple[str, ...] | None = None
    windows: tuple[str, ...] = ("11:00-12:00", "19:00-21:00")
    seats: int | None = None


SETTINGS = (
    Setting(("21:00-09:00",)),
    Setting(("20:00-08:00", "12:00-14:00"), windows=("19:30-20:30", "11:30-13:00")),
    Setting(("22:30-07:45",), send=("07:00-09:15", "18:00-23:30")),
    Setting((), windows=("01:30-03:30",)),
    Setting(("02:15-02:45",), windows=("02:00-03:00", "23:00-01:30")),
    Setting(("00:00-01:00", "03:00-00:00"), windows=("00:30-02:30",)),
    Setting(("03:00-23:30",), windows=("23:00-01:00",)),
    Setting(("21:00-09:00",), send=("09:00-18:00",), seats=2),
)

EVENING_AND_NIGHT = (3, 12, 20, 23)
"""Peaks of customers' own hours: two of them mostly forbidden."""


def run(*, every: int = 1) -> dict[str, Any]:
    """Send to customers of every zone on every day its clocks change, and look at the clock.

    The list's day is the day of the change, or the one before it. Zones that share a day
    share a night; the customers of unknown zone may live in the business's or in one of these.

    Parameters
    ----------
    every : take every so many zones only.
    """
    zones = sorted(available_timezones())[::every]
    of_day: dict[date, list[str]] = {}
    for zone in zones:
        for change in clock_changes(zone, YEAR) or [date(YEAR, 6, 1)]:
            for day in (change, change - timedelta(days=1)):
                of_day.setdefault(day, []).append(zone)
    nights = [
        send_one_night(tuple(there), setting, day=day, number=number)
        for number, (day, there) in enumerate(sorted(of_day.items()))
        for setting in SETTINGS
    ]
    return {
        "zones": len(zones),
        "zones_and_days": sum(len(there) for there in of_day.values()),
        "nights": len(nights),
        "contacts": sum(one.contacts for one in nights),
        "without_a_seat": sum(one.without_seat for one in nights),
        "zones_without_an_allowed_time": sum(one.closed for one in nights),
        "violations": sum(one.violations for one in nights),
    }


@dataclass(frozen=True, slots=True)
class NightCount:
    """Contacts sent in one night, those that break a rule, and zones with no allowed time."""

    contacts: int
    violations: int
    without_seat: int
    closed: int


def send_one_night(
    zones: tuple[str, ...], setting: Setting, *, day: date, number: int
) -> NightCount:
    """Send to all customers of the zones and to those of unknown zone; count what is wrong.

    Parameters
    ----------
    number : of the night; decides whose clock the list is made by, and in which zone the
        customers of unknown zone may live.
    """
    business = BUSINESSES[number % len(BUSINESSES)]
    list_day = ListDay(day, local_midnight_us(day, ZoneInfo(business)))
    channels = {"x": _channel(setting)}
    audience = _audience(zones, zones[number % len(zones)])
    reach = audience.reach
    windows = find_send_windows(
        reach, channels, zone=business, list_day=list_day, active=audience.active
    )
    names = (*reach.zones, UNKNOWN_ZONE)
    is_open = np.array([windows[name, "x"] is not None for name in names])
    rows = np.flatnonzero(is_open[reach.zone]).astype(np.int64)
    rules = TimingRules(channels, 0.5, "zones", list_day.as_of_us, day.weekday())
    times = choose_send_times(audience, _due(rows), windows=windows, rules=rules)
    seated = np.flatnonzero(times.seated)
    at, zone = times.send_at_us[seated], reach.zone[rows[seated]]
    bad = (at < list_day.as_of_us) | (at >= times.end_us[seated])
    for code, name in enumerate(zones):
        mine = zone == code
        bad[mine] |= ~_allowed(at[mine], name, setting)
    unknown = zone == NO_ZONE
    for name in (business, zones[number % len(zones)]):
        bad[unknown] |= ~_allowed(at[unknown], name, setting)
    over = 0
    if setting.seats is not None:
        hours = np.bincount((at - list_day.as_of_us) // (60 * MINUTE_US), minlength=1)
        over = int(np.maximum(hours - setting.seats, 0).sum())
    return NightCount(
        contacts=len(seated),
        violations=int(bad.sum()) + over,
        without_seat=len(rows) - len(seated),
        closed=int((~is_open).sum()),
    )


def clock_changes(zone: str, year: int) -> list[date]:
    """Local dates of a year on which the offset changes."""
    place = ZoneInfo(zone)
    days = [datetime(year, 1, 1, 12, tzinfo=UTC) + timedelta(days=n) for n in range(365)]
    offsets = [day.astimezone(place).utcoffset() for day in days]
    return [days[n].astimezone(place).date() for n in range(1, 365) if offsets[n] != offsets[n - 1]]


def _allowed(at: Int64Array, zone: str, setting: Setting) -> BoolArray:
    """Whether the clock on a wall in the zone shows an allowed time; by zoneinfo alone."""
    place = ZoneInfo(zone)
    shown = [
        datetime.fromtimestamp(moment // 1_000_000, tz=UTC).astimezone(place)
        for moment in at.tolist()
    ]
    minute = np.array([one.hour * 60 + one.minute for one in shown])
    good = ~_in_spans(minute, setting.quiet)
    if setting.send is not None:
        good &= _in_spans(minute, setting.send)
    return np.asarray(good)


def _in_spans(minute: Int64Array, spans: tuple[str, ...]) -> BoolArray:
    inside = np.zeros(len(minute), dtype=np.bool_)
    for span in spans:
        start, end = (moment.hour * 60 + moment.minute for moment in span_times(span))
        if start < end:
            inside |= (minute >= start) & (minute < end)
        else:
            inside |= (minute >= start) | (minute < end)
    return inside


def _channel(setting: Setting) -> Channel:
    return Channel(
        label="x",
        cost=0.0,
        quiet_hours=setting.quiet,
        send_hours=setting.send,
        windows=setting.windows,
        seats_per_hour=setting.seats,
    )


_COPIES = 12
"""Customers of each kind; they differ in the minute that chance picks."""


@cache
def _audience(zones: tuple[str, ...], plausible: str) -> Audience:
    """Customers of each peak hour, and of none, in every zone and of unknown zone."""
    kinds = np.array([*(_peak(hour) for hour in EVENING_AND_NIGHT), np.zeros(HOURS)])
    each = np.repeat(kinds, _COPIES, axis=0)
    hours = np.tile(each, (len(zones) + 1, 1))
    size = len(hours)
    return Audience(
        customer_id=pa.array([str(number) for number in range(size)]),
        reach=Reachability(
            do_not_contact=np.zeros(size, dtype=np.bool_),
            flag_names=(),
            flags=np.zeros((size, 0), dtype=np.bool_),
            zones=zones,
            zone=np.repeat(np.arange(-1, len(zones)), len(each)).astype(np.int32),
        ),
        stage=np.zeros(size, dtype=np.int16),
        orders=np.zeros(size),
        active=_active(hours, plausible),
    )


def _active(hours: NDArray[np.float64], zone: str) -> ActiveHours:
    grid = HourGrid(*(np.zeros((1, HOURS)) for _ in HourGrid._fields))
    return ActiveHours(
        hours=hours.astype(np.float16),
        busy=np.empty(0, dtype=np.int64),
        busy_days=np.empty((0, 2, HOURS), dtype=np.float16),
        week=np.tile(hours.sum(axis=0) / DAYS, (DAYS, 1)),
        contacts=grid,
        zones=((zone, len(hours)),),
    )


def _peak(hour: int) -> NDArray[np.float64]:
    counts = np.zeros(HOURS)
    counts[hour] = 20.0
    return counts


def _due(rows: Int64Array) -> DueContacts:
    minute = np.linspace(0.0, 1.0, _COPIES, endpoint=False)
    minute[-1] = np.nextafter(1.0, 0.0)
    return DueContacts(
        row=rows,
        channel=np.zeros(len(rows), dtype=np.int64),
        gain=1.0 + (rows % 7).astype(np.float64),
        tie=(rows % 11) / 11.0,
        minute=minute[rows % _COPIES],
        arm=np.where(rows % 3 == 0, EXPLORE, CONTACT).astype(np.int8),
    )
