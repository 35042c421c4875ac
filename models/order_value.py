"""What a return is worth before margin: own orders, pulled towards everybody's."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features.matrix import FeatureMatrix
from features.stage import Stage

Float64Array = NDArray[np.float64]

ORDERS_BEHIND_PRIOR = 3.0
"""How many orders the average customer's order value weighs against a customer's own."""


def net_mean_order(matrix: FeatureMatrix) -> Float64Array:
    """Own mean order amount net of refunds (money, NaN without an order), shape (n_rows,)."""
    mean = matrix.column("order_amount_mean").astype(np.float64)
    return mean * kept_share(matrix.column("refund_share_lifetime").astype(np.float64))


def kept_share(refund_share: Float64Array) -> Float64Array:
    """Share of spend that was not taken back; all of it where nothing was spent."""
    return 1.0 - np.clip(np.nan_to_num(refund_share), 0.0, 1.0)


def shrink_order_value(mean_order: Float64Array, orders: Float64Array) -> Float64Array:
    """Expected order value: the customer's own mean, pulled towards everybody's.

    (n * mean + k * prior) / (n + k), where the prior is the mean of the customers' own
    means and k = `ORDERS_BEHIND_PRIOR`. Zero for all when nobody has ordered.

    Parameters
    ----------
    mean_order : shape (n,), money per order; ignored where `orders` is zero or missing.
    orders : shape (n,), number of orders.
    """
    known = (orders > 0) & np.isfinite(mean_order)
    count = np.where(known, orders, 0.0)
    own = np.where(known, mean_order, 0.0)
    prior = float(own[known].mean()) if known.any() else 0.0
    value: Float64Array = (count * own + ORDERS_BEHIND_PRIOR * prior) / (
        count + ORDERS_BEHIND_PRIOR
    )
    return np.maximum(value, 0.0)


def return_values(
    own: Float64Array, stage: NDArray[np.int16], stages: Sequence[Stage]
) -> Float64Array:
    """Money each return is worth before margin: the stage's where it has one, else `own`.

    Parameters
    ----------
    own : shape (n,), expected order values.
    stage : shape (n,), places in `stages`, -1 before the first step.
    stages : the ladder, in configured order.
    """
    fixed = stage_values(stage, stages)
    return np.where(np.isnan(fixed), own, fixed)


def stage_values(stage: NDArray[np.int16], stages: Sequence[Stage]) -> Float64Array:
    """What the stage says a return is worth, NaN where it says nothing; shape (n,)."""
    # The last entry serves NO_STAGE = -1.
    by_stage = np.array([step.return_value or np.nan for step in stages] + [np.nan])
    return np.asarray(by_stage[stage], dtype=np.float64)
