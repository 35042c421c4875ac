"""Contacts of the simulated shop: who gets one, what becomes of it, what it changes.

The logging policy is what shops do: a newsletter, a hand-made win-back rule that prefers
the recent and the rich, and a share sent at random. A contact that reaches the customer
raises the hazards of ordering and of waking by exp(effect), fading over a few days and
with every recent contact (fatigue). What it did is known only to the simulator.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipelines.simulate.clock import HOUR, Clock, to_utc
from pipelines.simulate.draws import exponential, pick, uniform
from pipelines.simulate.log import CONTACTS, CUSTOMER, NEVER, Log, add_change

BOOST, FATIGUE, LAST_CONTACT, CONTACT_COUNT, FLAGS, TEMPER = range(6)
OUTCOMES = ("", "no_answer", "wrong_number", "not_interested", "interested")
_NO_ANSWER, _WRONG_NUMBER, _NOT_INTERESTED, _INTERESTED = 1, 2, 3, 4
_MOST_TRIES = 8
_NO_EFFECT = 1e-3
NO_WISH, _AT_RANDOM, _BY_RULE, _AS_NEWS = range(4)
DO_NOT_CONTACT = 1
"""Bit 0 of a customer's flags; the configured flags follow from bit 1 on."""

_NEWSLETTER, _RULE, _RANDOM, _TAKE, _CHANNEL, _OFFER = 192, 193, 194, 195, 204, 205
_TIME, _DELIVERED, _OPENED, _CLICKED, _UNSUBSCRIBED, _CALL = 206, 207, 208, 209, 210, 211
_DELAY, _SLOT = 212, 213


class Reach(NamedTuple):
    """Channels and offers as arrays, in configured order (numba knows tuples).

    Shapes: (channels,), except `offer_effect` (offers,). `requires` and `closes` are bit
    masks over customer flags; `is_call` marks channels with a call disposition, `is_open`
    those whose opening can be observed; `app_flags` are lost with the app.
    """

    requires: NDArray[np.int64]
    closes: NDArray[np.int64]
    take: NDArray[np.float64]
    effect: NDArray[np.float64]
    delivered: NDArray[np.float64]
    opened: NDArray[np.float64]
    clicked: NDArray[np.float64]
    unsubscribed: NDArray[np.float64]
    is_call: NDArray[np.bool_]
    is_open: NDArray[np.bool_]
    newsletter_channel: int
    app_flags: int
    offer_effect: NDArray[np.float64]


class ContactHabits(NamedTuple):
    """How the company contacts, and how contacts work; rates are per day.

    `effect_scale` 0 gives the same world without any effect of contacts.
    """

    newsletter_rate: float = 0.03
    rule_rate: float = 0.03
    rule_from_days: float = 30.0
    rule_until_days: float = 150.0
    rich_factor: float = 1.8
    random_rate: float = 0.012
    random_from_days: float = 10.0
    pause_days: float = 3.0
    effect_scale: float = 1.0
    effect_days: float = 4.0
    effect_spread: float = 0.25
    fatigue_days: float = 14.0
    fatigue_weight: float = 0.35


@njit(cache=True)
def new_mood(flags: int, temper: float) -> NDArray[np.float64]:
    """A customer not contacted yet; `temper` shifts every effect on this customer."""
    mood = np.zeros(6, dtype=np.float64)
    mood[LAST_CONTACT] = -1000.0
    mood[FLAGS] = flags
    mood[TEMPER] = temper
    return mood


@njit(cache=True)
def fade(mood: NDArray[np.float64], habits: ContactHabits) -> None:
    """One day passes: effect and fatigue fade, in the end to nothing."""
    if mood[BOOST] != 0.0:
        mood[BOOST] *= math.exp(-1.0 / habits.effect_days)
        if abs(mood[BOOST]) < _NO_EFFECT:
            mood[BOOST] = 0.0
    if mood[FATIGUE] != 0.0:
        mood[FATIGUE] *= math.exp(-1.0 / habits.fatigue_days)
        if mood[FATIGUE] < _NO_EFFECT:
            mood[FATIGUE] = 0.0


@njit(cache=True)
def lift(mood: NDArray[np.float64], weight: float) -> float:
    """Factor on a hazard from the contacts so far; most days it is 1."""
    return 1.0 if mood[BOOST] == 0.0 else math.exp(weight * mood[BOOST])


@njit(cache=True)
def _reachable(flags: int, reach: Reach, channel: int) -> bool:
    wanted = reach.requires[channel]
    return (flags & wanted) == wanted and (flags & DO_NOT_CONTACT) == 0


@njit(cache=True)
def _first_taken(flags: int, reach: Reach, today: np.uint64) -> int:
    """The first reachable channel that the rule happens to take, -1 for none."""
    for channel in range(len(reach.requires)):
        if _reachable(flags, reach, channel):
            stream = _TAKE + min(channel, _MOST_TRIES)
            if uniform(today, stream) < reach.take[channel]:
                return channel
    return -1


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
    if silent_days >= habits.random_from_days and uniform(today, _RANDOM) < habits.random_rate:
        return _AT_RANDOM
    rate = habits.rule_rate * (habits.rich_factor if rich else 0.5)
    is_target = habits.rule_from_days <= silent_days < habits.rule_until_days
    if is_target and uniform(today, _RULE) < rate:
        return _BY_RULE
    return _AS_NEWS if uniform(today, _NEWSLETTER) < habits.newsletter_rate else NO_WISH


@njit(cache=True)
def choose_contact(
    wish: int, mood: NDArray[np.float64], reach: Reach, today: np.uint64
) -> tuple[int, int]:
    """(channel, offer) for a wish; channel -1 if the customer cannot be reached so."""
    flags = int(mood[FLAGS])
    offer = pick(today, _OFFER, len(reach.offer_effect))
    if wish == _BY_RULE:
        return _first_taken(flags, reach, today), offer
    channel = reach.newsletter_channel
    if wish == _AT_RANDOM:
        channel = pick(today, _CHANNEL, len(reach.requires))
    else:
        offer = 0
    return (channel if _reachable(flags, reach, channel) else -1), offer


@njit(cache=True)
def _call_outcome(today: np.uint64, interest: float, answered: float) -> int:
    number = uniform(today, _CALL)
    if number >= answered:
        return _WRONG_NUMBER if uniform(today, _OPENED) < 0.06 else _NO_ANSWER
    return _INTERESTED if uniform(today, _CLICKED) < interest else _NOT_INTERESTED


@njit(cache=True)
def send(
    log: Log,
    clock: Clock,
    mood: NDArray[np.float64],
    habits: ContactHabits,
    reach: Reach,
    choice: tuple[int, int],
    place: tuple[int, int, float],
    today: np.uint64,
) -> int:
    """Write one contact and what becomes of it; return the UTC second of the click, or NEVER.

    `place` is (zone, day, interest): interest in (0, 1) scales opening and clicking.
    The customer's hazards feel it from the next day on.
    """
    channel, offer = choice
    zone, day, interest = place
    hour = 10.0 + 1.5 * uniform(today, _TIME)
    if uniform(today, _SLOT) < 0.3:
        hour = 9.0 + 11.0 * uniform(today, _TIME)
    sent = to_utc(clock, zone, day, int(hour * HOUR))
    delivered = opened = clicked = unsubscribed = NEVER
    outcome = 0
    reached = False
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
        annoyed = reach.unsubscribed[channel] * (1.0 + mood[FATIGUE]) * (1.5 - interest)
        if uniform(today, _UNSUBSCRIBED) < annoyed:
            unsubscribed = max(delivered, opened, clicked) + 60
            _close_channel(log, mood, reach.closes[channel], unsubscribed, today)
        own = reach.effect[channel] + reach.offer_effect[offer]
        own += habits.effect_spread * mood[TEMPER]
        tired = math.exp(-habits.fatigue_weight * mood[FATIGUE])
        mood[BOOST] += habits.effect_scale * own * tired
    mood[FATIGUE] += 1.0
    mood[LAST_CONTACT] = day
    row = log.cursor[CONTACTS]
    contacts = log.contacts
    contacts.customer[row] = log.cursor[CUSTOMER]
    contacts.number[row] = int(mood[CONTACT_COUNT])
    contacts.sent[row] = sent
    contacts.channel[row] = channel
    contacts.offer[row] = offer
    contacts.delivered[row] = delivered
    contacts.opened[row] = opened
    contacts.clicked[row] = clicked
    contacts.unsubscribed[row] = unsubscribed
    contacts.outcome[row] = outcome
    log.cursor[CONTACTS] = row + 1
    mood[CONTACT_COUNT] += 1.0
    return clicked


@njit(cache=True)
def _close_channel(
    log: Log, mood: NDArray[np.float64], closes: int, at: int, today: np.uint64
) -> None:
    """Unsubscribing closes the channel; a few want no contact at all."""
    flags = int(mood[FLAGS]) & ~closes
    if uniform(today, _UNSUBSCRIBED + 32) < 0.05:
        flags |= DO_NOT_CONTACT
    mood[FLAGS] = flags
    add_change(log, at, flags)


@njit(cache=True)
def remove_app(log: Log, mood: NDArray[np.float64], reach: Reach, at: int) -> None:
    """The customer removes the app, and with it the consent to push messages."""
    flags = int(mood[FLAGS])
    if flags & reach.app_flags:
        mood[FLAGS] = flags & ~reach.app_flags
        add_change(log, at, flags & ~reach.app_flags)
