"""Tenure: how long the customer has been known."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernels.feature import DAY_US, Feature
from features.kernels.series import Series
from features.spec import FeatureSpec

BLOCK = "tenure"


def declare(_spec: FeatureSpec) -> tuple[Feature, ...]:
    """The block's features, in column order."""
    return (
        Feature("tenure_days", "days", "Days since the first event.", BLOCK),
        Feature(
            "tenure_days_signup", "days", "Days since signing up; NaN if that is not known.", BLOCK
        ),
        Feature("tenure_days_order", "days", "Days since the first order; NaN without one.", BLOCK),
    )


@njit(nogil=True, cache=True, error_model="numpy")
def fill_tenure(
    as_of: int,
    series: Series,
    signup_at: NDArray[np.int64],
    rows: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Fill `out` (n_rows, 3); `signup_at` (n_customers,), NO_TIME where unknown."""
    for i in range(len(rows)):
        if rows[i] < 0:
            continue
        row = out[rows[i]]
        row[0] = (as_of - series.first_at[i]) / DAY_US
        row[1] = (as_of - signup_at[i]) / DAY_US if signup_at[i] < as_of else np.nan
        first = series.order_offsets[i]
        row[2] = series.order_age[first] if first < series.order_offsets[i + 1] else np.nan
