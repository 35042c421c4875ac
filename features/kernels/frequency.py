"""Frequency: how often, in windows of growing length."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernels.feature import WINDOW_NAMES, Feature, window_text
from features.kernels.windows import ACTIVE_DAYS, ACTIVITY_EVENTS, ORDERS
from features.spec import FeatureSpec

BLOCK = "frequency"

_MEASURES = (
    ("orders", ORDERS, "Orders"),
    ("activity", ACTIVITY_EVENTS, "Activity events"),
    ("active_days", ACTIVE_DAYS, "24-hour periods, counted back from the as-of, with activity"),
)
MEASURES = np.array([measure for _, measure, _ in _MEASURES])


def declare(_spec: FeatureSpec) -> tuple[Feature, ...]:
    """The block's features, in column order."""
    return tuple(
        Feature(f"{name}_{window}", "count", f"{subject} {window_text(window)}.", BLOCK)
        for name, _, subject in _MEASURES
        for window in WINDOW_NAMES
    )


@njit(nogil=True, cache=True, error_model="numpy")
def fill_frequency(
    totals: NDArray[np.float64],
    measures: NDArray[np.int64],
    rows: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Fill `out` (n_rows, n_measures * n_windows) from `windows.sum_windows` totals."""
    n_windows = totals.shape[2]
    for i in range(len(rows)):
        if rows[i] < 0:
            continue
        row = out[rows[i]]
        for j in range(len(measures)):
            for window in range(n_windows):
                row[j * n_windows + window] = totals[i, measures[j], window]
