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
from pipelines.simulate.messages import remove_app, send
from pipelines.simulate.mood import (
    DEALS,
    FLAGS,
    LAST_ORDER,
    ORDERS,
    PUSH,
    SAVED,
    SPENT,
    TASTE,
    fade,
    introduce,
    lift,
    new_mood,
    ordering_hazard,
    redeem,
)
from pipelines.simulate.scene import Scene
from pipelines.simulate.shoppers import ShopHabits, Shopper, Shoppers, shopper_at
from pipelines.simulate.usual import (
    NO_WISH,
    chance_of_contact,
    choose_contact,
    is_reachable,
    wish_contact,
)

EVENT_TYPES = ("signup", "login", "visit", "search", "view", "cart", "purchase", "refund")
SIGNUP, LOGIN, VISIT, SEARCH, VIEW, CART, PURCHASE, REFUND = range(8)
CATEGORIES = ("home", "garden", "toys", "books", "beauty", "sports", "food", "electronics")
ALIVE, ASLEEP, GONE = range(3)
MOST_EVENTS_PER_DAY = 40
_MOST_TAKEN_OFF = 0.6


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
_SESSION, _BASKET, _CLICK = 64, 96, 256


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
        begin_customer(log, shoppers.first + position, shoppers.device[position])
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
    log: Log, scene: Scene, me: Shopper, life: Life, luck: tuple[np.uint64, int, int]
) -> None:
    """Live some days of one customer; `luck` is (the customer's key, first day, day after).

    What the days before have left is read from `life`, which then has these behind it.
    The company contacts the customer as the scene's campaigns and habits say.
    """
    key, first_day, end_day = luck
    mood, habits = life.mood, scene.contact_habits
    rich = me.spend > 1.2 * scene.habits.basket
    for day in range(first_day, end_day):
        today = day_key(key, day)
        silent_days = float(day - life.course[3])
        action, propensity = NOBODY, 1.0
        if day > me.signup_day and is_campaign_day(scene.campaign, scene.clock.days, day):
            state = life.course[0]
            action, propensity = assign(log, scene, mood, silent_days, state, day, today)
        live_day(log, scene, me, life, day, today)
        if action[0] < 0 and day > me.signup_day:
            wish = wish_contact(mood, habits, silent_days, rich, day, today)
            if wish == NO_WISH:
                continue
            action = choose_contact(wish, mood, scene.reach, today)
            if action[0] >= 0:
                propensity = chance_of_contact(
                    mood, habits, scene.reach, silent_days, rich, day, action
                )
        if action[0] >= 0:
            contact(log, scene, me, life, action, propensity, day, today)


@njit(cache=True)
def contact(
    log: Log,
    scene: Scene,
    me: Shopper,
    life: Life,
    action: tuple[int, int],
    propensity: float,
    day: int,
    today: np.uint64,
) -> bool:
    """Contact a customer at the end of a day lived, if the channel is open; says whether it was."""
    mood = life.mood
    if not is_reachable(int(mood[FLAGS]), scene.reach, action[0]):
        return False
    place = (me.zone, day, current_interest(me, life))
    clicked = send(log, scene, mood, action, propensity, place, today)
    if clicked != NEVER:
        _browse(log, clicked + 5, me.favourite, today, _CLICK)
    return True


@njit(cache=True)
def current_interest(me: Shopper, life: Life) -> float:
    """Interest in messages, in (0, 1): small in those who are not active."""
    return float(me.interest if life.course[0] == ALIVE else 0.3 * me.interest)


@njit(cache=True)
def live_day(log: Log, scene: Scene, me: Shopper, life: Life, day: int, today: np.uint64) -> None:
    """What a customer does on one day of his own."""
    clock, habits, law = scene.clock, scene.habits, scene.law
    mood, refund = life.mood, life.refund
    before, phase, orders, _ = life.course
    fade(mood, scene.contact_habits, law)
    state = _next_state(before, me, mood, habits, today)
    ordered = False
    if state == ALIVE:
        hazard = me.rate * clock.season[day] * lift(mood, 1.0)
        hazard *= me.weekend if clock.weekday[day] >= 5 else 1.0
        hazard = ordering_hazard(hazard, mood, law, day)
        hazard *= _eagerness(me, habits, orders, day)
        chance = 1.0 - math.exp(-hazard)
        woken = before == ASLEEP and uniform(today, _RETURNS) < habits.wake_order
        if woken or uniform(today, _ORDER) < chance:
            phase += 1
            ordered = woken or orders == 0 or phase >= me.regularity
    if ordered:
        at = _moment(clock, me, today, day)
        _buy(log, scene, me, life, (at, day, orders), today)
        phase, orders = 0, orders + 1
        life.course[3] = day
        if orders == 1 and uniform(today, _STATE + _ONCE_ONLY) < habits.once_only:
            state = ASLEEP
        if orders > habits.loyal_orders and me.leave > 0.0:
            state = GONE if uniform(today, _STATE + _QUITS) < me.leave else state
    elif state != GONE and _visits(me, state, habits, mood, today):
        at = _moment(clock, me, today, day)
        _browse(log, at, me.favourite, today, _SESSION)
    if refund[0] == day and day > 0:
        _give_back(log, _moment(clock, me, today, day) + 3 * HOUR, refund)
    if state == GONE and before != GONE and uniform(today, _UNINSTALL) < 0.5:
        remove_app(log, mood, scene.reach, _moment(clock, me, today, day))
    life.course[0], life.course[1], life.course[2] = state, phase, orders


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
    scene: Scene,
    me: Shopper,
    life: Life,
    place: tuple[int, int, int],
    today: np.uint64,
) -> None:
    """A visit that ends with an order of one to four lines; `place` is (second, day, order)."""
    at, day, order = place
    mood, refund, refund_share = life.mood, life.refund, scene.habits.refund_share
    at = _browse(log, at, me.favourite, today, _SESSION)
    at += 20 + pick(today, _BASKET, 120)
    add_event(log, at, CART, np.nan, np.nan, -1, me.favourite)
    at += 40 + pick(today, _BASKET + 1, 300)
    total = 0.0
    for step in range(4):  # Gamma with shape 4: spread around the customer's own level
        total += exponential(today, _BASKET + 2 + step)
    total *= me.spend / 4.0
    taken_off = 0.0
    if uniform(today, _BASKET + 6) < 0.05 + 0.5 * me.deals:
        taken_off = 0.05 + 0.05 * pick(today, _BASKET + 7, 3)
    offer = redeem(mood, scene.law, day)
    if offer >= 0:
        saved = scene.law.discount[offer] + scene.law.voucher[offer] / max(total, 1.0)
        taken_off = min(taken_off + saved, _MOST_TAKEN_OFF)
        mood[SAVED] += total * min(saved, _MOST_TAKEN_OFF)
    lines = 1 + min(int(0.75 * exponential(today, _BASKET + 8)), 3)
    for line in range(lines):
        price = max(total / lines * (0.6 + 0.8 * uniform(today, _BASKET + 9 + line)), 1.0)
        paid = round(price * (1.0 - taken_off), 2)
        category = _category(me.favourite, today, _BASKET + 14 + line)
        add_event(log, at, PURCHASE, paid, round(price - paid, 2), order, category)
        mood[SPENT] += paid
        mood[TASTE] = category
        if line == 0 and refund[0] == 0.0 and uniform(today, _BASKET + 20) < refund_share:
            refund[0] = day + 3 + pick(today, _BASKET + 21, 18)
            refund[1], refund[2], refund[3] = -paid, order, category
    mood[ORDERS] += 1.0
    mood[DEALS] += taken_off > 0.0
    mood[LAST_ORDER] = day


@njit(cache=True)
def _give_back(log: Log, at: int, refund: NDArray[np.float64]) -> None:
    """The refund that is due."""
    add_event(log, at, REFUND, refund[1], np.nan, int(refund[2]), int(refund[3]))
    refund[0] = 0.0
