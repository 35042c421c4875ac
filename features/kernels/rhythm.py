"""Rhythm: the gaps between orders, and how overdue the next one is."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernels.feature import Feature
from features.kernels.series import Series
from features.spec import FeatureSpec

BLOCK = "rhythm"

PRIOR_GAPS = 2.0
PRIOR_GAP_DAYS = 30.0

_FEATURES = (
    ("gap_days_mean", "days", "Mean gap between orders; NaN below two orders."),
    ("gap_days_sd", "days", "Standard deviation (n - 1) of the gaps; NaN below three orders."),
    ("gap_cv", "ratio", "Standard deviation ÷ mean of the gaps; NaN if undefined."),
    ("gap_days_max", "days", "Longest gap between orders; NaN below two orders."),
    ("gap_days_min", "days", "Shortest gap between orders; NaN below two orders."),
    ("gap_days_last", "days", "Gap between the last two orders; NaN below two orders."),
    ("gap_last_ratio", "ratio", "Last gap ÷ mean gap; NaN if undefined."),
    ("gap_recent_ratio", "ratio", "Mean of the last three gaps ÷ mean gap; NaN if undefined."),
    ("overdue_ratio", "ratio", "Days since the last order ÷ mean gap; NaN if undefined."),
    ("overdue_max_ratio", "ratio", "Days since the last order ÷ longest gap; NaN if undefined."),
    (
        "gap_days_shrunken",
        "days",
        f"Typical gap drawn towards {PRIOR_GAP_DAYS:g} days, as if {PRIOR_GAPS:g} more gaps of that"
        " length were seen (mean of log(1 + gap)); NaN without an order.",
    ),
    (
        "overdue_shrunken_ratio",
        "ratio",
        "Days since the last order ÷ the shrunken gap; NaN without an order.",
    ),
)


def declare(_spec: FeatureSpec) -> tuple[Feature, ...]:
    """The block's features, in column order."""
    return tuple(Feature(name, unit, meaning, BLOCK) for name, unit, meaning in _FEATURES)


@njit(nogil=True, cache=True, error_model="numpy")
def fill_rhythm(series: Series, rows: NDArray[np.int64], out: NDArray[np.float32]) -> None:
    """Fill `out` (n_rows, 12); gaps are days between the first lines of successive orders."""
    for i in range(len(rows)):
        if rows[i] < 0:
            continue
        row = out[rows[i]]
        row[:] = np.nan
        age = series.order_age[series.order_offsets[i] : series.order_offsets[i + 1]]
        gaps = len(age) - 1
        if gaps < 0:
            continue
        recency = age[gaps]
        log_sum = PRIOR_GAPS * np.log1p(PRIOR_GAP_DAYS)
        longest, shortest = 0.0, np.inf
        for j in range(gaps):
            gap = age[j] - age[j + 1]
            log_sum += np.log1p(gap)
            longest = max(longest, gap)
            shortest = min(shortest, gap)
        row[10] = np.expm1(log_sum / (PRIOR_GAPS + gaps))
        row[11] = recency / np.expm1(log_sum / (PRIOR_GAPS + gaps))
        if gaps == 0:
            continue
        mean = (age[0] - recency) / gaps
        squares = 0.0
        for j in range(gaps):
            squares += (age[j] - age[j + 1] - mean) ** 2
        last = age[gaps - 1] - recency
        recent = min(gaps, 3)
        row[0] = mean
        row[3] = longest
        row[4] = shortest
        row[5] = last
        if gaps > 1:
            row[1] = np.sqrt(squares / (gaps - 1))
        if mean > 0.0:
            if gaps > 1:
                row[2] = np.sqrt(squares / (gaps - 1)) / mean
            row[6] = last / mean
            row[7] = (age[gaps - recent] - recency) / recent / mean
            row[8] = recency / mean
            row[9] = recency / longest
