"""How customers' silences on their stages went so far: the ground of personal limits."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.gap_spread import Rhythm, add_rhythm
from features.history import NO_TIME, History, frozen
from features.kernels.feature import DAY_US
from features.kernels.series import EventColumns
from features.spec import FeatureSpec
from features.stage import Stage
from features.stage_state import NO_STAGE, StageStates

BoolArray = NDArray[np.bool_]
Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]

MAX_DAYS = 1096
"""A silence longer than three years counts as still open at three years."""

_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class StageGaps:
    """Completed gaps of customers on the stage they are on; each of shape (n_rows,).

    Attributes
    ----------
    gaps : int32, how many; 0 for a stage without `silence_days`.
    log_mean : float32, mean natural log of their days; NaN without any.
    was_dormant : bool, the event that began the present silence ended one that had lasted
        its stage's `silence_days` or longer.
    """

    gaps: NDArray[np.int32]
    log_mean: NDArray[np.float32]
    was_dormant: BoolArray


@dataclass(frozen=True, slots=True)
class GapTotals:
    """All silences of some customers, per stage.

    Attributes
    ----------
    rhythm : sums of the completed ones' logs.
    ended, still_open : int64, shape (n_stages, MAX_DAYS + 1): silences that ended after so
        many days, and that were open after so many.
    """

    rhythm: Rhythm
    ended: Int64Array
    still_open: Int64Array

    @classmethod
    def empty(cls, n_stages: int) -> "GapTotals":
        """Totals over nobody."""
        shape = (n_stages, MAX_DAYS + 1)
        return cls(
            Rhythm.empty(n_stages), np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        )

    def __add__(self, other: "GapTotals") -> "GapTotals":
        return GapTotals(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


class _Ladder(NamedTuple):
    """The ladder as flags; shape (n_stages, n_event_types) but `milestone`, `limits`.

    Attributes
    ----------
    milestone : shape (n_event_types,), the last stage that each type enters; NO_STAGE else.
    signs : what ends a silence: `entered_by`, `active_on` and `returns_by`.
    limits : shape (n_stages,), `silence_days`; infinite for stages whose silences say nothing.
    """

    milestone: Int64Array
    signs: BoolArray
    limits: Float64Array

    @classmethod
    def of(cls, stages: Sequence[Stage], spec: FeatureSpec) -> "_Ladder":
        none = np.zeros((0, len(spec.event_types)), dtype=np.bool_)
        entered = np.array([spec.flags(stage.entered_by) for stage in stages] or none)
        signs = [
            spec.flags((*stage.entered_by, *stage.active_on, *stage.returns_by)) for stage in stages
        ]
        steps = np.where(entered, np.arange(len(stages))[:, None], NO_STAGE)
        return cls(
            milestone=steps.max(axis=0, initial=NO_STAGE).astype(np.int64),
            signs=np.array(signs or none),
            limits=np.array(
                [np.inf if stage.silence_days is None else stage.silence_days for stage in stages]
            ),
        )


def stage_gaps(
    history: History, stages: Sequence[Stage], *, spec: FeatureSpec, states: StageStates
) -> tuple[StageGaps, GapTotals]:
    """Cut each row's visible events into silences and count them.

    A silence of a stage begins on a day with an event that puts a customer on the stage or
    is one of its `active_on` or `returns_by`, and ends on the next later day with such an
    event. It is still open at the as-of, and counts as open on the day before the customer
    leaves for another stage by an event that is none of these. The rules are those of
    `winback define`, on periods of 24 hours counted back from an hour before the as-of.

    Parameters
    ----------
    history : the bucket's histories that `states` came from.
    stages : the ladder that `states` came from.
    spec : gives event types their codes.
    states : the rows, all of one as-of; only events that occurred and arrived before count.

    Returns
    -------
    The rows' gaps, and the totals of all their silences.
    """
    n_rows, totals = len(states.customer), GapTotals.empty(len(stages))
    found = StageGaps(
        gaps=np.zeros(n_rows, dtype=np.int32),
        log_mean=np.full(n_rows, np.nan, dtype=np.float32),
        was_dormant=np.zeros(n_rows, dtype=np.bool_),
    )
    if not n_rows:
        return found, totals
    events, as_of = EventColumns.of(history.events), int(states.as_of[0])
    oldest = int(events.occurred_at.min(initial=as_of))
    logs = np.log(np.maximum(np.arange(max(as_of - oldest, 0) // DAY_US + 2), 1.0))
    _walk(
        (events.offsets, events.occurred_at, events.arrived_at, events.event_type),
        (as_of, frozen(states.customer), logs),
        _Ladder.of(stages, spec),
        (found.gaps, found.log_mean, found.was_dormant),
        (totals.rhythm.sums, totals.rhythm.tally, totals.ended, totals.still_open),
    )
    return found, totals


@njit(nogil=True, cache=True, error_model="numpy")
def _walk(
    events: tuple[Int64Array, Int64Array, Int64Array, NDArray[np.int16]],
    rows: tuple[int, NDArray[np.int32], Float64Array],
    ladder: _Ladder,
    out: tuple[NDArray[np.int32], NDArray[np.float32], BoolArray],
    totals: tuple[Float64Array, Float64Array, Int64Array, Int64Array],
) -> None:
    offsets, occurred_at, arrived_at, event_type = events
    as_of, customer, logs = rows
    sums, tally, ended, still_open = totals
    gaps = np.empty((len(ladder.limits), 3))
    longest = ended.shape[1] - 1
    counted = np.isfinite(ladder.limits)
    for row in range(len(customer)):
        gaps[:] = 0.0
        stage, entered, begun, was_dormant = NO_STAGE, NO_TIME, 0, False
        for e in range(offsets[customer[row]], offsets[customer[row] + 1]):
            time = occurred_at[e]
            if time >= as_of:
                break
            if arrived_at[e] >= as_of:
                continue
            code = event_type[e]
            step = ladder.milestone[code]
            moves = step != NO_STAGE and (stage == NO_STAGE or time > entered or step >= stage)
            stays = stage != NO_STAGE and ladder.signs[stage, code]
            if not (stays or (moves and step != stage)):
                continue
            # Days begin an hour early: dates without a clock time keep their distance over
            # a change to summer time.
            day = max(as_of - time - _HOUR_US - 1, 0) // DAY_US
            length = begun - day if stage != NO_STAGE else 0
            if length > 0 and counted[stage]:
                if stays and length <= longest:
                    ended[stage, length] += 1
                else:
                    still_open[stage, min(length - (not stays), longest)] += 1
                if stays:
                    gaps[stage, 0] += 1.0
                    gaps[stage, 1] += logs[length]
                    gaps[stage, 2] += logs[length] * logs[length]
            if length > 0 or stage == NO_STAGE:
                was_dormant = stays and length >= ladder.limits[stage]
            if moves:
                stage, entered = step, time
            begun = day
        if stage != NO_STAGE and counted[stage]:
            still_open[stage, min(begun, longest)] += 1
            out[0][row] = gaps[stage, 0]
            out[1][row] = gaps[stage, 1] / gaps[stage, 0]
            out[2][row] = was_dormant
        add_rhythm(gaps, (sums, tally))
