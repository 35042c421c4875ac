"""Visits to the simulated shop: looking around, ordering, giving back; the events they leave."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipelines.simulate.draws import exponential, pick, uniform
from pipelines.simulate.log import Log, add_event, add_mark
from pipelines.simulate.mood import DEALS, LAST_ORDER, ORDERS, SAVED, SPENT, TASTE, redeem
from pipelines.simulate.scene import Scene
from pipelines.simulate.shoppers import Shopper

EVENT_TYPES = ("signup", "login", "visit", "search", "view", "cart", "purchase", "refund")
SIGNUP, LOGIN, VISIT, SEARCH, VIEW, CART, PURCHASE, REFUND = range(8)
CATEGORIES = ("home", "garden", "toys", "books", "beauty", "sports", "food", "electronics")
SESSION, _BASKET = 64, 96
_MOST_TAKEN_OFF = 0.6


@njit(cache=True)
def browse(log: Log, at: int, favourite: int, today: np.uint64, stream: int) -> int:
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
def buy(
    log: Log,
    scene: Scene,
    me: Shopper,
    mood: NDArray[np.float64],
    refund: NDArray[np.float64],
    place: tuple[int, int, int],
    today: np.uint64,
) -> None:
    """A visit that ends with an order of one to four lines; `place` is (second, day, order)."""
    at, day, order = place
    refund_share = scene.habits.refund_share
    at = browse(log, at, me.favourite, today, SESSION)
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
    offer = redeem(mood, scene.law, scene.contact_habits, day)
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
def give_back(log: Log, at: int, refund: NDArray[np.float64]) -> None:
    """The refund that is due."""
    add_event(log, at, REFUND, refund[1], np.nan, int(refund[2]), int(refund[3]))
    refund[0] = 0.0
