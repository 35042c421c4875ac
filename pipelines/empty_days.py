"""Local days without any event: closed shops, and feeds that were lost or are late."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from features.local_day import local_midnight_us
from training.folds import last_midnight

Int64Array = NDArray[np.int64]

QUARTER_US = 900_000_000
"""A quarter of an hour: since 1990 every zone's days begin with one."""

NAMED = 3
"""Most dates a note lists."""


@dataclass(frozen=True, slots=True)
class DayCounts:
    """Events of each local day: `per_day[i]` of `first` + i days; first and last have some."""

    first: date
    per_day: Int64Array

    @classmethod
    def of(cls, occurred_at: Int64Array, timezone: ZoneInfo) -> "DayCounts":
        """Count instants (us, UTC), shape (n,), n > 0, by local day of the business."""
        quarters = occurred_at // QUARTER_US
        first = int(quarters.min())
        quarters -= first
        seen = np.concatenate(([0], np.cumsum(np.bincount(quarters))))
        day = last_midnight(first * QUARTER_US, timezone)
        last = last_midnight((first + len(seen) - 1) * QUARTER_US - 1, timezone)
        edges = _midnight_quarters(day, last, timezone) - first
        return cls(day, np.diff(seen[np.clip(edges, 0, len(seen) - 1)]))

    @classmethod
    def joined(cls, parts: Sequence["DayCounts"]) -> "DayCounts":
        """The counts of several sets of events as one; at least one part."""
        first = min(part.first for part in parts)
        starts = [(part.first - first).days for part in parts]
        ends = [start + len(part.per_day) for start, part in zip(starts, parts, strict=True)]
        total = np.zeros(max(ends), dtype=np.int64)
        for start, end, part in zip(starts, ends, parts, strict=True):
            total[start:end] += part.per_day
        return cls(first, total)


@lru_cache(maxsize=16)
def _midnight_quarters(first: date, last: date, timezone: ZoneInfo) -> Int64Array:
    """The quarters of an hour with which days begin, from the first to the one after the last."""
    days = [first + timedelta(days=i) for i in range((last - first).days + 2)]
    return np.array([local_midnight_us(day, timezone) // QUARTER_US for day in days])


@dataclass(frozen=True, slots=True)
class EmptyDays:
    """Local days without any event.

    Attributes
    ----------
    before_as_of : days right before the as-of.
    inside : days between the first and the last event.
    longest : days of the longest run inside; 0 if there is none.
    longest_from, longest_to : its first and last day.
    """

    before_as_of: int
    inside: int
    longest: int
    longest_from: date | None
    longest_to: date | None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "before_as_of": self.before_as_of,
            "inside": self.inside,
            "longest": self.longest,
            "longest_from": self.longest_from and self.longest_from.isoformat(),
            "longest_to": self.longest_to and self.longest_to.isoformat(),
        }

    def tell_late(self, as_of: date) -> str | None:
        """The days before the as-of as the beginning of a sentence; None if there are none."""
        if not self.before_as_of:
            return None
        days = "day" if self.before_as_of == 1 else f"{self.before_as_of} days"
        return f"No event is known of the last {days} before {as_of}"

    def tell_inside(self) -> str | None:
        """The days inside as a sentence; None unless some follow one another."""
        if self.longest < 2:
            return None
        return (
            f"{self.inside} days inside the data have no event; the longest run is "
            f"{self.longest_from} to {self.longest_to}."
        )


def find_empty_days(per_day: Int64Array, first: date, as_of: date) -> EmptyDays:
    """Find the days without events.

    Parameters
    ----------
    per_day : events of each local day from `first` on, up to the last day that has any.
    first : day of the first known event.
    as_of : local date of the as-of.
    """
    last = first + timedelta(days=len(per_day) - 1)
    busy = np.flatnonzero(per_day)
    steps = np.diff(busy)
    longest = int(steps.max(initial=1)) - 1
    start = first + timedelta(days=int(busy[steps.argmax()]) + 1) if longest else None
    return EmptyDays(
        before_as_of=(as_of - last).days - 1,
        inside=int(len(per_day) - len(busy)),
        longest=longest,
        longest_from=start,
        longest_to=None if start is None else start + timedelta(days=longest - 1),
    )


def training_notes(
    per_day: Int64Array, first: date, *, as_of: date, cutoffs: Iterable[date]
) -> tuple[str, ...]:
    """What empty days mean for a training run: at most one sentence or two of each kind.

    Parameters
    ----------
    per_day, first : as in `find_empty_days`.
    as_of : local date of the as-of.
    cutoffs : local dates the run learns from or is judged at.
    """
    empty = find_empty_days(per_day, first, as_of)
    notes = []
    late = empty.tell_late(as_of)
    if late is not None:
        last = first + timedelta(days=len(per_day) - 1)
        notes.append(
            f"{late}, so days count as complete only up to {last}. If the feed is late, ingest "
            "it first: customers look more silent than they are."
        )
    days = sorted({day for day in cutoffs if day > first})
    silent = [day for day in days if not per_day[(day - first).days - 1]]
    if silent:
        named = ", ".join(str(day) for day in silent[:NAMED])
        more = len(silent) - NAMED
        tail = f" and {more} more" if more > 0 else ""
        notes.append(
            f"{len(silent)} of {len(days)} cutoffs follow a day without any event: {named}{tail}. "
            "If these are not days of rest, a feed was lost."
        )
    inside = empty.tell_inside()
    if inside is not None:
        notes.append(
            f"{inside} If that was a lost feed, who bought in it counts as not having returned."
        )
    return tuple(notes)
