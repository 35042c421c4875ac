"""One walk over customers' orders: their pace, and how their discounts came about."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.coupon_history import CouponHistory, OfferWindow, fill_coupons, offer_contacts
from features.history import History, frozen
from features.kernels.feature import DAY_US
from features.kernels.series import (
    DetailColumns,
    EventColumns,
    Series,
    empty_series,
    gather_details,
    type_kinds,
)
from features.kernels.visibility import first_visible
from features.order_pace import MONTH_DAYS, OrderPace, fill_pace, fill_year
from features.spec import FeatureSpec
from features.stage_state import StageStates

Int64Array = NDArray[np.int64]

_CHUNK_CUSTOMERS = 2048


@dataclass(frozen=True, slots=True)
class OrderHabits:
    """What orders and offers tell of customers' habits; rows as in the feature matrix."""

    pace: OrderPace
    coupons: CouponHistory


def order_habits(
    history: History, *, spec: FeatureSpec, states: StageStates, window: OfferWindow
) -> OrderHabits:
    """Walk over the orders of every row's customer, now and as they were known a month ago.

    Parameters
    ----------
    history : the bucket's histories that `states` came from, read with offers.
    spec : gives event types their codes.
    states : the rows, all of one as-of; only what occurred and arrived before it counts,
        and for the month before only what did so a month before.
    window : which orders and offers count for discounts.
    """
    n_rows = len(states.customer)
    habits = OrderHabits(OrderPace.empty(n_rows), CouponHistory.empty(n_rows))
    if not n_rows:
        return habits
    as_of = int(states.as_of[0])
    then = as_of - MONTH_DAYS * DAY_US
    rows = np.full(history.n_customers, -1, dtype=np.int64)
    rows[states.customer] = np.arange(n_rows)
    pace, coupons = habits.pace, habits.coupons
    events = EventColumns.of(history.events)
    seen_from = first_visible(events.offsets, events.occurred_at, events.arrived_at)
    pace.known_then[:] = seen_from[states.customer] < then
    offers = tuple(
        frozen(part)
        for part in offer_contacts(history.contacts, as_of_us=as_of, no_offer=window.no_offer)
    )
    kinds = type_kinds(spec)
    for chunk, series in _each_chunk(history, then, kinds):
        fill_year(series, rows[slice(*chunk)], (pace.spend_then, pace.orders_then))
    counts = (coupons.plain, coupons.alone, coupons.prompted, coupons.offers)
    for chunk, series in _each_chunk(history, as_of, kinds):
        mine = rows[slice(*chunk)]
        fill_pace(series, mine, (pace.recent_days, pace.usual_days, pace.usual_span))
        fill_coupons(
            chunk,
            series,
            offers,
            (as_of, window.orders_from_us, window.days),
            (mine, *counts),
        )
    return habits


def _each_chunk(
    history: History, as_of: int, kinds: NDArray[np.uint8]
) -> Iterator[tuple[tuple[int, int], Series]]:
    """Orders and refunds of some customers after the other; the series is overwritten."""
    details = DetailColumns.of(history.details)
    starts = range(0, history.n_customers, _CHUNK_CUSTOMERS)
    chunks = [(first, min(first + _CHUNK_CUSTOMERS, history.n_customers)) for first in starts]
    room = max((int(details.offsets[b] - details.offsets[a]) for a, b in chunks), default=0)
    series = empty_series(_CHUNK_CUSTOMERS, 0, 0, room)
    for chunk in chunks:
        gather_details(chunk, as_of, details, kinds, series)
        yield chunk, series
