"""What the rungs below the forest read of a customer: recency, frequency, money and age."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.matrix import FeatureMatrix
from features.return_counts import ReturnCounts
from features.stage_state import StageStates

Float64Array = NDArray[np.float64]

ORDER_RECENCY = "recency_days_order"
ORDERS = "orders_lifetime"
SPEND = "spend_lifetime"
"""The columns of the feature matrix that the baselines are made of."""


@dataclass(frozen=True, slots=True)
class CustomerValue:
    """Recency, frequency and money of n rows, each of shape (n,).

    Attributes
    ----------
    stage : position of the customer's stage in the ladder.
    silence_days : days since the last sign of life on the customer's stage.
    order_recency_days : days since the last order; NaN for who never ordered.
    orders : orders so far.
    spend : money spent so far.
    repeats, last_days, age_days : what purchase processes read, see `ReturnCounts`.
    """

    stage: NDArray[np.int16]
    silence_days: Float64Array
    order_recency_days: Float64Array
    orders: Float64Array
    spend: Float64Array
    repeats: Float64Array
    last_days: Float64Array
    age_days: Float64Array

    def take(self, rows: NDArray[Any]) -> "CustomerValue":
        """The chosen rows, by mask or position."""
        return CustomerValue(**{name: getattr(self, name)[rows] for name in _NAMES})


_NAMES = tuple(field.name for field in fields(CustomerValue))


def customer_values(
    matrix: FeatureMatrix, states: StageStates, counts: ReturnCounts, rows: NDArray[Any] | slice
) -> CustomerValue:
    """The chosen rows of a bucket, by mask, position or slice.

    Parameters
    ----------
    matrix, states, counts : of the same rows.
    rows : which of them.
    """

    def column(name: str) -> Float64Array:
        return np.asarray(matrix.column(name)[rows], dtype=np.float64)

    return CustomerValue(
        stage=states.stage[rows],
        silence_days=states.silence_days[rows],
        order_recency_days=column(ORDER_RECENCY),
        orders=column(ORDERS),
        spend=column(SPEND),
        repeats=counts.repeats[rows],
        last_days=counts.last_days[rows],
        age_days=counts.age_days[rows],
    )


def concat_values(pieces: Sequence[CustomerValue]) -> CustomerValue:
    """Rows of several pieces, one after the other."""
    return CustomerValue(
        **{name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in _NAMES}
    )
