"""What the return-time model learns from: panel rows of both populations and their outcomes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.history import NO_TIME
from models.customer_value import CustomerValue, concat_values
from training.folds import FoldName, Folds
from training.labels import DAY_US
from training.panel import Panel

Float64Array = NDArray[np.float64]
Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]
UInt64Array = NDArray[np.uint64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ReturnRows:
    """Customers at as-ofs, dormant or not, on stages somebody may be recalled from.

    Attributes
    ----------
    values : features, shape (n, F); of no columns where they are not needed.
    as_of_us : as-of (us, UTC), shape (n,).
    return_us : the first known return at or after it, NO_TIME where none; shape (n,).
    customer : hash of the customer's id, shape (n,).
    dormant : the silence had reached the stage's limit, shape (n,).
    value : what the Kaplan-Meier curves are cut by.
    """

    values: Float32Array
    as_of_us: Int64Array
    return_us: Int64Array
    customer: UInt64Array
    dormant: BoolArray
    value: CustomerValue

    def take(self, rows: NDArray[Any]) -> "ReturnRows":
        """The chosen rows, by mask or position."""
        return ReturnRows(
            values=self.values[rows],
            as_of_us=self.as_of_us[rows],
            return_us=self.return_us[rows],
            customer=self.customer[rows],
            dormant=self.dormant[rows],
            value=self.value.take(rows),
        )


@dataclass(frozen=True, slots=True)
class Followed:
    """Rows and the instant (us, UTC) until which their returns were followed."""

    rows: ReturnRows
    until_us: int


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What was seen of the return times by some instant; each of shape (n,).

    Attributes
    ----------
    days : days to the return, or followed without one.
    returned : whether a return was seen.
    followed_days : days from the as-of to the instant.
    """

    days: Float64Array
    returned: BoolArray
    followed_days: Float64Array


def return_rows(
    panel: Panel,
    folds: Folds,
    names: Sequence[FoldName],
    *,
    at_most: int,
    features: bool = True,
) -> ReturnRows:
    """The rows of some folds, of both populations together.

    Parameters
    ----------
    panel, folds : of one run.
    names : which folds.
    at_most : most rows; above it the customers of the lowest hashes are kept, with all
        their rows.
    features : whether the features are wanted, which take most of the room.
    """
    inside = np.array([cutoff.fold in names for cutoff in folds.cutoffs])
    kinds = list(panel.rows)
    chosen = {kind: inside[panel.rows[kind].cutoff] for kind in kinds}
    hashes = np.concatenate([panel.rows[kind].customer[chosen[kind]] for kind in kinds])
    if len(hashes) > at_most:
        border = np.partition(hashes, at_most)[at_most]
        chosen = {
            kind: rows & (panel.rows[kind].customer < border) for kind, rows in chosen.items()
        }
    parts = []
    for kind in kinds:
        rows, mask = panel.rows[kind], chosen[kind]
        values = rows.values if features else rows.values[:, :0]
        parts.append(
            ReturnRows(
                values=values[mask],
                as_of_us=folds.as_ofs[rows.cutoff[mask]],
                return_us=rows.return_us[mask],
                customer=rows.customer[mask],
                dormant=np.full(int(mask.sum()), kind == "natural_return"),
                value=rows.value.take(mask),
            )
        )
    return _concat(parts)


def outcomes_of(followed: Followed) -> Outcomes:
    """Outcomes as known at the instant: later returns count as not seen yet.

    Rows whose as-of is at or after the instant are followed for 0 days.
    """
    rows, until_us = followed.rows, followed.until_us
    followed_days = np.maximum(until_us - rows.as_of_us, 0) / DAY_US
    known = (rows.return_us != NO_TIME) & (rows.return_us < until_us)
    days = np.where(known, rows.return_us - rows.as_of_us, 0) / DAY_US
    return Outcomes(np.where(known, days, followed_days), known, followed_days)


def _concat(parts: Sequence[ReturnRows]) -> ReturnRows:
    return ReturnRows(
        values=np.concatenate([part.values for part in parts]),
        as_of_us=np.concatenate([part.as_of_us for part in parts]),
        return_us=np.concatenate([part.return_us for part in parts]),
        customer=np.concatenate([part.customer for part in parts]),
        dormant=np.concatenate([part.dormant for part in parts]),
        value=concat_values([part.value for part in parts]),
    )
