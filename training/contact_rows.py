"""Rows of a study of past contacts: customers at cutoffs, contacted or not."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.effect_sample import NO_CONTACT

Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]
Int16Array = NDArray[np.int16]
Int8Array = NDArray[np.int8]
UInt64Array = NDArray[np.uint64]
BoolArray = NDArray[np.bool_]

OTHER_CONTACT = -2
"""The action code of a contact that is not one of the configured actions."""

UNKNOWN = -1
"""Stands for a pre-period outcome that nobody can know."""


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Customers at cutoffs that a study met, and what became of them.

    Attributes
    ----------
    considered : dormant (or at risk, where they are listed too) at a cutoff.
    unreachable : left out, no channel was open to them.
    on_trial : left out, listed by winback or assigned in an experiment around then: effects
        are learnt from those with the propensities that were logged, and not twice.
    untestable : left out, of stages where every sign of life ends silence, as there are others.
    closed_channel : contacted through a channel that the customer record closes; kept, but
        as no action of the study.
    other_contact : contacted in a channel or with an offer that is not configured; kept so too.
    """

    considered: int = 0
    unreachable: int = 0
    on_trial: int = 0
    untestable: int = 0
    closed_channel: int = 0
    other_contact: int = 0

    def __add__(self, other: "RowCounts") -> "RowCounts":
        return RowCounts(
            *(getattr(self, one.name) + getattr(other, one.name) for one in fields(self))
        )


@dataclass(frozen=True, slots=True)
class ContactRows:
    """One row per customer and cutoff.

    Attributes
    ----------
    x : features as of the cutoff, shape (n, F), float32 without NaN.
    x_before : the same as of the begin of the pre-period; only silence, stage, date,
        open channels, contact pressure and mean order amount are those of the cutoff: rules of
        contact go by them.
    feature_names : names of both.
    action : the first contact inside the decision window: place in `actions`, `NO_CONTACT`
        or `OTHER_CONTACT`; shape (n,).
    possible : the action's channel was open to the customer, shape (n, A).
    returned : came back in the outcome window, shape (n,).
    before : showed a sign of life in the pre-period, `UNKNOWN` where that has no meaning; (n,).
    testable : the pre-period ends at the cutoff, so it shows who was still active; shape (n,).
    later : contacted (again) between decision and end of the outcome window, shape (n,).
    cluster : hash of the customer's id, shape (n,).
    as_of_us : the cutoff, us, UTC, shape (n,).
    actions : names of the actions.
    counts : what was left out.
    """

    x: Float32Array
    x_before: Float32Array
    feature_names: tuple[str, ...]
    action: Int16Array
    possible: BoolArray
    returned: Int8Array
    before: Int8Array
    testable: BoolArray
    later: BoolArray
    cluster: UInt64Array
    as_of_us: Int64Array
    actions: tuple[str, ...]
    counts: RowCounts = RowCounts()

    def __len__(self) -> int:
        return len(self.action)

    def take(self, rows: NDArray[Any]) -> "ContactRows":
        """The chosen rows, by mask or position; the counts stay."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _ROW_FIELDS})


_ROW_FIELDS = (
    "x",
    "x_before",
    "action",
    "possible",
    "returned",
    "before",
    "testable",
    "later",
    "cluster",
    "as_of_us",
)


def concat_contact_rows(pieces: Sequence[ContactRows]) -> ContactRows:
    """Rows of several buckets, one after the other, their counts added up."""
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in _ROW_FIELDS
    }
    counts = sum((piece.counts for piece in pieces), RowCounts())
    return replace(pieces[0], **columns, counts=counts)


def sample_uncontacted(rows: ContactRows, at_most: int) -> ContactRows:
    """All contacted rows, and so many of the others, by hash of customer and cutoff.

    Contacts are what a study is short of; the effect is then that on customers more like
    those contacted.
    """
    idle = rows.action == NO_CONTACT
    count = int(np.count_nonzero(idle))
    if count <= at_most:
        return rows
    mixed = rows.cluster ^ (rows.as_of_us.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xD6E8FEB86659FD93)
    drawn = (mixed >> np.uint64(32)) < np.uint64(int(at_most / count * 2**32))
    return rows.take(np.flatnonzero(~idle | drawn))
