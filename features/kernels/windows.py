"""Totals per window that several blocks share."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.history import NO_TIME
from features.kernels.series import Series

ORDERS = 0
SPEND = 1
ACTIVITY_EVENTS = 2
ACTIVE_DAYS = 3
N_MEASURES = 4


@njit(nogil=True, cache=True, error_model="numpy")
def sum_windows(
    series: Series,
    window_days: NDArray[np.int64],
    rows: NDArray[np.int64],
    totals: NDArray[np.float64],
) -> None:
    """Fill `totals` (n_customers, N_MEASURES, n_windows + 1), the lifetime last.

    An order counts in a window by its first line's time; an age of exactly w days is
    inside the window of w days.
    """
    n_windows = len(window_days)
    for i in range(len(rows)):
        if rows[i] < 0:
            continue
        total = totals[i]
        # Newest first: sums run on, and are noted for each window that ends on the way.
        window = 0
        limit = window_days[0]
        events = 0
        end = series.active_offsets[i + 1]
        for entry in range(end - 1, series.active_offsets[i] - 1, -1):
            day = series.active_day[entry]
            while day >= limit:
                total[ACTIVITY_EVENTS, window] = events
                total[ACTIVE_DAYS, window] = end - 1 - entry
                window += 1
                limit = window_days[window] if window < n_windows else NO_TIME
            events += series.active_events[entry]
        for wider in range(window, n_windows + 1):
            total[ACTIVITY_EVENTS, wider] = events
            total[ACTIVE_DAYS, wider] = end - series.active_offsets[i]
        window = 0
        spend = 0.0
        end = series.order_offsets[i + 1]
        for order in range(end - 1, series.order_offsets[i] - 1, -1):
            while window < n_windows and series.order_age[order] > window_days[window]:
                total[ORDERS, window] = end - 1 - order
                total[SPEND, window] = spend
                window += 1
            spend += series.order_amount[order]
        for wider in range(window, n_windows + 1):
            total[ORDERS, wider] = end - series.order_offsets[i]
            total[SPEND, wider] = spend
