"""The simulated shop: customers buy at their own pace, fall asleep, wake up, or leave.

A customer is alive, asleep or gone. While alive, orders come with Gamma-distributed rates
over customers and Erlang gaps (regularity 1 to 3), moved by season, weekday and contacts.
Sleep ends by itself or because of a contact; leaving is for good.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtr

from pipelines.simulate.clock import Clock, local_second, to_utc
from pipelines.simulate.draws import customer_key, day_key, exponential, pick, uniform
from pipelines.simulate.log import (
    NEVER,
    Log,
    add_change,
    add_event,
    add_mark,
    begin_customer,
    has_room,
)
from pipelines.simulate.messages import (
    BOOST,
    ContactHabits,
    Reach,
    choose_contact,
    fade,
    new_mood,
    remove_app,
    send,
)
from pipelines.simulate.population import Floats, Ints, People, gamma_quantile, quantile_codes

EVENT_TYPES = ("signup", "login", "visit", "search", "view", "cart", "purchase", "refund")
SIGNUP, LOGIN, VISIT, SEARCH, VIEW, CART, PURCHASE, REFUND = range(8)
CATEGORIES = ("home", "garden", "toys", "books", "beauty", "sports", "food", "electronics")
ALIVE, ASLEEP, GONE = range(3)
MOST_EVENTS_PER_DAY = 40

_STATE, _TURN, _ORDER, _BROWSE, _RETURNS, _UNINSTALL = 0, 1, 2, 3, 4, 5
_SESSION, _BASKET, _CLICK = 64, 96, 256


class ShopHabits(NamedTuple):
    """The shop's averages; rates are per day."""

    gap_days: float = 38.0
    rate_shape: float = 1.1
    browse_ratio: float = 2.8
    sleep_rate: float = 0.0045
    once_only: float = 0.22
    wake_rate: float = 0.0035
    leave_alive: float = 0.0005
    leave_asleep: float = 0.0025
    asleep_browse: float = 0.06
    keen_factor: float = 2.5
    keen_days: float = 8.0
    wake_order: float = 0.3
    wake_weight: float = 1.0
    basket: float = 58.0
    refund_share: float = 0.06


class Shoppers(NamedTuple):
    """Latents of each customer; shape (n,), `favourite` are category codes."""

    first: int
    zone: Ints
    device: Ints
    flags: Ints
    signup_day: Ints
    signup_second: Ints
    hour: Floats
    weekend: Floats
    temper: Floats
    interest: Floats
    rate: Floats
    regularity: Ints
    browse: Floats
    sleep: Floats
    wake: Floats
    spend: Floats
    deals: Floats
    favourite: Ints


def draw_shoppers(people: People, habits: ShopHabits) -> Shoppers:
    """Latents by inversion; the copula ties pace, loyalty and spend together."""
    noise = people.noise
    pace = gamma_quantile(ndtr(people.rate_z), shape=habits.rate_shape, mean=1.0 / habits.gap_days)
    looker = noise[:, 0] < 0.25
    pace = np.where(looker, 0.1 * pace, pace) + 0.0004
    spread = 1.0 / gammaincinv(5.0, ndtr(-people.spend_z))
    return Shoppers(
        first=people.first,
        zone=people.zone,
        device=people.device,
        flags=people.flags,
        signup_day=people.signup_day,
        signup_second=people.signup_second,
        hour=people.hour,
        weekend=people.weekend,
        temper=people.temper,
        interest=people.interest,
        rate=pace,
        regularity=1 + quantile_codes(noise[:, 1], (0.45, 0.35, 0.2)),
        browse=pace * habits.browse_ratio * np.exp(0.6 * (noise[:, 2] - 0.5)) + 0.01,
        sleep=habits.sleep_rate * np.exp(-0.7 * people.stay_z),
        wake=habits.wake_rate * np.exp(0.5 * people.stay_z),
        spend=habits.basket * 4.0 * spread,
        deals=noise[:, 3] ** 2,
        favourite=quantile_codes(noise[:, 4], (1, 1, 1, 1, 1, 1, 1, 1)),
    )


@njit(cache=True, nogil=True)
def walk_shop(
    log: Log,
    clock: Clock,
    reach: Reach,
    contact_habits: ContactHabits,
    habits: ShopHabits,
    shoppers: Shoppers,
    span: tuple[int, int],
    seed: int,
) -> int:
    """Live the customers at positions span[0] .. span[1] - 1 until the buffers are full.

    Returns the position of the first customer not lived.
    """
    for position in range(span[0], span[1]):
        days = clock.days - shoppers.signup_day[position] + 2
        if not has_room(log, days * MOST_EVENTS_PER_DAY, days):
            return position
        key = customer_key(seed, shoppers.first + position)
        _live(log, clock, reach, contact_habits, habits, shoppers, position, key)
    return span[1]


@njit(cache=True)
def _live(
    log: Log,
    clock: Clock,
    reach: Reach,
    contact_habits: ContactHabits,
    habits: ShopHabits,
    who: Shoppers,
    i: int,
    key: np.uint64,
) -> None:
    """One customer's days from signup to the end."""
    first_day, zone = who.signup_day[i], who.zone[i]
    mood = new_mood(who.flags[i], who.temper[i])
    refund = np.zeros(4, dtype=np.float64)  # day, amount, order, category; day 0: none
    begin_customer(log, who.first + i, who.device[i])
    signup = to_utc(clock, zone, first_day, who.signup_second[i])
    add_mark(log, signup, SIGNUP)
    add_change(log, signup, who.flags[i])
    state, phase, orders, quiet_since = ALIVE, 0, 0, first_day
    for day in range(first_day, clock.days):
        today = day_key(key, day)
        fade(mood, contact_habits)
        silent_days = float(day - quiet_since)
        before = state
        state = _next_state(state, who, i, mood, habits, today)
        second = who.signup_second[i] + 300
        if day > first_day:
            second = local_second(today, _TURN, who.hour[i], 1.8)
        at = to_utc(clock, zone, day, second)
        ordered = False
        if state == ALIVE:
            hazard = _order_hazard(who, i, mood, habits, clock, day, orders, first_day)
            woken = before == ASLEEP and uniform(today, _RETURNS) < habits.wake_order
            if woken or uniform(today, _ORDER) < 1.0 - math.exp(-hazard):
                phase += 1
                ordered = woken or orders == 0 or phase >= who.regularity[i]
        if ordered:
            _buy(log, who, i, habits, (at, day, orders), refund, today)
            phase, orders, quiet_since = 0, orders + 1, day
            if orders == 1 and uniform(today, _STATE + 16) < habits.once_only:
                state = ASLEEP
        elif state != GONE and _visits(who, i, state, habits, mood, today):
            _browse(log, at, who.favourite[i], today, _SESSION)
        _give_back(log, clock, zone, refund, day, second)
        if state == GONE and before != GONE and uniform(today, _UNINSTALL) < 0.5:
            remove_app(log, mood, reach, at)
        if day == first_day:
            continue
        choice = choose_contact(
            mood, contact_habits, reach, silent_days, who.spend[i] > 1.2 * habits.basket, day, today
        )
        if choice[0] >= 0:
            interest = who.interest[i] if state == ALIVE else 0.3 * who.interest[i]
            place = (zone, day, interest)
            clicked = send(log, clock, mood, contact_habits, reach, choice, place, today)
            if clicked != NEVER:
                _browse(log, clicked + 5, who.favourite[i], today, _CLICK)


@njit(cache=True)
def _next_state(
    state: int,
    who: Shoppers,
    i: int,
    mood: NDArray[np.float64],
    habits: ShopHabits,
    today: np.uint64,
) -> int:
    number = uniform(today, _STATE)
    if state == ALIVE:
        if number < habits.leave_alive:
            return GONE
        return ASLEEP if number < habits.leave_alive + who.sleep[i] else ALIVE
    if state == ASLEEP:
        wake = who.wake[i] * math.exp(habits.wake_weight * mood[BOOST])
        if number < wake:
            return ALIVE
        return GONE if number > 1.0 - habits.leave_asleep else ASLEEP
    return GONE


@njit(cache=True)
def _order_hazard(
    who: Shoppers,
    i: int,
    mood: NDArray[np.float64],
    habits: ShopHabits,
    clock: Clock,
    day: int,
    orders: int,
    first_day: int,
) -> float:
    """Hazard of the next step towards an order on this day."""
    hazard = who.rate[i] * clock.season[day] * math.exp(mood[BOOST])
    if clock.weekday[day] >= 5:
        hazard *= who.weekend[i]
    if orders == 0:
        return float(
            hazard * (0.6 + habits.keen_factor * math.exp((first_day - day) / habits.keen_days))
        )
    return float(hazard * who.regularity[i])


@njit(cache=True)
def _visits(
    who: Shoppers,
    i: int,
    state: int,
    habits: ShopHabits,
    mood: NDArray[np.float64],
    today: np.uint64,
) -> bool:
    chance = who.browse[i] * math.exp(0.5 * mood[BOOST])
    if state == ASLEEP:
        chance *= habits.asleep_browse
    return bool(uniform(today, _BROWSE) < chance)


@njit(cache=True)
def _browse(log: Log, at: int, favourite: int, today: np.uint64, stream: int) -> int:
    """A visit that leads to nothing yet; return the second it ends."""
    add_mark(log, at, VISIT)
    if uniform(today, stream) < 0.35:
        at += 4 + pick(today, stream + 1, 20)
        add_mark(log, at, LOGIN)
    for step in range(pick(today, stream + 2, 3)):
        at += 8 + pick(today, stream + 3 + step, 40)
        add_mark(log, at, SEARCH)
    for step in range(pick(today, stream + 6, 5)):
        at += 10 + pick(today, stream + 7 + step, 90)
        category = _category(favourite, today, stream + 12 + step)
        add_event(log, at, VIEW, np.nan, np.nan, -1, category)
    if uniform(today, stream + 18) < 0.18:
        at += 15 + pick(today, stream + 19, 60)
        category = _category(favourite, today, stream + 20)
        add_event(log, at, CART, np.nan, np.nan, -1, category)
    return int(at)


@njit(cache=True)
def _category(favourite: int, today: np.uint64, stream: int) -> int:
    if uniform(today, stream) < 0.55:
        return int(favourite)
    return int(pick(today, stream + 400, 8))


@njit(cache=True)
def _buy(
    log: Log,
    who: Shoppers,
    i: int,
    habits: ShopHabits,
    place: tuple[int, int, int],
    refund: NDArray[np.float64],
    today: np.uint64,
) -> None:
    """A visit that ends with an order of one to four lines; `place` is (second, day, order)."""
    at, day, order = place
    at = _browse(log, at, who.favourite[i], today, _SESSION)
    at += 20 + pick(today, _BASKET, 120)
    add_event(log, at, CART, np.nan, np.nan, -1, who.favourite[i])
    at += 40 + pick(today, _BASKET + 1, 300)
    total = 0.0
    for step in range(4):  # Gamma with shape 4: spread around the customer's own level
        total += exponential(today, _BASKET + 2 + step)
    total *= who.spend[i] / 4.0
    taken_off = 0.0
    if uniform(today, _BASKET + 6) < 0.05 + 0.5 * who.deals[i]:
        taken_off = 0.05 + 0.05 * pick(today, _BASKET + 7, 3)
    lines = 1 + min(int(0.75 * exponential(today, _BASKET + 8)), 3)
    for line in range(lines):
        price = max(total / lines * (0.6 + 0.8 * uniform(today, _BASKET + 9 + line)), 1.0)
        paid = round(price * (1.0 - taken_off), 2)
        category = _category(who.favourite[i], today, _BASKET + 14 + line)
        add_event(log, at, PURCHASE, paid, round(price - paid, 2), order, category)
        if line == 0 and refund[0] == 0.0 and uniform(today, _BASKET + 20) < habits.refund_share:
            refund[0] = day + 3 + pick(today, _BASKET + 21, 18)
            refund[1], refund[2], refund[3] = -paid, order, category


@njit(cache=True)
def _give_back(
    log: Log, clock: Clock, zone: int, refund: NDArray[np.float64], day: int, second: int
) -> None:
    """The refund that is due today, if any."""
    if refund[0] == day and day > 0:
        at = to_utc(clock, zone, day, second // 2 + 4 * 3600)
        add_event(log, at, REFUND, refund[1], np.nan, int(refund[2]), int(refund[3]))
        refund[0] = 0.0
