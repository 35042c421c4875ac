"""What the shop saw of one simulated customer, day by day, and the contacts felt then."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipelines.simulate.clock import DAY, HOUR, Clock
from pipelines.simulate.log import CHANGES, CONTACTS, EVENTS, NEVER, Log
from pipelines.simulate.scene import ContactHabits, Reach
from pipelines.simulate.shoppers import Shopper
from pipelines.simulate.visits import PURCHASE, VISIT

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NOTHING, VISITED, ORDERED = 0, 1, 2
_CLICK_DELAY = 5
"""Seconds from a click in a message to the visit it leads to."""


class Diary(NamedTuple):
    """Days from signing up to the as-of; arrays have shape (days,).

    Attributes
    ----------
    seen : NOTHING, VISITED (not through a message) or ORDERED.
    contact : the row in the log of the contact sent that day, -1 for none.
    app : whether the customer began with the app on the phone.
    left : the day on which the app was removed, -1 if it was not.
    known, own : effect of contacts still felt that day: what channel and offer do to
        everyone, and how much of the customer's own temper comes with it.
    fatigue : contacts lately, before that day's.
    evening : `known` and `own` at the end, before another day has passed.
    """

    seen: Ints
    contact: Ints
    app: bool
    left: int
    known: Floats
    own: Floats
    fatigue: Floats
    evening: tuple[float, float]


@njit(cache=True)
def read_diary(
    log: Log, clock: Clock, reach: Reach, habits: ContactHabits, me: Shopper, end_day: int
) -> Diary:
    """One customer's days before `end_day`, from a log that holds this customer alone."""
    first = me.signup_day
    days = end_day - first
    contact = np.full(days, -1, dtype=np.int64)
    for row in range(log.cursor[CONTACTS]):
        contact[_local_day(clock, me.zone, log.contacts.sent[row]) - first] = row
    seen = np.full(days, NOTHING, dtype=np.int64)
    for row in range(log.cursor[EVENTS]):
        at, kind = log.events.at[row], log.events.kind[row]
        day = _local_day(clock, me.zone, at) - first
        if day < days and kind == PURCHASE:
            seen[day] = ORDERED
        elif day < days and kind == VISIT and seen[day] == NOTHING and not _is_click(log, at):
            seen[day] = VISITED
    app = (log.changes[0].flags & reach.app_flags) != 0
    left = -1
    for row in range(1, log.cursor[CHANGES]):
        if app and left < 0 and (log.changes[row].flags & reach.app_flags) == 0:
            left = _local_day(clock, me.zone, log.changes[row].at) - first
    known, own, fatigue, evening = _effects(log, reach, habits, contact)
    return Diary(seen, contact, app, left, known, own, fatigue, evening)


@njit(cache=True)
def _effects(
    log: Log, reach: Reach, habits: ContactHabits, contact: Ints
) -> tuple[Floats, Floats, Floats, tuple[float, float]]:
    days = len(contact)
    known, own, fatigue = np.zeros(days), np.zeros(days), np.zeros(days)
    known_now = own_now = fatigue_now = 0.0
    for day in range(days):
        fading = math.exp(-1.0 / habits.effect_days)
        known_now, own_now = known_now * fading, own_now * fading
        fatigue_now *= math.exp(-1.0 / habits.fatigue_days)
        known[day], own[day], fatigue[day] = known_now, own_now, fatigue_now
        row = contact[day]
        if row >= 0 and log.contacts.delivered[row] != NEVER:
            weight = habits.effect_scale * math.exp(-habits.fatigue_weight * fatigue_now)
            channel, offer = log.contacts.channel[row], log.contacts.offer[row]
            known_now += weight * (reach.effect[channel] + reach.offer_effect[offer])
            own_now += weight * habits.effect_spread
        if row >= 0:
            fatigue_now += 1.0
    return known, own, fatigue, (known_now, own_now)


@njit(cache=True)
def _local_day(clock: Clock, zone: int, at: int) -> int:
    """The local day of a UTC second."""
    hour = min(max((at - clock.start) // HOUR, 0), clock.offsets.shape[1] - 1)
    return int((at + clock.offsets[zone, hour] - clock.start) // DAY)


@njit(cache=True)
def _is_click(log: Log, at: int) -> bool:
    for row in range(log.cursor[CONTACTS]):
        if log.contacts.clicked[row] == at - _CLICK_DELAY:
            return True
    return False
