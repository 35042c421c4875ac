"""Decay: counts and sums in which the past fades with a half-life."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernels.feature import HALF_LIVES, Feature
from features.kernels.series import Series
from features.spec import FeatureSpec

BLOCK = "decay"


def declare(_spec: FeatureSpec) -> tuple[Feature, ...]:
    """The block's features, in column order."""
    return (
        *(
            Feature(
                f"decayed_orders_{days}d",
                "count",
                f"Orders, each counting 2^(-age in days ÷ {days}).",
                BLOCK,
            )
            for days in HALF_LIVES
        ),
        *(
            Feature(
                f"decayed_spend_{days}d",
                "money",
                f"Order amounts, each times 2^(-age in days ÷ {days}).",
                BLOCK,
            )
            for days in HALF_LIVES
        ),
        *(
            Feature(
                f"decayed_activity_{days}d",
                "count",
                f"Activity events, each counting 2^(-whole 24-hour periods before the as-of"
                f" ÷ {days}).",
                BLOCK,
            )
            for days in HALF_LIVES
        ),
    )


def day_weights(n_days: int) -> NDArray[np.float64]:
    """Weights of whole days of age; shape (n_days, n_half_lives)."""
    days = np.arange(n_days, dtype=np.float64)[:, None]
    return np.exp2(-days / np.array(HALF_LIVES, dtype=np.float64)[None, :])


@njit(nogil=True, cache=True, error_model="numpy")
def fill_decay(
    series: Series,
    weights: NDArray[np.float64],
    rows: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Fill `out` (n_rows, 15); `weights` are `day_weights` that cover every active day."""
    for i in range(len(rows)):
        if rows[i] < 0:
            continue
        row = out[rows[i]]
        o14 = o30 = o60 = o120 = o240 = 0.0
        s14 = s30 = s60 = s120 = s240 = 0.0
        for order in range(series.order_offsets[i], series.order_offsets[i + 1]):
            amount = series.order_amount[order]
            # The half-lives from 30 to 240 days double, so one power gives all of them.
            w240 = 2.0 ** (-series.order_age[order] / 240.0)
            w120 = w240 * w240
            w60 = w120 * w120
            w30 = w60 * w60
            w14 = 2.0 ** (-series.order_age[order] / 14.0)
            o14 += w14
            o30 += w30
            o60 += w60
            o120 += w120
            o240 += w240
            s14 += w14 * amount
            s30 += w30 * amount
            s60 += w60 * amount
            s120 += w120 * amount
            s240 += w240 * amount
        a14 = a30 = a60 = a120 = a240 = 0.0
        for entry in range(series.active_offsets[i], series.active_offsets[i + 1]):
            weight = weights[series.active_day[entry]]
            events = series.active_events[entry]
            a14 += weight[0] * events
            a30 += weight[1] * events
            a60 += weight[2] * events
            a120 += weight[3] * events
            a240 += weight[4] * events
        row[0], row[1], row[2], row[3], row[4] = o14, o30, o60, o120, o240
        row[5], row[6], row[7], row[8], row[9] = s14, s30, s60, s120, s240
        row[10], row[11], row[12], row[13], row[14] = a14, a30, a60, a120, a240
