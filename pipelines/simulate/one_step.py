"""The truth of one decision: who returns without contact, and what each contact changes.

Given everything hidden, a customer's state is one of seven (active or asleep, by steps made
towards the next order, or gone), and how it moves is known; so the chance of no order in a
window follows by summing over the states, day by day, without drawing anything. The only
approximation: what somebody orders on the very days before the window begins is not drawn
either, but moves later chances as an order of the customer's usual size.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipelines.simulate.effects import effect_of
from pipelines.simulate.lives import Lives
from pipelines.simulate.messages import chance_of_leaving
from pipelines.simulate.mood import (
    BOOST,
    DEALS,
    FATIGUE,
    FLAGS,
    LAST_ORDER,
    ORDERS,
    PUSH,
    SPENT,
    daily_shares,
    fade,
    promise,
    redeem,
)
from pipelines.simulate.scene import Scene
from pipelines.simulate.shop import (
    ALIVE,
    GONE,
    Life,
    chance_of_step,
    current_interest,
    waking_chance,
)
from pipelines.simulate.shoppers import ShopHabits, Shopper, Shoppers, expected_amount, shopper_at
from pipelines.simulate.usual import is_open

Floats = NDArray[np.float64]

_STEPS = 3
_ASLEEP = _STEPS
_GONE = 2 * _STEPS
_STATES = _GONE + 1


@dataclass(frozen=True, slots=True)
class OneStep:
    """The truth at the midnight that begins a day, for n customers and A actions.

    Actions are numbered channel * offers + offer. The window's days are the customers' own.

    Attributes
    ----------
    p0 : P(order in the window | no contact from now on), shape (n,); NaN before signing up.
    uplift : what an action sent that day, and none after it, adds to p0; shape (n, A), NaN
        where the channel is closed.
    leaves : P(the action makes the customer leave the channel), shape (n, A), NaN likewise.
    order_value : expected amount of an order, before any offer, shape (n,).
    """

    p0: Floats
    uplift: Floats
    leaves: Floats
    order_value: Floats


@njit(cache=True, nogil=True)
def weigh_actions(
    scene: Scene,
    shoppers: Shoppers,
    lives: Lives,
    span: tuple[int, int],
    time: tuple[int, int, int],
    out: tuple[Floats, Floats, Floats, Floats],
) -> None:
    """Fill `out` (as in OneStep) for positions of a span; `time` is (day, gap, horizon)."""
    day = time[0]
    offers = len(scene.reach.offer_effect)
    for position in range(span[0], span[1]):
        if shoppers.signup_day[position] >= day:
            out[0][position] = np.nan
            out[1][position, :] = np.nan
            out[2][position, :] = np.nan
            out[3][position] = np.nan
            continue
        me = shopper_at(shoppers, position)
        life = Life(lives.course[position], lives.mood[position], lives.refund[position])
        natural = _returns(scene, me, life, time, (-1, 0))
        out[0][position] = natural
        out[3][position] = expected_amount(me)
        for action in range(out[1].shape[1]):
            channel, offer = action // offers, action % offers
            if not is_open(int(life.mood[FLAGS]), scene.reach.requires[channel]):
                out[1][position, action] = out[2][position, action] = np.nan
                continue
            reached = scene.reach.delivered[channel]
            moved = _returns(scene, me, life, time, (channel, offer))
            out[1][position, action] = reached * (moved - natural)
            interest = current_interest(me, life.course[0])
            annoyed = chance_of_leaving(
                scene.reach.unsubscribed[channel], life.mood[FATIGUE], interest
            )
            out[2][position, action] = reached * min(annoyed, 1.0)


@njit(cache=True)
def _returns(
    scene: Scene, me: Shopper, life: Life, time: tuple[int, int, int], action: tuple[int, int]
) -> float:
    """P(order in the window) if the action reaches the customer at the end of the first day.

    Class 0 has not ordered since the as-of; class k has, last on the k-th day before the window.
    """
    first, gap, horizon = time
    habits, contacts = scene.habits, scene.contact_habits
    season, weekday = scene.clock.season, scene.clock.weekday
    left = daily_shares(contacts)
    moods = np.empty((gap + 1, len(life.mood)), dtype=np.float64)
    belief = np.zeros((gap + 1, _STATES), dtype=np.float64)
    moods[0] = life.mood
    state, phase, orders = life.course[0], life.course[1], life.course[2]
    place = _GONE if state == GONE else phase + (0 if state == ALIVE else _ASLEEP)
    belief[0, place] = 1.0
    classes, returned = 1, 0.0
    for day in range(first, min(first + gap + horizon, len(season))):
        is_before = day < first + gap
        arrived = 0.0
        demand = season[day] * (me.weekend if weekday[day] >= 5 else 1.0)
        for k in range(classes):
            fade(moods[k], left)
            seen = orders + (k > 0)
            step = chance_of_step(me, moods[k], habits, contacts, (seen, day), demand)
            wake = min(waking_chance(me, moods[k], habits), 1.0)
            ordered = _pass_day(belief[k], habits, me, (step, wake), seen)
            if is_before:
                arrived += ordered
            else:
                returned += ordered
        if is_before:
            moods[classes] = moods[0]
            _note_order(moods[classes], scene, me, day)
            _settle(belief[classes], arrived, habits, me, orders + 1)
            classes += 1
        if day == first and action[0] >= 0:
            for k in range(classes):
                _feel(moods[k], scene, action, day)
    return returned


@njit(cache=True)
def _feel(mood: Floats, scene: Scene, action: tuple[int, int], day: int) -> None:
    """What a contact that reaches the customer changes; as `messages.send` does."""
    habits, law = scene.contact_habits, scene.law
    boost, push = effect_of(mood, scene.reach, law, habits, action, day)
    tired = np.exp(-habits.fatigue_weight * mood[FATIGUE])
    mood[BOOST] += boost * tired
    mood[PUSH] += push * tired
    promise(mood, law, action[1], day)


@njit(cache=True)
def _note_order(mood: Floats, scene: Scene, me: Shopper, day: int) -> None:
    mood[DEALS] += redeem(mood, scene.law, scene.contact_habits, day) >= 0
    mood[ORDERS] += 1.0
    mood[SPENT] += expected_amount(me)
    mood[LAST_ORDER] = day


@njit(cache=True)
def _settle(belief: Floats, mass: float, habits: ShopHabits, me: Shopper, orders: int) -> None:
    """States in which a day with an order ends."""
    belief[:] = 0.0
    asleep = habits.once_only if orders == 1 else 0.0
    leaves = me.leave if orders > habits.loyal_orders else 0.0
    belief[_GONE] = mass * leaves
    belief[_ASLEEP] = mass * asleep * (1.0 - leaves)
    belief[0] = mass * (1.0 - asleep) * (1.0 - leaves)


@njit(cache=True)
def _pass_day(
    belief: Floats, habits: ShopHabits, me: Shopper, chances: tuple[float, float], orders: int
) -> float:
    """Move the states by one day; returns the mass of an order, which is taken out.

    `chances` are those of a step of somebody alive, and of waking.
    """
    step, wake = chances
    steps = me.regularity if orders > 0 else 1
    stays = 1.0 - min(habits.leave_alive + me.sleep, 1.0)
    # Waking is looked for first, so leaving comes only out of what is left.
    leaves = min(habits.leave_asleep, 1.0 - wake)
    ordered, came = 0.0, 0.0
    for made in range(_STEPS):
        alive, asleep = belief[made], belief[_ASLEEP + made]
        active = alive * stays + asleep * wake * (1.0 - habits.wake_order)
        ordered += asleep * wake * habits.wake_order
        belief[_ASLEEP + made] = alive * me.sleep + asleep * (1.0 - wake - leaves)
        belief[_GONE] += alive * habits.leave_alive + asleep * leaves
        belief[made] = active * (1.0 - step) + came
        came = 0.0
        if made + 1 >= steps:
            ordered += active * step
        else:
            came = active * step
    return ordered
