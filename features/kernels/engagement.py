"""Engagement: contact pressure per channel and what the customer did with it."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.history import Contacts, frozen
from features.kernels.feature import DAY_US, Feature, column_words
from features.spec import FeatureSpec

BLOCK = "engagement"

CONTACT_WINDOW_DAYS = (7, 30, 90)
_STEPS = (("sent", "sent"), ("opened", "opened"), ("clicked", "clicked"))
WIDTH = len(_STEPS) * (len(CONTACT_WINDOW_DAYS) + 1) + 1
"""Columns per channel: each step's windows and recency, then the unsubscribed flag."""


class ContactColumns(NamedTuple):
    """The arrays of `features.history.Contacts` the block reads."""

    offsets: NDArray[np.int64]
    contact: NDArray[np.int64]
    arrived_at: NDArray[np.int64]
    channel: NDArray[np.int16]
    sent_at: NDArray[np.int64]
    opened_at: NDArray[np.int64]
    clicked_at: NDArray[np.int64]
    unsubscribed_at: NDArray[np.int64]

    @classmethod
    def of(cls, contacts: Contacts) -> "ContactColumns":
        """The columns of one bucket's contacts; nothing is copied."""
        return cls(*(frozen(getattr(contacts, name)) for name in cls._fields))


def declare(spec: FeatureSpec) -> tuple[Feature, ...]:
    """The block's features, in column order: all channels together, then each channel."""
    names = ("all channels", *spec.channels)
    words = column_words(("any", *spec.channels))
    return tuple(
        feature
        for name, word in zip(names, words, strict=True)
        for feature in _declare_channel(name, word)
    )


def _declare_channel(name: str, word: str) -> tuple[Feature, ...]:
    by = "over all channels" if name == "all channels" else f'by channel "{name}"'
    steps = tuple(
        feature
        for step, verb in _STEPS
        for feature in (
            *(
                Feature(
                    f"contacts_{word}_{step}_{days}d",
                    "count",
                    f"Contacts {by} {verb} in the {days} days before.",
                    BLOCK,
                )
                for days in CONTACT_WINDOW_DAYS
            ),
            Feature(
                f"contacts_{word}_{step}_recency_days",
                "days",
                f"Days since a contact {by} was last {verb}; NaN if none was.",
                BLOCK,
            ),
        )
    )
    flag = Feature(
        f"contacts_{word}_unsubscribed",
        "flag",
        f"1 if a contact {by} led to unsubscribing, else 0.",
        BLOCK,
    )
    return (*steps, flag)


@njit(nogil=True, cache=True, error_model="numpy")
def fill_engagement(
    first: int,
    as_of: int,
    contacts: ContactColumns,
    rows: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Fill `out` (n_rows, (1 + n_channels) * WIDTH) for customers first:first + len(rows).

    Of several versions of a contact the last one that arrived before the as-of counts.
    """
    for i in range(len(rows)):
        if rows[i] < 0:
            continue
        row = out[rows[i]]
        for group in range(len(row) // WIDTH):
            _clear(row[group * WIDTH : (group + 1) * WIDTH])
        version = -1
        end = contacts.offsets[first + i + 1]
        for c in range(contacts.offsets[first + i], end):
            if contacts.arrived_at[c] < as_of and contacts.sent_at[c] < as_of:
                version = c
            last = c + 1 == end or contacts.contact[c + 1] != contacts.contact[c]
            if last and version >= 0:
                _add(as_of, contacts, version, row[:WIDTH])
                channel = contacts.channel[version]
                if channel >= 0:
                    _add(
                        as_of, contacts, version, row[(1 + channel) * WIDTH : (2 + channel) * WIDTH]
                    )
            if last:
                version = -1


@njit(nogil=True, cache=True, error_model="numpy")
def _clear(cells: NDArray[np.float32]) -> None:
    cells[:] = 0.0
    for step in range(3):
        cells[4 * step + 3] = np.nan


@njit(nogil=True, cache=True, error_model="numpy")
def _add(as_of: int, contacts: ContactColumns, c: int, cells: NDArray[np.float32]) -> None:
    """Count version `c` of a contact in one channel's cells."""
    times = (contacts.sent_at[c], contacts.opened_at[c], contacts.clicked_at[c])
    for step in range(3):
        if times[step] >= as_of:
            continue
        age = (as_of - times[step]) / DAY_US
        cells[4 * step] += age <= 7.0
        cells[4 * step + 1] += age <= 30.0
        cells[4 * step + 2] += age <= 90.0
        if not cells[4 * step + 3] <= age:
            cells[4 * step + 3] = age
    if contacts.unsubscribed_at[c] < as_of:
        cells[12] = 1.0
