"""What a purchase process is fitted on: how many customers have equal repeats, last and age."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.errors import DataError, describe

Float64Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PurchaseCounts:
    """Distinct customers' records, each of shape (n,), sorted by repeats, age and last.

    Attributes
    ----------
    repeats : orders after the first (x), whole numbers.
    last : time from the first order to the last (t_x); 0 without repeats.
    age : time from the first order to the end of observation (T), in the unit of `last`.
    weight : customers with this record, at least 1.
    """

    repeats: Float64Array
    last: Float64Array
    age: Float64Array
    weight: Float64Array

    @property
    def customers(self) -> int:
        """How many customers were counted."""
        return int(self.weight.sum())

    @property
    def returning(self) -> int:
        """How many of them have repeats."""
        return int(self.weight[self.repeats > 0].sum())

    def coarsen(self, *, steps: int) -> "PurchaseCounts":
        """The same customers with times rounded to this many steps of the longest age."""
        width = float(self.age.max()) / steps
        if width == 0:
            return self
        age = np.rint(self.age / width) * width
        last = np.rint(self.last / width) * width
        return _collapse(self.repeats, last, age, self.weight)


def collapse_counts(repeats: Float64Array, last: Float64Array, age: Float64Array) -> PurchaseCounts:
    """Put customers with equal records together, so that each record is computed once.

    Parameters
    ----------
    repeats : orders after the first, shape (n_customers,).
    last, age : times from the first order to the last one and to the end of observation,
        in one unit, shape (n_customers,).

    Raises
    ------
    DataError : there is no customer; a record is missing, negative or not a whole number
        of repeats; an order lies after the end of observation; or no time has passed.
    """
    columns = [np.asarray(column, dtype=np.float64) for column in (repeats, last, age)]
    repeats, last, age = columns
    if len(repeats) == 0:
        raise _fault("no customer", expected="at least one customer who has ordered")
    rules = {
        "missing or infinite": ~(np.isfinite(repeats) & np.isfinite(last) & np.isfinite(age)),
        "negative": (repeats < 0) | (last < 0) | (age < 0),
        "not whole in repeats": repeats != np.floor(repeats),
        "with the last order after the end of observation": last > age,
    }
    broken = {rule: int(rows.sum()) for rule, rows in rules.items() if rows.any()}
    if broken:
        faults = "; ".join(f"{count} {rule}" for rule, count in broken.items())
        raise _fault(
            f"of {len(repeats)} customers' records, {faults}",
            expected="whole repeats of 0 or more and 0 <= last <= age",
        )
    if not age.any():
        raise _fault("nobody was observed for any time", expected="ages above 0")
    return _collapse(repeats, last, age, np.ones(len(repeats)))


def _collapse(
    repeats: Float64Array, last: Float64Array, age: Float64Array, weight: Float64Array
) -> PurchaseCounts:
    key = np.zeros(len(repeats), dtype=np.int64)
    for column in (repeats, age, last):
        values, code = np.unique(column, return_inverse=True)
        key = key * len(values) + code
    _, first, record = np.unique(key, return_index=True, return_inverse=True)
    total = np.asarray(np.bincount(record, weights=weight), dtype=np.float64)
    return PurchaseCounts(repeats[first], last[first], age[first], total)


def _fault(fault: str, *, expected: str) -> DataError:
    return DataError(
        describe(
            "purchase counts",
            fault,
            expected=expected,
            fix="count returns at a later as-of, or check the stage's returns_by events",
        )
    )
