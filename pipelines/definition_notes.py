"""What a reader of `winback define` must know before believing its figures."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.definition import Definition
from training.definition_counts import DRAWS, MAX_DAYS
from training.definition_lifecycle import MONTH_DAYS


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


def find_empty_days(
    events_per_day: NDArray[np.int64], first: date, last: date, as_of: date
) -> EmptyDays:
    """Find the days without events.

    Parameters
    ----------
    events_per_day : of each local day from `first` on.
    first, last : days of the first and of the last known event.
    as_of : local date of the as-of.
    """
    busy = np.flatnonzero(events_per_day[: (last - first).days + 1])
    steps = np.diff(busy)
    longest = int(steps.max(initial=1)) - 1
    start = first + timedelta(days=int(busy[steps.argmax()]) + 1) if longest else None
    return EmptyDays(
        before_as_of=(as_of - last).days - 1,
        inside=int((last - first).days + 1 - len(busy)),
        longest=longest,
        longest_from=start,
        longest_to=None if start is None else start + timedelta(days=longest - 1),
    )


def definition_notes(
    definition: Definition, empty: EmptyDays, *, as_of: date, first_day: date, share: float
) -> tuple[str, ...]:
    """The notes, the most important first.

    Parameters
    ----------
    empty : days without events.
    as_of, first_day : of the run.
    share : share of customers the bands were drawn from.
    """
    notes = []
    if empty.before_as_of:
        days = "day" if empty.before_as_of == 1 else f"{empty.before_as_of} days"
        notes.append(
            f"No event is known of the last {days} before {as_of}. Curves end with the last day "
            "that has events; today's counts run to the as-of, so customers may look more silent "
            "than they are."
        )
    if empty.inside and empty.longest > 1:
        notes.append(
            f"{empty.inside} days inside the data have no event; the longest run is "
            f"{empty.longest_from} to {empty.longest_to}. If that was a lost feed, gaps across it "
            "are too long."
        )
    if definition.high_spend == 0.0:
        notes.append(
            "Most customers have no order amount in the last year: high value means any amount."
        )
    if share < 1.0:
        notes.append(
            f"Bands come from {DRAWS} draws of {100 * share:.0f} % of the customers and are "
            "narrowed to the number of all."
        )
    history = (as_of - first_day).days
    if definition.tiers is None:
        notes.append(
            f"The data begin on {first_day}, less than {MONTH_DAYS} days before the as-of: nothing "
            "is said about movement."
        )
    if history <= definition.plan.horizon_days:
        notes.append(
            f"The data span {history} days and the horizon is {definition.plan.horizon_days}: "
            "who was dormant one horizon ago is not known. Choose a shorter --horizon, or ingest "
            "older events."
        )
    if history > MAX_DAYS:
        notes.append(f"Silences of more than {MAX_DAYS} days count as still open at that length.")
    return tuple(notes)
