"""Trend: the daily rate of a short window against that of a longer one."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernels.feature import WINDOW_DAYS, Feature
from features.kernels.windows import ACTIVE_DAYS, ACTIVITY_EVENTS, ORDERS, SPEND
from features.spec import FeatureSpec

BLOCK = "trend"

_MEASURES = (
    ("orders", ORDERS, ((30, 90), (90, 365))),
    ("spend", SPEND, ((30, 90), (90, 365))),
    ("activity", ACTIVITY_EVENTS, ((7, 30), (30, 90), (90, 365))),
    ("active_days", ACTIVE_DAYS, ((30, 90), (90, 365))),
)
PAIRS = np.array(
    [
        (measure, WINDOW_DAYS.index(short), WINDOW_DAYS.index(long))
        for _, measure, pairs in _MEASURES
        for short, long in pairs
    ]
)
"""Measure, short window, long window of each feature; shape (n_features, 3)."""


def declare(_spec: FeatureSpec) -> tuple[Feature, ...]:
    """The block's features, in column order."""
    return tuple(
        Feature(
            f"trend_{name}_{short}d_{long}d",
            "ratio",
            f"Daily rate of {name.replace('_', ' ')} in the {short} days before ÷ that in the"
            f" {long} days before; NaN if the latter is 0.",
            BLOCK,
        )
        for name, _, pairs in _MEASURES
        for short, long in pairs
    )


@njit(nogil=True, cache=True, error_model="numpy")
def fill_trend(
    totals: NDArray[np.float64],
    pairs: NDArray[np.int64],
    window_days: NDArray[np.int64],
    rows: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Fill `out` (n_rows, n_pairs) from `windows.sum_windows` totals."""
    for i in range(len(rows)):
        if rows[i] < 0:
            continue
        row = out[rows[i]]
        for j in range(len(pairs)):
            measure, short, long = pairs[j, 0], pairs[j, 1], pairs[j, 2]
            base = totals[i, measure, long] / window_days[long]
            rate = totals[i, measure, short] / window_days[short]
            row[j] = rate / base if base > 0.0 else np.nan
