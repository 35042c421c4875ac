"""The dual function: given prices, everybody takes what is best for them alone.

For any prices that are not negative its value bounds what any allocation within the limits
can be worth (METHODS section 4). One evaluation is one walk over the customers.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.allocate.problem import NO_ACTION, Prices, Problem

Float64Array = NDArray[np.float64]
Int16Array = NDArray[np.int16]
Int64Array = NDArray[np.int64]

BLOCK_ROWS = 1 << 16
"""Customers of one task; sums go block by block, so that threads never change a bit of them."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What a set of choices comes to.

    Attributes
    ----------
    profit : value left after prices, over all customers.
    cost : money.
    seats : contacts, shape (n_channels,).
    groups : contacts, shape (n_groups,).
    """

    profit: float
    cost: float
    seats: Float64Array
    groups: Float64Array

    def usage(self, problem: Problem) -> Float64Array:
        """In the order of `Problem.limits`."""
        rows = problem.groups.weight @ self.groups
        return np.concatenate([[self.cost], self.seats, rows, -rows])


class _Kernel(Protocol):
    def __call__(self, start: int, stop: int) -> Any: ...


def in_blocks(n_rows: int, kernel: _Kernel, *, threads: int) -> Iterator[Any]:
    """Results of a kernel over consecutive blocks of rows, in order."""
    starts = range(0, n_rows, BLOCK_ROWS)
    if threads == 1 or len(starts) == 1:
        yield from (kernel(start, min(start + BLOCK_ROWS, n_rows)) for start in starts)
        return
    with ThreadPoolExecutor(threads) as pool:
        stops = [min(start + BLOCK_ROWS, n_rows) for start in starts]
        yield from pool.map(kernel, starts, stops)


def _prices_by_action(problem: Problem, prices: Prices) -> tuple[Float64Array, Float64Array]:
    by_action = np.append(prices.seats, 0.0)[problem.channel_of]
    return by_action, prices.group_price(problem.groups)


def best_totals(problem: Problem, prices: Prices, *, threads: int) -> Totals:
    """Totals if everybody takes their best action at these prices."""
    by_action, by_group = _prices_by_action(problem, prices)

    def walk(start: int, stop: int) -> Any:
        return _walk(
            problem.value[start:stop], problem.cost[start:stop], problem.channel_of,
            problem.groups.group[start:stop], prices.budget, by_action, by_group,
            len(problem.seats),
        )  # fmt: skip

    parts = list(in_blocks(problem.n_customers, walk, threads=threads))
    return _summed(parts, problem)


def _summed(parts: list[Any], problem: Problem) -> Totals:
    profit = float(sum(part[0] for part in parts))
    cost = float(sum(part[1] for part in parts))
    seats, groups = np.zeros(len(problem.seats)), np.zeros(problem.groups.weight.shape[1])
    for part in parts:
        seats += part[2]
        groups += part[3]
    return Totals(profit=profit, cost=cost, seats=seats, groups=groups)


def dual_value(problem: Problem, prices: Prices, totals: Totals) -> float:
    """The bound: the prices of all limits, and what everybody has left."""
    vector, limits = prices.vector, problem.limits
    priced = vector > 0
    return float(vector[priced] @ limits[priced]) + totals.profit


@dataclass(frozen=True, slots=True)
class Choice:
    """Everybody's best action at given prices, each of shape (n,).

    Attributes
    ----------
    action : `NO_ACTION` for no contact.
    profit : value of the action after prices; 0 for no contact.
    margin : by how much it beats the second best, no contact included.
    """

    action: Int16Array
    profit: Float64Array
    margin: Float64Array


def best_choices(problem: Problem, prices: Prices, *, threads: int) -> Choice:
    """What everybody takes at these prices, and how sure that is."""
    by_action, by_group = _prices_by_action(problem, prices)
    action = np.full(problem.n_customers, NO_ACTION, dtype=np.int16)
    profit, margin = np.zeros(problem.n_customers), np.zeros(problem.n_customers)

    def walk(start: int, stop: int) -> None:
        _choose(
            problem.value[start:stop], problem.cost[start:stop],
            problem.groups.group[start:stop], prices.budget, by_action, by_group,
            action[start:stop], profit[start:stop], margin[start:stop],
        )  # fmt: skip

    for _ in in_blocks(problem.n_customers, walk, threads=threads):
        pass
    return Choice(action=action, profit=profit, margin=margin)


def split_settled(
    problem: Problem, prices: Prices, radius: Prices, *, threads: int
) -> tuple[Totals, float, Int64Array]:
    """Whose choice is the same at all prices of a box.

    Parameters
    ----------
    prices, radius : the box is prices - radius to prices + radius.

    Returns
    -------
    Totals of the settled customers' choices (profit at `prices`), their value, and the rows
    of the others.
    """
    by_action, by_group = _prices_by_action(problem, prices)
    spread_action = np.append(radius.seats, 0.0)[problem.channel_of]
    spread_group = (radius.most + radius.least) @ np.abs(problem.groups.weight)
    open_rows = np.zeros(problem.n_customers, dtype=np.bool_)

    def walk(start: int, stop: int) -> Any:
        return _settle(
            problem.value[start:stop], problem.cost[start:stop], problem.channel_of,
            problem.groups.group[start:stop], prices.budget, by_action, by_group,
            radius.budget, spread_action, spread_group, len(problem.seats),
            open_rows[start:stop],
        )  # fmt: skip

    parts = list(in_blocks(problem.n_customers, walk, threads=threads))
    value = float(sum(part[4] for part in parts))
    return _summed(parts, problem), value, np.flatnonzero(open_rows)


@njit(cache=True, nogil=True)
def _walk(  # type: ignore[no-untyped-def]
    value, cost, channel_of, group, budget_price, by_action, by_group, n_channels
):
    n_rows, n_actions = value.shape
    profit, spent = 0.0, 0.0
    seats, groups = np.zeros(n_channels + 1), np.zeros(len(by_group))
    for row in range(n_rows):
        bar = by_group[group[row]]
        best, chosen = bar, -1
        for action in range(n_actions):
            worth = value[row, action] - budget_price * cost[row, action] - by_action[action]
            if worth > best and value[row, action] > 0.0:
                best, chosen = worth, action
        if chosen >= 0:
            profit += best - bar
            spent += cost[row, chosen]
            seats[channel_of[chosen]] += 1.0
            groups[group[row]] += 1.0
    return profit, spent, seats[:n_channels], groups


@njit(cache=True, nogil=True)
def _choose(  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917
    value, cost, group, budget_price, by_action, by_group, out_action, out_profit, out_margin
):
    n_rows, n_actions = value.shape
    for row in range(n_rows):
        best, second, chosen = by_group[group[row]], -np.inf, -1
        for action in range(n_actions):
            if value[row, action] > 0.0:
                worth = value[row, action] - budget_price * cost[row, action] - by_action[action]
                if worth > best:
                    best, second, chosen = worth, best, action
                elif worth > second:
                    second = worth
        out_action[row] = chosen
        out_profit[row] = best - by_group[group[row]]
        out_margin[row] = best - second


@njit(cache=True, nogil=True)
def _settle(  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917
    value, cost, channel_of, group, budget_price, by_action, by_group,
    spread_budget, spread_action, spread_group, n_channels, out_open,
):  # fmt: skip
    n_rows, n_actions = value.shape
    profit, spent, worth_total = 0.0, 0.0, 0.0
    seats, groups = np.zeros(n_channels + 1), np.zeros(len(by_group))
    for row in range(n_rows):
        bar, bar_spread = by_group[group[row]], spread_group[group[row]]
        best, chosen = bar, -1
        for action in range(n_actions):
            worth = value[row, action] - budget_price * cost[row, action] - by_action[action]
            if worth > best and value[row, action] > 0.0:
                best, chosen = worth, action
        settled = True
        for action in range(n_actions):
            if action == chosen or not value[row, action] > 0.0:
                continue
            worth = value[row, action] - budget_price * cost[row, action] - by_action[action]
            apart = best - worth
            if chosen < 0:
                spread = spread_budget * cost[row, action] + spread_action[action] + bar_spread
            else:
                spread = spread_budget * abs(cost[row, action] - cost[row, chosen])
                if channel_of[action] != channel_of[chosen]:
                    spread += spread_action[action] + spread_action[chosen]
            if apart <= spread:
                settled = False
                break
        if settled and chosen >= 0:
            spread = spread_budget * cost[row, chosen] + spread_action[chosen] + bar_spread
            settled = best - bar > spread
        out_open[row] = not settled
        if settled and chosen >= 0:
            profit += best - bar
            spent += cost[row, chosen]
            seats[channel_of[chosen]] += 1.0
            groups[group[row]] += 1.0
            worth_total += value[row, chosen]
    return profit, spent, seats[:n_channels], groups, worth_total
