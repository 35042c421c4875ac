"""Local days and hours of the simulated customers, and what they are in UTC."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipelines.simulate.draws import normal

DAY = 86_400
HOUR = 3_600
MARGIN_DAYS = 2
_LATEST_HOUR = 22.0


class Clock(NamedTuple):
    """The calendar as the numba kernels take it (they know tuples, not dataclasses).

    start : local midnight of day 0 as if it were UTC, seconds since 1970.
    end : UTC second before which everything happens.
    offsets : int64 [zones, hours]: UTC offset at each local hour from day 0 on, seconds.
    season : float64 [days]: factor on every day's rates.
    weekday : int64 [days]: 0 is Monday.
    """

    days: int
    start: int
    end: int
    offsets: NDArray[np.int64]
    season: NDArray[np.float64]
    weekday: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Season:
    """How demand moves: a yearly wave, weekdays, and promotion days.

    Attributes
    ----------
    yearly : amplitude of the yearly wave, as a share.
    peak_day : day of the year at which it peaks.
    weekdays : factor per weekday, Monday first.
    promotions : (month, first day, last day, factor).
    blocks : factors of stretches of equal length that fill the whole time, such as one per
        four weeks; for calibration to real data.
    """

    yearly: float
    peak_day: int
    weekdays: tuple[float, ...]
    promotions: tuple[tuple[int, int, int, float], ...] = ()
    blocks: tuple[float, ...] = (1.0,)

    def factors(self, first_day: date, days: int) -> NDArray[np.float64]:
        """Factor per day, shape (days,)."""
        dates = [first_day + timedelta(days=day) for day in range(days)]
        angle = np.array([2 * np.pi * (d.timetuple().tm_yday - self.peak_day) / 365 for d in dates])
        wave = 1 + self.yearly * np.cos(angle) + 0.3 * self.yearly * np.cos(2 * angle)
        weekday = np.array([self.weekdays[d.weekday()] for d in dates])
        promotion = np.ones(days)
        for month, first, last, factor in self.promotions:
            inside = [d.month == month and first <= d.day <= last for d in dates]
            promotion[np.array(inside)] = factor
        block = np.array(self.blocks)[np.arange(days) * len(self.blocks) // days]
        return np.asarray(wave * weekday * promotion * block, dtype=np.float64)


def lay_out_calendar(
    end: date, days: int, *, business_zone: str, zones: tuple[str, ...], season: Season
) -> Clock:
    """The calendar of `days` days that ends at the local midnight that begins `end`."""
    first_day = end - timedelta(days=days)
    start = int(datetime.combine(first_day, time(), tzinfo=UTC).timestamp())
    midnight = datetime.combine(end, time(), tzinfo=ZoneInfo(business_zone))
    hours = [
        datetime.combine(first_day, time()) + timedelta(hours=hour)
        for hour in range((days + MARGIN_DAYS) * 24)
    ]
    offsets = [[_offset_seconds(hour, ZoneInfo(zone)) for hour in hours] for zone in zones]
    weekday = [(first_day + timedelta(days=day)).weekday() for day in range(days)]
    return Clock(
        days=days,
        start=start,
        end=int(midnight.timestamp()),
        offsets=np.array(offsets, dtype=np.int64),
        season=season.factors(first_day, days),
        weekday=np.array(weekday, dtype=np.int64),
    )


def _offset_seconds(local: datetime, zone: ZoneInfo) -> int:
    offset = local.replace(tzinfo=zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


@njit(cache=True)
def to_utc(clock: Clock, zone: int, day: int, second: int) -> int:
    """UTC second of a second of a local day."""
    hour = min(day * 24 + second // HOUR, clock.offsets.shape[1] - 1)
    return int(clock.start + day * DAY + second - clock.offsets[zone, hour])


@njit(cache=True)
def local_second(today: np.uint64, stream: int, peak_hour: float, spread_hours: float) -> int:
    """A second of the local day around a peak hour, early enough to end before midnight."""
    hour = (peak_hour + spread_hours * normal(today, stream)) % 24.0
    if hour > _LATEST_HOUR:
        hour = 2.0 * _LATEST_HOUR - hour
    return int(hour * HOUR)
