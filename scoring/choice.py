"""Who is listed, and with which action: candidates in turn, within the capacities."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.arms import EXPLORE, GHOST

Float64Array = NDArray[np.float64]
Int8Array = NDArray[np.int8]
Int16Array = NDArray[np.int16]
Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

LISTED, GAIN_BELOW_MINIMUM, CAPACITY_FULL, LIST_FULL = range(4)
OUTCOMES = ("listed", "gain_below_minimum", "capacity_full", "list_full")

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
    best_action : the action the contact arm takes; `NO_ACTION` for those not listed.
    n_actions : actions open to exploration when the customer's turn came.
    """

    outcome: Int8Array
    action: Int16Array
    best_action: Int16Array
    n_actions: Int64Array


def choose_actions(
    gains: Float64Array,
    *,
    allowed: BoolArray,
    channel_order: Int16Array,
    arm: Int8Array,
    tie: Float64Array,
    explore_draw: Float64Array,
    limits: Limits,
) -> Choices:
    """Give every candidate an action, the most valuable candidates first.

    Candidates are taken by their best allowed gain (ties by `tie`, then by position).
    Each takes the first channel of its order that has capacity left and whose best
    offer gains more than the minimum. An exploring customer then draws uniformly from
    all allowed actions with capacity left, whatever they gain: what an action is worth
    is what exploration finds out. Controls use no capacity.

    Parameters
    ----------
    gains : shape (n, n_actions), money; actions of one channel stand together.
    allowed : shape (n, n_actions), the customer may get this action.
    channel_order : shape (n, n_channels), channel codes in the order they are tried,
        -1 after the last.
    arm, tie, explore_draw : shape (n,), see `scoring.arms.ArmDraws`.
    """
    n_candidates, n_actions = gains.shape
    n_channels = len(limits.capacity)
    if n_candidates == 0 or n_actions == 0:
        return _nobody(n_candidates)
    masked = np.where(allowed, gains, -np.inf)
    by_channel = masked.reshape(n_candidates, n_channels, -1)
    best = masked.max(axis=1)
    turn = np.lexsort((np.arange(n_candidates), tie, -best)).astype(np.int64)
    outcome, action, best_action, open_actions = _take_turns(
        turn,
        by_channel.max(axis=2),
        by_channel.argmax(axis=2),
        allowed.reshape(by_channel.shape),
        channel_order,
        arm,
        explore_draw,
        limits.capacity.copy(),
        limits.max_rows,
        limits.min_gain,
    )
    return Choices(outcome=outcome, action=action, best_action=best_action, n_actions=open_actions)


def _nobody(n_candidates: int) -> Choices:
    none = np.full(n_candidates, NO_ACTION, dtype=np.int16)
    return Choices(
        outcome=np.full(n_candidates, GAIN_BELOW_MINIMUM, dtype=np.int8),
        action=none,
        best_action=none,
        n_actions=np.zeros(n_candidates, dtype=np.int64),
    )


@njit(cache=True)
def _take_turns(  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0913, PLR0917
    turn,
    channel_gain,
    channel_offer,
    allowed,
    channel_order,
    arm,
    explore_draw,
    capacity,
    max_rows,
    min_gain,
):
    n_candidates, n_channels, n_offers = allowed.shape
    outcome = np.full(n_candidates, GAIN_BELOW_MINIMUM, np.int8)
    action = np.full(n_candidates, NO_ACTION, np.int16)
    best_action = np.full(n_candidates, NO_ACTION, np.int16)
    open_actions = np.zeros(n_candidates, np.int64)
    listed = 0
    for position in range(n_candidates):
        row = turn[position]
        worth = False
        chosen = -1
        for place in range(n_channels):
            channel = channel_order[row, place]
            if channel < 0:
                break
            if not channel_gain[row, channel] > min_gain:
                continue
            worth = True
            if capacity[channel] != 0:
                chosen = channel
                break
        if not worth:
            continue
        if max_rows != UNLIMITED and listed >= max_rows:
            outcome[row] = LIST_FULL
            continue
        if chosen < 0:
            outcome[row] = CAPACITY_FULL
            continue
        best = chosen * n_offers + channel_offer[row, chosen]
        n_open = 0
        for channel in range(n_channels):
            if capacity[channel] != 0:
                for offer in range(n_offers):
                    n_open += allowed[row, channel, offer]
        taken = best
        if arm[row] == EXPLORE:
            wanted = min(int(explore_draw[row] * n_open), n_open - 1)
            for channel in range(n_channels):
                if capacity[channel] != 0:
                    for offer in range(n_offers):
                        if allowed[row, channel, offer]:
                            if wanted == 0:
                                taken = channel * n_offers + offer
                            wanted -= 1
        if arm[row] < GHOST:
            used = taken // n_offers
            if capacity[used] > 0:
                capacity[used] -= 1
        listed += 1
        outcome[row] = LISTED
        action[row] = taken
        best_action[row] = best
        open_actions[row] = n_open
    return outcome, action, best_action, open_actions
