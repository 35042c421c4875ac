"""One walk through customers' events: every silence, and where each customer stands at its end."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.history import NO_TIME, History
from features.kernels.feature import DAY_US
from features.kernels.series import DetailColumns, EventColumns
from features.spec import FeatureSpec
from features.stage import Stage
from features.stage_state import NO_STAGE
from training.definition_silence import (
    BETWEEN,
    CUSTOMERS,
    FREQUENCY_DAYS,
    GAPS,
    GAPS_SQUARED,
    MAX_GAPS_TOLD,
    NO_GAP,
    SPEND_DAYS,
    SUMS,
    WITHIN,
    Calendar,
    Rhythm,
    Rules,
    Silences,
    Standing,
)

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

_STAGE, _ENTERED, _SINCE, _BEGUN, _BROKEN_DAYS, _BROKEN_STAGE, _ROWS = range(7)
"""Entries of a customer's `place` during the walk: the stage, when it was entered, when the
silence began as an instant and as a day, which silence ended then, and rows told so far."""


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
    rhythm = Rhythm(
        sums=np.zeros((len(stages), WITHIN + 1)),
        tally=np.zeros((len(stages), MAX_GAPS_TOLD + 1, 2)),
    )
    by_day = np.zeros(len(days.midnights) - 1, dtype=np.int64)
    rows = _walk(source, silences, standing, (rhythm.sums, rhythm.tally), by_day)
    told = Silences(
        customer=silences.customer[:rows],
        stage=silences.stage[:rows],
        days=silences.days[:rows],
        ended=silences.ended[:rows],
        typical_days=silences.typical_days[:rows],
        spend=silences.spend[:rows],
    )
    return told, standing, rhythm, by_day


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
def _walk(
    source: _Source,
    silences: Silences,
    standing: Standing,
    rhythm: tuple[Float64Array, Float64Array],
    by_day: Int64Array,
) -> int:
    place = np.empty(_ROWS + 1, dtype=np.int64)
    gaps = np.empty((len(source.rules.counted), 3))
    # Order amounts between two moving ends: next detail to add, to drop, and their sum.
    window = np.empty(3)
    rows = 0
    for i in range(len(source.events.offsets) - 1):
        place[_STAGE], place[_BROKEN_STAGE], place[_BROKEN_DAYS] = NO_STAGE, NO_STAGE, NO_GAP
        place[_ENTERED], place[_SINCE], place[_BEGUN] = NO_TIME, NO_TIME, 0
        place[_ROWS] = rows
        gaps[:] = 0.0
        window[0], window[1], window[2] = source.details.offsets[i], source.details.offsets[i], 0.0
        for e in range(source.events.offsets[i], source.events.offsets[i + 1]):
            if source.events.occurred_at[e] >= source.as_of:
                break
            if source.events.arrived_at[e] < source.as_of:
                standing.seen[i] = True
                day = _day_of(source.events.occurred_at[e], source.midnights)
                by_day[day] += 1
                _follow(source, (i, e, day), (place, gaps, window), silences)
        if standing.seen[i]:
            _stand(source, i, (place, gaps, window), silences, standing)
            _add_rhythm(gaps, rhythm)
        rows = place[_ROWS]
    return rows


@njit(nogil=True, cache=True, error_model="numpy")
def _follow(
    source: _Source,
    event: tuple[int, int, int],
    state: tuple[Int64Array, Float64Array, Float64Array],
    silences: Silences,
) -> None:
    """Let one event end a silence, begin one, or move the customer along the ladder."""
    customer, e, day = event
    place, gaps, _ = state
    rules, stage = source.rules, place[_STAGE]
    time, code = source.events.occurred_at[e], source.events.event_type[e]
    step = source.milestone[code]
    moves = step != NO_STAGE and (stage == NO_STAGE or time > place[_ENTERED] or step >= stage)
    stays = stage != NO_STAGE and (
        rules.active_on[stage, code] or rules.returns_by[stage, code] or step == stage
    )
    if not (stays or (moves and step != stage)):
        return
    length = day - place[_BEGUN] if stage != NO_STAGE else 0
    if length > 0 and rules.counted[stage]:
        _tell(source, (customer, length if stays else length - 1, stays), state, silences)
        if stays:
            gaps[stage, 0] += 1.0
            gaps[stage, 1] += np.log(length)
            gaps[stage, 2] += np.log(length) ** 2
    if length > 0 or stage == NO_STAGE:
        broke = stays and length > 0
        place[_BROKEN_DAYS] = length if broke else NO_GAP
        place[_BROKEN_STAGE] = stage if broke else NO_STAGE
    if moves:
        place[_STAGE], place[_ENTERED], place[_SINCE] = step, time, time
    elif rules.active_on[stage, code]:
        place[_SINCE] = time
    place[_BEGUN] = day


@njit(nogil=True, cache=True, error_model="numpy")
def _stand(
    source: _Source,
    customer: int,
    state: tuple[Int64Array, Float64Array, Float64Array],
    silences: Silences,
    standing: Standing,
) -> None:
    """Tell of the silence that is still going on, and where the customer stands."""
    place, gaps, window = state
    stage = place[_STAGE]
    if stage != NO_STAGE:
        if source.rules.counted[stage]:
            open_days = max(source.last_day - place[_BEGUN], 0)
            _tell(source, (customer, open_days, False), state, silences)
        standing.stage[customer] = stage
        standing.silence_days[customer] = (source.as_of - place[_SINCE]) / DAY_US
        standing.gaps[customer] = gaps[stage, 0]
        standing.broken_days[customer] = place[_BROKEN_DAYS]
        standing.broken_stage[customer] = place[_BROKEN_STAGE]
        if gaps[stage, 0] > 0.0:
            standing.log_mean[customer] = gaps[stage, 1] / gaps[stage, 0]
    standing.spend[customer] = _spend(source, source.as_of, window, customer)
    standing.order_days[customer] = _order_days(source, customer)


@njit(nogil=True, cache=True, error_model="numpy")
def _tell(
    source: _Source,
    what: tuple[int, int, bool],
    state: tuple[Int64Array, Float64Array, Float64Array],
    silences: Silences,
) -> None:
    customer, days, ended = what
    place, gaps, window = state
    row, stage = place[_ROWS], place[_STAGE]
    silences.customer[row] = customer
    silences.stage[row] = stage
    silences.days[row] = days
    silences.ended[row] = ended
    known = gaps[stage, 0] > 0.0
    silences.typical_days[row] = np.exp(gaps[stage, 1] / gaps[stage, 0]) if known else np.nan
    begun_until = source.midnights[place[_BEGUN] + 1]
    silences.spend[row] = _spend(source, begun_until, window, customer)
    place[_ROWS] += 1


@njit(nogil=True, cache=True, error_model="numpy")
def _spend(source: _Source, end_us: int, window: Float64Array, customer: int) -> float:
    """Order amounts of the days before `end_us`, which never goes back for a customer."""
    times, end = source.details.occurred_at, source.details.offsets[customer + 1]
    add, drop, total = int(window[0]), int(window[1]), window[2]
    while add < end and times[add] < end_us:
        total += _amount(source, add)
        add += 1
    while drop < add and times[drop] < end_us - SPEND_DAYS * DAY_US:
        total -= _amount(source, drop)
        drop += 1
    window[0], window[1], window[2] = add, drop, total
    # What rounding leaves of sums that went back to nothing is no spend.
    return float(max(round(total, 6), 0.0))


@njit(nogil=True, cache=True, error_model="numpy")
def _amount(source: _Source, row: int) -> float:
    details = source.details
    counts = (
        source.rules.order[details.event_type[row]]
        and details.occurred_at[row] < source.as_of
        and details.arrived_at[row] < source.as_of
        and not np.isnan(details.amount[row])
    )
    return float(details.amount[row]) if counts else 0.0


@njit(nogil=True, cache=True, error_model="numpy")
def _order_days(source: _Source, customer: int) -> int:
    details, days, open_day = source.details, 0, -1
    for d in range(details.offsets[customer], details.offsets[customer + 1]):
        time = details.occurred_at[d]
        if time >= source.as_of or time < source.as_of - FREQUENCY_DAYS * DAY_US:
            continue
        if source.rules.order[details.event_type[d]] and details.arrived_at[d] < source.as_of:
            day = _day_of(time, source.midnights)
            days += day != open_day
            open_day = day
    return days


@njit(nogil=True, cache=True, error_model="numpy")
def _add_rhythm(gaps: Float64Array, rhythm: tuple[Float64Array, Float64Array]) -> None:
    sums, tally = rhythm
    for stage in range(len(gaps)):
        n, total, squares = gaps[stage]
        if n == 0.0:
            continue
        sums[stage, GAPS] += n
        sums[stage, GAPS_SQUARED] += n * n
        sums[stage, CUSTOMERS] += 1.0
        sums[stage, SUMS] += total
        sums[stage, BETWEEN] += total * total / n
        sums[stage, WITHIN] += max(squares - total * total / n, 0.0)
        told = int(min(n, MAX_GAPS_TOLD))
        tally[stage, told, 0] += 1.0
        tally[stage, told, 1] += total / n
