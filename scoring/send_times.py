"""At which minute each contact of the night is sent: the customer's own best allowed hour."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.active_hours import ActiveHours
from scoring.arms import EXPLORE, GHOST
from scoring.customer_hours import (
    CONFIGURED,
    EXPLORED,
    SEND_BASES,
    CustomerHours,
    customer_hours,
    timing_segments,
    unknown_hours,
)
from scoring.draw import hash_draws
from scoring.policy import Channel
from scoring.reachability import Reachability
from scoring.send_windows import UNKNOWN_ZONE, SendWindows
from scoring.slot_table import (
    SlotTable,
    prefer_drawn,
    prefer_in_order,
    score_slots,
    slot_table,
    take_best,
    take_seats,
)
from scoring.timing import MINUTE_US, followed_by

__all__ = [
    "SEND_BASES",
    "Audience",
    "DueContacts",
    "SendTimes",
    "TimingRules",
    "choose_send_times",
    "no_send_times",
]

BoolArray = NDArray[np.bool_]
Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Int8Array = NDArray[np.int8]
Int16Array = NDArray[np.int16]
Int64Array = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Audience:
    """What send times depend on, of n customers.

    Attributes
    ----------
    customer_id : Arrow string array.
    reach : their zones.
    stage, orders : shape (n,), place in the ladder and number of orders.
    active : their hours; null where nobody's were counted.
    """

    customer_id: Any
    reach: Reachability
    stage: Int16Array
    orders: Float64Array
    active: ActiveHours | None


@dataclass(frozen=True, slots=True)
class DueContacts:
    """Contacts to be sent tonight; all of shape (m,).

    Attributes
    ----------
    row : position of the customer in the audience.
    channel : code of the channel, in configured order.
    gain : expected gain; where seats are few the largest have the first choice.
    tie : in [0, 1), orders equal gains.
    minute : in [0, 1), picks the minute inside the slot.
    arm : code into `scoring.arms.ARMS`; controls ask for a seat and leave it to others.
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
    """What the configuration and the night say about send times.

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
    audience: Audience, due: DueContacts, *, windows: SendWindows, rules: TimingRules
) -> SendTimes:
    """Give every contact its best allowed slot on the list's day, and a minute in it.

    A slot's score is the customer's activity over the channel's `attention_hours` from its
    start on, times how well the channel's contacts of that hour are answered; METHODS
    section 3.6. Where too little is known the channel's configured windows serve. Of the
    exploring arm a share gets a slot by chance, so that timing stays measurable.

    Where a channel's seats are limited by the hour, contacts choose in the order of their
    gain among the hours with a seat left; one that finds none is not seated.

    Parameters
    ----------
    windows : hold every (zone, channel) of the contacts, none of them null.
    """
    times = no_send_times(len(due.row))
    if not len(due.row):
        return times
    hours = _hours_of(audience, due.row, weekday=rules.weekday)
    chance = _slot_draws(audience, due, rules)
    times.basis[:] = np.where(np.isnan(chance), hours.basis, EXPLORED)
    for code, (name, channel) in enumerate(rules.channels.items()):
        mine = np.flatnonzero(due.channel == code)
        if not len(mine):
            continue
        configured = times.basis[mine] == CONFIGURED
        table, index = _slots_of(
            audience.reach,
            due.row[mine],
            configured,
            (name, channel),
            windows=windows,
        )
        ahead = _ahead(hours, mine, code, span=channel.attention_hours, later=table.later[index])
        scores = score_slots(ahead, table, index)
        prefer_in_order(scores, configured, table, index)
        prefer_drawn(scores, chance[mine], table, index)
        if channel.seats_per_hour is None:
            slot = take_best(scores)
        else:
            turn = np.lexsort((mine, due.tie[mine], -due.gain[mine])).astype(np.int64)
            seats = channel.seats_per_hour
            takes = due.arm[mine] < GHOST
            slot = take_seats(scores, turn, takes=takes, table=table, index=index, seats=seats)
        _fill_times(times, due, mine, table=table, index=index, slot=slot)
    return times


def _hours_of(audience: Audience, rows: Int64Array, *, weekday: int) -> CustomerHours:
    if audience.active is None:
        return unknown_hours(len(rows))
    segments = timing_segments(audience.stage, audience.orders)
    return customer_hours(audience.active, rows, segments=segments, weekday=weekday)


def _slot_draws(audience: Audience, due: DueContacts, rules: TimingRules) -> Float64Array:
    """A number in [0, 1) for those whose slot chance picks; NaN for the others."""
    picked = np.full(len(due.row), np.nan)
    explorers = np.flatnonzero(due.arm == EXPLORE)
    ids = audience.customer_id.take(pa.array(due.row[explorers])).to_pylist()
    draws = hash_draws(ids, key=(rules.salt, "slot", str(rules.as_of_us)))
    chosen = draws[:, 0] < rules.share
    picked[explorers[chosen]] = draws[chosen, 1]
    return picked


def _slots_of(
    reach: Reachability,
    rows: Int64Array,
    configured: BoolArray,
    named_channel: tuple[str, Channel],
    *,
    windows: SendWindows,
) -> tuple[SlotTable, Int64Array]:
    """The slots that the customers may get, by zone and basis, and each one's table row.

    Where seats are few, the other allowed hours follow the configured windows: better a call
    at another hour than an idle seat.
    """
    channel, rule = named_channel
    names = (*reach.zones, UNKNOWN_ZONE)
    # An unknown zone is -1 in `reach`, and the last name here.
    zone = reach.zone[rows].astype(np.int64) % len(names)
    present, index = np.unique(zone * 2 + configured, return_inverse=True)
    slots = []
    for code in present.tolist():
        day = windows[names[code // 2], channel]
        if day is None:
            raise ValueError(f"{channel} was chosen where it has no allowed hour")
        if code % 2 == 0:
            slots.append(day.hours)
        elif rule.seats_per_hour is None:
            slots.append(day.configured)
        else:
            slots.append(followed_by(day.configured, day.hours))
    return slot_table(slots), index.astype(np.int64)


def _ahead(
    hours: CustomerHours, mine: Int64Array, code: int, *, span: int, later: Int64Array
) -> Float32Array:
    """How good each hour is to send in; shape (m, 24)."""
    density = hours.days[later, mine]
    ahead = np.zeros_like(density)
    for step in range(span):
        ahead += np.roll(density, -step, axis=1)
    if hours.response is not None:
        ahead *= hours.response[code].astype(np.float32)
    return ahead


def _fill_times(
    times: SendTimes,
    due: DueContacts,
    mine: Int64Array,
    *,
    table: SlotTable,
    index: Int64Array,
    slot: Int64Array,
) -> None:
    start, end = table.start_us[index, slot], table.end_us[index, slot]
    minutes = (end - start) // MINUTE_US
    into = np.minimum((due.minute[mine] * minutes).astype(np.int64), minutes - 1)
    times.send_at_us[mine] = start + into * MINUTE_US
    times.end_us[mine] = end
    times.seated[mine] = slot >= 0
