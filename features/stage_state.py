"""Which stage customers are on at an as-of, and whether their silence means dormant."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.history import NO_TIME, History
from features.kernels.feature import DAY_US
from features.kernels.series import EventColumns
from features.kernels.visibility import first_visible, number_rows
from features.spec import FeatureSpec
from features.stage import Stage

NO_STAGE = -1
"""The stage of a customer who has reached no milestone yet."""


@dataclass(frozen=True, slots=True)
class StageStates:
    """Stages of customers at as-ofs, row by row as in the feature matrix.

    Attributes
    ----------
    customer : int32, shape (n_rows,): position in the history.
    as_of : int64, shape (n_rows,): microseconds since 1970-01-01 UTC.
    stage : int16, shape (n_rows,): position in the ladder, NO_STAGE before its first step.
    silence_days : float64, shape (n_rows,): days since the later of the stage's milestone
        and the last event that ends silence on this stage; NaN without a stage.
    dormant : bool, shape (n_rows,): the silence has reached the stage's limit; false for a
        stage nobody is recalled from.
    """

    customer: NDArray[np.int32]
    as_of: NDArray[np.int64]
    stage: NDArray[np.int16]
    silence_days: NDArray[np.float64]
    dormant: NDArray[np.bool_]


def stage_states(
    history: History,
    stages: Sequence[Stage],
    *,
    spec: FeatureSpec,
    as_ofs: NDArray[np.int64] | Sequence[int],
) -> StageStates:
    """Place every visible customer on the ladder.

    The stage is the one whose milestone is the latest visible event (the later step wins
    a tie); only events that occurred and arrived before the as-of are visible.

    Parameters
    ----------
    history : one bucket's histories, event codes as in `spec`.
    stages : the ladder, its first step first.
    spec : gives event types their codes.
    as_ofs : ascending UTC instants in microseconds.
    """
    instants = np.asarray(as_ofs, dtype=np.int64)
    events = EventColumns.of(history.events)
    seen_from = first_visible(events.offsets, events.occurred_at, events.arrived_at)
    rows, customer, as_of = number_rows(seen_from, instants)
    no_types = np.zeros((0, len(spec.event_types)), dtype=np.bool_)
    entered_by = np.array([spec.flags(stage.entered_by) for stage in stages] or no_types)
    active_on = np.array([spec.flags(stage.active_on) for stage in stages] or no_types)
    limits = np.array(
        [np.inf if stage.silence_days is None else stage.silence_days for stage in stages]
    )
    stage = np.empty(len(customer), dtype=np.int16)
    silence_days = np.empty(len(customer), dtype=np.float64)
    for k in range(len(instants)):
        _place(
            int(instants[k]),
            (events.offsets, events.occurred_at, events.arrived_at, events.event_type),
            np.ascontiguousarray(rows[:, k]),
            (entered_by, active_on),
            (stage, silence_days),
        )
    dormant = np.zeros(len(customer), dtype=np.bool_)
    placed = stage != NO_STAGE
    dormant[placed] = silence_days[placed] >= limits[stage[placed]]
    return StageStates(customer, as_of, stage, silence_days, dormant)


@njit(nogil=True, cache=True, error_model="numpy")
def _place(
    as_of: int,
    events: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int16]],
    rows: NDArray[np.int64],
    rules: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    out: tuple[NDArray[np.int16], NDArray[np.float64]],
) -> None:
    offsets, occurred_at, arrived_at, event_type = events
    entered_by, active_on = rules
    stage_out, silence_out = out
    n_stages, n_types = entered_by.shape
    last_at = np.empty(n_types, dtype=np.int64)
    for i in range(len(rows)):
        if rows[i] < 0:
            continue
        last_at[:] = NO_TIME
        for e in range(offsets[i], offsets[i + 1]):
            if occurred_at[e] >= as_of:
                break
            if arrived_at[e] < as_of:
                last_at[event_type[e]] = occurred_at[e]
        stage, entered = NO_STAGE, NO_TIME
        for step in range(n_stages):
            for code in range(n_types):
                reached = entered_by[step, code] and last_at[code] != NO_TIME
                if reached and (stage == NO_STAGE or last_at[code] >= entered):
                    stage, entered = step, last_at[code]
        stage_out[rows[i]] = stage
        silence_out[rows[i]] = np.nan
        if stage != NO_STAGE:
            latest = entered
            for code in range(n_types):
                if active_on[stage, code] and last_at[code] != NO_TIME:
                    latest = max(latest, last_at[code])
            silence_out[rows[i]] = (as_of - latest) / DAY_US
