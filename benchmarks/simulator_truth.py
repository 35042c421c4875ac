"""How likely each customer's return truly is, by the simulated shop's own law.

Two truths, because two know more than a model can: one knows every customer's hidden state;
the other knows the law, but of a customer only the history. No forecast made from histories
can beat the second by more than luck. Nothing of this is product: no model reads it.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from benchmarks.simulator_diary import Diary, read_diary
from benchmarks.simulator_observer import ASLEEP_AT, GONE_AT, STATES, weigh
from pipelines.simulate.draws import customer_key, day_key, uniform
from pipelines.simulate.log import CUSTOMER, EVENTS, Log, allocate_log, begin_customer
from pipelines.simulate.mood import BOOST, TEMPER
from pipelines.simulate.scene import Scene
from pipelines.simulate.shop import (
    ALIVE,
    ASLEEP,
    GONE,
    MOST_EVENTS_PER_DAY,
    Life,
    begin_life,
    live_days,
    mood_at,
)
from pipelines.simulate.shoppers import Shopper, Shoppers, shopper_at
from pipelines.simulate.visits import PURCHASE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ENOUGH = 100.0
"""Imagined customers who must carry the weight before no more of them are tried."""
_AT_LEAST = 250
_NEGLIGIBLE = 12.0
"""Log-likelihood below the best at which an imagined customer no longer matters."""
_BEFORE_ALL_DAYS = -2


class Question(NamedTuple):
    """Who orders inside a window, asked at an as-of.

    Attributes
    ----------
    seed : of the simulation.
    as_of_day : the day that begins at the as-of.
    end_day : the day after the last one that can matter.
    begin, end : the window in UTC seconds; an order at begin counts, one at end does not.
    first_seed, futures : seed of the first future drawn, and how many are.
    """

    seed: int
    as_of_day: int
    end_day: int
    begin: int
    end: int
    first_seed: int
    futures: int


class Imagined(NamedTuple):
    """Customers drawn from the population, whom a real one may be like.

    `sleep` and `wake`, shape (ways of acquisition, n), replace those of `shoppers`: how a
    customer was acquired is known, and tells how likely they are to stay.
    """

    shoppers: Shoppers
    sleep: Floats
    wake: Floats


def know_states(shop: Scene, shoppers: Shoppers, positions: Ints, question: Question) -> Floats:
    """Share of futures with an order, drawn from each customer's true state at the as-of.

    The state is all that the next days depend on: alive, asleep or gone, steps made towards
    the next order, contacts still felt.

    Parameters
    ----------
    positions : the customers asked for, by position in `shoppers`.

    Returns
    -------
    Shape (n,), in the order of `positions`.
    """
    log = allocate_log((shop.clock.days + 2) * MOST_EVENTS_PER_DAY)
    return np.asarray(_know_states(log, shop, shoppers, positions, question))


def know_histories(
    shop: Scene,
    shoppers: Shoppers,
    positions: Ints,
    question: Question,
    *,
    acquisition: Ints,
    imagined: Imagined,
) -> tuple[Floats, Floats]:
    """As `know_states`, for one who knows the law of the shop and sees histories only.

    Imagined customers are weighted by the likelihood of what was seen of the real one:
    orders, visits, contacts and what became of them, the app's removal. Left aside are the
    amounts of orders and what was looked at on a visit, which say hardly anything.

    Parameters
    ----------
    acquisition : how each of all customers was acquired, as a row of `imagined.sleep`.
    imagined : whom real customers are compared with, in random order.

    Returns
    -------
    Shares of futures with an order, and how many imagined customers carried the weight
    (Kish's effective sample size); each of shape (n,).
    """
    log = allocate_log((shop.clock.days + 2) * MOST_EVENTS_PER_DAY)
    shares, carried = _know_histories(
        log, shop, shoppers, positions, question, acquisition, imagined
    )
    return shares, carried


@njit(cache=True, nogil=True)
def _know_states(
    log: Log, shop: Scene, shoppers: Shoppers, positions: Ints, question: Question
) -> Floats:
    shares = np.zeros(len(positions), dtype=np.float64)
    for i in range(len(positions)):
        me = shopper_at(shoppers, positions[i])
        life = _live_until(log, shop, shoppers, positions[i], question)
        for future in range(question.futures):
            then = Life(life.course.copy(), life.mood.copy(), life.refund.copy())
            shares[i] += _lives_to_order(log, shop, me, then, question, future)
    return shares / question.futures


@njit(cache=True)
def _live_until(
    log: Log, shop: Scene, shoppers: Shoppers, position: int, question: Question
) -> Life:
    """Live the customer's own days up to the as-of; the log then holds them alone."""
    customer = shoppers.first + position
    me = shopper_at(shoppers, position)
    log.cursor[:] = 0
    begin_customer(log.cursor, customer, shoppers.device[position])
    life: Life = begin_life(log, shop.clock, me, mood_at(shoppers, position))
    luck = (customer_key(question.seed, customer), me.signup_day, question.as_of_day)
    live_days(log, shop, me, life, luck)
    return life


@njit(cache=True)
def _lives_to_order(
    log: Log, shop: Scene, me: Shopper, life: Life, question: Question, future: int
) -> bool:
    """Draw one future and look for an order in the window; the log is overwritten."""
    key = customer_key(question.first_seed + future, log.cursor[CUSTOMER])
    log.cursor[EVENTS:CUSTOMER] = 0
    luck = (key, question.as_of_day, question.end_day)
    live_days(log, shop, me, life, luck)
    for row in range(log.cursor[EVENTS]):
        is_inside = question.begin <= log.events.at[row] < question.end
        if is_inside and log.events.kind[row] == PURCHASE:
            return True
    return False


@njit(cache=True, nogil=True)
def _know_histories(
    log: Log,
    shop: Scene,
    shoppers: Shoppers,
    positions: Ints,
    question: Question,
    acquisition: Ints,
    imagined: Imagined,
) -> tuple[Floats, Floats]:
    shares = np.zeros(len(positions), dtype=np.float64)
    carried = np.zeros(len(positions), dtype=np.float64)
    beliefs = np.empty((imagined.sleep.shape[1], STATES), dtype=np.float64)
    for i in range(len(positions)):
        me, way = shopper_at(shoppers, positions[i]), acquisition[positions[i]]
        life = _live_until(log, shop, shoppers, positions[i], question)
        diary = read_diary(log, shop.clock, shop.reach, shop.contact_habits, me, question.as_of_day)
        weights = _weigh_all(log, shop, me, diary, imagined, way, beliefs)
        carried[i] = weights.sum() ** 2 / (weights**2).sum()
        who = _draw(weights, question, log.cursor[CUSTOMER])
        for future in range(question.futures):
            j = who[future]
            then = Life(life.course.copy(), life.mood.copy(), life.refund.copy())
            key = customer_key(question.first_seed + future, log.cursor[CUSTOMER])
            _enter(then, beliefs[j], uniform(day_key(key, _BEFORE_ALL_DAYS), 1))
            temper = imagined.shoppers.temper[j]
            then.mood[TEMPER] = temper
            then.mood[BOOST] = diary.evening[0] + temper * diary.evening[1]
            other = _meet(me, imagined, j, way)
            shares[i] += _lives_to_order(log, shop, other, then, question, future)
    return shares / question.futures, carried


@njit(cache=True)
def _weigh_all(
    log: Log,
    shop: Scene,
    me: Shopper,
    diary: Diary,
    imagined: Imagined,
    way: int,
    beliefs: Floats,
) -> Floats:
    """Weights of imagined customers, as many as are needed, the largest being 1."""
    logarithms = np.full(len(beliefs), -np.inf)
    best, total, squares = -np.inf, 0.0, 0.0
    tried = 0
    while tried < len(beliefs) and (tried < _AT_LEAST or total**2 < ENOUGH * squares):
        who, temper = _meet(me, imagined, tried, way), imagined.shoppers.temper[tried]
        worst = best - _NEGLIGIBLE
        logarithm = weigh(diary, log.contacts, shop, who, temper, worst, beliefs[tried])
        logarithms[tried] = logarithm
        tried += 1
        if logarithm > best:
            scale = np.exp(best - logarithm)
            total, squares, best = total * scale, squares * scale**2, logarithm
        if logarithm > -np.inf:
            weight = np.exp(logarithm - best)
            total, squares = total + weight, squares + weight**2
    return np.exp(logarithms[:tried] - best)


@njit(cache=True)
def _meet(me: Shopper, imagined: Imagined, j: int, way: int) -> Shopper:
    """What is known of a customer, with what an imagined one adds that is not."""
    other = shopper_at(imagined.shoppers, j)
    return Shopper(
        me.zone,
        me.signup_day,
        me.signup_second,
        me.hour,
        other.weekend,
        other.interest,
        other.rate,
        other.regularity,
        other.browse,
        imagined.sleep[way, j],
        imagined.wake[way, j],
        other.spend,
        other.deals,
        other.favourite,
        other.leave,
    )


@njit(cache=True)
def _draw(weights: Floats, question: Question, customer: int) -> Ints:
    """Systematic sample: each imagined customer in its share of the futures."""
    key = day_key(customer_key(question.first_seed, customer), _BEFORE_ALL_DAYS)
    shift = uniform(key, 0)
    drawn = np.empty(question.futures, dtype=np.int64)
    j, reached, total = 0, weights[0], weights.sum()
    for future in range(question.futures):
        while reached < (future + shift) / question.futures * total and j < len(weights) - 1:
            j += 1
            reached += weights[j]
        drawn[future] = j
    return drawn


@njit(cache=True)
def _enter(life: Life, belief: Floats, number: float) -> None:
    """Put a life into one of the hidden states, each with its probability."""
    state = 0
    while state < GONE_AT and number > belief[state]:
        number -= belief[state]
        state += 1
    life.course[0] = ALIVE
    if state >= ASLEEP_AT:
        life.course[0] = GONE if state == GONE_AT else ASLEEP
    life.course[1] = state % ASLEEP_AT
