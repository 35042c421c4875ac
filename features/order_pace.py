"""How often customers order lately beside their usual, and what they bought a month ago."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernels.series import Series

MONTH_DAYS = 30
"""So many days back lies "a month ago"."""

YEAR_DAYS = 365
"""Spend and orders a month ago are those of so many days before."""

RECENT_DAYS = 60
"""So many days before the as-of are recent; short enough to warn, long enough to count in."""

USUAL_DAYS = 365
"""What is usual is seen in so many days before the recent ones."""


@dataclass(frozen=True, slots=True)
class OrderPace:
    """Orders of customers now and before; each of shape (n_rows,).

    An order day is a period of 24 hours, counted back from the as-of, with an order:
    several orders of one day are one decision to buy.

    Attributes
    ----------
    known_then : bool, some event had occurred and arrived a month before the as-of.
    spend_then : float32, money of the year before then, refunds taken off, as known then.
    orders_then : int32, orders of that year, as known then.
    recent_days : int16, order days among the last `RECENT_DAYS`.
    usual_days : int16, order days among the `USUAL_DAYS` before those; the day of the first
        order ever does not count, as it tells nothing of a pace.
    usual_span : float32, days of these in which the customer had ordered before; 0 for one
        whose first order is recent, or who never ordered.
    """

    known_then: NDArray[np.bool_]
    spend_then: NDArray[np.float32]
    orders_then: NDArray[np.int32]
    recent_days: NDArray[np.int16]
    usual_days: NDArray[np.int16]
    usual_span: NDArray[np.float32]

    @classmethod
    def empty(cls, n_rows: int) -> "OrderPace":
        """Of customers who were not known then and never ordered."""
        return cls(
            known_then=np.zeros(n_rows, dtype=np.bool_),
            spend_then=np.zeros(n_rows, dtype=np.float32),
            orders_then=np.zeros(n_rows, dtype=np.int32),
            recent_days=np.zeros(n_rows, dtype=np.int16),
            usual_days=np.zeros(n_rows, dtype=np.int16),
            usual_span=np.zeros(n_rows, dtype=np.float32),
        )


@njit(nogil=True, cache=True, error_model="numpy")
def fill_year(
    series: Series,
    rows: NDArray[np.int64],
    out: tuple[NDArray[np.float32], NDArray[np.int32]],
) -> None:
    """Spend net of refunds and orders of `YEAR_DAYS` before the series' as-of.

    `rows` names the place of each customer of the series, -1 for none. Refunds take off at
    most what was spent.
    """
    spend_out, orders_out = out
    for i in range(len(rows)):
        if rows[i] < 0:
            continue
        spend, refunded, orders = 0.0, 0.0, 0
        for order in range(series.order_offsets[i], series.order_offsets[i + 1]):
            if series.order_age[order] <= YEAR_DAYS:
                spend += series.order_amount[order]
                orders += 1
        for entry in range(series.refund_offsets[i], series.refund_offsets[i + 1]):
            if series.refund_age[entry] <= YEAR_DAYS:
                refunded += series.refund_amount[entry]
        # A share of all that was spent, as in the list's yearly spend.
        share = min(refunded / spend, 1.0) if spend > 0.0 else 0.0
        spend_out[rows[i]] = spend * (1.0 - share)
        orders_out[rows[i]] = orders


@njit(nogil=True, cache=True, error_model="numpy")
def fill_pace(
    series: Series,
    rows: NDArray[np.int64],
    out: tuple[NDArray[np.int16], NDArray[np.int16], NDArray[np.float32]],
) -> None:
    """Order days of the recent and the usual days before the series' as-of; `rows` as above."""
    recent_out, usual_out, span_out = out
    for i in range(len(rows)):
        first = series.order_offsets[i]
        if rows[i] < 0 or first == series.order_offsets[i + 1]:
            continue
        recent, usual = 0, 0
        # Only days after the one of the first order count.
        open_day = np.ceil(series.order_age[first])
        for order in range(first, series.order_offsets[i + 1]):
            day = np.ceil(series.order_age[order])
            if day >= open_day:
                continue
            open_day = day
            recent += day <= RECENT_DAYS
            usual += RECENT_DAYS < day <= RECENT_DAYS + USUAL_DAYS
        span = min(np.ceil(series.order_age[first]) - 1.0 - RECENT_DAYS, float(USUAL_DAYS))
        recent_out[rows[i]] = recent
        usual_out[rows[i]] = usual
        span_out[rows[i]] = max(span, 0.0)
