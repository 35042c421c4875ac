"""What becomes of a contact: delivery, opening, clicking, unsubscribing, and its effect.

A contact that reaches the customer moves the hazards of ordering and of waking by the law
of the world; the effect fades over days and is weaker after many recent contacts (fatigue).
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipelines.simulate.clock import HOUR, to_utc
from pipelines.simulate.draws import exponential, uniform
from pipelines.simulate.effects import effect_of
from pipelines.simulate.log import NEVER, Log, add_change, add_contact
from pipelines.simulate.mood import (
    BOOST,
    CLICKS,
    CONTACT_COUNT,
    FATIGUE,
    FLAGS,
    LAST_CONTACT,
    LEFT,
    PUSH,
    promise,
)
from pipelines.simulate.scene import EffectLaw, Reach, Scene
from pipelines.simulate.usual import DO_NOT_CONTACT

OUTCOMES = ("", "no_answer", "wrong_number", "not_interested", "interested")
_NO_ANSWER, _WRONG_NUMBER, _NOT_INTERESTED, _INTERESTED = 1, 2, 3, 4

_TIME, _DELIVERED, _OPENED, _CLICKED, _UNSUBSCRIBED, _CALL = 206, 207, 208, 209, 210, 211
_DELAY, _SLOT, _UNINSTALLS = 212, 213, 215


@njit(cache=True)
def _call_outcome(today: np.uint64, interest: float, answered: float) -> int:
    number = uniform(today, _CALL)
    if number >= answered:
        return _WRONG_NUMBER if uniform(today, _OPENED) < 0.06 else _NO_ANSWER
    return _INTERESTED if uniform(today, _CLICKED) < interest else _NOT_INTERESTED


@njit(cache=True)
def chance_of_leaving(share: float, fatigue: float, interest: float) -> float:
    """Probability that a contact that reaches the customer is the channel's last.

    `share` is that of a middling customer who is not tired.
    """
    return float(share * (1.0 + fatigue) * (1.5 - interest))


@njit(cache=True)
def send(
    log: Log,
    scene: Scene,
    mood: NDArray[np.float64],
    choice: tuple[int, int],
    propensity: float,
    place: tuple[int, int, float],
    today: np.uint64,
) -> int:
    """Write one contact and what becomes of it; return the UTC second of the click, or NEVER.

    `place` is (zone, day, interest): interest in (0, 1) scales opening and clicking.
    The customer's hazards feel it from the next day on.
    """
    reach, habits = scene.reach, scene.contact_habits
    channel, offer = choice
    zone, day, interest = place
    hour = 10.0 + 1.5 * uniform(today, _TIME)
    if uniform(today, _SLOT) < 0.3:
        hour = 9.0 + 11.0 * uniform(today, _TIME)
    sent = to_utc(scene.clock, zone, day, int(hour * HOUR))
    delivered = opened = clicked = unsubscribed = NEVER
    outcome = 0
    reached = False
    effect = 0.0
    if reach.is_call[channel]:
        outcome = _call_outcome(today, interest, reach.delivered[channel])
        reached = outcome in (_NOT_INTERESTED, _INTERESTED)
        delivered = sent if reached else NEVER
    elif uniform(today, _DELIVERED) < reach.delivered[channel]:
        reached = True
        delivered = sent + 2 + int(20 * exponential(today, _DELIVERED + 32))
        saw = uniform(today, _OPENED) < reach.opened[channel] * (0.25 + 1.5 * interest)
        if saw:
            seen = delivered + 20 + int(3 * HOUR * exponential(today, _DELAY))
            opened = seen if reach.is_open[channel] else NEVER
            if uniform(today, _CLICKED) < reach.clicked[channel] * (0.4 + 1.2 * interest):
                clicked = seen + 4 + int(40 * exponential(today, _DELAY + 32))
    if reached:
        boost, push = effect_of(mood, reach, scene.law, habits, choice, day)
        annoyed = chance_of_leaving(reach.unsubscribed[channel], mood[FATIGUE], interest)
        if uniform(today, _UNSUBSCRIBED) < annoyed:
            unsubscribed = max(delivered, opened, clicked) + 60
            _close_channel(log, mood, reach, scene.law, channel, unsubscribed, today)
        tired = math.exp(-habits.fatigue_weight * mood[FATIGUE])
        mood[BOOST] += boost * tired
        mood[PUSH] += push * tired
        effect = (boost + push) * tired
        promise(mood, scene.law, offer, day)
    mood[FATIGUE] += 1.0
    mood[LAST_CONTACT] = day
    times = (sent, delivered, opened, clicked, unsubscribed)
    number = int(mood[CONTACT_COUNT])
    add_contact(log, number, choice, times, outcome, (propensity, effect))
    mood[CONTACT_COUNT] += 1.0
    mood[CLICKS] += clicked != NEVER or outcome == _INTERESTED
    return clicked


@njit(cache=True)
def _close_channel(
    log: Log,
    mood: NDArray[np.float64],
    reach: Reach,
    law: EffectLaw,
    channel: int,
    at: int,
    today: np.uint64,
) -> None:
    """Unsubscribing closes the channel; some remove the app, a few want no contact at all."""
    closes = reach.closes[channel]
    if closes & reach.app_flags and uniform(today, _UNINSTALLS) < law.uninstall_share:
        closes |= reach.app_flags
    flags = int(mood[FLAGS]) & ~closes
    if uniform(today, _UNSUBSCRIBED + 32) < 0.05:
        flags |= DO_NOT_CONTACT
    mood[FLAGS] = flags
    mood[LEFT] += 1.0
    add_change(log, at, flags)


@njit(cache=True)
def remove_app(log: Log, mood: NDArray[np.float64], reach: Reach, at: int) -> None:
    """The customer removes the app, and with it the consent to push messages."""
    flags = int(mood[FLAGS])
    if flags & reach.app_flags:
        mood[FLAGS] = flags & ~reach.app_flags
        add_change(log, at, flags & ~reach.app_flags)
