"""What contacts and orders have left behind in a customer: the part of a life that fades.

A mood is one float64 array, because numba passes arrays on for free; the names below are
its slots. Everything here is hidden from the product, except what rows of data show.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipelines.simulate.scene import ContactHabits, EffectLaw

(
    BOOST,  # log-hazard shift still felt from contacts
    PUSH,  # hazard per day still added by contacts
    FATIGUE,  # contacts lately
    DIP,  # log-hazard still missing after an order pulled forward
    TRAINED,  # how much the customer has learnt to wait for offers
    LAST_CONTACT,
    CONTACT_COUNT,
    ASSIGNED_COUNT,
    FLAGS,
    TEMPER,
    OFFER,  # the offer that may still be redeemed, -1 for none
    OFFER_DAY,
    CLICKS,
    ORDERS,
    SPENT,
    DEALS,
    LAST_ORDER,  # day of the last order or of signing up
    TASTE,  # category of the last order, -1 before the first
    SIGNUP,
    CITY,
    AGE,
    WAY,
    SAVED,  # money taken off by offers of contacts
    EXPECTED,  # orders that the hazards led one to expect, since somebody has been counting
    EXPECTED_SPENT,  # what they were expected to be worth before offers
    EXPECTED_SAVED,  # and what offers were expected to take off
    LEFT,  # channels closed by unsubscribing
    OFFER_SHARE,  # what the offer takes off an order, as a share
    OFFER_MONEY,  # and in money
) = range(29)
SLOTS = 29
_LONG_AGO = -1000.0
_NO_EFFECT = 1e-3
_NO_PUSH = 1e-6


@njit(cache=True)
def new_mood(flags: int, temper: float) -> NDArray[np.float64]:
    """A customer not contacted yet; `temper` shifts every effect on this customer."""
    mood = np.zeros(SLOTS, dtype=np.float64)
    mood[LAST_CONTACT] = _LONG_AGO
    mood[FLAGS] = flags
    mood[TEMPER] = temper
    mood[OFFER] = mood[TASTE] = -1.0
    return mood


@njit(cache=True)
def introduce(mood: NDArray[np.float64], signup_day: int, city: int, age: int, way: int) -> None:
    """Note what is known of a customer from signing up on."""
    mood[SIGNUP] = mood[LAST_ORDER] = signup_day
    mood[CITY], mood[AGE], mood[WAY] = city, age, way


@njit(cache=True)
def daily_shares(habits: ContactHabits) -> tuple[float, float, float, float]:
    """What is left after a day of effect, fatigue, dip and training: worked out once, not daily."""
    return (
        math.exp(-1.0 / habits.effect_days),
        math.exp(-1.0 / habits.fatigue_days),
        math.exp(-1.0 / habits.dip_days),
        math.exp(-1.0 / habits.trained_days),
    )


@njit(cache=True)
def fade(mood: NDArray[np.float64], left: tuple[float, float, float, float]) -> None:
    """One day passes: effect and fatigue fade, in the end to nothing; see `daily_shares`."""
    if mood[BOOST] != 0.0:
        mood[BOOST] *= left[0]
        if abs(mood[BOOST]) < _NO_EFFECT:
            mood[BOOST] = 0.0
    if mood[FATIGUE] != 0.0:
        mood[FATIGUE] *= left[1]
        if mood[FATIGUE] < _NO_EFFECT:
            mood[FATIGUE] = 0.0
    if mood[PUSH] != 0.0:
        mood[PUSH] *= left[0]
        if abs(mood[PUSH]) < _NO_PUSH:
            mood[PUSH] = 0.0
    if mood[DIP] != 0.0:
        mood[DIP] *= left[2]
        if mood[DIP] < _NO_EFFECT:
            mood[DIP] = 0.0
    if mood[TRAINED] != 0.0:
        mood[TRAINED] *= left[3]
        if mood[TRAINED] < _NO_EFFECT:
            mood[TRAINED] = 0.0


@njit(cache=True)
def lift(mood: NDArray[np.float64], weight: float) -> float:
    """Factor on a hazard from the contacts so far; most days it is 1."""
    return 1.0 if mood[BOOST] == 0.0 else math.exp(weight * mood[BOOST])


@njit(cache=True)
def live_offer(mood: NDArray[np.float64], habits: ContactHabits, day: int) -> int:
    """The offer that an order today would redeem, -1 for none."""
    is_live = mood[OFFER] >= 0.0 and day - mood[OFFER_DAY] <= habits.valid_days
    return int(mood[OFFER]) if is_live else -1


@njit(cache=True)
def ordering_hazard(
    hazard: float, mood: NDArray[np.float64], habits: ContactHabits, day: int
) -> float:
    """A hazard of ordering with all that contacts and offers have left behind."""
    if mood[PUSH] != 0.0:
        hazard = max(hazard + mood[PUSH], 0.0)
    if mood[DIP] != 0.0 or mood[TRAINED] != 0.0:
        waits = 0.0 if live_offer(mood, habits, day) >= 0 else mood[TRAINED]
        hazard *= math.exp(-mood[DIP] - waits)
    return hazard


@njit(cache=True)
def promise(mood: NDArray[np.float64], law: EffectLaw, offer: int, day: int) -> None:
    """Let the customer redeem an offer from now on, if it takes anything off an order."""
    if law.discount[offer] > 0.0 or law.voucher[offer] > 0.0:
        mood[OFFER], mood[OFFER_DAY] = offer, day
        mood[OFFER_SHARE], mood[OFFER_MONEY] = law.discount[offer], law.voucher[offer]


@njit(cache=True)
def redeem(mood: NDArray[np.float64], law: EffectLaw, habits: ContactHabits, day: int) -> int:
    """Use up the live offer at an order; returns it, -1 for none.

    The order stands in part for later ones, and the customer learns to wait for offers.
    """
    offer = live_offer(mood, habits, day)
    if offer >= 0:
        mood[OFFER] = -1.0
        mood[DIP] += law.dip[offer]
        mood[TRAINED] = min(mood[TRAINED] + law.training[offer], habits.most_trained)
    return int(offer)
