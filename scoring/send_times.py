"""At which minute each contact of the night is sent: the customer's own best allowed hour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.active_hours import DAYS, HOURS, ActiveHours
from models.timing_profile import (
    TimingProfile,
    fit_timing_profile,
    hour_profiles,
    own_weekday_profiles,
    weekday_profiles,
)
from models.timing_response import response_factors
from scoring.arms import EXPLORE
from scoring.draw import hash_draws
from scoring.policy import Channel
from scoring.scored import ScoredCustomers
from scoring.send_windows import UNKNOWN_ZONE, SendWindows
from scoring.timing import MINUTE_US, Slots

BoolArray = NDArray[np.bool_]
Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Int8Array = NDArray[np.int8]
Int64Array = NDArray[np.int64]

SEND_BASES = ("own", "segment", "all", "configured", "explore")
"""What a send time rests on; a basis's place is its code."""

OWN, SEGMENT, ALL, CONFIGURED, EXPLORED = range(len(SEND_BASES))

OWN_FROM = 3.0
"""Occasions (decayed) of a customer from which the time is called their own."""

SEGMENT_FROM = 30.0
"""Customers with an occasion from which a segment's, or everybody's, hours are known."""

_ORDER_BANDS = 3


@dataclass(frozen=True, slots=True)
class DueContacts:
    """Contacts to be sent tonight; all of shape (m,).

    Attributes
    ----------
    row : position of the customer among the scored.
    channel : code of the channel, in configured order.
    gain : expected gain; where seats are few the largest have the first choice.
    tie : in [0, 1), orders equal gains.
    minute : in [0, 1), picks the minute inside the slot.
    arm : code into `scoring.arms.ARMS`.
    """

    row: Int64Array
    channel: Int64Array
    gain: Float64Array
    tie: Float64Array
    minute: Float64Array
    arm: Int8Array


@dataclass(frozen=True, slots=True)
class SendTimes:
    """When contacts are sent; all of shape (m,), as the contacts they were asked for.

    Attributes
    ----------
    send_at_us, end_us : the minute of sending and the end of its slot, microseconds since
        1970-01-01 UTC; meaningless where `seated` is false.
    basis : code into `SEND_BASES`.
    seated : false where every allowed hour's seats were taken by larger gains.
    """

    send_at_us: Int64Array
    end_us: Int64Array
    basis: Int8Array
    seated: BoolArray

    def take(self, rows: Int64Array) -> "SendTimes":
        """The times of the given rows."""
        return SendTimes(*(getattr(self, name)[rows] for name in SendTimes.__slots__))


def no_send_times(size: int) -> SendTimes:
    """The times of contacts that have none yet."""
    return SendTimes(
        send_at_us=np.zeros(size, dtype=np.int64),
        end_us=np.zeros(size, dtype=np.int64),
        basis=np.full(size, CONFIGURED, dtype=np.int8),
        seated=np.zeros(size, dtype=np.bool_),
    )


@dataclass(frozen=True, slots=True)
class TimingRules:
    """What the configuration says about send times.

    Attributes
    ----------
    share : of the exploring arm, sent at a random allowed hour.
    salt : decides who, and at which.
    as_of_us : the as-of.
    weekday : of the list's day, Monday 0.
    """

    channels: Mapping[str, Channel]
    share: float
    salt: str
    as_of_us: int
    weekday: int


def choose_send_times(
    scored: ScoredCustomers, due: DueContacts, *, windows: SendWindows, rules: TimingRules
) -> SendTimes:
    """Give every contact its best allowed slot on the list's day, and a minute in it.

    A slot's score is the customer's activity over the channel's `attention_hours` from its
    start on, times how well the channel's contacts of that hour are answered; METHODS
    section 3.6. Where too little is known the channel's configured windows serve. Of the
    exploring arm a share gets a slot by chance, so that timing stays measurable.

    Where a channel's seats are limited by the hour, contacts choose in the order of their
    gain among the hours with a seat left; one that finds none is not seated.
    """
    times = no_send_times(len(due.row))
    if not len(due.row):
        return times
    hours = _hours_of(scored, due.row, weekday=rules.weekday)
    times.basis[:] = hours.basis
    chance = _slot_draws(scored, due, rules)
    times.basis[~np.isnan(chance)] = EXPLORED
    for code, (name, channel) in enumerate(rules.channels.items()):
        mine = np.flatnonzero(due.channel == code)
        if not len(mine):
            continue
        table, index = _slot_table(scored, due.row[mine], times.basis[mine], name, windows)
        scores = _score_slots(hours, mine, code, channel=channel, table=table, index=index)
        _prefer_configured(scores, times.basis[mine] == CONFIGURED, table, index)
        _prefer_drawn(scores, chance[mine], table, index)
        slot = _take_slots(scores, due, mine, table=table, index=index, channel=channel)
        _fill_times(times, due, mine, table=table, index=index, slot=slot)
    return times


@dataclass(frozen=True, slots=True)
class _Hours:
    """Distributions over hours of some customers on the list's day and the next.

    `days` has shape (2, m, 24); `response` shape (n_channels, 24).
    """

    days: Float32Array
    response: Float64Array
    basis: Int8Array


def _hours_of(scored: ScoredCustomers, rows: Int64Array, *, weekday: int) -> _Hours:
    active = scored.active
    if active is None:
        return _Hours(
            days=np.full((2, len(rows), HOURS), 1 / HOURS, dtype=np.float32),
            response=np.ones((scored.pressure.unsubscribed.shape[1], HOURS)),
            basis=np.full(len(rows), CONFIGURED, dtype=np.int8),
        )
    segment, n_segments = timing_segments(scored)
    profile = fit_timing_profile(active.hours, segment, n_segments=n_segments, week=active.week)
    hours = active.hours[rows].astype(np.float32)
    profiles = hour_profiles(profile, hours, segment[rows])
    days = np.stack(
        [
            _day_profiles(profile, profiles, rows, active, weekday=weekday, later=later)
            for later in (0, 1)
        ]
    )
    return _Hours(
        days=days,
        response=response_factors(*active.contacts),
        basis=_basis(profile, hours.sum(axis=1, dtype=np.float64), segment[rows]),
    )


def timing_segments(scored: ScoredCustomers) -> tuple[Int64Array, int]:
    """Segments whose members are taken to have like hours: stage by no, one or more orders."""
    stage = scored.stage.astype(np.int64) + 1
    orders = np.minimum(np.nan_to_num(scored.orders), _ORDER_BANDS - 1).astype(np.int64)
    return stage * _ORDER_BANDS + orders, (int(stage.max(initial=0)) + 1) * _ORDER_BANDS


def _day_profiles(
    profile: TimingProfile,
    profiles: Float32Array,
    rows: Int64Array,
    active: ActiveHours,
    *,
    weekday: int,
    later: int,
) -> Float32Array:
    tilted = weekday_profiles(profile, profiles, (weekday + later) % DAYS)
    if len(active.busy):
        place = np.searchsorted(active.busy, rows)
        place[place == len(active.busy)] = 0
        busy = np.flatnonzero(active.busy[place] == rows)
        tilted[busy] = own_weekday_profiles(
            profile, tilted[busy], active.busy_days[place[busy], later]
        )
    return tilted


def _basis(profile: TimingProfile, own: Float64Array, segment: Int64Array) -> Int8Array:
    basis = np.full(len(own), CONFIGURED, dtype=np.int8)
    if profile.segment_size.sum() >= SEGMENT_FROM:
        basis[:] = ALL
        basis[profile.segment_size[segment] >= SEGMENT_FROM] = SEGMENT
    basis[own >= OWN_FROM] = OWN
    return basis


def _slot_draws(scored: ScoredCustomers, due: DueContacts, rules: TimingRules) -> Float64Array:
    """A number in [0, 1) for those whose slot chance picks; NaN for the others."""
    picked = np.full(len(due.row), np.nan)
    explorers = np.flatnonzero(due.arm == EXPLORE)
    ids = scored.ids(due.row[explorers])
    draws = hash_draws(ids, key=(rules.salt, "slot", str(rules.as_of_us)))
    chosen = draws[:, 0] < rules.share
    picked[explorers[chosen]] = draws[chosen, 1]
    return picked


@dataclass(frozen=True, slots=True)
class _SlotTable:
    """Slots of one channel, one row per zone and per basis (hours, configured windows).

    Shape (n_tables, p), rows filled up with hour -1; `later` of shape (n_tables,).
    """

    start_us: Int64Array
    end_us: Int64Array
    hour: Int64Array
    seat_hour: Int64Array
    later: Int64Array
    size: Int64Array


def _slot_table(
    scored: ScoredCustomers,
    rows: Int64Array,
    basis: Int8Array,
    channel: str,
    windows: SendWindows,
) -> tuple[_SlotTable, Int64Array]:
    """The slots that some customers may get, and each one's row of the table."""
    names = (*scored.reach.zones, UNKNOWN_ZONE)
    zone = scored.reach.zone[rows].astype(np.int64) % len(names)
    present, index = np.unique(zone * 2 + (basis == CONFIGURED), return_inverse=True)
    slots = []
    for code in present.tolist():
        day = windows[names[code // 2], channel]
        if day is None:
            raise ValueError(f"{channel} is closed in a zone where it was chosen")
        slots.append(day.configured if code % 2 else day.hours)
    return _pad(slots), index.astype(np.int64)


def _pad(slots: Sequence[Slots]) -> _SlotTable:
    width = max(len(one) for one in slots)

    def padded(name: str, fill: int) -> Int64Array:
        table = np.full((len(slots), width), fill, dtype=np.int64)
        for row, one in enumerate(slots):
            table[row, : len(one)] = getattr(one, name)
        return table

    return _SlotTable(
        start_us=padded("start_us", 0),
        end_us=padded("end_us", 0),
        hour=padded("hour", -1),
        seat_hour=padded("seat_hour", 0),
        later=np.array([int(one.later_day[0]) for one in slots], dtype=np.int64),
        size=np.array([len(one) for one in slots], dtype=np.int64),
    )


def _score_slots(
    hours: _Hours,
    mine: Int64Array,
    code: int,
    *,
    channel: Channel,
    table: _SlotTable,
    index: Int64Array,
) -> Float32Array:
    """How good each slot is for each contact, shape (m, p); -inf where there is none."""
    density = hours.days[table.later[index], mine]
    ahead = np.zeros_like(density)
    for later in range(channel.attention_hours):
        ahead += np.roll(density, -later, axis=1)
    ahead *= hours.response[code].astype(np.float32)
    hour = table.hour[index]
    scores = np.take_along_axis(ahead, np.maximum(hour, 0), axis=1)
    scores[hour < 0] = -np.inf
    return scores


def _prefer_configured(
    scores: Float32Array, configured: BoolArray, table: _SlotTable, index: Int64Array
) -> None:
    """Those of whom nothing is known take the configured windows in their order."""
    order = -np.arange(scores.shape[1], dtype=np.float32)
    rows = np.flatnonzero(configured)
    scores[rows] = np.where(table.hour[index[rows]] >= 0, order, -np.inf)


def _prefer_drawn(
    scores: Float32Array, chance: Float64Array, table: _SlotTable, index: Int64Array
) -> None:
    """Those whose slot chance picks take it, or else the next ones after it in turn."""
    rows = np.flatnonzero(~np.isnan(chance))
    size = table.size[index[rows]][:, None]
    first = np.minimum((chance[rows, None] * size).astype(np.int64), size - 1)
    turn = (np.arange(scores.shape[1]) - first) % size
    scores[rows] = np.where(table.hour[index[rows]] >= 0, -turn, -np.inf)


def _take_slots(
    scores: Float32Array,
    due: DueContacts,
    mine: Int64Array,
    *,
    table: _SlotTable,
    index: Int64Array,
    channel: Channel,
) -> Int64Array:
    """Each contact's slot, the earliest of equal scores; -1 where no seat was left."""
    if channel.seats_per_hour is None:
        return np.asarray(scores.argmax(axis=1), dtype=np.int64)
    turn = np.lexsort((mine, due.tie[mine], -due.gain[mine])).astype(np.int64)
    seats = np.full(int(table.seat_hour.max()) + 1, channel.seats_per_hour, dtype=np.int64)
    return np.asarray(_seat(turn, scores, index, table.seat_hour, seats), dtype=np.int64)


@njit(cache=True)
def _seat(  # type: ignore[no-untyped-def]
    turn, scores, index, seat_hour, seats
):
    taken = np.full(len(turn), -1, np.int64)
    for row in turn:
        best, chosen = -np.inf, -1
        for slot in range(scores.shape[1]):
            if scores[row, slot] > best and seats[seat_hour[index[row], slot]] > 0:
                best, chosen = scores[row, slot], slot
        if chosen >= 0:
            seats[seat_hour[index[row], chosen]] -= 1
            taken[row] = chosen
    return taken


def _fill_times(
    times: SendTimes,
    due: DueContacts,
    mine: Int64Array,
    *,
    table: _SlotTable,
    index: Int64Array,
    slot: Int64Array,
) -> None:
    start, end = table.start_us[index, slot], table.end_us[index, slot]
    minutes = (end - start) // MINUTE_US
    into = np.minimum((due.minute[mine] * minutes).astype(np.int64), minutes - 1)
    times.send_at_us[mine] = start + into * MINUTE_US
    times.end_us[mine] = end
    times.seated[mine] = slot >= 0
