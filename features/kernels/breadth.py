"""Breadth: how many categories and kinds of events the customer uses."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.history import NO_TIME
from features.kernels.feature import DAY_US, Feature
from features.kernels.series import Series
from features.spec import FeatureSpec

BLOCK = "breadth"

_FEATURES = (
    ("categories_90d", "count", "Distinct categories in the 90 days before."),
    ("categories_365d", "count", "Distinct categories in the 365 days before."),
    ("categories_lifetime", "count", "Distinct categories ever."),
    (
        "category_top_share",
        "share",
        "Share of the most frequent category among events with a category; NaN without one.",
    ),
    ("event_types_30d", "count", "Distinct event types in the 30 days before."),
    ("event_types_90d", "count", "Distinct event types in the 90 days before."),
    ("event_types_lifetime", "count", "Distinct event types ever."),
)


def declare(_spec: FeatureSpec) -> tuple[Feature, ...]:
    """The block's features, in column order."""
    return tuple(Feature(name, unit, meaning, BLOCK) for name, unit, meaning in _FEATURES)


@njit(nogil=True, cache=True, error_model="numpy")
def fill_breadth(
    as_of: int,
    series: Series,
    counts: NDArray[np.int64],
    rows: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Fill `out` (n_rows, 7).

    `counts` (n_categories,) is scratch that holds zeros before and after.
    """
    for i in range(len(rows)):
        if rows[i] < 0:
            continue
        row = out[rows[i]]
        row[:] = 0.0
        first, end = series.category_offsets[i], series.category_offsets[i + 1]
        top = 0
        # Newest first: a category is new in a window when it is met for the first time.
        for entry in range(end - 1, first - 1, -1):
            code = series.category_code[entry]
            counts[code] += 1
            top = max(top, counts[code])
            if counts[code] == 1:
                row[0] += series.category_age[entry] <= 90.0
                row[1] += series.category_age[entry] <= 365.0
                row[2] += 1.0
        for entry in range(first, end):
            counts[series.category_code[entry]] = 0
        row[3] = top / (end - first) if end > first else np.nan
        for code in range(series.last_at.shape[1]):
            last = series.last_at[i, code]
            if last != NO_TIME:
                row[4] += as_of - last <= 30 * DAY_US
                row[5] += as_of - last <= 90 * DAY_US
                row[6] += 1.0
