"""Who is listed, and with which action: candidates in turn, within the capacities."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.arms import EXPLORE, GHOST
from scoring.exploration import Exploration

Float64Array = NDArray[np.float64]
Int8Array = NDArray[np.int8]
Int16Array = NDArray[np.int16]
Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

LISTED, GAIN_BELOW_MINIMUM, CAPACITY_FULL, LIST_FULL = range(4)
OUTCOMES = ("listed", "gain_below_minimum", "capacity_full", "list_full")

TRIAL_CHANCE = 0.25
"""Least probability that some action pays at which a customer may be listed on trial."""

UNLIMITED = -1
NO_ACTION = -1


@dataclass(frozen=True, slots=True)
class Limits:
    """What the night can carry.

    Attributes
    ----------
    capacity : shape (n_channels,), contacts; `UNLIMITED` where there is no limit.
    max_rows : most listed customers, controls included; `UNLIMITED` for no limit.
    min_gain : a contact must promise more than this.
    """

    capacity: Int64Array
    max_rows: int
    min_gain: float


@dataclass(frozen=True, slots=True)
class Choices:
    """What became of each candidate; all of shape (n,).

    Attributes
    ----------
    outcome : code into `OUTCOMES`.
    action : the assigned action; for controls the one they would have got;
        `NO_ACTION` for those not listed.
    best_action : the action the contact arm takes; `NO_ACTION` for those not listed, and
        for those listed on trial, whom the contact arm does not list.
    n_actions : actions open to exploration when the customer's turn came.
    chance : probability of `action` if the customer explores; 0 for those not listed.
    """

    outcome: Int8Array
    action: Int16Array
    best_action: Int16Array
    n_actions: Int64Array
    chance: Float64Array


def choose_actions(
    gains: Float64Array,
    *,
    allowed: BoolArray,
    channel_order: Int16Array,
    arm: Int8Array,
    tie: Float64Array,
    exploration: Exploration,
    limits: Limits,
) -> Choices:
    """Give every candidate an action, the most valuable candidates first.

    Candidates are taken by their best allowed gain (ties by `tie`, then by position).
    Each takes the first channel of its order that has capacity left and whose best
    offer gains more than the minimum. An exploring customer then draws from the open
    actions, whatever they gain: what an action is worth is what exploration finds out.
    Controls use no capacity. See docs/adr/0006-exploration.md.

    A customer whom no action promises enough is listed on trial if chance has put them
    among the explorers or their controls and the posterior gives some action at least
    `TRIAL_CHANCE` of paying. They come last and take seats that nobody wanted.

    An action is open if it is allowed, its channel has seats left, and taking one robs
    nobody: it is the best action's own channel, or more seats are left than candidates
    to come whom the channel is worth it for, or exploration has not yet taken its share
    of the seats.

    Parameters
    ----------
    gains : shape (n, n_actions), money; actions of one channel stand together.
    allowed : shape (n, n_actions), the customer may get this action.
    channel_order : shape (n, n_channels), channel codes in the order they are tried,
        -1 after the last.
    arm, tie : shape (n,), see `scoring.arms.ArmDraws`.
    """
    n_candidates, n_actions = gains.shape
    n_channels = len(limits.capacity)
    if n_candidates == 0 or n_actions == 0:
        return _nobody(n_candidates)
    masked = np.where(allowed, gains, -np.inf)
    by_channel = masked.reshape(n_candidates, n_channels, -1)
    best = masked.max(axis=1)
    turn = np.lexsort((np.arange(n_candidates), tie, -best)).astype(np.int64)
    weights = exploration.weights
    outcome, action, best_action, n_open, chance = _take_turns(
        turn,
        by_channel.max(axis=2),
        by_channel.argmax(axis=2),
        allowed.reshape(by_channel.shape),
        channel_order,
        arm,
        exploration.draw,
        exploration.on_trial,
        np.empty((0, n_actions)) if weights is None else weights,
        exploration.floor,
        limits.capacity.copy(),
        _exploring_seats(limits, exploration.share),
        limits.max_rows,
        limits.min_gain,
    )
    return Choices(
        outcome=outcome,
        action=action,
        best_action=best_action,
        n_actions=n_open,
        chance=chance,
    )


def _exploring_seats(limits: Limits, share: float) -> Int64Array:
    seats: Int64Array = np.ceil(share * np.maximum(limits.capacity, 0)).astype(np.int64)
    return seats


def _nobody(n_candidates: int) -> Choices:
    none = np.full(n_candidates, NO_ACTION, dtype=np.int16)
    return Choices(
        outcome=np.full(n_candidates, GAIN_BELOW_MINIMUM, dtype=np.int8),
        action=none,
        best_action=none,
        n_actions=np.zeros(n_candidates, dtype=np.int64),
        chance=np.zeros(n_candidates, dtype=np.float64),
    )


@njit(cache=True)
def _take_turns(  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917
    turn,
    channel_gain,
    channel_offer,
    allowed,
    channel_order,
    arm,
    explore_draw,
    on_trial,
    weights,
    floor,
    capacity,
    exploring_seats,
    max_rows,
    min_gain,
):
    n_candidates, n_channels, n_offers = allowed.shape
    outcome = np.full(n_candidates, GAIN_BELOW_MINIMUM, np.int8)
    action = np.full(n_candidates, NO_ACTION, np.int16)
    best_action = np.full(n_candidates, NO_ACTION, np.int16)
    open_actions = np.zeros(n_candidates, np.int64)
    chance = np.zeros(n_candidates, np.float64)
    law = np.zeros(n_channels * n_offers, np.float64)
    waiting = _count_waiting(channel_gain, channel_order, min_gain)
    listed = 0
    for position in range(n_candidates):
        row = turn[position]
        worth, chosen = _first_worth(
            channel_gain[row], channel_order[row], capacity, waiting, min_gain
        )
        weight = weights[row] if len(weights) else law[:0]
        if not worth and not (on_trial[row] and weight.sum() >= TRIAL_CHANCE):
            continue
        if max_rows != UNLIMITED and listed >= max_rows:
            outcome[row] = LIST_FULL
            continue
        if worth and chosen < 0:
            outcome[row] = CAPACITY_FULL
            continue
        best = chosen * n_offers + channel_offer[row, chosen] if worth else NO_ACTION
        n_open = _open_actions(law, allowed[row], best, capacity, exploring_seats, waiting)
        if n_open == 0 or not _fill_law(law, weight, best, n_open, floor):
            outcome[row] = CAPACITY_FULL
            continue
        taken = best
        if arm[row] == EXPLORE or best == NO_ACTION:
            taken = _pick(law, explore_draw[row])
        if arm[row] < GHOST:
            used = taken // n_offers
            # A seat that nobody to come wants is nobody's share.
            if used != chosen and 0 < capacity[used] <= waiting[used]:
                exploring_seats[used] -= 1
            if capacity[used] > 0:
                capacity[used] -= 1
        listed += 1
        outcome[row] = LISTED
        action[row] = taken
        best_action[row] = best
        open_actions[row] = n_open
        chance[row] = law[taken]
    return outcome, action, best_action, open_actions, chance


@njit(cache=True)
def _count_waiting(channel_gain, channel_order, min_gain):  # type: ignore[no-untyped-def]
    """Candidates by channel that the channel is worth it for."""
    n_candidates, n_channels = channel_gain.shape
    waiting = np.zeros(n_channels, np.int64)
    for row in range(n_candidates):
        for place in range(n_channels):
            channel = channel_order[row, place]
            if channel < 0:
                break
            waiting[channel] += channel_gain[row, channel] > min_gain
    return waiting


@njit(cache=True)
def _first_worth(channel_gain, channel_order, capacity, waiting, min_gain):  # type: ignore[no-untyped-def]
    """Whether any channel gains enough, and the first such with a seat; waits no longer."""
    worth = False
    chosen = -1
    for place in range(len(channel_order)):
        channel = channel_order[place]
        if channel < 0:
            break
        if not channel_gain[channel] > min_gain:
            continue
        worth = True
        waiting[channel] -= 1
        if chosen < 0 and capacity[channel] != 0:
            chosen = channel
    return worth, chosen


@njit(cache=True)
def _open_actions(law, allowed, best, capacity, exploring_seats, waiting):  # type: ignore[no-untyped-def]
    """Mark what is open to exploration by 0, the rest by -1; returns how many are open."""
    n_channels, n_offers = allowed.shape
    law[:] = -1.0
    n_open = 0
    for channel in range(n_channels):
        seats = capacity[channel]
        if seats == 0:
            continue
        own = best >= 0 and channel == best // n_offers
        if own or seats < 0 or seats > waiting[channel] or exploring_seats[channel] > 0:
            for offer in range(n_offers):
                if allowed[channel, offer]:
                    law[channel * n_offers + offer] = 0.0
                    n_open += 1
    return n_open


@njit(cache=True)
def _fill_law(law, weight, best, n_open, floor):  # type: ignore[no-untyped-def]
    """Turn the marks into probabilities; false where no open action is ever the best one."""
    least, to_best, total = 1.0 / n_open, 0.0, 0.0
    if len(weight) > 0:
        least = min(floor, least)
        if best >= 0:
            to_best = max(0.0, 1.0 - weight.sum())
        total = to_best
        for action in range(len(law)):
            if law[action] >= 0.0:
                total += weight[action]
        if total <= 0.0 and best < 0:
            return False
        if total <= 0.0:
            to_best = total = 1.0
    for action in range(len(law)):
        if law[action] < 0.0:
            law[action] = 0.0
        else:
            law[action] = least
            if total > 0.0:
                own = weight[action] + (to_best if action == best else 0.0)
                law[action] += (1.0 - n_open * least) * own / total
    return True


@njit(cache=True)
def _pick(law, draw):  # type: ignore[no-untyped-def]
    """The action whose stretch of the stacked probabilities the draw falls into."""
    reached = 0.0
    picked = -1
    for action in range(len(law)):
        if law[action] > 0.0:
            picked = action
            reached += law[action]
            if draw < reached:
                break
    return picked
