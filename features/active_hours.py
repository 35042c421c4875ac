"""At which local hours customers are active by themselves, and answer contacts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.history import History, frozen
from features.kernels.engagement import ContactColumns
from features.kernels.feature import DAY_US
from features.kernels.series import EventColumns
from features.spec import FeatureSpec
from features.zone_offsets import ZoneOffsets, zone_offsets

Float16Array = NDArray[np.float16]
Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]

HOUR_US = 3_600_000_000
HOURS = 24
DAYS = 7

HALF_LIFE_DAYS = 90
"""Activity of so many days ago counts half; METHODS section 3.4."""

MAX_AGE_DAYS = 12 * HALF_LIFE_DAYS
"""Older activity would weigh less than 1/4000 and is not looked at."""

ORDER_WEIGHT = 2.0
"""An hour with an order tells more of when a customer buys than one with a visit."""

TRIGGERED_US = 2 * HOUR_US
"""Activity so soon after a contact was sent, clicked or opened is its doing, not the
customer's own hour: without this, sends at 10:00 would prove 10:00 right."""

BUSY_FROM = 50.0
"""Occasions from which a customer's weekdays are told apart; METHODS section 3.4."""


class HourGrid(NamedTuple):
    """Exposures and answers of contacts by channel and the local hour of sending.

    Each float64 of shape (n_channels, 24), decayed as activity is.
    """

    sends: Float64Array
    clicks: Float64Array
    opens: Float64Array


@dataclass(frozen=True, slots=True)
class ActiveHours:
    """Decayed occasions of n customers by local hour.

    An occasion is a local clock hour with activity that no contact triggered, however many
    events fall into it; with an order among them it counts `ORDER_WEIGHT`. Half precision
    keeps a million customers below 50 MB; sums are made in wider numbers.

    Attributes
    ----------
    hours : float16, shape (n, 24).
    busy : int64, shape (m,): positions of customers with more than `BUSY_FROM` occasions.
    busy_days : float16, shape (m, 2, 24): their occasions on the weekday of the list's day
        and on the one after.
    week : float64, shape (7, 24): all customers' occasions by weekday, Monday first.
    contacts : of all customers.
    zones : how many customers have each known zone, by IANA name, sorted.
    """

    hours: Float16Array
    busy: Int64Array
    busy_days: Float16Array
    week: Float64Array
    contacts: HourGrid
    zones: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class CustomerZones:
    """The zones customers live in.

    `zone` has shape (n,): a place in `names`, -1 where unknown; those are counted on the
    clock of `default`.
    """

    names: tuple[str, ...]
    zone: Int32Array
    default: str


def count_active_hours(
    history: History, rows: Int32Array, *, spec: FeatureSpec, zones: CustomerZones, as_of_us: int
) -> ActiveHours:
    """Count occasions and contacts by local hour, from what was visible at the as-of.

    Only events and contact versions that occurred and arrived before the as-of count;
    weights halve every `HALF_LIFE_DAYS`.

    Parameters
    ----------
    history : one bucket's histories, codes as in `spec`.
    rows : shape (n,), positions of the n customers in the history.
    zones : of the same n customers.
    as_of_us : the as-of, local midnight of the list's day in `zones.default`.
    """
    names = (*zones.names, zones.default)
    table = zone_offsets(names, first_us=as_of_us - MAX_AGE_DAYS * DAY_US, last_us=as_of_us)
    code = np.where(zones.zone < 0, len(zones.names), zones.zone).astype(np.int32)
    events, contacts = EventColumns.of(history.events), ContactColumns.of(history.contacts)
    window = _Window(as_of_us, frozen(_day_weights()), frozen(_type_weights(spec)))
    who = frozen(np.ascontiguousarray(rows, dtype=np.int32))
    hours = np.zeros((len(rows), HOURS), dtype=np.float32)
    week = np.zeros((DAYS, HOURS), dtype=np.float64)
    none = np.empty((0, DAYS, HOURS), dtype=np.float32)
    _count_occasions(window, events, contacts, table, (who, frozen(code)), (hours, week, none))
    busy = np.flatnonzero(hours.sum(axis=1) > BUSY_FROM).astype(np.int64)
    by_day = np.zeros((len(busy), DAYS, HOURS), dtype=np.float32)
    if len(busy):
        again = (np.zeros((len(busy), HOURS), np.float32), np.zeros_like(week), by_day)
        of_busy = (frozen(who[busy]), frozen(code[busy]))
        _count_occasions(window, events, contacts, table, of_busy, again)
    first = local_weekday(as_of_us, table, len(names) - 1)
    return ActiveHours(
        hours=hours.astype(np.float16),
        busy=busy,
        busy_days=by_day[:, [first, (first + 1) % DAYS]].astype(np.float16),
        week=week,
        contacts=_count_contacts(window, contacts, table, (who, frozen(code)), len(spec.channels)),
        zones=_count_zones(zones),
    )


def local_weekday(moment_us: int, table: ZoneOffsets, zone: int) -> int:
    """Weekday of an instant on a zone's clock, Monday 0."""
    rows = table.from_us[table.starts[zone] : table.starts[zone + 1]]
    row = int(table.starts[zone]) + int(np.searchsorted(rows, moment_us, side="right")) - 1
    return int((moment_us + int(table.offset_us[row])) // DAY_US + 3) % DAYS


def join_active_hours(parts: Sequence[ActiveHours]) -> ActiveHours:
    """Put the buckets' customers one after the other, in the order given."""
    firsts = np.cumsum([0, *(len(part.hours) for part in parts)])
    totals: dict[str, int] = {}
    for part in parts:
        for name, customers in part.zones:
            totals[name] = totals.get(name, 0) + customers
    return ActiveHours(
        hours=np.concatenate([part.hours for part in parts]),
        busy=np.concatenate(
            [part.busy + first for part, first in zip(parts, firsts[:-1], strict=True)]
        ),
        busy_days=np.concatenate([part.busy_days for part in parts]),
        week=_total([part.week for part in parts]),
        contacts=HourGrid(
            *(_total([getattr(part.contacts, name) for part in parts]) for name in HourGrid._fields)
        ),
        zones=tuple(sorted(totals.items())),
    )


def select_active_hours(active: ActiveHours, rows: Int64Array) -> ActiveHours:
    """The given rows, in the order given; what is of all customers stays as it is."""
    place_of = np.full(len(active.hours), -1, dtype=np.int64)
    place_of[active.busy] = np.arange(len(active.busy))
    found = place_of[rows]
    return ActiveHours(
        hours=active.hours[rows],
        busy=np.flatnonzero(found >= 0).astype(np.int64),
        busy_days=active.busy_days[found[found >= 0]],
        week=active.week,
        contacts=active.contacts,
        zones=active.zones,
    )


def _total(grids: Sequence[Float64Array]) -> Float64Array:
    return np.asarray(np.sum(np.stack(grids), axis=0), dtype=np.float64)


def _count_zones(zones: CustomerZones) -> tuple[tuple[str, int], ...]:
    counts = np.bincount(zones.zone[zones.zone >= 0], minlength=len(zones.names))
    pairs = zip(zones.names, counts.tolist(), strict=True)
    return tuple(sorted((name, customers) for name, customers in pairs if customers))


def _day_weights() -> Float32Array:
    """Weight of activity by its age in whole days."""
    ages = np.arange(MAX_AGE_DAYS + 1, dtype=np.float64)
    weights: Float32Array = (2.0 ** (-ages / HALF_LIFE_DAYS)).astype(np.float32)
    return weights


def _type_weights(spec: FeatureSpec) -> Float32Array:
    """What an occasion of each event type counts; 0 for refunds and other people's doing."""
    orders, activity = spec.flags(spec.orders), spec.flags(spec.activity)
    return np.where(orders, ORDER_WEIGHT, activity.astype(np.float64)).astype(np.float32)


class _Window(NamedTuple):
    """From when on activity counts, and how much."""

    as_of: int
    day_weight: Float32Array
    type_weight: Float32Array


@njit(nogil=True, cache=True, error_model="numpy")
def _count_occasions(
    window: _Window,
    events: EventColumns,
    contacts: ContactColumns,
    table: ZoneOffsets,
    people: tuple[Int32Array, Int32Array],
    out: tuple[Float32Array, Float64Array, Float32Array],
) -> None:
    """Fill hours (n, 24) and add to the week (7, 24); fill days (n, 7, 24) unless empty."""
    customer, zone = people
    hours, week, days = out
    as_of, oldest = window.as_of, window.as_of - MAX_AGE_DAYS * DAY_US
    moments = np.empty(16, dtype=np.int64)
    for row in range(len(customer)):
        i = customer[row]
        end = contacts.offsets[i + 1]
        if 3 * (end - contacts.offsets[i]) > len(moments):
            moments = np.empty(6 * (end - contacts.offsets[i]), dtype=np.int64)
        n_moments = _list_moments(as_of, contacts, contacts.offsets[i], end, moments)
        moment = 0
        change, last_change = table.starts[zone[row]], table.starts[zone[row] + 1] - 1
        last_hour, counted = np.int64(-1), np.float32(0.0)
        for e in range(events.offsets[i], events.offsets[i + 1]):
            at = events.occurred_at[e]
            if at >= as_of:
                break
            if at < oldest or events.arrived_at[e] >= as_of:
                continue
            weight = window.type_weight[events.event_type[e]]
            if weight == 0.0:
                continue
            while moment < n_moments and moments[moment] + TRIGGERED_US <= at:
                moment += 1
            if moment < n_moments and moments[moment] <= at:
                continue
            while change < last_change and table.from_us[change + 1] <= at:
                change += 1
            hour = (at + table.offset_us[change]) // HOUR_US
            if hour == last_hour:
                # The same occasion goes on; an order in it raises what it counts.
                weight -= counted
                if weight <= 0.0:
                    continue
                counted += weight
            else:
                last_hour, counted = hour, weight
            value = weight * window.day_weight[(as_of - at) // DAY_US]
            hours[row, hour % HOURS] += value
            day = (hour // HOURS + 3) % DAYS
            week[day, hour % HOURS] += value
            if len(days) > 0:
                days[row, day, hour % HOURS] += value


@njit(nogil=True, cache=True, error_model="numpy")
def _list_moments(
    as_of: int, contacts: ContactColumns, start: int, end: int, moments: Int64Array
) -> int:
    """When visible contacts of one customer were sent, clicked and opened, in time order."""
    n_moments = 0
    version = -1
    for c in range(start, end):
        if contacts.arrived_at[c] < as_of and contacts.sent_at[c] < as_of:
            version = c
        last = c + 1 == end or contacts.contact[c + 1] != contacts.contact[c]
        if last and version >= 0:
            for moment in (
                contacts.sent_at[version],
                contacts.clicked_at[version],
                contacts.opened_at[version],
            ):
                if moment < as_of:
                    place = n_moments
                    while place > 0 and moments[place - 1] > moment:
                        moments[place] = moments[place - 1]
                        place -= 1
                    moments[place] = moment
                    n_moments += 1
        if last:
            version = -1
    return n_moments


def _count_contacts(
    window: _Window,
    contacts: ContactColumns,
    table: ZoneOffsets,
    people: tuple[Int32Array, Int32Array],
    n_channels: int,
) -> HourGrid:
    grid = HourGrid(*(np.zeros((n_channels, HOURS)) for _ in HourGrid._fields))
    _add_contacts(window, contacts, table, people, grid)
    return grid


@njit(nogil=True, cache=True, error_model="numpy")
def _add_contacts(
    window: _Window,
    contacts: ContactColumns,
    table: ZoneOffsets,
    people: tuple[Int32Array, Int32Array],
    grid: HourGrid,
) -> None:
    customer, zone = people
    as_of, oldest = window.as_of, window.as_of - MAX_AGE_DAYS * DAY_US
    for row in range(len(customer)):
        i = customer[row]
        end = contacts.offsets[i + 1]
        version = -1
        for c in range(contacts.offsets[i], end):
            if contacts.arrived_at[c] < as_of and contacts.sent_at[c] < as_of:
                version = c
            last = c + 1 == end or contacts.contact[c + 1] != contacts.contact[c]
            if not last:
                continue
            if version >= 0 and contacts.channel[version] >= 0:
                at = contacts.sent_at[version]
                if at >= oldest:
                    change = table.starts[zone[row]]
                    while (
                        change + 1 < table.starts[zone[row] + 1] and table.from_us[change + 1] <= at
                    ):
                        change += 1
                    hour = (at + table.offset_us[change]) // HOUR_US % HOURS
                    channel = contacts.channel[version]
                    value = window.day_weight[(as_of - at) // DAY_US]
                    grid.sends[channel, hour] += value
                    if contacts.clicked_at[version] < as_of:
                        grid.clicks[channel, hour] += value
                    if contacts.opened_at[version] < as_of:
                        grid.opens[channel, hour] += value
            version = -1
