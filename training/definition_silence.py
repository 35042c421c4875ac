"""Silences, and where customers stand: what the walk through their events finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.spec import FeatureSpec
from features.stage import Stage

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]
Int32Array = NDArray[np.int32]
Int16Array = NDArray[np.int16]
BoolArray = NDArray[np.bool_]

SPEND_DAYS = 365
FREQUENCY_DAYS = 90
NO_GAP = -1
"""Stands for "no silence ended here" where gap lengths in days stand."""


class Rules(NamedTuple):
    """The ladder as flags; shape (n_stages, n_event_types) but `counted` and `order`.

    Attributes
    ----------
    entered_by, active_on : as the stages say.
    signs : what ends a silence: `entered_by`, `active_on` and `returns_by`.
    counted : shape (n_stages,), stages whose silences are of interest: with `silence_days`.
    order : shape (n_event_types,), types that carry value.
    """

    entered_by: BoolArray
    active_on: BoolArray
    signs: BoolArray
    counted: BoolArray
    order: BoolArray

    @classmethod
    def of(cls, stages: Sequence[Stage], spec: FeatureSpec) -> "Rules":
        """The rules of a ladder."""
        return cls(
            entered_by=np.array([spec.flags(stage.entered_by) for stage in stages]),
            active_on=np.array([spec.flags(stage.active_on) for stage in stages]),
            signs=np.array(
                [
                    spec.flags((*stage.entered_by, *stage.active_on, *stage.returns_by))
                    for stage in stages
                ]
            ),
            counted=np.array([stage.silence_days is not None for stage in stages]),
            order=spec.flags(spec.orders),
        )


class Silences(NamedTuple):
    """Silences, one per row: a stretch of days without a sign of life on a stage.

    Attributes
    ----------
    customer : int32, position in the history.
    stage : int16, position in the ladder.
    begun : int32, position in the calendar of the day of the event that began it.
    days : int32, days from the day of the last event to the day of the next, at least 1; for
        a silence that was still going on, the whole days it had lasted, at least 0.
    ended : bool, whether an event of the stage ended it.
    typical_days : float64, geometric mean of the customer's earlier gaps on this stage; NaN
        before the first. Known when the silence begins.
    spend : float64, order amounts of the `SPEND_DAYS` up to the day it began. Known then, too.
    """

    customer: Int32Array
    stage: Int16Array
    begun: Int32Array
    days: Int32Array
    ended: BoolArray
    typical_days: Float64Array
    spend: Float64Array


class Standing(NamedTuple):
    """Where each customer of a history stands at an as-of; all of shape (n_customers,).

    Attributes
    ----------
    seen : bool, some event is visible. All else is meaningless where it is false.
    stage : int16, position in the ladder, NO_STAGE before its first step.
    silence_days : float64, as `features.stage_state` counts it; NaN without a stage.
    gaps : int32, completed gaps on this stage.
    log_mean : float64, mean log of their days; NaN without any.
    broken_days : int32, the silence that the event ended which began the present one;
        NO_GAP if that event ended none.
    broken_stage : int16, the stage of that silence.
    spend : float64, order amounts of the last `SPEND_DAYS`.
    order_days : int32, days with an order among the last `FREQUENCY_DAYS`.
    """

    seen: BoolArray
    stage: Int16Array
    silence_days: Float64Array
    gaps: Int32Array
    log_mean: Float64Array
    broken_days: Int32Array
    broken_stage: Int16Array
    spend: Float64Array
    order_days: Int32Array


@dataclass(frozen=True, slots=True)
class Calendar:
    """Local days as instants: day i begins at midnights[i] and ends at midnights[i + 1].

    Attributes
    ----------
    midnights : int64, shape (n_days + 1,), ascending, microseconds since 1970-01-01 UTC.
        The last one is the as-of.
    last_day : position of the last day known to hold any event: silence can be seen up to
        its end only.
    """

    midnights: Int64Array
    last_day: int
