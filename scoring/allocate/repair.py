"""Making a choice keep the limits, and giving away what it leaves of them.

Both walk over customers, those first who lose least at the prices. Where many customers are
equal, they are all equally close calls, and this is what divides the limits among them.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.allocate.dual import Choice
from scoring.allocate.problem import Prices, Problem
from scoring.allocate.search import least_prices
from scoring.allocate.usage import fits, room_left

Float64Array = NDArray[np.float64]
Int16Array = NDArray[np.int16]
Int64Array = NDArray[np.int64]

_ROUNDS = 6
_FILLED = 5000
_FILLED_SHARE = 0.02
"""Customers to whom the rest is offered at first; four times as many each time that at least
this share of them took something."""


@dataclass(frozen=True, slots=True)
class Tariff:
    """What an action takes from a customer's value at the prices, for the kernels."""

    budget: float
    by_action: Float64Array
    by_group: Float64Array


def tariff_of(problem: Problem, prices: Prices) -> Tariff:
    """The prices, laid out by action and by group."""
    return Tariff(
        budget=prices.budget,
        by_action=np.append(prices.seats, 0.0)[problem.channel_of],
        by_group=prices.group_price(problem.groups),
    )


def relieve(problem: Problem, tariff: Tariff, action: Int16Array) -> Int64Array:
    """Change or drop contacts until no limit is exceeded; leasts may be missed.

    Parameters
    ----------
    action : changed in place.

    Returns
    -------
    Whose contact changed, ascending.
    """
    before = action.copy()
    rounds = 0
    while not fits(problem, action):
        # No contact at all keeps every limit, so that dropping comes to an end.
        drop_only = rounds >= _ROUNDS
        rounds += 1
        room = room_left(problem, action)
        losses = _losses(
            problem.value, problem.cost, problem.channel_of, problem.groups.group,
            problem.groups.weight, tariff.budget, tariff.by_action, tariff.by_group,
            room, len(problem.seats), action, drop_only,
        )  # fmt: skip
        rows = np.flatnonzero(np.isfinite(losses))
        order = rows[np.argsort(losses[rows], kind="stable")]
        _relieve(
            order, problem.value, problem.cost, problem.channel_of, problem.groups.group,
            problem.groups.weight, tariff.budget, tariff.by_action, tariff.by_group,
            room, len(problem.seats), action, drop_only,
        )  # fmt: skip
    return np.flatnonzero(action != before)


@njit(cache=True)
def _helpful(  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917
    row, current, other, cost, channel_of, group, weight, room, n_channels, care
):
    """Whether another action uses less of something exceeded.

    With care 1 it uses no more of anything else that is exceeded; with care 2 neither does
    it exceed anything itself.
    """
    helps = False
    used = 0.0 if other < 0 else cost[row, other]
    freed = (0.0 if current < 0 else cost[row, current]) - used
    if room[0] < 0.0:
        if freed < 0.0 and care > 0:
            return False
        helps |= freed > 0.0
    elif care > 1 and room[0] + freed < 0.0:
        return False
    left = n_channels if current < 0 else channel_of[current]
    taken = n_channels if other < 0 else channel_of[other]
    if left != taken:
        if taken < n_channels and room[1 + taken] < (1.0 if care > 1 else 0.0):
            return False
        helps |= left < n_channels and room[1 + left] < 0.0
    if (current < 0) != (other < 0):
        sign = 1.0 if other < 0 else -1.0
        for line in range(weight.shape[0]):
            freed = sign * weight[line, group[row]]
            here = room[1 + n_channels + line]
            if here < 0.0:
                if freed < 0.0 and care > 0:
                    return False
                helps |= freed > 0.0
            elif care > 1 and here + freed < -1e-12:
                return False
    return helps


@njit(cache=True)
def _best_relief(  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917
    row, value, cost, channel_of, group, weight, budget_price, by_action, by_group,
    room, n_channels, current, drop_only, care,
):  # fmt: skip
    """The helpful action of the largest worth at the prices: (worth, action); -inf if none."""
    best, chosen = -np.inf, -2
    if current >= 0 and _helpful(
        row, current, -1, cost, channel_of, group, weight, room, n_channels, care
    ):
        best, chosen = 0.0, -1
    if not drop_only:
        for other in range(value.shape[1]):
            if other == current or not value[row, other] > 0.0:
                continue
            worth = value[row, other] - budget_price * cost[row, other] - by_action[other]
            worth -= by_group[group[row]]
            if worth > best and _helpful(
                row, current, other, cost, channel_of, group, weight, room, n_channels, care
            ):
                best, chosen = worth, other
    return best, chosen


@njit(cache=True)
def _losses(  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917
    value, cost, channel_of, group, weight, budget_price, by_action, by_group,
    room, n_channels, action, drop_only,
):  # fmt: skip
    """What each customer's help would lose at the prices; inf for who cannot help."""
    n = len(action)
    losses = np.full(n, np.inf)
    for row in range(n):
        current = action[row]
        best, chosen = _best_relief(
            row, value, cost, channel_of, group, weight, budget_price, by_action, by_group,
            room, n_channels, current, drop_only, 0 if drop_only else 1,
        )  # fmt: skip
        if chosen > -2:
            now = 0.0
            if current >= 0:
                now = value[row, current] - budget_price * cost[row, current] - by_action[current]
                now -= by_group[group[row]]
            losses[row] = now - best
    return losses


@njit(cache=True)
def _relieve(  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917
    order, value, cost, channel_of, group, weight, budget_price, by_action, by_group,
    room, n_channels, action, drop_only,
):  # fmt: skip
    """Take the help of customers in order; `room` and `action` follow."""
    capped = 1 + n_channels + weight.shape[0]
    for row in order:
        if room[:capped].min() >= 0.0:
            break
        current = action[row]
        _, chosen = _best_relief(
            row, value, cost, channel_of, group, weight, budget_price, by_action, by_group,
            room, n_channels, current, drop_only, 0 if drop_only else 2,
        )  # fmt: skip
        if chosen > -2:
            _exchange(row, current, chosen, cost, channel_of, group, weight, room, n_channels)
            action[row] = chosen


@njit(cache=True)
def _exchange(  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917
    row, current, other, cost, channel_of, group, weight, room, n_channels
):
    n_rows = weight.shape[0]
    if current >= 0:
        room[0] += cost[row, current]
        if channel_of[current] < n_channels:
            room[1 + channel_of[current]] += 1.0
    if other >= 0:
        room[0] -= cost[row, other]
        if channel_of[other] < n_channels:
            room[1 + channel_of[other]] -= 1.0
    if (current < 0) != (other < 0):
        sign = 1.0 if other < 0 else -1.0
        for line in range(n_rows):
            used = sign * weight[line, group[row]]
            room[1 + n_channels + line] += used
            room[1 + n_channels + n_rows + line] -= used


def top_up(problem: Problem, tariff: Tariff, choice: Choice, action: Int16Array) -> None:
    """Give what is left of the limits to those whose contact adds something, closest first.

    Parameters
    ----------
    choice : everybody's best at the prices.
    action : keeps the limits; changed in place.
    """
    # Who has lost their best choice comes first, the dearest before the others.
    urgency = np.where(action == choice.action, choice.margin, -choice.profit)
    able = np.isfinite(urgency)
    penalty = least_prices(problem)
    room = room_left(problem, action)
    asked, size = 0, _FILLED
    count = int(able.sum())
    while asked < count:
        last = min(asked + size, count)
        rows = np.flatnonzero(able) if last == count else lowest_rows(urgency, last)
        order = rows[np.lexsort((rows, urgency[rows]))][asked:]
        changed = _top_up(
            order, problem.value, problem.cost, problem.channel_of, problem.groups.group,
            problem.groups.weight, tariff.budget, tariff.by_action,
            room, len(problem.seats), penalty, action,
        )  # fmt: skip
        if changed < _FILLED_SHARE * len(order):
            break
        asked, size = last, 4 * size


def lowest_rows(numbers: Float64Array, size: int) -> Int64Array:
    """Rows of the smallest numbers, ascending; of equal ones the first."""
    n = len(numbers)
    if n <= size:
        return np.arange(n)
    # A partition's order among equals differs from processor to processor, its value does not.
    bar = np.partition(numbers, size - 1)[size - 1]
    chosen = numbers < bar
    chosen[np.flatnonzero(numbers == bar)[: size - int(chosen.sum())]] = True
    return np.flatnonzero(chosen)


@njit(cache=True)
def _top_up(  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917
    order, value, cost, channel_of, group, weight, budget_price, by_action,
    room, n_channels, penalty, action,
):  # fmt: skip
    """Raise customers in order to their best action that fits; returns how many changed."""
    n_rows, n_actions = weight.shape[0], value.shape[1]
    first_most, first_least = 1 + n_channels, 1 + n_channels + n_rows
    changed = 0
    for row in order:
        current = action[row]
        has_value, has_cost, has_seat = 0.0, 0.0, n_channels
        relief = 0.0
        if current >= 0:
            has_value, has_cost = value[row, current], cost[row, current]
            has_seat = channel_of[current]
        else:
            room_for_one = True
            for line in range(n_rows):
                used = weight[line, group[row]]
                if used > 0.0 and used > room[first_most + line] + 1e-12:
                    room_for_one = False
                    break
                here = room[first_least + line]
                relief += penalty[line] * (max(-here, 0.0) - max(-(here + used), 0.0))
            if not room_for_one:
                continue
        best, chosen = -np.inf, -1
        for other in range(n_actions):
            adds = value[row, other] - has_value
            if not value[row, other] > 0.0 or not adds + relief > 0.0:
                continue
            seat = channel_of[other]
            if cost[row, other] - has_cost > room[0]:
                continue
            if seat != has_seat and seat < n_channels and room[1 + seat] < 1.0:
                continue
            worth = value[row, other] - budget_price * cost[row, other] - by_action[other]
            if worth > best:
                best, chosen = worth, other
        if chosen >= 0 and chosen != current:
            _exchange(row, current, chosen, cost, channel_of, group, weight, room, n_channels)
            action[row] = chosen
            changed += 1
    return changed
