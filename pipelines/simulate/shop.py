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

from pipelines.simulate.campaigns import NOBODY, assign, is_campaign_day
from pipelines.simulate.clock import HOUR, Clock, local_second, to_utc
from pipelines.simulate.draws import customer_key, day_key, uniform
from pipelines.simulate.log import (
    NEVER,
    Log,
    add_change,
    add_mark,
    begin_customer,
    has_room,
)
from pipelines.simulate.messages import remove_app, send
from pipelines.simulate.mood import (
    EXPECTED,
    EXPECTED_SAVED,
    EXPECTED_SPENT,
    FLAGS,
    OFFER_MONEY,
    OFFER_SHARE,
    PUSH,
    daily_shares,
    fade,
    introduce,
    lift,
    live_offer,
    new_mood,
    ordering_hazard,
)
from pipelines.simulate.scene import ContactHabits, Scene
from pipelines.simulate.shoppers import ShopHabits, Shopper, Shoppers, expected_amount, shopper_at
from pipelines.simulate.usual import (
    NO_WISH,
    choose_contact,
    is_open,
    wish_contact,
)
from pipelines.simulate.visits import (
    SESSION,
    SIGNUP,
    browse,
    buy,
    give_back,
)

ALIVE, ASLEEP, GONE = range(3)
MOST_EVENTS_PER_DAY = 40
AS_USUAL = -2
"""Stands for "whatever the company does" where an action is given."""

_SURE = 1e12


class Life(NamedTuple):
    """A customer between two days: what the next day depends on besides the latents.

    `course` is state, steps towards the next order, orders so far, and the day of the last
    one (or of signing up); `refund` is day (0: none), amount, order and category of the
    one that is due.
    """

    course: NDArray[np.int64]
    mood: NDArray[np.float64]
    refund: NDArray[np.float64]


_STATE, _TURN, _ORDER, _BROWSE, _RETURNS, _UNINSTALL = 0, 1, 2, 3, 4, 5
_ONCE_ONLY, _QUITS = 16, 17
_CLICK = 256


@njit(cache=True, nogil=True)
def walk_shop(log: Log, scene: Scene, shoppers: Shoppers, span: tuple[int, int], seed: int) -> int:
    """Live the customers at positions span[0] .. span[1] - 1 until the buffers are full.

    Returns the position of the first customer not lived.
    """
    clock = scene.clock
    for position in range(span[0], span[1]):
        days = clock.days - shoppers.signup_day[position] + 2
        if not has_room(log, days * MOST_EVENTS_PER_DAY, days):
            return position
        begin_customer(log.cursor, shoppers.first + position, shoppers.device[position])
        me = shopper_at(shoppers, position)
        life = begin_life(log, clock, me, mood_at(shoppers, position))
        luck = (customer_key(seed, shoppers.first + position), me.signup_day, clock.days)
        live_days(log, scene, me, life, luck)
    return span[1]


@njit(cache=True)
def mood_at(shoppers: Shoppers, position: int) -> NDArray[np.float64]:
    """The mood in which the customer at a position signs up."""
    mood: NDArray[np.float64] = new_mood(shoppers.flags[position], shoppers.temper[position])
    who = (shoppers.city[position], shoppers.age[position], shoppers.way[position])
    introduce(mood, shoppers.signup_day[position], who[0], who[1], who[2])
    return mood


@njit(cache=True)
def begin_life(log: Log, clock: Clock, me: Shopper, mood: NDArray[np.float64]) -> Life:
    """Sign up: a customer's first rows, and the state in which the first day begins."""
    signup = to_utc(clock, me.zone, me.signup_day, me.signup_second)
    add_mark(log, signup, SIGNUP)
    add_change(log, signup, int(mood[FLAGS]))
    course = np.array([ALIVE, 0, 0, me.signup_day], dtype=np.int64)
    return Life(course, mood, np.zeros(4, dtype=np.float64))


@njit(cache=True)
def live_days(
    log: Log,
    scene: Scene,
    me: Shopper,
    life: Life,
    luck: tuple[np.uint64, int, int],
    given: int = AS_USUAL,
) -> None:
    """Live some days of one customer; `luck` is (the customer's key, first day, day after).

    What the days before have left is read from `life`, which then has these behind it.
    The company contacts the customer as the scene's campaigns and habits say, or each day
    with the action `given` (channel * offers + offer, -1 for no contact).
    """
    # One long loop: to pass log and scene on means to count references to some fifty
    # arrays, which must not happen on days on which nothing does.
    key, first_day, end_day = luck
    mood, refund, habits = life.mood, life.refund, scene.habits
    contacts, campaign, days = scene.contact_habits, scene.campaign, scene.clock.days
    season, weekday, offers = scene.clock.season, scene.clock.weekday, len(scene.reach.offer_effect)
    rich, left = me.spend > 1.2 * habits.basket, daily_shares(contacts)
    state, phase, orders, quiet_since = life.course
    for day in range(first_day, end_day):
        today = day_key(key, day)
        silent_days = float(day - quiet_since)
        action, propensity = NOBODY, np.nan
        if given == AS_USUAL and day > me.signup_day and is_campaign_day(campaign, days, day):
            action, propensity = assign(log, scene, mood, silent_days, state, day, today)
        fade(mood, left)
        demand = season[day] * (me.weekend if weekday[day] >= 5 else 1.0)
        if given != AS_USUAL:
            _expect_order(mood, me, habits, contacts, (state, phase, orders), day, demand)
        before = state
        state = _next_state(before, me, mood, habits, today)
        ordered = False
        if state == ALIVE:
            chance = chance_of_step(me, mood, habits, contacts, (orders, day), demand)
            woken = before == ASLEEP and uniform(today, _RETURNS) < habits.wake_order
            if woken or uniform(today, _ORDER) < chance:
                phase += 1
                ordered = woken or orders == 0 or phase >= me.regularity
        if ordered:
            at = _moment(scene.clock, me, today, day)
            buy(log, scene, me, mood, refund, (at, day, orders), today)
            phase, orders, quiet_since = 0, orders + 1, day
            state = _state_after_order(state, me, habits, orders, today)
        elif state != GONE and _visits(me, state, habits, mood, today):
            at = _moment(scene.clock, me, today, day)
            browse(log, at, me.favourite, today, SESSION)
        if refund[0] == day and day > 0:
            give_back(log, _moment(scene.clock, me, today, day) + 3 * HOUR, refund)
        if state == GONE and before != GONE and uniform(today, _UNINSTALL) < 0.5:
            remove_app(log, mood, scene.reach, _moment(scene.clock, me, today, day))
        if day == me.signup_day:
            continue
        if given >= 0:
            action = (given // offers, given % offers)
        elif given == AS_USUAL and action[0] < 0:
            wish = wish_contact(mood, contacts, silent_days, rich, day, today)
            if wish != NO_WISH:
                action, propensity = choose_contact(
                    wish, scene, mood, silent_days, rich, day, today
                )
        if action[0] >= 0:
            interest = current_interest(me, state)
            _contact(log, scene, me, mood, action, (propensity, interest), day, today)
    life.course[0], life.course[1] = state, phase
    life.course[2], life.course[3] = orders, quiet_since


@njit(cache=True)
def _contact(
    log: Log,
    scene: Scene,
    me: Shopper,
    mood: NDArray[np.float64],
    action: tuple[int, int],
    chances: tuple[float, float],
    day: int,
    today: np.uint64,
) -> None:
    """Contact a customer if the channel is still open; `chances` are (propensity, interest)."""
    if not is_open(int(mood[FLAGS]), scene.reach.requires[action[0]]):
        return
    place = (me.zone, day, chances[1])
    clicked = send(log, scene, mood, action, chances[0], place, today)
    if clicked != NEVER:
        browse(log, clicked + 5, me.favourite, today, _CLICK)


@njit(cache=True)
def current_interest(me: Shopper, state: int) -> float:
    """Interest in messages, in (0, 1): small in those who are not active."""
    return float(me.interest if state == ALIVE else 0.3 * me.interest)


@njit(cache=True)
def _state_after_order(
    state: int, me: Shopper, habits: ShopHabits, orders: int, today: np.uint64
) -> int:
    may_leave = orders > habits.loyal_orders and me.leave > 0.0
    if may_leave and uniform(today, _STATE + _QUITS) < me.leave:
        return GONE
    if orders == 1 and uniform(today, _STATE + _ONCE_ONLY) < habits.once_only:
        return ASLEEP
    return state


@njit(cache=True)
def chance_of_step(
    me: Shopper,
    mood: NDArray[np.float64],
    habits: ShopHabits,
    contact_habits: ContactHabits,
    time: tuple[int, int],
    demand: float,
) -> float:
    """Probability that a customer who is alive takes a step towards an order today.

    `time` is (orders so far, day), `demand` the season's factor on the day's rates.
    """
    orders, day = time
    hazard = ordering_hazard(me.rate * demand * lift(mood, 1.0), mood, contact_habits, day)
    return 1.0 - math.exp(-hazard * _eagerness(me, habits, orders, day))


@njit(cache=True)
def _moment(clock: Clock, me: Shopper, today: np.uint64, day: int) -> int:
    """The second at which this customer turns to the shop today, if at all."""
    second = me.signup_second + 300
    if day > me.signup_day:
        second = local_second(today, _TURN, me.hour, 1.8)
    return int(to_utc(clock, me.zone, day, second))


@njit(cache=True)
def _next_state(
    state: int,
    me: Shopper,
    mood: NDArray[np.float64],
    habits: ShopHabits,
    today: np.uint64,
) -> int:
    number = uniform(today, _STATE)
    if state == ALIVE:
        if number < habits.leave_alive:
            return GONE
        return ASLEEP if number < habits.leave_alive + me.sleep else ALIVE
    if state == ASLEEP:
        wake = waking_chance(me, mood, habits)
        if number < wake:
            return ALIVE
        return GONE if number > 1.0 - habits.leave_asleep else ASLEEP
    return GONE


@njit(cache=True)
def waking_chance(me: Shopper, mood: NDArray[np.float64], habits: ShopHabits) -> float:
    """Probability that somebody asleep wakes today."""
    wake = me.wake * lift(mood, habits.wake_weight)
    return float(wake if mood[PUSH] == 0.0 else max(wake + mood[PUSH], 0.0))


@njit(cache=True)
def _eagerness(me: Shopper, habits: ShopHabits, orders: int, day: int) -> float:
    """Newcomers are keen on a first order; later steps come at the pace of regularity."""
    if orders > 0:
        return float(me.regularity)
    if habits.signs_up_with_order:
        return _SURE if day == me.signup_day else 1.0
    return 0.6 + habits.keen_factor * math.exp((me.signup_day - day) / habits.keen_days)


@njit(cache=True)
def _visits(
    me: Shopper,
    state: int,
    habits: ShopHabits,
    mood: NDArray[np.float64],
    today: np.uint64,
) -> bool:
    chance = me.browse * lift(mood, 0.5)
    if state == ASLEEP:
        chance *= habits.asleep_browse
    return bool(uniform(today, _BROWSE) < chance)


@njit(cache=True)
def _expect_order(
    mood: NDArray[np.float64],
    me: Shopper,
    habits: ShopHabits,
    contact_habits: ContactHabits,
    course: tuple[int, int, int],
    day: int,
    demand: float,
) -> None:
    """Add today's chance of an order, before it is drawn, to what was expected so far.

    `course` is (state, steps made, orders).
    """
    state, phase, orders = course
    if state == GONE:
        return
    step = chance_of_step(me, mood, habits, contact_habits, (orders, day), demand)
    if orders > 0 and phase + 1 < me.regularity:
        step = 0.0
    if state == ALIVE:
        chance = (1.0 - habits.leave_alive - me.sleep) * step
    else:
        woken = habits.wake_order + (1.0 - habits.wake_order) * step
        chance = waking_chance(me, mood, habits) * woken
    mood[EXPECTED] += chance
    mood[EXPECTED_SPENT] += chance * expected_amount(me)
    if live_offer(mood, contact_habits, day) >= 0:
        amount = expected_amount(me)
        saved = mood[OFFER_SHARE] * amount + mood[OFFER_MONEY]
        mood[EXPECTED_SAVED] += chance * min(saved, amount)
