"""The buffers that the kernels write into: events, contacts, assignments, customer records."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

EVENTS, CONTACTS, CHANGES, ASSIGNMENTS, CUSTOMER, DEVICE, EVENT_NUMBER = range(7)
NEVER = 0
"""Stands for "did not happen" in the time columns."""


class EventColumns(NamedTuple):
    """One row per event. `order` is the customer's order number, -1 for none."""

    customer: NDArray[np.int32]
    number: NDArray[np.int32]
    at: NDArray[np.int64]
    kind: NDArray[np.int8]
    amount: NDArray[np.float64]
    discount: NDArray[np.float64]
    order: NDArray[np.int32]
    category: NDArray[np.int8]
    device: NDArray[np.int8]


class ContactColumns(NamedTuple):
    """One row per contact; times are UTC seconds or NEVER.

    The last two are hidden from the product: the probability of just this contact on that
    night (NaN where somebody outside decided), and the effect that it had.
    """

    customer: NDArray[np.int32]
    number: NDArray[np.int32]
    sent: NDArray[np.int64]
    channel: NDArray[np.int64]
    offer: NDArray[np.int64]
    delivered: NDArray[np.int64]
    opened: NDArray[np.int64]
    clicked: NDArray[np.int64]
    unsubscribed: NDArray[np.int64]
    outcome: NDArray[np.int64]
    propensity: NDArray[np.float64]
    effect: NDArray[np.float64]


class ChangeColumns(NamedTuple):
    """One row per version of a customer's record: its flags as bits from a second on."""

    customer: NDArray[np.int32]
    at: NDArray[np.int64]
    flags: NDArray[np.int64]


class AssignmentColumns(NamedTuple):
    """One row per customer and campaign; channel -1 is the control.

    `at` is the midnight of the company's zone; `state` is hidden from the product.
    """

    customer: NDArray[np.int32]
    number: NDArray[np.int32]
    at: NDArray[np.int64]
    channel: NDArray[np.int64]
    offer: NDArray[np.int64]
    propensity: NDArray[np.float64]
    state: NDArray[np.int64]


class Rows(NamedTuple):
    """Written rows of all four kinds."""

    events: EventColumns
    contacts: ContactColumns
    changes: ChangeColumns
    assignments: AssignmentColumns


class Log(NamedTuple):
    """All buffers and the cursor: how full they are and whose rows are being written.

    Each buffer is one array of records, with the columns above as fields: to pass an array
    on costs time, and there are many columns.
    """

    cursor: NDArray[np.int64]
    events: Any
    contacts: Any
    changes: Any
    assignments: Any


_SMALL: dict[str, Any] = {
    "customer": np.int32,
    "number": np.int32,
    "order": np.int32,
    "kind": np.int8,
    "category": np.int8,
    "device": np.int8,
}
_REAL = ("amount", "discount", "propensity", "effect")


def _buffer(columns: Any, rows: int) -> NDArray[Any]:
    types = [
        (name, np.float64 if name in _REAL else _SMALL.get(name, np.int64))
        for name in columns._fields
    ]
    return np.zeros(rows, dtype=np.dtype(types, align=True))


def allocate_log(rows: int) -> Log:
    """Empty buffers of `rows` rows each."""
    return Log(
        cursor=np.zeros(7, dtype=np.int64),
        events=_buffer(EventColumns, rows),
        contacts=_buffer(ContactColumns, rows),
        changes=_buffer(ChangeColumns, rows),
        assignments=_buffer(AssignmentColumns, rows),
    )


Piece = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]


def written_piece(log: Log) -> Piece:
    """Copies of the records written since the cursor was set back."""
    ends = log.cursor
    return (
        log.events[: ends[EVENTS]].copy(),
        log.contacts[: ends[CONTACTS]].copy(),
        log.changes[: ends[CHANGES]].copy(),
        log.assignments[: ends[ASSIGNMENTS]].copy(),
    )


def join_pieces(pieces: Iterable[Piece]) -> Rows:
    """Rows of several pieces, one piece after the other."""
    events, contacts, changes, assignments = zip(*pieces, strict=True)
    return Rows(
        events=EventColumns(*_columns(events)),
        contacts=ContactColumns(*_columns(contacts)),
        changes=ChangeColumns(*_columns(changes)),
        assignments=AssignmentColumns(*_columns(assignments)),
    )


def _columns(pieces: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    names = pieces[0].dtype.names or ()
    return [np.concatenate([piece[name] for piece in pieces]) for name in names]


@njit(cache=True)
def has_room(log: Log, events: int, contacts: int) -> bool:
    """Whether one more customer surely fits."""
    room = len(log.events)
    return bool(
        log.cursor[EVENTS] + events <= room
        and log.cursor[CONTACTS] + contacts <= room
        and log.cursor[CHANGES] + contacts <= room
        and log.cursor[ASSIGNMENTS] + contacts <= room
    )


@njit(cache=True)
def begin_customer(cursor: NDArray[np.int64], customer: int, device: int) -> None:
    """Write the next rows for this customer."""
    cursor[CUSTOMER] = customer
    cursor[DEVICE] = device
    cursor[EVENT_NUMBER] = 0


@njit(cache=True)
def add_event(
    log: Log, at: int, kind: int, amount: float, discount: float, order: int, category: int
) -> None:
    """Append one event; NaN amount, -1 order and -1 category mean none."""
    cursor = log.cursor
    event = log.events[cursor[EVENTS]]
    event.customer = cursor[CUSTOMER]
    event.number = cursor[EVENT_NUMBER]
    event.at = at
    event.kind = kind
    event.amount = amount
    event.discount = discount
    event.order = order
    event.category = category
    event.device = cursor[DEVICE]
    cursor[EVENTS] += 1
    cursor[EVENT_NUMBER] += 1


@njit(cache=True)
def add_mark(log: Log, at: int, kind: int) -> None:
    """Append an event that is only a type and a time."""
    add_event(log, at, kind, np.nan, np.nan, -1, -1)


@njit(cache=True)
def add_change(log: Log, at: int, flags: int) -> None:
    """Append a version of the customer's record."""
    change = log.changes[log.cursor[CHANGES]]
    change.customer = log.cursor[CUSTOMER]
    change.at = at
    change.flags = flags
    log.cursor[CHANGES] += 1


@njit(cache=True)
def add_assignment(
    log: Log, number: int, at: int, action: tuple[int, int], propensity: float, state: int
) -> None:
    """Append what a campaign assigned to the customer."""
    row = log.assignments[log.cursor[ASSIGNMENTS]]
    row.customer = log.cursor[CUSTOMER]
    row.number = number
    row.at = at
    row.channel, row.offer = action[0], action[1]
    row.propensity = propensity
    row.state = state
    log.cursor[ASSIGNMENTS] += 1


@njit(cache=True)
def add_contact(
    log: Log,
    number: int,
    action: tuple[int, int],
    times: tuple[int, int, int, int, int],
    outcome: int,
    hidden: tuple[float, float],
) -> None:
    """Append a contact; `times` as in the columns, `hidden` is (propensity, effect)."""
    row = log.contacts[log.cursor[CONTACTS]]
    row.customer = log.cursor[CUSTOMER]
    row.number = number
    row.channel, row.offer = action[0], action[1]
    row.sent, row.delivered, row.opened = times[0], times[1], times[2]
    row.clicked, row.unsubscribed = times[3], times[4]
    row.outcome = outcome
    row.propensity, row.effect = hidden[0], hidden[1]
    log.cursor[CONTACTS] += 1
