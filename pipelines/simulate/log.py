"""The buffers that the kernels write into: events, contacts, assignments, customer records."""

from collections.abc import Iterable
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
    """All buffers and the cursor: how full they are and whose rows are being written."""

    cursor: NDArray[np.int64]
    events: EventColumns
    contacts: ContactColumns
    changes: ChangeColumns
    assignments: AssignmentColumns


_SPECIAL: dict[str, Any] = {
    "customer": np.int32,
    "number": np.int32,
    "order": np.int32,
    "kind": np.int8,
    "category": np.int8,
    "device": np.int8,
    "amount": np.float64,
    "discount": np.float64,
    "propensity": np.float64,
    "effect": np.float64,
}


def _empty(kind: Any, rows: int) -> Any:
    return kind(*(np.empty(rows, dtype=_SPECIAL.get(name, np.int64)) for name in kind._fields))


def allocate_log(rows: int) -> Log:
    """Empty buffers of `rows` rows each."""
    kinds = (EventColumns, ContactColumns, ChangeColumns, AssignmentColumns)
    return Log(np.zeros(7, dtype=np.int64), *(_empty(kind, rows) for kind in kinds))


def written_rows(log: Log) -> Rows:
    """Copies of the rows written since the cursor was set back."""
    ends = log.cursor
    return Rows(
        events=EventColumns(*_copies(log.events, ends[EVENTS])),
        contacts=ContactColumns(*_copies(log.contacts, ends[CONTACTS])),
        changes=ChangeColumns(*_copies(log.changes, ends[CHANGES])),
        assignments=AssignmentColumns(*_copies(log.assignments, ends[ASSIGNMENTS])),
    )


def join_rows(pieces: Iterable[Rows]) -> Rows:
    """Rows of several pieces, one piece after the other."""
    events, contacts, changes, assignments = zip(*pieces, strict=True)
    return Rows(
        events=EventColumns(*_stacked(events)),
        contacts=ContactColumns(*_stacked(contacts)),
        changes=ChangeColumns(*_stacked(changes)),
        assignments=AssignmentColumns(*_stacked(assignments)),
    )


def _copies(columns: Iterable[Any], count: int) -> list[Any]:
    return [column[:count].copy() for column in columns]


def _stacked(pieces: Iterable[Any]) -> list[Any]:
    return [np.concatenate(columns) for columns in zip(*pieces, strict=True)]


@njit(cache=True)
def has_room(log: Log, events: int, contacts: int) -> bool:
    """Whether one more customer surely fits."""
    room = len(log.events.at)
    return bool(
        log.cursor[EVENTS] + events <= room
        and log.cursor[CONTACTS] + contacts <= room
        and log.cursor[CHANGES] + contacts <= room
        and log.cursor[ASSIGNMENTS] + contacts <= room
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


@njit(cache=True)
def add_assignment(
    log: Log, number: int, at: int, action: tuple[int, int], propensity: float, state: int
) -> None:
    """Append what a campaign assigned to the customer."""
    row = log.cursor[ASSIGNMENTS]
    rows = log.assignments
    rows.customer[row] = log.cursor[CUSTOMER]
    rows.number[row] = number
    rows.at[row] = at
    rows.channel[row], rows.offer[row] = action
    rows.propensity[row] = propensity
    rows.state[row] = state
    log.cursor[ASSIGNMENTS] = row + 1


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
    row = log.cursor[CONTACTS]
    rows = log.contacts
    rows.customer[row] = log.cursor[CUSTOMER]
    rows.number[row] = number
    rows.channel[row], rows.offer[row] = action
    rows.sent[row], rows.delivered[row], rows.opened[row] = times[0], times[1], times[2]
    rows.clicked[row], rows.unsubscribed[row] = times[3], times[4]
    rows.outcome[row] = outcome
    rows.propensity[row], rows.effect[row] = hidden
    log.cursor[CONTACTS] = row + 1
