"""When a contact is sent: the channel's windows in the customer's own local time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from scoring.policy import Channel, Span, span_times

Int64Array = NDArray[np.int64]

MINUTE_US = 60_000_000
_DAY_MINUTES = 1440
_SEARCH_DAYS = 2
"""A window of the list's day may already have begun in zones far ahead of the business;
the next day's then serves."""


@dataclass(frozen=True, slots=True)
class Slot:
    """An unbroken span of time in which a contact may be sent.

    `start_us` and `end_us` (exclusive) are microseconds since 1970-01-01 UTC, on whole
    minutes.
    """

    start_us: int
    end_us: int

    @property
    def minutes(self) -> int:
        """Length of the span."""
        return (self.end_us - self.start_us) // MINUTE_US


@dataclass(frozen=True, slots=True)
class _WallClock:
    """The minutes of a local day and the two after it, as the clock on the wall shows them.

    `minute_us` are UTC instants; `since_midnight` counts local minutes from the day's
    local midnight, so that 25:30 is half past one on the next day.
    """

    minute_us: Int64Array
    since_midnight: Int64Array


def find_slot(channel: Channel, *, zone: str, day: date, not_before_us: int) -> Slot | None:
    """First span of the channel's windows, outside its quiet hours, on the list's day.

    Windows are tried in their order of preference on the local date `day`, then on the
    next one. Every minute of the span shows a wall-clock time inside the window and
    outside quiet hours, also where clocks are put forward or back.

    Parameters
    ----------
    zone : IANA zone of the customer.
    day : the list's local date.
    not_before_us : the as-of; the span begins at or after it.

    Returns
    -------
    None when quiet hours leave nothing of any window.
    """
    for later in range(_SEARCH_DAYS):
        clock = _wall_clock(zone, day + timedelta(days=later))
        for window in channel.windows:
            slot = _first_run(clock, window, channel.quiet_hours, not_before_us)
            if slot is not None:
                return slot
    return None


def slot_minute(slot: Slot, draw: float) -> int:
    """Instant at which to send: the whole minute of the slot that `draw` in [0, 1) picks."""
    return slot.start_us + min(int(draw * slot.minutes), slot.minutes - 1) * MINUTE_US


def _first_run(
    clock: _WallClock, window: Span, quiet_hours: Sequence[Span], not_before_us: int
) -> Slot | None:
    start, end = _span_minutes(window)
    inside = (clock.since_midnight >= start) & (clock.since_midnight < end)
    for quiet in quiet_hours:
        quiet_start, quiet_end = _span_minutes(quiet)
        into_quiet = (clock.since_midnight - quiet_start) % _DAY_MINUTES
        inside &= into_quiet >= quiet_end - quiet_start
    edges = np.flatnonzero(np.diff(np.concatenate(([False], inside, [False])).astype(np.int8)))
    for first, after in zip(edges[::2], edges[1::2], strict=True):
        start_us = int(clock.minute_us[first])
        if start_us >= not_before_us:
            return Slot(start_us, int(clock.minute_us[after - 1]) + MINUTE_US)
    return None


def _span_minutes(span: Span) -> tuple[int, int]:
    """Start and end in minutes since midnight; a span of equal times is a whole day."""
    start, end = (moment.hour * 60 + moment.minute for moment in span_times(span))
    return start, end if end > start else end + _DAY_MINUTES


@lru_cache(maxsize=2048)
def _wall_clock(zone: str, day: date) -> _WallClock:
    # UTC minutes from a day before to two days after hold the local days of every zone.
    first = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=1)
    offset = _offset_minutes(ZoneInfo(zone), first, hours=5 * 24)
    minute = np.arange(len(offset), dtype=np.int64)
    local = minute - _DAY_MINUTES + offset
    shown = (local >= 0) & (local < 2 * _DAY_MINUTES)
    first_us = int(first.timestamp()) * 1_000_000
    return _WallClock(minute_us=first_us + minute[shown] * MINUTE_US, since_midnight=local[shown])


def _offset_minutes(place: ZoneInfo, first: datetime, *, hours: int) -> Int64Array:
    """Offset from UTC of every minute; shape (hours * 60,)."""

    def offset_at(minute: int) -> int:
        shift = (first + timedelta(minutes=minute)).astimezone(place).utcoffset()
        return 0 if shift is None else int(shift.total_seconds()) // 60

    offsets = np.empty(hours * 60, dtype=np.int64)
    before = offset_at(0)
    for start in range(0, hours * 60, 60):
        after = offset_at(start + 60)
        offsets[start : start + 60] = before
        if after != before:
            # Clocks change within this hour (or at its end): look at each minute.
            offsets[start : start + 60] = [offset_at(start + m) for m in range(60)]
        before = after
    return offsets
