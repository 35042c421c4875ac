"""The life cycle: the states a customer passes through, and the rule that tells them apart."""

import numpy as np
from numpy.typing import NDArray

Int8Array = NDArray[np.int8]
Float64Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

LIFE_CYCLES = ("new", "active", "reactivated", "cooling", "at_risk", "dormant", "lost")
NEW, ACTIVE, REACTIVATED, COOLING, AT_RISK, DORMANT, LOST = range(len(LIFE_CYCLES))


def life_cycle_of(
    silence_days: Float64Array,
    *,
    is_new: BoolArray,
    was_dormant: BoolArray,
    limits: Float64Array,
    window_days: float,
    lost_days: int | None,
) -> Int8Array:
    """The state of each customer of one stage, a place in `LIFE_CYCLES`; shape (n,).

    Silence decides first: lost, dormant (past the stage's window or the personal one), at
    risk, cooling. Of the rest, those are reactivated whose present silence began with an
    event that ended a dormant one, and new who have no completed gap on the stage.

    Parameters
    ----------
    silence_days : days of silence on the stage, shape (n,).
    is_new, was_dormant : no gap was ever completed here; the last one was a dormant one.
    limits : personal limits, see `models.personal_silence.personal_limits`; shape (3, n).
    window_days : silence that means dormant for everybody; infinite if none does.
    lost_days : silence after which customers are lost; null if the data do not say.

    References
    ----------
    METHODS.md section 1.3.
    """
    state = np.full(len(silence_days), ACTIVE, dtype=np.int8)
    state[is_new] = NEW
    state[was_dormant] = REACTIVATED
    state[silence_days > limits[0]] = COOLING
    state[silence_days > limits[1]] = AT_RISK
    state[(silence_days > limits[2]) | (silence_days >= window_days)] = DORMANT
    if lost_days is not None:
        state[silence_days >= max(lost_days, window_days)] = LOST
    return state
