"""Which actions of which customers a mixed-integer program weighs."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.allocate.dual import Choice
from scoring.allocate.problem import NO_ACTION, Prices, Problem
from scoring.allocate.repair import lowest_rows, tariff_of

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]

ALIKE = 1.1
"""Actions of one channel whose costs differ by less than about this factor are of one kind."""

NEAR = 20_000
"""Customers of the smallest margins, among whom exchanges are looked for."""


@dataclass(frozen=True, slots=True)
class Options:
    """Actions that customers may be given: `row` ascending, `action` of equal shape."""

    row: Int64Array
    action: Int64Array


def merge_options(problem: Problem, *parts: Options) -> Options:
    """All options of several lots, each once."""
    n_actions = problem.value.shape[1]
    keys = np.unique(np.concatenate([part.row * n_actions + part.action for part in parts]))
    return Options(row=keys // n_actions, action=keys % n_actions)


def worth_of(problem: Problem, prices: Prices, rows: Int64Array) -> Float64Array:
    """Value after prices of every action of some customers; -inf where none is allowed."""
    tariff = tariff_of(problem, prices)
    value = problem.value[rows].astype(np.float64)
    allowed = value > 0
    # What is not allowed may cost anything, even infinity.
    cost = np.where(allowed, problem.cost[rows], 0.0).astype(np.float64)
    taken = tariff.by_group[problem.groups.group[rows]]
    worth = value - tariff.budget * cost - tariff.by_action - taken[:, None]
    worth[~allowed] = -np.inf
    return np.asarray(worth)


def best_options(problem: Problem, prices: Prices, rows: Int64Array, *, each: int) -> Options:
    """The actions that are worth most to each of some customers."""
    worth = worth_of(problem, prices, rows)
    order = np.argsort(-worth, axis=1, kind="stable")[:, :each]
    allowed = np.isfinite(np.take_along_axis(worth, order, axis=1))
    place, which = np.nonzero(allowed)
    return Options(row=rows[place], action=order[place, which].astype(np.int64))


def open_options(
    problem: Problem, prices: Prices, apart: float, *, rounding: float, most: int
) -> Options | None:
    """Options that a choice within `apart` of the bound may hold; null if there are too many.

    Parameters
    ----------
    rounding : by which sums of values may be off.
    most : options.
    """
    rows, actions, count = [], [], 0
    for start in range(0, problem.n_customers, 100_000):
        block = np.arange(start, min(start + 100_000, problem.n_customers))
        worth = worth_of(problem, prices, block)
        best = np.maximum(worth.max(axis=1, initial=-np.inf), 0.0)
        near = np.isfinite(worth)
        near &= worth >= (best - apart - rounding)[:, None]
        near &= (np.maximum(near.sum(axis=1), 1) + (best <= apart + rounding) > 1)[:, None]
        place, which = np.nonzero(near)
        rows.append(block[place])
        actions.append(which)
        count += len(place)
        if count > most:
            return None
    return Options(np.concatenate(rows), np.concatenate(actions).astype(np.int64))


def cheapest_exchanges(
    problem: Problem, prices: Prices, choice: Choice, *, each: int, most: int
) -> Options:
    """For every kind of exchange, the customers who lose least by it.

    What keeps a choice from its bound is often a few units of a limit that only one kind of
    exchange frees, an expensive contact for two cheap ones say, whose cheapest instances lie
    far from the smallest margins. A kind is what a customer has at the prices and gets
    instead: a channel and a cost, or no contact.

    Parameters
    ----------
    each : customers of one kind.
    most : exchanges of all kinds, the first of each kind first.
    """
    rows = closest_rows(choice, NEAR)
    worth = worth_of(problem, prices, rows)
    place, action = np.nonzero(np.isfinite(worth))
    kind = _kinds(problem, rows[place], action)
    chosen = choice.action[rows]
    own = np.zeros(len(rows), dtype=np.int64)
    mine = action == chosen[place]
    own[place[mine]] = kind[mine]
    dropped = np.flatnonzero(chosen >= 0)
    place = np.concatenate([place[~mine], dropped])
    to_kind = np.concatenate([kind[~mine], np.zeros(len(dropped), dtype=np.int64)])
    to_action = np.concatenate([action[~mine], np.full(len(dropped), NO_ACTION)])
    after = np.where(to_action >= 0, worth[place, to_action], 0.0)
    loss = choice.profit[rows[place]] - after
    pair = own[place] * (int(kind.max(initial=0)) + 1) + to_kind
    order = np.lexsort((loss, pair))
    rank = _rank_in_runs(pair[order])
    order, rank = order[rank < each], rank[rank < each]
    order = order[np.lexsort((loss[order], rank))][:most]
    taken = to_action[order] >= 0
    movers = np.unique(place[order])
    keeps = movers[chosen[movers] >= 0]
    return merge_options(
        problem,
        Options(rows[place[order][taken]], to_action[order][taken]),
        Options(rows[keeps], chosen[keeps].astype(np.int64)),
    )


def _kinds(problem: Problem, rows: Int64Array, action: Int64Array) -> Int64Array:
    """Numbers from 1 on for the channels and costs of some options."""
    cost = problem.cost[rows, action].astype(np.float64)
    paid = cost > 0
    # Logarithms of numbers lie far within 32 bits.
    size = np.full(len(cost), -(1 << 20), dtype=np.int64)
    size[paid] = np.floor(np.log(cost[paid]) / np.log(ALIKE)).astype(np.int64)
    key = problem.channel_of[action] * (1 << 32) + size
    kind: Int64Array = np.unique(key, return_inverse=True)[1]
    return kind + 1


def _rank_in_runs(sorted_keys: Int64Array) -> Int64Array:
    """The place of each key among its equals, from 0."""
    n = len(sorted_keys)
    starts = np.flatnonzero(np.diff(sorted_keys, prepend=-1))
    return np.arange(n) - np.repeat(starts, np.diff(np.append(starts, n)))


def closest_rows(choice: Choice, size: int) -> Int64Array:
    """Rows of the smallest margins, ascending."""
    return lowest_rows(choice.margin, size)


def drop_dominated(problem: Problem, options: Options) -> Options:
    """Without options that another one of the customer beats in value, cost and channel."""
    channel = problem.channel_of[options.action]
    value = problem.value[options.row, options.action].astype(np.float64)
    cost = problem.cost[options.row, options.action].astype(np.float64)
    order = np.lexsort((options.action, -value, cost, channel, options.row))
    lots = np.column_stack([options.row, channel])[order]
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (lots[1:] != lots[:-1]).any(axis=1)
    # Within a lot costs rise: what is not worth more than all cheaper ones is dominated.
    keep = np.zeros(len(order), dtype=np.bool_)
    keep[order] = _records(value[order], new)
    return Options(options.row[keep], options.action[keep])


@njit(cache=True)
def _records(value, new):  # type: ignore[no-untyped-def]
    """Which values are above all earlier ones of their run."""
    record = np.zeros(len(value), dtype=np.bool_)
    best = -np.inf
    for place in range(len(value)):
        if new[place] or value[place] > best:
            best = value[place]
            record[place] = True
    return record
