"""How all customers' return rates move together: seasons, and what follows from them.

The level of a cutoff is how far the log-odds of returning lay from MBG/NBD's forecast there,
which knows no season. It is measured at many past cutoffs, taken out of what the forest
learns from, and forecast for the as-of that a model serves: the prior-shift correction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from features.history import History
from features.history_sample import customer_hashes, lowest_hashes, select_customers
from features.local_day import local_midnight_us
from features.return_counts import count_returns
from features.spec import FeatureSpec
from features.stage import Stage
from features.stage_state import NO_STAGE, stage_states
from training.folds import Folds, last_midnight
from training.labels import DAY_US, returned
from training.panel import label_knowledge

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]
Int16Array = NDArray[np.int16]
BoolArray = NDArray[np.bool_]

STEP_DAYS = 14
"""Distance of the cutoffs at which levels are measured."""

CUSTOMERS = 30_000
"""Customers a level is measured on: its standard error is then below two hundredths."""

_OLDEST_US = 3 * 364 * DAY_US
"""Older levels say nothing about the present; one wrong date must not stretch the grid."""

EARLY_SHARE = 3
"""Levels of a third of the horizon are known sooner and tell how this year differs."""


@dataclass(frozen=True, slots=True)
class LevelRows:
    """Sampled customers at the level cutoffs, by stage; each of shape (n,).

    Attributes
    ----------
    as_of : us, UTC.
    stage : position in the ladder; rows without a stage are left out.
    recalled : the stage has silence_days: the row belongs to a population.
    dormant : of the stage's rule.
    repeats, last_days, age_days : see `ReturnCounts`.
    back, back_early : a return in the label window, and in its first third.
    """

    as_of: Int64Array
    stage: Int16Array
    recalled: BoolArray
    dormant: BoolArray
    repeats: Float64Array
    last_days: Float64Array
    age_days: Float64Array
    back: BoolArray
    back_early: BoolArray

    def take(self, rows: NDArray[Any]) -> "LevelRows":
        """The chosen rows, by mask or position."""
        return LevelRows(**{name: getattr(self, name)[rows] for name in _NAMES})


_NAMES = tuple(field.name for field in fields(LevelRows))


def concat_levels(pieces: Sequence[LevelRows]) -> LevelRows:
    """Rows of several buckets, one after the other."""
    return LevelRows(
        **{name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in _NAMES}
    )


def early_us(folds: Folds) -> int:
    """The length of the window's first part, microseconds."""
    return min(max(folds.horizon_us // EARLY_SHARE, DAY_US), folds.horizon_us)


def level_as_ofs(
    folds: Folds, stages: Sequence[Stage], *, span_us: tuple[int, int], timezone: ZoneInfo
) -> Int64Array:
    """At which as-ofs levels are measured: the panel's, and a grid back to the beginning.

    Parameters
    ----------
    folds : the run's cutoffs.
    stages : the ladder of stages.
    span_us : first occurred_at known to the run, and the last instant a level is forecast
        for: the test cutoff or the training as-of.
    timezone : of the business.

    Returns
    -------
    Ascending as-ofs (us, UTC); the cutoffs and `end_us` are among them.
    """
    first_us, end_us = span_us
    # A population needs time to form: before the longest silence nobody can be dormant.
    silence_us = max((round(stage.silence_days or 0) for stage in stages), default=0) * DAY_US
    wanted_us = folds.gap_us + folds.horizon_us + silence_us
    history_us = min(wanted_us, (end_us - first_us) // 3)
    end = last_midnight(end_us, timezone)
    grid = []
    while True:
        end -= timedelta(days=STEP_DAYS)
        as_of = local_midnight_us(end, timezone)
        if as_of - history_us < first_us or end_us - as_of > _OLDEST_US:
            break
        grid.append(as_of)
    return np.unique([*grid, *folds.as_ofs, end_us])


def collect_levels(
    history: History,
    *,
    spec: FeatureSpec,
    stages: Sequence[Stage],
    folds: Folds,
    as_ofs: Int64Array,
    at_most: int,
) -> LevelRows:
    """The level rows of one bucket: known customers with the lowest hashes, at every as-of.

    Parameters
    ----------
    history : one bucket.
    spec, stages, folds : as of the panel.
    as_ofs : from `level_as_ofs`.
    at_most : most customers.
    """
    some = select_customers(history, _sampled(history, int(as_ofs[-1]), at_most=at_most))
    states = stage_states(some, stages, spec=spec, as_ofs=as_ofs)
    counts = count_returns(some, stages, spec=spec, states=states)
    rows = (states.customer.astype(np.int64), states.as_of, states.stage)

    def back(horizon_us: int) -> BoolArray:
        return returned(
            some,
            spec=spec,
            stages=stages,
            rows=rows,
            window=(folds.gap_us, horizon_us),
            known_before_us=label_knowledge(states.as_of, folds, horizon_us=horizon_us),
        )

    has_limit = np.array([stage.silence_days is not None for stage in stages])
    return LevelRows(
        as_of=states.as_of,
        stage=states.stage,
        recalled=has_limit[states.stage],
        dormant=states.dormant,
        repeats=counts.repeats,
        last_days=counts.last_days,
        age_days=counts.age_days,
        back=back(folds.horizon_us),
        back_early=back(early_us(folds)),
    ).take(states.stage != NO_STAGE)


def _sampled(history: History, until_us: int, *, at_most: int) -> Int64Array:
    """Positions of the customers to measure levels on, ascending.

    Who first turns up at or after the last as-of takes nobody's place.
    """
    events = history.events
    known = (events.occurred_at < until_us) & (events.arrived_at < until_us)
    before = np.concatenate(([0], np.cumsum(known)))[events.offsets]
    customers = np.flatnonzero(np.diff(before))
    return customers[lowest_hashes(customer_hashes(history)[customers], at_most)]
