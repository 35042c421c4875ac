"""One walk through customers' events: every silence, and where each customer stands at its end."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.gap_spread import Rhythm, add_rhythm
from features.history import NO_TIME, History
from features.kernels.feature import DAY_US
from features.kernels.series import DetailColumns, EventColumns
from features.spec import FeatureSpec
from features.stage import Stage
from features.stage_state import NO_STAGE
from training.definition_silence import (
    FREQUENCY_DAYS,
    NO_GAP,
    SPEND_DAYS,
    Calendar,
    Rules,
    Silences,
    Standing,
)

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


class _Source(NamedTuple):
    """What the walk reads. `last_day` is the last day silence can be seen on."""

    events: EventColumns
    details: DetailColumns
    rules: Rules
    milestone: Int64Array
    midnights: Int64Array
    as_of: int
    last_day: int


def walk(
    history: History, *, spec: FeatureSpec, stages: Sequence[Stage], as_of_us: int, days: Calendar
) -> tuple[Silences, Standing, Rhythm, Int64Array]:
    """Cut each customer's visible events into silences and say where they end.

    A silence of a stage begins on a day with an event that puts a customer on the stage or
    is one of its `active_on` or `returns_by`, and ends on the next later day with such an
    event. It is left open (censored) at the end of the data, and on the day before the
    customer leaves for another stage by an event that is none of these.

    Parameters
    ----------
    history : one bucket.
    spec : gives event types their codes.
    stages : the ladder.
    as_of_us : only what occurred and arrived before it is seen (us, UTC); a local midnight.
    days : the local calendar.

    Returns
    -------
    The silences of stages with `silence_days`, every customer's standing, the sums of their
    log gaps, and the number of visible events per day of the calendar.
    """
    rules = Rules.of(stages, spec)
    steps = np.arange(len(stages))[:, None]
    source = _Source(
        events=EventColumns.of(history.events),
        details=DetailColumns.of(history.details),
        rules=rules,
        milestone=np.where(rules.entered_by, steps, NO_STAGE).max(axis=0).astype(np.int64),
        midnights=days.midnights,
        as_of=as_of_us,
        last_day=min(days.last_day, int(np.searchsorted(days.midnights, as_of_us)) - 1),
    )
    customers, room = history.n_customers, len(history.events.occurred_at) + history.n_customers
    silences = Silences(
        customer=np.empty(room, dtype=np.int32),
        stage=np.empty(room, dtype=np.int16),
        begun=np.empty(room, dtype=np.int32),
        days=np.empty(room, dtype=np.int32),
        ended=np.empty(room, dtype=np.bool_),
        typical_days=np.empty(room),
        spend=np.empty(room),
    )
    standing = Standing(
        seen=np.zeros(customers, dtype=np.bool_),
        stage=np.full(customers, NO_STAGE, dtype=np.int16),
        silence_days=np.full(customers, np.nan),
        gaps=np.zeros(customers, dtype=np.int32),
        log_mean=np.full(customers, np.nan),
        broken_days=np.full(customers, NO_GAP, dtype=np.int32),
        broken_stage=np.full(customers, NO_STAGE, dtype=np.int16),
        spend=np.zeros(customers),
        order_days=np.zeros(customers, dtype=np.int32),
    )
    rhythm = Rhythm.empty(len(stages))
    by_day = np.zeros(len(days.midnights) - 1, dtype=np.int64)
    rows = _walk(source, silences, standing, (rhythm.sums, rhythm.tally), by_day)
    told = Silences(
        customer=silences.customer[:rows],
        stage=silences.stage[:rows],
        begun=silences.begun[:rows],
        days=silences.days[:rows],
        ended=silences.ended[:rows],
        typical_days=np.exp(silences.typical_days[:rows]),
        spend=silences.spend[:rows],
    )
    return told, standing, rhythm, by_day


@njit(nogil=True, cache=True, error_model="numpy")
def _walk(
    source: _Source,
    silences: Silences,
    standing: Standing,
    rhythm: tuple[Float64Array, Float64Array],
    by_day: Int64Array,
) -> int:
    gaps = np.empty((len(source.rules.counted), 3))
    rows = 0
    for i in range(len(source.events.offsets) - 1):
        gaps[:] = 0.0
        first = rows
        rows = _cut(source, (i, rows), gaps, silences, standing, by_day)
        if standing.seen[i]:
            _add_money(source, (i, first, rows), silences, standing)
            add_rhythm(gaps, rhythm)
    return rows


@njit(nogil=True, cache=True, error_model="numpy")
def _cut(  # noqa: PLR0915  one loop: calls inside it would double its time
    source: _Source,
    position: tuple[int, int],
    gaps: Float64Array,
    silences: Silences,
    standing: Standing,
    by_day: Int64Array,
) -> int:
    """Cut one customer's events into silences; returns the next free row."""
    i, row = position
    events, rules, midnights, as_of = source.events, source.rules, source.midnights, source.as_of
    stage, entered, since, day, begun = NO_STAGE, NO_TIME, NO_TIME, 0, 0
    broken_days, broken_stage = NO_GAP, NO_STAGE
    for e in range(events.offsets[i], events.offsets[i + 1]):
        time = events.occurred_at[e]
        if time >= as_of:
            break
        if events.arrived_at[e] >= as_of:
            continue
        standing.seen[i] = True
        if time < midnights[day] or time >= midnights[day + 1]:
            day = _day_of(time, midnights)
        by_day[day] += 1
        code = events.event_type[e]
        step = source.milestone[code]
        moves = step != NO_STAGE and (stage == NO_STAGE or time > entered or step >= stage)
        stays = stage != NO_STAGE and rules.signs[stage, code]
        if not (stays or (moves and step != stage)):
            continue
        length = day - begun if stage != NO_STAGE else 0
        if length > 0 and rules.counted[stage]:
            silences.customer[row] = i
            silences.stage[row] = stage
            silences.begun[row] = begun
            silences.days[row] = length if stays else length - 1
            silences.ended[row] = stays
            silences.typical_days[row] = gaps[stage, 1] / gaps[stage, 0]
            row += 1
            if stays:
                log_length = np.log(length)
                gaps[stage, 0] += 1.0
                gaps[stage, 1] += log_length
                gaps[stage, 2] += log_length * log_length
        if length > 0 or stage == NO_STAGE:
            broke = stays and length > 0
            broken_days = length if broke else NO_GAP
            broken_stage = stage if broke else NO_STAGE
        if moves:
            stage, entered, since = step, time, time
        elif rules.active_on[stage, code]:
            since = time
        begun = day
    if stage == NO_STAGE:
        return row
    standing.stage[i] = stage
    standing.silence_days[i] = (as_of - since) / DAY_US
    standing.gaps[i] = gaps[stage, 0]
    standing.log_mean[i] = gaps[stage, 1] / gaps[stage, 0]
    standing.broken_days[i] = broken_days
    standing.broken_stage[i] = broken_stage
    if rules.counted[stage]:
        silences.customer[row] = i
        silences.stage[row] = stage
        silences.begun[row] = begun
        silences.days[row] = max(source.last_day - begun, 0)
        silences.ended[row] = False
        silences.typical_days[row] = standing.log_mean[i]
        row += 1
    return row


@njit(nogil=True, cache=True, error_model="numpy")
def _day_of(time: int, midnights: Int64Array) -> int:
    """The local day an instant lies in; days are 24 hours long but for clock changes."""
    day = min(max((time - midnights[0]) // DAY_US, 0), len(midnights) - 2)
    while day + 2 < len(midnights) and midnights[day + 1] <= time:
        day += 1
    while day > 0 and midnights[day] > time:
        day -= 1
    return int(day)


@njit(nogil=True, cache=True, error_model="numpy")
def _add_money(
    source: _Source, position: tuple[int, int, int], silences: Silences, standing: Standing
) -> None:
    """Order amounts of the year up to each silence's first day, and of the last year."""
    i, first, rows = position
    details, is_order, as_of = source.details, source.rules.order, source.as_of
    add = drop = details.offsets[i]
    total, open_day = 0.0, -1
    for row in range(first, rows + 1):
        end_us = source.midnights[silences.begun[row] + 1] if row < rows else as_of
        while add < details.offsets[i + 1] and details.occurred_at[add] < end_us:
            if is_order[details.event_type[add]] and details.arrived_at[add] < as_of:
                amount = details.amount[add]
                total += 0.0 if np.isnan(amount) else amount
                if details.occurred_at[add] >= as_of - FREQUENCY_DAYS * DAY_US:
                    day = _day_of(details.occurred_at[add], source.midnights)
                    standing.order_days[i] += day != open_day
                    open_day = day
            add += 1
        while drop < add and details.occurred_at[drop] < end_us - SPEND_DAYS * DAY_US:
            if is_order[details.event_type[drop]] and details.arrived_at[drop] < as_of:
                amount = details.amount[drop]
                total -= 0.0 if np.isnan(amount) else amount
            drop += 1
        # What rounding leaves of sums that went back to nothing is no spend.
        spend = max(np.round(total, 6), 0.0)
        if row < rows:
            silences.spend[row] = spend
        else:
            standing.spend[i] = spend
