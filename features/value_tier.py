"""Value and frequency tiers: how much and how often a customer buys in a year."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

VALUE_TIERS = (
    "low value, low frequency",
    "low value, high frequency",
    "high value, low frequency",
    "high value, high frequency",
)


def tier_names(
    yearly_spend: Float64Array, yearly_orders: Float64Array, *, quantile: float
) -> NDArray[np.object_]:
    """Each customer's tier; shape (n,).

    High means above the given quantile of all of them; a missing figure counts as 0.
    """
    spend, orders = np.nan_to_num(yearly_spend), np.nan_to_num(yearly_orders)
    if not len(spend):
        return np.array([], dtype=object)
    high_value = spend > np.quantile(spend, quantile)
    high_frequency = orders > np.quantile(orders, quantile)
    names: NDArray[Any] = np.array(VALUE_TIERS, dtype=object)
    tiers: NDArray[np.object_] = names[2 * high_value + high_frequency]
    return tiers
