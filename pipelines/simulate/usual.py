"""Whom a company usually contacts: a newsletter, a hand-made rule, a share at random.

The hand-made win-back rule prefers the recent and the rich. Each night's chances are known
to the simulator alone.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipelines.simulate.draws import pick, uniform
from pipelines.simulate.mood import FLAGS, LAST_CONTACT
from pipelines.simulate.scene import ContactHabits, Reach, Scene

DO_NOT_CONTACT = 1
"""Bit 0 of a customer's flags; the configured flags follow from bit 1 on."""

NO_WISH, _AT_RANDOM, _BY_RULE, _AS_NEWS = range(4)
_MOST_TRIES = 8
_NEWSLETTER, _RULE, _RANDOM, _TAKE, _CHANNEL, _OFFER = 192, 193, 194, 195, 204, 205


@njit(cache=True)
def is_open(flags: int, wanted: int) -> bool:
    """Whether a customer's flags allow a channel that requires these."""
    return (flags & wanted) == wanted and (flags & DO_NOT_CONTACT) == 0


@njit(cache=True)
def _first_taken(flags: int, reach: Reach, today: np.uint64) -> int:
    """The first reachable channel that the rule happens to take, -1 for none."""
    for channel in range(len(reach.requires)):
        if is_open(flags, reach.requires[channel]):
            stream = _TAKE + min(channel, _MOST_TRIES)
            if uniform(today, stream) < reach.take[channel]:
                return channel
    return -1


@njit(cache=True)
def _wish_chances(
    mood: NDArray[np.float64], habits: ContactHabits, silent_days: float, rich: bool, day: int
) -> tuple[float, float]:
    """Tonight's chances of a random contact and, without one, of a contact by rule."""
    if day - mood[LAST_CONTACT] < habits.pause_days:
        return 0.0, 0.0
    at_random = habits.random_rate if silent_days >= habits.random_from_days else 0.0
    rate = habits.rule_rate * (habits.rich_factor if rich else 0.5)
    is_target = habits.rule_from_days <= silent_days < habits.rule_until_days
    return at_random, rate if is_target else 0.0


@njit(cache=True)
def wish_contact(
    mood: NDArray[np.float64],
    habits: ContactHabits,
    silent_days: float,
    rich: bool,
    day: int,
    today: np.uint64,
) -> int:
    """Why the company wants to contact this customer tonight; NO_WISH on most nights."""
    if day - mood[LAST_CONTACT] < habits.pause_days:
        return NO_WISH
    at_random, by_rule = _wish_chances(mood, habits, silent_days, rich, day)
    if at_random > 0.0 and uniform(today, _RANDOM) < at_random:
        return _AT_RANDOM
    if by_rule > 0.0 and uniform(today, _RULE) < by_rule:
        return _BY_RULE
    return _AS_NEWS if uniform(today, _NEWSLETTER) < habits.newsletter_rate else NO_WISH


@njit(cache=True)
def choose_contact(
    wish: int,
    scene: Scene,
    mood: NDArray[np.float64],
    silent_days: float,
    rich: bool,
    day: int,
    today: np.uint64,
) -> tuple[tuple[int, int], float]:
    """What a wish comes to, (channel, offer), and how likely just that was tonight.

    The channel is -1 if the customer cannot be reached so.
    """
    reach, flags = scene.reach, int(mood[FLAGS])
    channel, offer = reach.newsletter_channel, 0
    if wish != _AS_NEWS:
        offer = pick(today, _OFFER, len(reach.offer_effect))
        channel = _first_taken(flags, reach, today)
    if wish == _AT_RANDOM:
        channel = pick(today, _CHANNEL, len(reach.requires))
    if channel < 0 or not is_open(flags, reach.requires[channel]):
        return (-1, 0), 1.0
    action = (channel, offer)
    habits = scene.contact_habits
    return action, chance_of_contact(mood, habits, reach, silent_days, rich, day, action)


@njit(cache=True)
def chance_of_contact(
    mood: NDArray[np.float64],
    habits: ContactHabits,
    reach: Reach,
    silent_days: float,
    rich: bool,
    day: int,
    action: tuple[int, int],
) -> float:
    """Probability that tonight brings just this contact to a customer who can get it."""
    at_random, by_rule = _wish_chances(mood, habits, silent_days, rich, day)
    channel, offer = action
    flags, offers = int(mood[FLAGS]), len(reach.offer_effect)
    chance = at_random / len(reach.requires) / offers
    taken = 1.0
    for earlier in range(channel):
        if is_open(flags, reach.requires[earlier]):
            taken *= 1.0 - reach.take[earlier]
    chance += (1.0 - at_random) * by_rule * taken * reach.take[channel] / offers
    if channel == reach.newsletter_channel and offer == 0:
        chance += (1.0 - at_random) * (1.0 - by_rule) * habits.newsletter_rate
    return float(chance)
