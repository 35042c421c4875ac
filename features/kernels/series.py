"""The one walk over raw events: what is visible becomes short series per customer.

All blocks read these series, so the rules of visibility, of orders and of 24-hour
periods are written once, here.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.history import NO_CODE, NO_TIME, Details, Events, frozen
from features.kernels.feature import DAY_US
from features.spec import FeatureSpec

ACTIVITY = 1
ORDER = 2
REFUND = 4


class EventColumns(NamedTuple):
    """The arrays of `features.history.Events`, in a form that numba takes."""

    offsets: NDArray[np.int64]
    occurred_at: NDArray[np.int64]
    arrived_at: NDArray[np.int64]
    event_type: NDArray[np.int16]

    @classmethod
    def of(cls, events: Events) -> "EventColumns":
        """The columns of one bucket's events; nothing is copied."""
        return cls(*(frozen(getattr(events, name)) for name in cls._fields))


class DetailColumns(NamedTuple):
    """The arrays of `features.history.Details`, in a form that numba takes."""

    offsets: NDArray[np.int64]
    occurred_at: NDArray[np.int64]
    arrived_at: NDArray[np.int64]
    event_type: NDArray[np.int16]
    amount: NDArray[np.float64]
    discount: NDArray[np.float64]
    order: NDArray[np.int32]
    category: NDArray[np.int32]

    @classmethod
    def of(cls, details: Details) -> "DetailColumns":
        """The columns of one bucket's details; nothing is copied."""
        return cls(*(frozen(getattr(details, name)) for name in cls._fields))


class Series(NamedTuple):
    """What is visible of a chunk of customers at one as-of, as flat arrays.

    `x_offsets` has shape (n_customers + 1,): customer i owns entries
    x_offsets[i]:x_offsets[i + 1] of the x series, the oldest first. Ages are exact days
    before the as-of (float), `day` is the number of whole 24-hour periods before it.

    `first_at` (n_customers,) and `last_at` (n_customers, n_event_types) are times of
    visible events, NO_TIME where there is none.
    """

    first_at: NDArray[np.int64]
    last_at: NDArray[np.int64]
    order_offsets: NDArray[np.int64]
    order_age: NDArray[np.float64]
    order_amount: NDArray[np.float64]
    order_discount: NDArray[np.float64]
    order_lines: NDArray[np.int32]
    refund_offsets: NDArray[np.int64]
    refund_age: NDArray[np.float64]
    refund_amount: NDArray[np.float64]
    active_offsets: NDArray[np.int64]
    active_day: NDArray[np.int32]
    active_events: NDArray[np.int32]
    category_offsets: NDArray[np.int64]
    category_age: NDArray[np.float64]
    category_code: NDArray[np.int32]


def empty_series(n_customers: int, n_event_types: int, n_events: int, n_details: int) -> Series:
    """Room for the series of at most this many customers, with so many events and details."""

    def offsets() -> NDArray[np.int64]:
        return np.zeros(n_customers + 1, dtype=np.int64)

    return Series(
        first_at=np.empty(n_customers, dtype=np.int64),
        last_at=np.empty((n_customers, n_event_types), dtype=np.int64),
        order_offsets=offsets(),
        order_age=np.empty(n_details),
        order_amount=np.empty(n_details),
        order_discount=np.empty(n_details),
        order_lines=np.empty(n_details, dtype=np.int32),
        refund_offsets=offsets(),
        refund_age=np.empty(n_details),
        refund_amount=np.empty(n_details),
        active_offsets=offsets(),
        active_day=np.empty(n_events, dtype=np.int32),
        active_events=np.empty(n_events, dtype=np.int32),
        category_offsets=offsets(),
        category_age=np.empty(n_details),
        category_code=np.empty(n_details, dtype=np.int32),
    )


def type_kinds(spec: FeatureSpec) -> NDArray[np.uint8]:
    """What each event type counts as: bits ACTIVITY, ORDER, REFUND; shape (n_event_types,)."""
    kinds = np.zeros(len(spec.event_types), dtype=np.uint8)
    for names, bit in ((spec.activity, ACTIVITY), (spec.orders, ORDER), (spec.refunds, REFUND)):
        kinds[spec.flags(names)] |= bit
    return kinds


@njit(nogil=True, cache=True, error_model="numpy")
def gather_days(
    chunk: tuple[int, int],
    as_of: int,
    events: EventColumns,
    kinds: NDArray[np.uint8],
    series: Series,
) -> None:
    """Fill the times and active days of `series` for customers chunk[0]:chunk[1].

    The loop sees every event, so it has no branch that is hard to predict: each event
    writes its day, and a new day only moves the place where the next one is written.
    """
    # Ages are positive; numba divides unsigned numbers by a constant faster.
    day_us = np.uint64(DAY_US)
    actives = 0
    for i in range(chunk[1] - chunk[0]):
        open_day = ~np.uint64(0)
        count = 0
        first_at = NO_TIME
        last_at = series.last_at[i]
        last_at[:] = NO_TIME
        for e in range(events.offsets[chunk[0] + i], events.offsets[chunk[0] + i + 1]):
            time = events.occurred_at[e]
            if time >= as_of:
                break
            if events.arrived_at[e] >= as_of:
                continue
            first_at = min(first_at, time)
            last_at[events.event_type[e]] = time
            if kinds[events.event_type[e]] & ACTIVITY:
                day = np.uint64(as_of - time - 1) // day_us
                actives += day != open_day
                count = 1 if day != open_day else count + 1
                open_day = day
                series.active_day[actives - 1] = day
                series.active_events[actives - 1] = count
        series.first_at[i] = first_at
        series.active_offsets[i + 1] = actives


@njit(nogil=True, cache=True, error_model="numpy")
def gather_details(
    chunk: tuple[int, int],
    as_of: int,
    details: DetailColumns,
    kinds: NDArray[np.uint8],
    series: Series,
) -> None:
    """Fill the orders, refunds and categories of `series` for customers chunk[0]:chunk[1].

    Consecutive order events that share an order code are one order: its time is the
    first line's, its amount and discount the sums over its lines, missing counting as 0.
    """
    orders = refunds = categories = 0
    for i in range(chunk[1] - chunk[0]):
        open_order = NO_CODE
        for d in range(details.offsets[chunk[0] + i], details.offsets[chunk[0] + i + 1]):
            time = details.occurred_at[d]
            if time >= as_of:
                break
            if details.arrived_at[d] >= as_of:
                continue
            kind = kinds[details.event_type[d]]
            age = (as_of - time) / DAY_US
            amount = details.amount[d]
            if kind & ORDER:
                if details.order[d] == NO_CODE or details.order[d] != open_order:
                    series.order_age[orders] = age
                    series.order_amount[orders] = 0.0
                    series.order_discount[orders] = 0.0
                    series.order_lines[orders] = 0
                    open_order = details.order[d]
                    orders += 1
                series.order_amount[orders - 1] += 0.0 if np.isnan(amount) else amount
                discount = details.discount[d]
                series.order_discount[orders - 1] += 0.0 if np.isnan(discount) else discount
                series.order_lines[orders - 1] += 1
            if kind & REFUND and not np.isnan(amount):
                series.refund_age[refunds] = age
                series.refund_amount[refunds] = abs(amount)
                refunds += 1
            if details.category[d] != NO_CODE:
                series.category_age[categories] = age
                series.category_code[categories] = details.category[d]
                categories += 1
        series.order_offsets[i + 1] = orders
        series.refund_offsets[i + 1] = refunds
        series.category_offsets[i + 1] = categories
