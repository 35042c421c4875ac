"""How likely a diary is, if its owner were a certain customer of the simulated shop.

Whether a silent customer is asleep or only between two orders shows in no row of data. The
forward algorithm (Rabiner 1989) sums the hidden states out, by the law in
pipelines.simulate.shop, and ends with the probability of each of them today.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from benchmarks.simulator_diary import ORDERED, VISITED, Diary
from pipelines.simulate.log import NEVER, ContactColumns
from pipelines.simulate.messages import OUTCOMES
from pipelines.simulate.scene import Reach, Scene
from pipelines.simulate.shoppers import ShopHabits, Shopper

Floats = NDArray[np.float64]

MOST_STEPS = 3
"""An order takes at most this many steps (regularity 1 to 3)."""
ASLEEP_AT = MOST_STEPS
GONE_AT = 2 * MOST_STEPS
STATES = GONE_AT + 1
"""Hidden states: alive by steps made, asleep by steps made, gone."""
_ASLEEP_INTEREST = 0.3
_UNINSTALLS = 0.5
_INTERESTED = OUTCOMES.index("interested")


@njit(cache=True)
def weigh(
    diary: Diary,
    contacts: ContactColumns,
    shop: Scene,
    who: Shopper,
    temper: float,
    worst: float,
    belief: Floats,
) -> float:
    """Log-likelihood of a diary if its owner were `who`, with this temper.

    Given up as minus infinity once it is below `worst`: no day can make it rise again.
    `belief`, shape (STATES,), becomes the probability of each hidden state at the end.
    """
    clock, habits = shop.clock, shop.habits
    belief[:] = 0.0
    belief[0] = 1.0
    now = np.empty(STATES, dtype=np.float64)
    logarithm, orders = 0.0, 0
    for index in range(len(diary.seen)):
        day, seen = who.signup_day + index, diary.seen[index]
        boost = diary.known[index] + temper * diary.own[index]
        felt = 1.0 if boost == 0.0 else math.exp(boost)
        hazard = who.rate * clock.season[day] * felt
        hazard *= who.weekend if clock.weekday[day] >= 5 else 1.0
        if orders == 0:
            hazard *= 0.6 + habits.keen_factor * math.exp(-index / habits.keen_days)
        else:
            hazard *= who.regularity
        wake = who.wake * (felt if habits.wake_weight == 1.0 else felt**habits.wake_weight)
        chances = (1.0 - math.exp(-hazard), who.sleep, wake)
        steps = 1 if orders == 0 else who.regularity
        left = _pass_day(belief, now, habits, chances, steps, seen == ORDERED)
        if index == diary.left:
            now[:] = 0.0
        has_app = diary.app and (diary.left < 0 or index <= diary.left)
        now[GONE_AT] += _UNINSTALLS * left if has_app else left
        if seen != ORDERED:
            chance = min(who.browse * math.sqrt(felt), 1.0)
            _see_visit(now, chance, habits.asleep_browse, seen == VISITED)
        elif orders == 0:
            now[ASLEEP_AT] = habits.once_only * now[0]
            now[0] -= now[ASLEEP_AT]
        orders += seen == ORDERED
        if diary.contact[index] >= 0:
            row, fatigue = diary.contact[index], diary.fatigue[index]
            _see_response(now, contacts, row, shop.reach, who.interest, fatigue)
        total = 0.0
        for state in range(STATES):
            total += now[state]
        if total <= 0.0:
            return -np.inf
        logarithm += math.log(total)
        if logarithm < worst:
            return -np.inf
        for state in range(STATES):
            belief[state] = now[state] / total
    return logarithm


@njit(cache=True)
def _pass_day(
    belief: Floats,
    now: Floats,
    habits: ShopHabits,
    chances: tuple[float, float, float],
    steps: int,
    ordered: bool,
) -> float:
    """States after a day with or without an order; returns the mass that has just left.

    `chances` are those of a step, of falling asleep and of waking; an order comes with the
    last of `steps`.
    """
    step, sleep, wake = chances
    left = 0.0
    for state in range(STATES):
        now[state] = 0.0
    for made in range(MOST_STEPS):
        alive, asleep = belief[made], belief[ASLEEP_AT + made]
        woken = asleep * wake * (1.0 - habits.wake_order)
        active = alive * (1.0 - habits.leave_alive - sleep) + woken
        completes = made + 1 >= steps
        if ordered:
            now[0] += asleep * wake * habits.wake_order + (active * step if completes else 0.0)
            continue
        left += alive * habits.leave_alive + asleep * habits.leave_asleep
        now[made] += active * (1.0 - step)
        if not completes:
            now[made + 1] += active * step
        now[ASLEEP_AT + made] += alive * sleep + asleep * (1.0 - wake - habits.leave_asleep)
    now[GONE_AT] = 0.0 if ordered else belief[GONE_AT]
    return left


@njit(cache=True)
def _see_visit(now: Floats, chance: float, asleep_share: float, visited: bool) -> None:
    dozing = chance * asleep_share
    for made in range(MOST_STEPS):
        now[made] *= chance if visited else 1.0 - chance
        now[ASLEEP_AT + made] *= dozing if visited else 1.0 - dozing
    if visited:
        now[GONE_AT] = 0.0


@njit(cache=True)
def _see_response(
    now: Floats, contacts: ContactColumns, row: int, reach: Reach, interest: float, fatigue: float
) -> None:
    """Opening, clicking, answering, unsubscribing: the alive are more interested."""
    now[:ASLEEP_AT] *= _response(contacts, row, reach, interest, fatigue)
    now[ASLEEP_AT:] *= _response(contacts, row, reach, _ASLEEP_INTEREST * interest, fatigue)


@njit(cache=True)
def _response(
    contacts: ContactColumns, row: int, reach: Reach, interest: float, fatigue: float
) -> float:
    if contacts.delivered[row] == NEVER:
        return 1.0
    channel = contacts.channel[row]
    if reach.is_call[channel]:
        chance = interest if contacts.outcome[row] == _INTERESTED else 1.0 - interest
    else:
        opens = min(reach.opened[channel] * (0.25 + 1.5 * interest), 1.0)
        clicks = min(reach.clicked[channel] * (0.4 + 1.2 * interest), 1.0)
        if contacts.clicked[row] != NEVER:
            chance = opens * clicks
        elif contacts.opened[row] != NEVER:
            chance = opens * (1.0 - clicks)
        else:
            chance = 1.0 - (opens if reach.is_open[channel] else opens * clicks)
    annoyed = reach.unsubscribed[channel] * (1.0 + fatigue) * (1.5 - interest)
    return float(chance * (annoyed if contacts.unsubscribed[row] != NEVER else 1.0 - annoyed))
