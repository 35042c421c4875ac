"""The buffers that the kernels write into: events, contacts, changes of customer records."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

EVENTS, CONTACTS, CHANGES, CUSTOMER, DEVICE, EVENT_NUMBER = range(6)
NEVER = 0
"""Stands for "did not happen" in the time columns."""


class EventColumns(NamedTuple):
    """One row per event. `order` is the customer's order number, -1 for none."""

    customer: NDArray[np.int64]
    number: NDArray[np.int64]
    at: NDArray[np.int64]
    kind: NDArray[np.int64]
    amount: NDArray[np.float64]
    discount: NDArray[np.float64]
    order: NDArray[np.int64]
    category: NDArray[np.int64]
    device: NDArray[np.int64]


class ContactColumns(NamedTuple):
    """One row per contact; times are UTC seconds or NEVER."""

    customer: NDArray[np.int64]
    number: NDArray[np.int64]
    sent: NDArray[np.int64]
    channel: NDArray[np.int64]
    offer: NDArray[np.int64]
    delivered: NDArray[np.int64]
    opened: NDArray[np.int64]
    clicked: NDArray[np.int64]
    unsubscribed: NDArray[np.int64]
    outcome: NDArray[np.int64]


class ChangeColumns(NamedTuple):
    """One row per version of a customer's record: its flags as bits from a second on."""

    customer: NDArray[np.int64]
    at: NDArray[np.int64]
    flags: NDArray[np.int64]


class Log(NamedTuple):
    """All buffers and the cursor: how full they are and whose rows are being written."""

    cursor: NDArray[np.int64]
    events: EventColumns
    contacts: ContactColumns
    changes: ChangeColumns


def allocate_log(rows: int) -> Log:
    """Empty buffers of `rows` rows each."""

    def whole() -> NDArray[np.int64]:
        return np.empty(rows, dtype=np.int64)

    def real() -> NDArray[np.float64]:
        return np.empty(rows, dtype=np.float64)

    return Log(
        cursor=np.zeros(6, dtype=np.int64),
        events=EventColumns(
            whole(), whole(), whole(), whole(), real(), real(), whole(), whole(), whole()
        ),
        contacts=ContactColumns(*(whole() for _ in ContactColumns._fields)),
        changes=ChangeColumns(*(whole() for _ in ChangeColumns._fields)),
    )


@njit(cache=True)
def has_room(log: Log, events: int, contacts: int) -> bool:
    """Whether one more customer surely fits."""
    room = len(log.events.at)
    return bool(
        log.cursor[EVENTS] + events <= room
        and log.cursor[CONTACTS] + contacts <= room
        and log.cursor[CHANGES] + contacts <= room
    )


@njit(cache=True)
def begin_customer(log: Log, customer: int, device: int) -> None:
    """Write the next rows for this customer."""
    log.cursor[CUSTOMER] = customer
    log.cursor[DEVICE] = device
    log.cursor[EVENT_NUMBER] = 0


@njit(cache=True)
def add_event(
    log: Log, at: int, kind: int, amount: float, discount: float, order: int, category: int
) -> None:
    """Append one event; NaN amount, -1 order and -1 category mean none."""
    row = log.cursor[EVENTS]
    events = log.events
    events.customer[row] = log.cursor[CUSTOMER]
    events.number[row] = log.cursor[EVENT_NUMBER]
    events.at[row] = at
    events.kind[row] = kind
    events.amount[row] = amount
    events.discount[row] = discount
    events.order[row] = order
    events.category[row] = category
    events.device[row] = log.cursor[DEVICE]
    log.cursor[EVENTS] = row + 1
    log.cursor[EVENT_NUMBER] += 1


@njit(cache=True)
def add_mark(log: Log, at: int, kind: int) -> None:
    """Append an event that is only a type and a time."""
    add_event(log, at, kind, np.nan, np.nan, -1, -1)


@njit(cache=True)
def add_change(log: Log, at: int, flags: int) -> None:
    """Append a version of the customer's record."""
    row = log.cursor[CHANGES]
    log.changes.customer[row] = log.cursor[CUSTOMER]
    log.changes.at[row] = at
    log.changes.flags[row] = flags
    log.cursor[CHANGES] = row + 1
