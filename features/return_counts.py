"""How often, how recently and for how long customers have come back, in whole days."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.history import History, frozen
from features.kernels.feature import DAY_US
from features.kernels.series import EventColumns
from features.spec import FeatureSpec
from features.stage import Stage
from features.stage_state import NO_STAGE, StageStates

Float64Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ReturnCounts:
    """What purchase processes know of a customer (x, t_x and T in their papers).

    Each of shape (n_rows,), NaN for a row without a stage.

    Attributes
    ----------
    repeats : distinct days after the day of birth with a return.
    last_days : days from birth to the last of them; 0 without any.
    age_days : days from birth to the as-of.
    """

    repeats: Float64Array
    last_days: Float64Array
    age_days: Float64Array

    def take(self, rows: NDArray[Any]) -> "ReturnCounts":
        """The chosen rows, by mask or position."""
        return ReturnCounts(self.repeats[rows], self.last_days[rows], self.age_days[rows])


def count_returns(
    history: History, stages: Sequence[Stage], *, spec: FeatureSpec, states: StageStates
) -> ReturnCounts:
    """Count each row's returns by the rules of the stage the row is on.

    Birth is the first visible event that enters the row's stage or counts as a return
    there. Days run back from the as-of and are rounded to whole ones, so that dates
    without a clock time keep their distance over a change to summer time.

    Parameters
    ----------
    history : the bucket's histories that `states` came from.
    stages : the ladder that `states` came from.
    spec : gives event types their codes.
    states : the rows; only events that occurred and arrived before a row's as-of count.

    References
    ----------
    Fader, Hardie and Lee 2005: repeats, recency and age as (x, t_x, T).
    """
    n_rows, n_types = len(states.customer), len(spec.event_types)
    no_types = np.zeros((0, n_types), dtype=np.bool_)
    returns_by = np.array([spec.flags(stage.returns_by) for stage in stages] or no_types)
    entered_by = np.array([spec.flags(stage.entered_by) for stage in stages] or no_types)
    counts = ReturnCounts(np.empty(n_rows), np.empty(n_rows), np.empty(n_rows))
    events = EventColumns.of(history.events)
    _count(
        (events.offsets, events.occurred_at, events.arrived_at, events.event_type),
        (frozen(states.customer), frozen(states.as_of), frozen(states.stage)),
        (entered_by | returns_by, returns_by),
        (counts.repeats, counts.last_days, counts.age_days),
    )
    return counts


@njit(nogil=True, cache=True, error_model="numpy")
def _count(
    events: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int16]],
    rows: tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int16]],
    rules: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    out: tuple[Float64Array, Float64Array, Float64Array],
) -> None:
    offsets, occurred_at, arrived_at, event_type = events
    customer, as_of, stage = rows
    gives_birth, returns = rules
    repeats_out, last_out, age_out = out
    for row in range(len(customer)):
        step = stage[row]
        if step == NO_STAGE:
            repeats_out[row] = last_out[row] = age_out[row] = np.nan
            continue
        born = repeats = 0
        last = -1
        for e in range(offsets[customer[row]], offsets[customer[row] + 1]):
            if occurred_at[e] >= as_of[row]:
                break
            if arrived_at[e] >= as_of[row]:
                continue
            day = (as_of[row] - occurred_at[e] + DAY_US // 2) // DAY_US
            if last < 0:
                if gives_birth[step, event_type[e]]:
                    born = last = day
            elif day < last and returns[step, event_type[e]]:
                repeats += 1
                last = day
        repeats_out[row] = repeats
        last_out[row] = born - last
        age_out[row] = born
