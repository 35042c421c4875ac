"""Totals per window that several blocks share."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernels.series import Series

ORDERS = 0
SPEND = 1
ACTIVITY_EVENTS = 2
ACTIVE_DAYS = 3
N_MEASURES = 4


@njit(nogil=True, cache=True)
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
        total[:] = 0.0
        window = 0
        for entry in range(series.active_offsets[i + 1] - 1, series.active_offsets[i] - 1, -1):
            day = series.active_day[entry]
            while window < n_windows and day >= window_days[window]:
                window += 1
            total[ACTIVITY_EVENTS, window] += series.active_events[entry]
            total[ACTIVE_DAYS, window] += 1.0
        window = 0
        for order in range(series.order_offsets[i + 1] - 1, series.order_offsets[i] - 1, -1):
            while window < n_windows and series.order_age[order] > window_days[window]:
                window += 1
            total[ORDERS, window] += 1.0
            total[SPEND, window] += series.order_amount[order]
        for measure in range(N_MEASURES):
            for wider in range(1, n_windows + 1):
                total[measure, wider] += total[measure, wider - 1]
