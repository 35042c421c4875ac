"""Value and frequency tiers: how much and how often a customer buys in a year."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

AnyFloats = NDArray[np.floating[Any]]
Float64Array = NDArray[np.float64]
Int8Array = NDArray[np.int8]

VALUE_TIERS = (
    "low value, low frequency",
    "low value, high frequency",
    "high value, low frequency",
    "high value, high frequency",
)


@dataclass(frozen=True, slots=True)
class TierCuts:
    """Above these lies what is high: money, and orders, of a year."""

    spend: float
    orders: float


def tier_cuts(
    yearly_spend: Float64Array, yearly_orders: Float64Array, *, quantile: float
) -> TierCuts:
    """Where the quantile of all of them lies; a missing figure counts as 0."""
    if not len(yearly_spend):
        return TierCuts(0.0, 0.0)
    return TierCuts(
        spend=float(np.quantile(np.nan_to_num(yearly_spend), quantile)),
        orders=float(np.quantile(np.nan_to_num(yearly_orders), quantile)),
    )


def tier_codes(yearly_spend: AnyFloats, yearly_orders: NDArray[Any], cuts: TierCuts) -> Int8Array:
    """Each customer's place in `VALUE_TIERS`; shape (n,). A missing figure counts as 0."""
    high_value = np.nan_to_num(yearly_spend) > cuts.spend
    high_frequency = np.nan_to_num(yearly_orders) > cuts.orders
    codes: Int8Array = (2 * high_value + high_frequency).astype(np.int8)
    return codes


def tier_names(
    yearly_spend: Float64Array, yearly_orders: Float64Array, *, quantile: float
) -> NDArray[np.object_]:
    """Each customer's tier; shape (n,).

    High means above the given quantile of all of them; a missing figure counts as 0.
    """
    cuts = tier_cuts(yearly_spend, yearly_orders, quantile=quantile)
    names: NDArray[Any] = np.array(VALUE_TIERS, dtype=object)
    tiers: NDArray[np.object_] = names[tier_codes(yearly_spend, yearly_orders, cuts)]
    return tiers


def count_moves(before: NDArray[Any], after: NDArray[Any], *, size: int) -> NDArray[np.int64]:
    """How many went from each of `size` groups to each; shape (size, size)."""
    flat = np.bincount(before.astype(np.int64) * size + after, minlength=size * size)
    counts: NDArray[np.int64] = flat.reshape(size, size)
    return counts
