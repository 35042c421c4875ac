"""At which local hours customers are active by themselves, and answer contacts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.history import History, frozen
from features.kernels.engagement import ContactColumns
from features.kernels.feature import DAY_US
from features.kernels.hours import (
    DAYS,
    HOURS,
    MAX_AGE_DAYS,
    ORDER_WEIGHT,
    HourGrid,
    HourWindow,
    add_contacts,
    count_occasions,
    day_weights,
)
from features.kernels.series import EventColumns
from features.spec import FeatureSpec
from features.zone_offsets import ZoneOffsets, zone_offsets

Float16Array = NDArray[np.float16]
Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]

BUSY_FROM = 50.0
"""Occasions from which a customer's weekdays are told apart; METHODS section 3.4."""


@dataclass(frozen=True, slots=True)
class ActiveHours:
    """Occasions of n customers by local hour.

    An occasion is a local clock hour with activity that no contact triggered, however many
    events fall into it; with an order among them it counts `ORDER_WEIGHT`. Each customer's
    decayed weights w are scaled to their effective number (sum w)^2 / sum w^2: the recent
    ones count more than the old, but silence alone makes nobody unknown. Half precision
    keeps a million customers below 50 MB; sums are made in wider numbers.

    Attributes
    ----------
    hours : float16, shape (n, 24).
    busy : int64, shape (m,): positions of customers with more than `BUSY_FROM` occasions.
    busy_days : float16, shape (m, 2, 24): their occasions on the weekday of the list's day
        and on the one after.
    week : float64, shape (7, 24): all customers' decayed occasions, not scaled, by weekday,
        Monday first.
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

    Only events and contact versions that occurred and arrived before the as-of count.

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
    window = HourWindow(as_of_us, frozen(day_weights()), frozen(_type_weights(spec)))
    who = frozen(np.ascontiguousarray(rows, dtype=np.int32))
    hours = np.zeros((len(rows), HOURS), dtype=np.float32)
    week = np.zeros((DAYS, HOURS), dtype=np.float64)
    none = np.empty((0, DAYS, HOURS), dtype=np.float32)
    count_occasions(window, events, contacts, table, (who, frozen(code)), (hours, week, none))
    busy = np.flatnonzero(hours.sum(axis=1) > BUSY_FROM).astype(np.int64)
    by_day = np.zeros((len(busy), DAYS, HOURS), dtype=np.float32)
    if len(busy):
        again = (np.zeros((len(busy), HOURS), np.float32), np.zeros_like(week), by_day)
        of_busy = (frozen(who[busy]), frozen(code[busy]))
        count_occasions(window, events, contacts, table, of_busy, again)
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


def _type_weights(spec: FeatureSpec) -> Float32Array:
    """What an occasion of each event type counts; 0 for refunds and other people's doing."""
    orders, activity = spec.flags(spec.orders), spec.flags(spec.activity)
    return np.where(orders, ORDER_WEIGHT, activity.astype(np.float64)).astype(np.float32)


def _count_contacts(
    window: HourWindow,
    contacts: ContactColumns,
    table: ZoneOffsets,
    people: tuple[Int32Array, Int32Array],
    n_channels: int,
) -> HourGrid:
    grid = HourGrid(*(np.zeros((n_channels, HOURS)) for _ in HourGrid._fields))
    add_contacts(window, contacts, table, people, grid)
    return grid
