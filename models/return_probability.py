"""How likely customers return by themselves, by the model of their population."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.stage import Stage
from features.stage_state import NO_STAGE
from models.bundle import Bundle
from models.customer_value import CustomerValue

Float64Array = NDArray[np.float64]
Float32Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ReturnModels:
    """The two models that share customers between them.

    Attributes
    ----------
    risk : P(no return) of the not dormant.
    natural : P(return without contact) of the dormant.
    """

    risk: Bundle
    natural: Bundle


@dataclass(frozen=True, slots=True)
class ModelRows:
    """What both models read of n customers.

    Attributes
    ----------
    stage, dormant : shape (n,), as in `features.stage_state.StageStates`.
    value : what the rungs below the forest read.
    risk, natural : feature rows by each model's own specification, shape (n, F).
    """

    stage: NDArray[np.int16]
    dormant: NDArray[np.bool_]
    value: CustomerValue
    risk: Float32Array
    natural: Float32Array


def return_probabilities(
    rows: ModelRows, *, models: ReturnModels, stages: Sequence[Stage], threads: int = 1
) -> tuple[Float64Array, Float64Array]:
    """P(dormant) and P(return without contact) of each row.

    The dormant get the natural-return model's probability, the others 1 - P(dormant); NaN
    where there is none: P(dormant) of the dormant, and both on stages nobody is recalled from.

    Parameters
    ----------
    rows : n customers.
    models : both of them.
    stages : the ladder, in configured order.
    threads : threads one prediction may use.

    Returns
    -------
    Two arrays of shape (n,).
    """
    p_dormant = np.full(len(rows.stage), np.nan)
    p_natural = np.full(len(rows.stage), np.nan)
    recalled = np.array([stage.silence_days is not None for stage in stages])
    awake = (rows.stage != NO_STAGE) & recalled[rows.stage] & ~rows.dormant
    if awake.any():
        p_dormant[awake] = models.risk.predict(
            rows.risk[awake], rows.value.take(awake), threads=threads
        )
        p_natural[awake] = 1.0 - p_dormant[awake]
    if rows.dormant.any():
        p_natural[rows.dormant] = models.natural.predict(
            rows.natural[rows.dormant], rows.value.take(rows.dormant), threads=threads
        )
    return p_dormant, p_natural
