"""Customers' lives as arrays, and the kernels that live some of them for some days."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipelines.simulate.draws import customer_key
from pipelines.simulate.log import CUSTOMER, EVENT_NUMBER, Log, begin_customer, has_room
from pipelines.simulate.mood import SLOTS
from pipelines.simulate.scene import Scene
from pipelines.simulate.shop import (
    MOST_EVENTS_PER_DAY,
    Life,
    begin_life,
    live_days,
    mood_at,
)
from pipelines.simulate.shoppers import Shoppers, shopper_at

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Lives(NamedTuple):
    """What `shop.Life` is for one customer, for n of them; rows before signing up are empty.

    `numbers` are the events written so far.
    """

    course: Ints
    mood: Floats
    refund: Floats
    numbers: Ints


def unlived(count: int) -> Lives:
    """Nobody has signed up yet."""
    return Lives(
        course=np.zeros((count, 4), dtype=np.int64),
        mood=np.zeros((count, SLOTS), dtype=np.float64),
        refund=np.zeros((count, 4), dtype=np.float64),
        numbers=np.zeros(count, dtype=np.int64),
    )


def copy_lives(lives: Lives) -> Lives:
    """The same lives in arrays of their own."""
    return Lives(lives.course.copy(), lives.mood.copy(), lives.refund.copy(), lives.numbers.copy())


@njit(cache=True, nogil=True)
def live_own_days(
    log: Log,
    scene: Scene,
    shoppers: Shoppers,
    lives: Lives,
    span: tuple[int, int],
    days: tuple[int, int],
    seed: int,
) -> int:
    """Live days[0] .. days[1] - 1 of positions span[0] .. span[1] - 1, contacts as usual.

    Returns the position of the first customer for whom the buffers have no room.
    """
    room = days[1] - days[0] + 2
    for position in range(span[0], span[1]):
        if not has_room(log, room * MOST_EVENTS_PER_DAY, room):
            return position
        first = max(days[0], shoppers.signup_day[position])
        if first >= days[1]:
            continue
        me = shopper_at(shoppers, position)
        life = _resume(log, scene, shoppers, lives, position, first)
        key = customer_key(seed, shoppers.first + position)
        live_days(log, scene, me, life, (key, first, days[1]))
        lives.numbers[position] = log.cursor[EVENT_NUMBER]
    return span[1]


@njit(cache=True, nogil=True)
def live_night(
    log: Log,
    scene: Scene,
    shoppers: Shoppers,
    lives: Lives,
    span: tuple[int, int],
    day: int,
    actions: Ints,
    seed: int,
) -> int:
    """Live one day with the contacts that somebody outside has decided.

    `actions`, shape (n,), are channel * offers + offer or -1. Returns as `live_own_days`.
    """
    cursor = log.cursor
    last_row = len(log.events) - 2 * MOST_EVENTS_PER_DAY
    for position in range(span[0], span[1]):
        if cursor[:CUSTOMER].max() > last_row:
            return position
        signup_day = shoppers.signup_day[position]
        if signup_day > day:
            continue
        if signup_day == day:
            life = _resume(log, scene, shoppers, lives, position, day)
        else:
            begin_customer(cursor, shoppers.first + position, shoppers.device[position])
            cursor[EVENT_NUMBER] = lives.numbers[position]
            life = Life(lives.course[position], lives.mood[position], lives.refund[position])
        me = shopper_at(shoppers, position)
        luck = (customer_key(seed, shoppers.first + position), day, day + 1)
        live_days(log, scene, me, life, luck, actions[position])
        lives.numbers[position] = cursor[EVENT_NUMBER]
    return span[1]


@njit(cache=True)
def _resume(
    log: Log, scene: Scene, shoppers: Shoppers, lives: Lives, position: int, day: int
) -> Life:
    """A customer's life where it was left, or at its beginning."""
    begin_customer(log.cursor, shoppers.first + position, shoppers.device[position])
    if day == shoppers.signup_day[position]:
        me = shopper_at(shoppers, position)
        new = begin_life(log, scene.clock, me, mood_at(shoppers, position))
        lives.course[position] = new.course
        lives.mood[position] = new.mood
    else:
        log.cursor[EVENT_NUMBER] = lives.numbers[position]
    return Life(lives.course[position], lives.mood[position], lives.refund[position])
