"""Contacts of the past, who had left the channel a month later, and what was known before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.history import NO_TIME, History
from features.history_sample import customer_hashes
from features.kernels.engagement import WIDTH, ContactColumns, fill_engagement
from features.spec import FeatureSpec
from training.labels import DAY_US

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Int16Array = NDArray[np.int16]
Int64Array = NDArray[np.int64]
UInt64Array = NDArray[np.uint64]

FOLLOW_DAYS = 30.0
"""Days after a contact in which leaving the channel is put down to it."""

_FOLLOW_US = round(FOLLOW_DAYS * DAY_US)
_SENT_30D, _OPENED_90D, _CLICKED_90D = 1, 4 + 2, 8 + 2
"""Places within a channel's engagement features: windows of 7, 30 and 90 days and a recency
for each of sent, opened and clicked, then the flag of who has unsubscribed."""


@dataclass(frozen=True, slots=True)
class AttritionRows:
    """n contacts that could be followed for `FOLLOW_DAYS`.

    Attributes
    ----------
    channel : place among the configured channels, shape (n,).
    sent_us : us, UTC, shape (n,).
    left_us : from when on it was known that the contact had ended with the customer leaving
        the channel in time; NO_TIME where it had not; shape (n,).
    z : the shared columns and the channel's own fatigue before the contact, as
        log(1 + count), shape (n, 4).
    cluster : hash of the customer's id, shape (n,).
    """

    channel: Int16Array
    sent_us: Int64Array
    left_us: Int64Array
    z: Float64Array
    cluster: UInt64Array

    def __len__(self) -> int:
        return len(self.channel)

    def take(self, rows: NDArray[Any]) -> "AttritionRows":
        """The chosen rows, by mask or position."""
        return AttritionRows(**{name: getattr(self, name)[rows] for name in self.__slots__})


def attrition_rows(
    history: History, *, spec: FeatureSpec, observed_until_us: int, trained_until_us: int
) -> AttritionRows:
    """The contacts of one bucket, each with what was known before it was sent.

    Contacts of channels that are not configured, or that the customer had left before, are
    not among them.

    Parameters
    ----------
    history : one bucket.
    spec : gives channels their codes.
    observed_until_us : local midnight before which all days are complete (us, UTC): a
        contact must be `FOLLOW_DAYS` older.
    trained_until_us : the training as-of; what arrived at or after it is not read.
    """
    contacts = history.contacts
    owner = np.repeat(np.arange(history.n_customers), np.diff(contacts.offsets))
    last, left_us = _known_outcomes(history, owner, trained_until_us)
    followed = contacts.sent_at[last] + _FOLLOW_US <= observed_until_us
    followed &= (contacts.channel[last] >= 0) & (contacts.channel[last] < len(spec.channels))
    last, left_us = last[followed], left_us[followed]
    channel, sent_us = contacts.channel[last], contacts.sent_at[last]
    counts = np.zeros((len(last), 5), dtype=np.float32)
    _count_before(
        ContactColumns.of(contacts),
        (owner[last].astype(np.int64), sent_us, channel.astype(np.int64)),
        np.zeros((1, (1 + len(spec.channels)) * WIDTH), dtype=np.float32),
        counts,
    )
    subscribed = counts[:, 4] == 0.0
    return AttritionRows(
        channel=channel[subscribed],
        sent_us=sent_us[subscribed],
        left_us=left_us[subscribed],
        z=np.log1p(counts[subscribed, :4].astype(np.float64)),
        cluster=customer_hashes(history)[owner[last[subscribed]]],
    )


def concat_attrition(pieces: Sequence[AttritionRows]) -> AttritionRows:
    """Rows of several pieces, one after the other."""
    return AttritionRows(
        **{
            name: np.concatenate([getattr(piece, name) for piece in pieces])
            for name in AttritionRows.__slots__
        }
    )


def _known_outcomes(
    history: History, owner: Int64Array, until_us: int
) -> tuple[Int64Array, Int64Array]:
    """The last known version of each contact, and since when it was known who left."""
    contacts = history.contacts
    seen = np.flatnonzero((contacts.arrived_at < until_us) & (contacts.sent_at < until_us))
    if not len(seen):
        return seen.astype(np.int64), np.empty(0, dtype=np.int64)
    starts = np.ones(len(seen), dtype=np.bool_)
    starts[1:] = (np.diff(contacts.contact[seen]) != 0) | (np.diff(owner[seen]) != 0)
    contact = np.cumsum(starts) - 1
    gone_us, sent_us = contacts.unsubscribed_at[seen], contacts.sent_at[seen]
    left = (gone_us >= sent_us) & (gone_us - sent_us < _FOLLOW_US) & (gone_us < until_us)
    known_us = np.full(int(contact[-1]) + 1, NO_TIME)
    reported = np.maximum(contacts.arrived_at[seen], gone_us)
    np.minimum.at(known_us, contact[left], reported[left])
    ends = np.append(starts[1:], True)
    # What a later version takes back was not so.
    known_us[~left[ends]] = NO_TIME
    return seen[ends].astype(np.int64), known_us


@njit(nogil=True, cache=True)
def _count_before(
    contacts: ContactColumns,
    rows: tuple[Int64Array, Int64Array, Int64Array],
    scratch: Float32Array,
    out: Float32Array,
) -> None:
    """Engagement features at the instant of each contact, and whether the channel was left."""
    customer, sent_at, channel = rows
    only = np.zeros(1, dtype=np.int64)
    for row in range(len(customer)):
        fill_engagement(customer[row], sent_at[row], contacts, only, scratch)
        cells = scratch[0]
        own = (1 + channel[row]) * WIDTH
        out[row, 0] = cells[_SENT_30D]
        out[row, 1] = cells[_OPENED_90D]
        out[row, 2] = cells[_CLICKED_90D]
        out[row, 3] = cells[own + _SENT_30D]
        out[row, 4] = cells[own + WIDTH - 1]
