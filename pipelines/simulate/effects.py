"""What one contact does to one customer, by the law of the world.

Observables are what a company can know of a customer from its own data: history, records
and answers to earlier contacts. They are scaled to a mean of about 0 and a spread of about
1 among the dormant. METHODS.md section 6.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipelines.simulate.mood import (
    AGE,
    CITY,
    CLICKS,
    CONTACT_COUNT,
    DEALS,
    FLAGS,
    LAST_ORDER,
    ORDERS,
    SIGNUP,
    SPENT,
    TASTE,
    TEMPER,
    WAY,
)
from pipelines.simulate.scene import ContactHabits, EffectLaw, Reach

OBSERVABLES = (
    "silence",
    "tenure",
    "orders",
    "spend",
    "deals",
    "clicks",
    "taste",
    "app",
    "young",
    "large_city",
    "way",
)
SILENCE, TENURE, ORDERING, SPEND, DEAL, CLICKING, TASTES, APP, YOUNG, LARGE_CITY, WAYS = range(11)
REGIONS = 7
_LONG_SILENT = 0.4
_MOST = 2.5


@njit(cache=True)
def observe(
    mood: NDArray[np.float64], reach: Reach, law: EffectLaw, day: int
) -> NDArray[np.float64]:
    """The observables of a customer on a day, shape (len(OBSERVABLES),)."""
    seen = np.zeros(len(OBSERVABLES), dtype=np.float64)
    orders, contacts = mood[ORDERS], mood[CONTACT_COUNT]
    seen[SILENCE] = (math.log1p(day - mood[LAST_ORDER]) - 4.9) / 0.8
    seen[TENURE] = (math.log1p(day - mood[SIGNUP]) - 5.7) / 0.8
    seen[ORDERING] = (math.log1p(orders) - 0.8) / 0.8
    if orders > 0:
        seen[SPEND] = math.log(max(mood[SPENT], 1.0) / orders / law.order_size) / 0.5
        seen[DEAL] = ((mood[DEALS] + 0.4) / (orders + 2.0) - 0.2) / 0.13
        seen[TASTES] = 1.0 if int(mood[TASTE]) % 2 == 0 else -1.0
    seen[CLICKING] = ((mood[CLICKS] + 0.2) / (contacts + 4.0) - 0.06) / 0.06
    seen[APP] = 1.0 if int(mood[FLAGS]) & reach.app_flags else -1.0
    seen[YOUNG] = 1.0 if mood[AGE] < 2 else -1.0
    seen[LARGE_CITY] = 1.3 if mood[CITY] == 0 else -0.7
    seen[WAYS] = 1.0 if mood[WAY] % 2 == 0 else -1.0
    for place in range(len(seen)):
        seen[place] = min(max(seen[place], -_MOST), _MOST)
    return seen


@njit(cache=True)
def region_of(seen: NDArray[np.float64]) -> int:
    """The region of observables that a customer is in; a small decision tree."""
    if seen[DEAL] > 0.5:
        return 0 if seen[YOUNG] > 0.0 else 1
    if seen[SILENCE] > _LONG_SILENT:
        return 2 if seen[APP] > 0.0 else 3
    if seen[ORDERING] > 0.7:
        return 4 if seen[SPEND] > 0.0 else 5
    return 6


@njit(cache=True)
def effect_of(
    mood: NDArray[np.float64],
    reach: Reach,
    law: EffectLaw,
    habits: ContactHabits,
    action: tuple[int, int],
    day: int,
) -> tuple[float, float]:
    """(log-hazard shift, hazard per day added) by a contact that reaches a rested customer."""
    channel, offer = action
    place = channel * len(reach.offer_effect) + offer
    shift = reach.effect[channel] + reach.offer_effect[offer]
    shift += habits.effect_spread * mood[TEMPER]
    if len(law.regions) > 0:
        seen = observe(mood, reach, law, day)
        added = law.regions[region_of(seen), place] + law.spread[place] * mood[TEMPER]
        return 0.0, habits.effect_scale * added
    if len(law.weights) > 0:
        seen = observe(mood, reach, law, day)
        for k in range(len(seen)):
            shift += law.weights[place, k] * seen[k]
    return habits.effect_scale * shift, 0.0


@njit(cache=True)
def observe_all(
    moods: NDArray[np.float64],
    reach: Reach,
    law: EffectLaw,
    present: NDArray[np.bool_],
    day: int,
    out: NDArray[np.float64],
) -> None:
    """Fill `out`, shape (n, len(OBSERVABLES)); NaN for those not yet there."""
    for row in range(len(moods)):
        out[row, :] = np.nan
        if present[row]:
            out[row] = observe(moods[row], reach, law, day)


@njit(cache=True)
def regions_of(seen: NDArray[np.float64]) -> NDArray[np.int64]:
    """The region of each row of observables, shape (n,)."""
    regions = np.empty(len(seen), dtype=np.int64)
    for row in range(len(seen)):
        regions[row] = region_of(seen[row])
    return regions
