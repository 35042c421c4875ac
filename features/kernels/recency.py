"""Recency: days since each kind of event was last seen."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.history import NO_TIME
from features.kernels.feature import DAY_US, Feature, column_words
from features.kernels.series import Series
from features.spec import FeatureSpec

BLOCK = "recency"


def recency_columns(spec: FeatureSpec) -> tuple[str, ...]:
    """Columns with the days since the last event of each type, in the order of the types."""
    return tuple(f"recency_days_type_{word}" for word in column_words(spec.event_types))


def declare(spec: FeatureSpec) -> tuple[Feature, ...]:
    """The block's features, in column order."""
    rule = "NaN if there was none."
    return (
        Feature("recency_days_activity", "days", f"Days since the last activity; {rule}", BLOCK),
        Feature("recency_days_order", "days", f"Days since the last order event; {rule}", BLOCK),
        *(
            Feature(column, "days", f'Days since the last "{name}"; {rule}', BLOCK)
            for column, name in zip(recency_columns(spec), spec.event_types, strict=True)
        ),
    )


@njit(nogil=True, cache=True, error_model="numpy")
def fill_recency(
    as_of: int,
    series: Series,
    flags: NDArray[np.bool_],
    rows: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Fill `out` (n_rows, 2 + n_event_types).

    `flags` (2, n_event_types) marks activity and order types; `rows` (n_customers,) names
    each customer's row in `out`, negative for a customer without one.
    """
    n_types = series.last_at.shape[1]
    for i in range(len(rows)):
        if rows[i] < 0:
            continue
        row = out[rows[i]]
        row[:] = np.nan
        for code in range(n_types):
            if series.last_at[i, code] != NO_TIME:
                row[2 + code] = (as_of - series.last_at[i, code]) / DAY_US
        for group in range(2):
            silence = NO_TIME
            for code in range(n_types):
                if flags[group, code] and series.last_at[i, code] != NO_TIME:
                    silence = min(silence, as_of - series.last_at[i, code])
            if silence != NO_TIME:
                row[group] = silence / DAY_US
