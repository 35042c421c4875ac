"""Customers as they will be some days later, if nothing happens until then."""

import numpy as np
from numpy.typing import NDArray

from features.history import History
from features.history_cut import known_before, visible_customers
from features.history_reader import HistoryReader
from features.kernels.feature import DAY_US
from scoring.scorer import Scorer
from scoring.waiting import Ahead

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]


def look_ahead(
    scorer: Scorer, bucket: int, rows: Int64Array, *, p_natural: Float64Array, days: float
) -> Ahead:
    """Score some customers of a bucket as of `days` later, with what is known now.

    Nobody knows what they will do until then: they are as silent as now, only longer. What
    has been stored since the as-of is left out, so that a night run again decides the same.

    Parameters
    ----------
    rows : ascending positions among the bucket's scored customers, shape (k,).
    p_natural : shape (k,), their probability of a return without contact as of now.
    days : from 0 on.
    """
    now_us = scorer.as_of_us

    def read(reader: HistoryReader) -> History:
        history = reader.read(bucket)
        customers = visible_customers(history, as_of_us=now_us)[rows]
        return known_before(history, customers=customers, as_of_us=now_us)

    view = scorer.view_at(now_us + round(days * DAY_US), read=read)
    _, later = scorer.probabilities(view)
    effect_x, _ = scorer.effect_features(view)
    return Ahead(
        p_natural=later,
        effect_x=effect_x,
        p_return=returns_within(p_natural, days=days, horizon_days=scorer.natural.horizon_days),
    )


def returns_within(p_natural: Float64Array, *, days: float, horizon_days: float) -> Float64Array:
    """Probability of a return within fewer, or more, days than the horizon's.

    1 - (1 - p)^(days / horizon): a constant hazard, from the very model whose probability
    decides the gain. The model of return times may be missing, and would say a little
    different things about the same customer. Where the hazard still rises, this says too
    much, and fewer are held back.

    Parameters
    ----------
    p_natural : shape (n,), within the horizon.
    """
    return np.asarray(1.0 - (1.0 - p_natural) ** (days / horizon_days))
