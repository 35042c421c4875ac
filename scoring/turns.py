"""The walk over a night's candidates: who finds what when their turn comes."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.arms import EXPLORE, GHOST
from scoring.outcomes import (
    BUDGET_SPENT,
    CAPACITY_FULL,
    LIST_FULL,
    LISTED,
    NO_ACTION,
    SEGMENT_FULL,
    TRIAL_CHANCE,
    UNLIMITED,
)

_SPENT, _VARIANCE, _CHARGED, _EXPLORING, _TO_COME = range(5)


class Asked(NamedTuple):
    """What candidates ask for; shapes (n,) and (n, n_actions).

    `plan` is the plan's action, `worth` an action's value at tonight's prices, `competing`
    says which gain enough; `charge` is the cost with what the action adds to the reserve;
    `weights` is empty where exploration is uniform.
    """

    plan: NDArray[np.int16]
    worth: NDArray[np.float64]
    competing: NDArray[np.bool_]
    allowed: NDArray[np.bool_]
    cost: NDArray[np.float32]
    variance: NDArray[np.float32]
    charge: NDArray[np.float32]
    group: NDArray[np.int32]
    arm: NDArray[np.int8]
    draw: NDArray[np.float64]
    weights: NDArray[np.float64]


class Rules(NamedTuple):
    """What does not change from turn to turn; see `scoring.choice.Limits`.

    `charge_budget` is what all charges together may come to.
    """

    n_offers: int
    floor: float
    max_rows: int
    budget: float
    charge_budget: float
    sigmas: float
    member: NDArray[np.bool_]
    most: NDArray[np.int64]


class Room(NamedTuple):
    """What is left, changed in place.

    `capacity` and `exploring` are seats by channel, `to_come` planned customers by channel;
    `least` is what segments still ask for, `sent` what they have got, `listed` has one
    place, `money` the five of spent, its variance, charged, exploration's own, and planned charges
    to come.
    """

    capacity: NDArray[np.int64]
    exploring: NDArray[np.int64]
    to_come: NDArray[np.int64]
    least: NDArray[np.int64]
    sent: NDArray[np.int64]
    listed: NDArray[np.int64]
    money: NDArray[np.float64]


class Given(NamedTuple):
    """What candidates got, shape (n,); see `scoring.choice.Choices`."""

    outcome: NDArray[np.int8]
    action: NDArray[np.int16]
    best_action: NDArray[np.int16]
    n_open: NDArray[np.int64]
    chance: NDArray[np.float64]


def new_room(
    capacity: NDArray[np.int64], least: NDArray[np.int64], *, share: float, money: float
) -> Room:
    """The whole night; `share` of the seats and so much money are exploration's own."""
    own = np.ceil(share * np.maximum(capacity, 0)).astype(np.int64)
    amounts = np.zeros(5)
    amounts[_EXPLORING] = money
    return Room(
        capacity=capacity.copy(),
        exploring=own,
        to_come=np.zeros(len(capacity), dtype=np.int64),
        least=least.copy(),
        sent=np.zeros(len(least), dtype=np.int64),
        listed=np.zeros(1, dtype=np.int64),
        money=amounts,
    )


@njit(cache=True)
def take_turns(asked, rules, room, given, planned, waiting, trial):  # type: ignore[no-untyped-def]
    """Fill `given`: segments that ask for a least, the planned, those who wait, the trials."""
    law = np.zeros(asked.worth.shape[1], np.float64)
    coming = np.zeros(len(asked.plan), np.bool_)
    for row in planned:
        coming[row] = True
        room.to_come[asked.plan[row] // rules.n_offers] += 1
        room.money[_TO_COME] += asked.charge[row, asked.plan[row]]
    for row in waiting:
        if room.least.max() <= 0 if len(room.least) else True:
            break
        if _is_needed(asked, rules, room, row):
            _comes(asked, rules, room, coming, row)
            _take_turn(asked, rules, room, given, law, row, -np.inf)
    for row in planned:
        if given.outcome[row] != LISTED:
            _comes(asked, rules, room, coming, row)
            _take_turn(asked, rules, room, given, law, row, 0.0)
    for row in waiting:
        if given.outcome[row] != LISTED:
            _take_turn(asked, rules, room, given, law, row, -np.inf)
    for row in trial:
        _try_out(asked, rules, room, given, law, row)


@njit(cache=True)
def _is_needed(asked, rules, room, row):  # type: ignore[no-untyped-def]
    for segment in range(len(room.least)):
        if room.least[segment] > 0 and rules.member[segment, asked.group[row]]:
            return True
    return False


@njit(cache=True)
def _comes(asked, rules, room, coming, row):  # type: ignore[no-untyped-def]
    """A planned customer is no longer to come."""
    if coming[row]:
        coming[row] = False
        room.to_come[asked.plan[row] // rules.n_offers] -= 1
        room.money[_TO_COME] -= asked.charge[row, asked.plan[row]]


@njit(cache=True)
def _take_turn(asked, rules, room, given, law, row, least_worth):  # type: ignore[no-untyped-def]
    best = _best_open(asked, rules, room, row, least_worth)
    if best < 0:
        given.outcome[row] = _fault(asked, rules, room, given, row)
        return
    if rules.max_rows != UNLIMITED and room.listed[0] >= rules.max_rows:
        given.outcome[row] = LIST_FULL
        return
    n_open = _open_actions(asked, rules, room, law, row, best)
    weight = asked.weights[row] if len(asked.weights) else law[:0]
    _fill_law(law, weight, best, n_open, rules.floor)
    taken = _pick(law, asked.draw[row]) if asked.arm[row] == EXPLORE else best
    _give(asked, rules, room, given, row, taken, best)
    given.n_open[row] = n_open
    given.chance[row] = law[taken]


@njit(cache=True)
def _try_out(asked, rules, room, given, law, row):  # type: ignore[no-untyped-def]
    """List somebody on trial, if chance gives an open action enough."""
    weight = asked.weights[row] if len(asked.weights) else law[:0]
    if weight.sum() < TRIAL_CHANCE:
        return
    if rules.max_rows != UNLIMITED and room.listed[0] >= rules.max_rows:
        given.outcome[row] = LIST_FULL
        return
    n_open = _open_actions(asked, rules, room, law, row, NO_ACTION)
    if n_open == 0 or not _fill_law(law, weight, NO_ACTION, n_open, rules.floor):
        given.outcome[row] = CAPACITY_FULL
        return
    taken = _pick(law, asked.draw[row])
    _give(asked, rules, room, given, row, taken, NO_ACTION)
    given.n_open[row] = n_open
    given.chance[row] = law[taken]


@njit(cache=True)
def _best_open(asked, rules, room, row, least_worth):  # type: ignore[no-untyped-def]
    """The plan's action if there is room for it, else the one that adds most; -1 for none."""
    if not _segments_open(asked, rules, room, row):
        return -1
    plan = asked.plan[row]
    if plan >= 0 and _fits(asked, rules, room, row, plan):
        return plan
    best, chosen = least_worth, -1
    for action in range(asked.worth.shape[1]):
        if (
            asked.competing[row, action]
            and asked.worth[row, action] > best
            and _fits(asked, rules, room, row, action)
        ):
            best, chosen = asked.worth[row, action], action
    return chosen


@njit(cache=True)
def _segments_open(asked, rules, room, row):  # type: ignore[no-untyped-def]
    for segment in range(len(rules.most)):
        most = rules.most[segment]
        full = most != UNLIMITED and room.sent[segment] >= most
        if full and rules.member[segment, asked.group[row]]:
            return False
    return True


@njit(cache=True)
def _fits(asked, rules, room, row, action):  # type: ignore[no-untyped-def]
    """Whether a seat and money are left for an action."""
    if room.capacity[action // rules.n_offers] == 0:
        return False
    variance = room.money[_VARIANCE] + asked.variance[row, action]
    spent = room.money[_SPENT] + asked.cost[row, action]
    return spent + rules.sigmas * np.sqrt(variance) <= rules.budget


@njit(cache=True)
def _fault(asked, rules, room, given, row):  # type: ignore[no-untyped-def]
    """Why a customer whose turn came got nothing: what their best action ran into."""
    best, chosen = -np.inf, -1
    for action in range(asked.worth.shape[1]):
        if asked.competing[row, action] and asked.worth[row, action] > best:
            best, chosen = asked.worth[row, action], action
    if best <= 0.0:
        return given.outcome[row]
    if not _segments_open(asked, rules, room, row):
        return SEGMENT_FULL
    if room.capacity[chosen // rules.n_offers] == 0:
        return CAPACITY_FULL
    return BUDGET_SPENT


@njit(cache=True)
def _open_actions(asked, rules, room, law, row, best):  # type: ignore[no-untyped-def]
    """Mark what is open to exploration by 0, the rest by -1; returns how many are open."""
    law[:] = -1.0
    n_open = 0
    if not _segments_open(asked, rules, room, row):
        return 0
    for action in range(len(law)):
        if not asked.allowed[row, action] or not _fits(asked, rules, room, row, action):
            continue
        if _robs_nobody(asked, rules, room, row, action, best):
            law[action] = 0.0
            n_open += 1
    return n_open


@njit(cache=True)
def _robs_nobody(asked, rules, room, row, action, best):  # type: ignore[no-untyped-def]
    channel = action // rules.n_offers
    seats = room.capacity[channel]
    own = best >= 0 and channel == best // rules.n_offers
    spare = seats < 0 or seats > room.to_come[channel] or room.exploring[channel] > 0
    if not own and not spare:
        return False
    if rules.budget == np.inf:
        return True
    extra = asked.charge[row, action] - (asked.charge[row, best] if best >= 0 else 0.0)
    left = _unclaimed(rules, room)
    return extra <= max(room.money[_EXPLORING], left, 0.0)


@njit(cache=True)
def _unclaimed(rules, room):  # type: ignore[no-untyped-def]
    """Money that neither planned customers to come nor exploration have a claim on."""
    claimed = room.money[_CHARGED] + room.money[_TO_COME] + max(room.money[_EXPLORING], 0.0)
    return rules.charge_budget - claimed


@njit(cache=True)
def _give(asked, rules, room, given, row, taken, best):  # type: ignore[no-untyped-def]
    """Write down what a customer got, and take what it uses."""
    given.outcome[row] = LISTED
    given.action[row] = taken
    given.best_action[row] = best
    room.listed[0] += 1
    if asked.arm[row] >= GHOST:
        return
    channel = taken // rules.n_offers
    own = best >= 0 and channel == best // rules.n_offers
    # A seat that nobody to come wants is nobody's share.
    if not own and 0 < room.capacity[channel] <= room.to_come[channel]:
        room.exploring[channel] -= 1
    if room.capacity[channel] > 0:
        room.capacity[channel] -= 1
    extra = asked.charge[row, taken] - (asked.charge[row, best] if best >= 0 else 0.0)
    left = _unclaimed(rules, room)
    if rules.budget != np.inf and extra > max(left, 0.0):
        room.money[_EXPLORING] -= extra
    room.money[_SPENT] += asked.cost[row, taken]
    room.money[_VARIANCE] += asked.variance[row, taken]
    room.money[_CHARGED] += asked.charge[row, taken]
    for segment in range(len(room.sent)):
        if rules.member[segment, asked.group[row]]:
            room.sent[segment] += 1
            room.least[segment] -= 1


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
