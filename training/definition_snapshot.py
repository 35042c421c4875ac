"""Customers at three as-ofs: today, a month ago, and one horizon ago with what came of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from features.gap_spread import Rhythm
from features.history import History
from features.spec import FeatureSpec
from features.stage import Stage
from training.definition_counts import Cuts
from training.definition_silence import Calendar, Standing
from training.definition_walk import walk
from training.labels import returned

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]
Int16Array = NDArray[np.int16]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class AsOfs:
    """Local midnights as instants (us, UTC); null where the data do not reach back.

    Attributes
    ----------
    now : the as-of.
    month_ago : `training.definition_lifecycle.MONTH_DAYS` earlier.
    horizon_ago : one horizon earlier.
    """

    now: int
    month_ago: int | None
    horizon_ago: int | None


@dataclass(frozen=True, slots=True)
class Aftermath:
    """Customers one horizon ago, and whether they have come back since; shape (n_customers,).

    Attributes
    ----------
    stage, silence_days : as in `Standing`, then.
    woke : an event of that stage (`entered_by`, `active_on`, `returns_by`) happened since.
    returned : one of its `returns_by` did.
    """

    stage: Int16Array
    silence_days: Float64Array
    woke: BoolArray
    returned: BoolArray


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The customers of some buckets at the as-ofs.

    Attributes
    ----------
    now, month_ago : where they stand.
    aftermath : where they stood one horizon ago, and what came of it.
    rhythm : sums of all gaps completed by now.
    events_per_day : visible events of each day of the calendar.
    """

    now: Standing
    month_ago: Standing | None
    aftermath: Aftermath | None
    rhythm: Rhythm
    events_per_day: Int64Array


def observe(
    history: History, *, spec: FeatureSpec, stages: Sequence[Stage], as_ofs: AsOfs, days: Calendar
) -> Snapshot:
    """Take the snapshot of one bucket.

    Parameters
    ----------
    history : the bucket.
    spec : gives event types their codes.
    stages : the ladder.
    as_ofs, days : the instants, and the calendar up to the last of them.
    """
    _, now, rhythm, events = walk(history, spec=spec, stages=stages, as_of_us=as_ofs.now, days=days)
    month_ago = aftermath = None
    if as_ofs.month_ago is not None:
        _, month_ago, _, _ = walk(
            history, spec=spec, stages=stages, as_of_us=as_ofs.month_ago, days=days
        )
    if as_ofs.horizon_ago is not None:
        _, then, _, _ = walk(
            history, spec=spec, stages=stages, as_of_us=as_ofs.horizon_ago, days=days
        )
        aftermath = _follow_up(history, spec, stages, then, as_ofs)
    return Snapshot(now, month_ago, aftermath, rhythm, events)


def _follow_up(
    history: History, spec: FeatureSpec, stages: Sequence[Stage], then: Standing, as_ofs: AsOfs
) -> Aftermath:
    begin = as_ofs.now if as_ofs.horizon_ago is None else as_ofs.horizon_ago
    customer = np.arange(history.n_customers, dtype=np.int64)
    rows = (customer, np.full(len(customer), begin, dtype=np.int64), then.stage)
    known_before = np.full(len(customer), as_ofs.now, dtype=np.int64)
    any_sign = [
        replace(one, returns_by=(*one.entered_by, *one.active_on, *one.returns_by))
        for one in stages
    ]
    woke, came_back = (
        returned(
            history,
            spec=spec,
            stages=ladder,
            rows=rows,
            window=(0, as_ofs.now - begin),
            known_before_us=known_before,
        )
        for ladder in (any_sign, stages)
    )
    return Aftermath(then.stage, then.silence_days, woke, came_back)


def join_snapshots(parts: Sequence[Snapshot]) -> Snapshot:
    """The snapshots of all buckets as one, customers in the order of the parts."""
    first = parts[0]
    rhythm, events = first.rhythm, first.events_per_day.copy()
    for part in parts[1:]:
        rhythm = rhythm + part.rhythm
        events += part.events_per_day
    months = [part.month_ago for part in parts if part.month_ago is not None]
    afters = [part.aftermath for part in parts if part.aftermath is not None]
    return Snapshot(
        now=_join_standings([part.now for part in parts]),
        month_ago=_join_standings(months) if months else None,
        aftermath=_join_aftermaths(afters) if afters else None,
        rhythm=rhythm,
        events_per_day=events,
    )


def _join_standings(parts: Sequence[Standing]) -> Standing:
    return Standing(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _join_aftermaths(parts: Sequence[Aftermath]) -> Aftermath:
    return Aftermath(
        stage=np.concatenate([part.stage for part in parts]),
        silence_days=np.concatenate([part.silence_days for part in parts]),
        woke=np.concatenate([part.woke for part in parts]),
        returned=np.concatenate([part.returned for part in parts]),
    )


def find_cuts(snapshot: Snapshot, n_stages: int, *, tier_quantile: float) -> Cuts:
    """Where value tiers and cadences part, from where customers stand now.

    The cuts are the same for all silences, early and late; which side a silence is on is
    decided by what was known as it began.

    Parameters
    ----------
    snapshot : of all buckets.
    n_stages : length of the ladder.
    tier_quantile : high value is above this quantile of yearly order amounts.

    Returns
    -------
    Cadence cuts are the terciles of customers' typical gaps, in whole days; infinite for a
    stage without any gap.
    """
    now = snapshot.now
    spend = now.spend[now.seen]
    fast, slow = np.full(n_stages, np.inf), np.full(n_stages, np.inf)
    for stage in range(n_stages):
        typical = np.exp(now.log_mean[(now.stage == stage) & (now.gaps > 0)])
        if len(typical):
            fast[stage], slow[stage] = np.round(np.quantile(typical, (1 / 3, 2 / 3)))
    return Cuts(
        spend=float(np.quantile(spend, tier_quantile)) if len(spend) else 0.0,
        fast_days=fast,
        slow_days=slow,
    )
