"""Offsets of time zones from UTC over a span of time, as tables for kernels."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from features.history import frozen
from features.kernels.feature import DAY_US

Int64Array = NDArray[np.int64]

MINUTE_US = 60_000_000


class ZoneOffsets(NamedTuple):
    """When the clocks of z zones were changed, and by how much they differ from UTC.

    Zone z owns rows starts[z]:starts[z + 1]. From `from_us[r]` on (microseconds since
    1970-01-01 UTC), until the next row of the zone, local time is UTC + `offset_us[r]`.
    """

    starts: Int64Array
    from_us: Int64Array
    offset_us: Int64Array


def zone_offsets(zones: Sequence[str], *, first_us: int, last_us: int) -> ZoneOffsets:
    """The offsets of IANA zones in force from `first_us` to `last_us`, to the minute.

    Offsets are looked at once a day and, where two days differ, at the minute of the
    change; two changes within one day that undo each other would be passed over.
    """
    rows = [_changes(zone, first_us, last_us) for zone in zones]
    starts = np.concatenate(([0], np.cumsum([len(one) for one in rows]))).astype(np.int64)
    flat = np.array([pair for one in rows for pair in one], dtype=np.int64).reshape(-1, 2)
    from_us, offset_us = np.ascontiguousarray(flat[:, 0]), np.ascontiguousarray(flat[:, 1])
    return ZoneOffsets(frozen(starts), frozen(from_us), frozen(offset_us))


@lru_cache(maxsize=2048)
def _changes(zone: str, first_us: int, last_us: int) -> tuple[tuple[int, int], ...]:
    place = ZoneInfo(zone)
    before = _offset_us(place, first_us)
    rows = [(first_us, before)]
    for day in range(first_us, last_us + DAY_US, DAY_US):
        after = _offset_us(place, day + DAY_US)
        if after != before:
            rows.append((_change_within(place, day, day + DAY_US, after), after))
            before = after
    return tuple(rows)


def _change_within(place: ZoneInfo, low: int, high: int, after: int) -> int:
    """The first whole minute in (low, high] at which the offset is `after`."""
    while high - low > MINUTE_US:
        middle = low + (high - low) // 2
        if _offset_us(place, middle) == after:
            high = middle
        else:
            low = middle
    return high // MINUTE_US * MINUTE_US


def _offset_us(place: ZoneInfo, moment_us: int) -> int:
    shift = datetime.fromtimestamp(moment_us // 1_000_000, tz=UTC).astimezone(place).utcoffset()
    return 0 if shift is None else int(shift.total_seconds()) * 1_000_000
