"""When a channel may be used: spans of local time, to the minute, in every zone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from scoring.policy import Channel, Span, span_times

BoolArray = NDArray[np.bool_]
Int64Array = NDArray[np.int64]

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
_DAY_MINUTES = 1440
_GRID_DAYS = 5
_SEARCH_DAYS = 2
"""A window of the list's day may already have begun in zones far ahead of the business;
the next day's then serves."""


@dataclass(frozen=True, slots=True)
class Slots:
    """Unbroken spans of time in which contacts may be sent; all of shape (p,).

    Attributes
    ----------
    start_us, end_us : microseconds since 1970-01-01 UTC, on whole minutes; the end is
        exclusive.
    hour : hour 0..23 that the customer's clock shows at the start.
    later_day : the span is of the day after the list's.
    seat_hour : whole hours from the as-of to the start. Where seats are counted, no span
        crosses from one such hour into the next.
    """

    start_us: Int64Array
    end_us: Int64Array
    hour: Int64Array
    later_day: BoolArray
    seat_hour: Int64Array

    def __len__(self) -> int:
        return len(self.start_us)


def followed_by(first: Slots, others: Slots) -> Slots:
    """The first slots of their earliest day, then those of the others that overlap none of them."""
    apart = (others.start_us[:, None] >= first.end_us) | (others.end_us[:, None] <= first.start_us)
    rest, soon = apart.all(axis=1), first.later_day == first.later_day.min()
    return Slots(
        **{
            name: np.concatenate([getattr(first, name)[soon], getattr(others, name)[rest]])
            for name in Slots.__slots__
        }
    )


@dataclass(frozen=True, slots=True)
class ChannelDay:
    """When one channel may reach customers of one zone. Neither is empty.

    Attributes
    ----------
    hours : the allowed local hours of the list's day in time order; where none is left on
        that day, those of the next.
    configured : the channel's windows, best first, the list's day before the next; where
        none of them is left, `hours`.
    """

    hours: Slots
    configured: Slots


@dataclass(frozen=True, slots=True)
class ListDay:
    """The list's local date, and its as-of: nothing begins before it."""

    day: date
    as_of_us: int


def find_channel_day(
    channel: Channel, *, zones: Sequence[str], list_day: ListDay
) -> ChannelDay | None:
    """The times at which a channel may be used for customers who live in any of some zones.

    A minute is allowed if in every zone its wall-clock time lies outside the channel's
    quiet hours and, where `send_hours` are set, inside them; this holds minute by minute,
    so also where clocks are put forward or back.

    Parameters
    ----------
    zones : IANA zones; the first one's clock names days and hours.

    Returns
    -------
    None when no minute of the list's day or the next is allowed, or all such have begun.
    """
    local = [_local_minutes(zone, list_day.day) for zone in zones]
    open_minute = _open_minutes(channel)
    allowed = np.ones(len(local[0]), dtype=np.bool_)
    for minutes in local:
        allowed &= open_minute[minutes % _DAY_MINUTES]
    grid = _Grid(
        allowed=allowed,
        local=local[0],
        first_us=first_minute_us(list_day.day),
        as_of_us=list_day.as_of_us,
        by_seat=channel.seats_per_hour is not None,
    )
    hours = grid.hours()
    if hours is None:
        return None
    windows = [
        grid.cut(inside)
        for later in range(_SEARCH_DAYS)
        for inside in (grid.within(window, later) for window in channel.windows)
    ]
    found = [slots for slots in windows if len(slots)]
    return ChannelDay(hours=hours, configured=_join(found) if found else hours)


@dataclass(frozen=True, slots=True)
class _Grid:
    """Minute by minute from a day before the list's date: what is allowed, what clocks show.

    `local` counts minutes from the list's local midnight, so that 25:30 is half past one
    on the next day.
    """

    allowed: BoolArray
    local: Int64Array
    first_us: int
    as_of_us: int
    by_seat: bool

    def hours(self) -> Slots | None:
        """Allowed local hours of the first day that has any."""
        for later in range(_SEARCH_DAYS):
            start = later * _DAY_MINUTES
            slots = self.cut((self.local >= start) & (self.local < start + _DAY_MINUTES), step=60)
            if len(slots):
                return slots
        return None

    def within(self, window: Span, later: int) -> BoolArray:
        """Minutes of a window that begins so many days after the list's date."""
        start, end = (minute + later * _DAY_MINUTES for minute in _span_minutes(window))
        inside: BoolArray = (self.local >= start) & (self.local < end)
        return inside

    def cut(self, inside: BoolArray, *, step: int = _GRID_DAYS * _DAY_MINUTES) -> Slots:
        """Unbroken allowed spans, cut where `step` local minutes are full, and by seat hours."""
        minute_us = self.first_us + np.arange(len(self.local), dtype=np.int64) * MINUTE_US
        seat = (minute_us - self.as_of_us) // HOUR_US
        key = (self.local // step) * (1 << 20) + (seat - seat[0] if self.by_seat else 0)
        key = np.where(inside & self.allowed, key, -1)
        edges = np.flatnonzero(np.diff(key) != 0) + 1
        first, after = np.append(0, edges), np.append(edges, len(key))
        # What has begun before the list is made is not whole any more.
        good = (key[first] >= 0) & (minute_us[first] >= self.as_of_us)
        first, after = first[good], after[good]
        return Slots(
            start_us=minute_us[first],
            end_us=minute_us[first] + (after - first) * MINUTE_US,
            hour=self.local[first] // 60 % 24,
            later_day=self.local[first] >= _DAY_MINUTES,
            seat_hour=seat[first],
        )


def _join(parts: Sequence[Slots]) -> Slots:
    return Slots(*(np.concatenate([getattr(p, name) for p in parts]) for name in Slots.__slots__))


def _open_minutes(channel: Channel) -> BoolArray:
    """Which minutes of the local day are allowed; shape (1440,)."""
    minute = np.arange(_DAY_MINUTES)
    opened = np.full(_DAY_MINUTES, channel.send_hours is None)
    for span in channel.send_hours or ():
        opened |= _covers(span, minute)
    for span in channel.quiet_hours:
        opened &= ~_covers(span, minute)
    return opened


def _covers(span: Span, minute: Int64Array) -> BoolArray:
    start, end = _span_minutes(span)
    inside: BoolArray = (minute - start) % _DAY_MINUTES < end - start
    return inside


def _span_minutes(span: Span) -> tuple[int, int]:
    """Start and end in minutes since midnight; a span of equal times is a whole day."""
    start, end = (moment.hour * 60 + moment.minute for moment in span_times(span))
    return start, end if end > start else end + _DAY_MINUTES


def first_minute_us(day: date) -> int:
    """The UTC instant at which the grid begins: it holds the local days of every zone."""
    first = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=1)
    return int(first.timestamp()) * 1_000_000


@lru_cache(maxsize=2048)
def _local_minutes(zone: str, day: date) -> Int64Array:
    """What a zone's clock shows at every minute of the grid, from the day's local midnight."""
    minutes = _GRID_DAYS * _DAY_MINUTES
    local = np.arange(minutes, dtype=np.int64) - _DAY_MINUTES + offset_minutes(zone, day)
    local.flags.writeable = False
    return local


@lru_cache(maxsize=2048)
def offset_minutes(zone: str, day: date) -> Int64Array:
    """Offset from UTC of every minute of the five days from the day before; shape (7200,)."""
    place = ZoneInfo(zone)
    first = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=1)

    def offset_at(minute: int) -> int:
        shift = (first + timedelta(minutes=minute)).astimezone(place).utcoffset()
        return 0 if shift is None else int(shift.total_seconds()) // 60

    offsets = np.empty(_GRID_DAYS * _DAY_MINUTES, dtype=np.int64)
    before = offset_at(0)
    for start in range(0, len(offsets), 60):
        after = offset_at(start + 60)
        offsets[start : start + 60] = before
        if after != before:
            # Clocks change within this hour (or at its end): look at each minute.
            offsets[start : start + 60] = [offset_at(start + m) for m in range(60)]
        before = after
    offsets.flags.writeable = False
    return offsets
