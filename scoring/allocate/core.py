"""From prices to whole contacts: everybody takes their best, the closest calls are solved.

At the best prices all but a few customers have one clearly best action. Those with the
smallest margins form a core whose mixed-integer program HiGHS solves within what the others
leave of the limits (METHODS section 4).
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, vstack

from scoring.allocate.dual import Choice, best_choices
from scoring.allocate.problem import NO_ACTION, Problem
from scoring.allocate.quiet import quiet_stdout
from scoring.allocate.search import Priced, least_price

Float64Array = NDArray[np.float64]
Int16Array = NDArray[np.int16]
Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

CORE = 400
"""Customers whose choice is left to the mixed-integer program."""

OPTIONS_EACH = 4
"""Actions of a core customer that it weighs: the best ones at the prices."""

EXACT = 5e-7
"""A choice this close to its bound, relative, is taken as the optimum."""

EXACT_OPTIONS = 20_000
"""If no more options than these can still be part of an optimum, all of them are weighed."""

_FILLED = 5000
_NODES = 200
_EXACT_NODES = 100_000
_SLACK = 2e-6
"""Taken off money limits: HiGHS keeps constraints to 1e-6 only."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A choice of whole contacts within the limits.

    Attributes
    ----------
    action : shape (n,), `NO_ACTION` for no contact.
    worth : its value, missed leasts taken off.
    bound : no choice within the limits is worth more.
    """

    action: Int16Array
    worth: float
    bound: float


def choose_whole(problem: Problem, priced: Priced, *, threads: int = 1) -> Whole:
    """The best choice of whole contacts found near the prices.

    Small problems are solved to the optimum: an action whose worth at the prices lies
    further below the customer's best than bound and choice are apart is in no better
    choice, and what is left is solved whole.
    """
    choice = best_choices(problem, priced.prices, threads=threads)
    core = _closest(choice, CORE)
    action = choice.action.copy()
    action[core] = NO_ACTION
    _release(problem, choice, action)
    options = _best_options(problem, priced, core, each=OPTIONS_EACH)
    _solve(problem, action, options, nodes=_NODES, goal=priced.bound)
    _fill(problem, priced, choice, action)
    worth = total_worth(problem, action)
    bound = max(priced.bound, worth)
    apart = bound - worth
    if apart > EXACT * abs(bound):
        left = _open_options(problem, priced, apart)
        if left is not None:
            return _solve_exactly(problem, priced, choice, Whole(action, worth, bound), left)
    return Whole(action=action, worth=worth, bound=bound)


def usage_of(problem: Problem, action: Int16Array) -> Float64Array:
    """What a choice uses of each limit, in the order of `Problem.limits`."""
    rows = np.flatnonzero(action >= 0)
    taken = action[rows].astype(np.int64)
    cost = float(problem.cost[rows, taken].astype(np.float64).sum())
    seats = np.bincount(problem.channel_of[taken], minlength=len(problem.seats))
    n_groups = problem.groups.weight.shape[1]
    groups = np.bincount(problem.groups.group[rows], minlength=n_groups)
    counted = problem.groups.weight @ groups
    return np.concatenate([[cost], seats[: len(problem.seats)], counted, -counted])


def total_value(problem: Problem, action: Int16Array) -> float:
    """Sum of the chosen actions' values."""
    rows = np.flatnonzero(action >= 0)
    return float(problem.value[rows, action[rows].astype(np.int64)].astype(np.float64).sum())


def total_worth(problem: Problem, action: Int16Array) -> float:
    """The value, and what missed leasts take off it."""
    missed = np.maximum(_least_gap(problem, usage_of(problem, action)), 0.0).sum()
    value = total_value(problem, action)
    return value - least_price(problem) * float(missed) if missed > 0 else value


def _least_gap(problem: Problem, usage: Float64Array) -> Float64Array:
    n_rows = len(problem.groups.least)
    first = len(usage) - n_rows
    gap: Float64Array = usage[first:] - problem.limits[first:]
    return gap


def _closest(choice: Choice, size: int) -> Int64Array:
    """Rows of the smallest margins, ascending."""
    n = len(choice.margin)
    if n <= size:
        return np.arange(n)
    rows = np.argpartition(choice.margin, size - 1)[:size]
    return np.sort(rows)


def _release(problem: Problem, choice: Choice, action: Int16Array) -> None:
    """Let go of the closest calls that use more of a limit than there is."""
    room = problem.limits - usage_of(problem, action)
    room[len(room) - len(problem.groups.least) :] = np.inf
    if (room >= 0).all():
        return
    rows = np.flatnonzero(action >= 0)
    rows = rows[np.argsort(choice.margin[rows], kind="stable")]
    _let_go(
        rows, action, problem.cost, problem.channel_of, problem.groups.group,
        problem.groups.weight, room, len(problem.seats),
    )  # fmt: skip


@njit(cache=True)
def _let_go(  # type: ignore[no-untyped-def]
    rows, action, cost, channel_of, group, weight, room, n_channels
):
    n_rows = weight.shape[0]
    for row in rows:
        if room.min() >= 0.0:
            break
        taken = action[row]
        seat = 1 + channel_of[taken]
        helps = (room[0] < 0.0 and cost[row, taken] > 0.0) or room[seat] < 0.0
        for line in range(n_rows):
            helps |= room[1 + n_channels + line] < 0.0 and weight[line, group[row]] > 0.0
        if helps:
            action[row] = -1
            room[0] += cost[row, taken]
            room[seat] += 1.0
            for line in range(n_rows):
                room[1 + n_channels + line] += weight[line, group[row]]


@dataclass(frozen=True, slots=True)
class _Options:
    """Actions that customers may be given: `row` ascending, `action` of equal shape."""

    row: Int64Array
    action: Int64Array


def _worth(problem: Problem, priced: Priced, rows: Int64Array) -> Float64Array:
    """Value after prices of every action of some customers; -inf where none is allowed."""
    prices = priced.prices
    value = problem.value[rows].astype(np.float64)
    taken = prices.group_price(problem.groups)[problem.groups.group[rows]]
    worth = (
        value
        - prices.budget * problem.cost[rows]
        - np.append(prices.seats, 0.0)[problem.channel_of]
        - taken[:, None]
    )
    worth[~(value > 0)] = -np.inf
    return np.asarray(worth)


def _best_options(problem: Problem, priced: Priced, rows: Int64Array, *, each: int) -> _Options:
    worth = _worth(problem, priced, rows)
    order = np.argsort(-worth, axis=1, kind="stable")[:, :each]
    allowed = np.isfinite(np.take_along_axis(worth, order, axis=1))
    place, which = np.nonzero(allowed)
    return _Options(row=rows[place], action=order[place, which].astype(np.int64))


def _open_options(problem: Problem, priced: Priced, apart: float) -> _Options | None:
    """Options that a better choice may hold; null if there are too many to weigh."""
    rows, actions, count = [], [], 0
    for start in range(0, problem.n_customers, 100_000):
        block = np.arange(start, min(start + 100_000, problem.n_customers))
        worth = _worth(problem, priced, block)
        best = np.maximum(worth.max(axis=1, initial=-np.inf), 0.0)
        near = worth >= (best - apart - 1e-9 * abs(priced.bound))[:, None]
        near &= (np.maximum(near.sum(axis=1), 1) + (best <= apart) > 1)[:, None]
        place, which = np.nonzero(near)
        rows.append(block[place])
        actions.append(which)
        count += len(place)
        if count > EXACT_OPTIONS:
            return None
    return _Options(np.concatenate(rows), np.concatenate(actions).astype(np.int64))


def _solve_exactly(
    problem: Problem, priced: Priced, choice: Choice, found: Whole, left: _Options
) -> Whole:
    """The optimum, by weighing all options that can still be part of it."""
    action = choice.action.copy()
    action[left.row] = NO_ACTION
    proven = _solve(problem, action, left, nodes=_EXACT_NODES, goal=priced.bound)
    worth = total_worth(problem, action)
    fits = (usage_of(problem, action) <= problem.limits)[: _capped(problem)].all()
    if not fits or worth < found.worth:
        action, worth = found.action, found.worth
    bound = found.bound if proven is None else min(found.bound, max(proven, worth))
    return Whole(action=action, worth=worth, bound=bound)


def _capped(problem: Problem) -> int:
    """How many of the limits are never exceeded; leasts come after them."""
    return len(problem.limits) - len(problem.groups.least)


def _solve(
    problem: Problem, action: Int16Array, options: _Options, *, nodes: int, goal: float
) -> float | None:
    """Give the options' customers the actions of the best program, within what is left.

    Parameters
    ----------
    action : of everybody else; the options' customers have none yet. Changed in place.
    goal : sets the scale: differences of 1e-9 of it do not matter.

    Returns
    -------
    A bound on what any choice that keeps the others' actions is worth; null without one.
    """
    fixed_value = total_value(problem, action)
    room = problem.limits - usage_of(problem, action)
    room[0] -= _SLACK
    binding = np.flatnonzero(np.isfinite(problem.limits))
    if not len(options.row) or (room[binding[binding < _capped(problem)]] < 0).any():
        return None
    matrix = _usage_matrix(problem, options)[binding]
    customers, place = np.unique(options.row, return_inverse=True)
    n = len(options.row)
    once = csr_array((np.ones(n), (place, np.arange(n))), shape=(len(customers), n))
    least = np.flatnonzero(binding >= _capped(problem))
    missing = csr_array(
        (-np.ones(len(least)), (least, np.arange(len(least)))), shape=(len(binding), len(least))
    )
    scale = 1e4 / max(abs(goal), 1e-300)
    value = problem.value[options.row, options.action].astype(np.float64)
    penalty = np.full(len(least), least_price(problem))
    whole, loose = np.ones(n), np.zeros(len(least))
    with quiet_stdout():
        answer = milp(
            -scale * np.concatenate([value, -penalty]),
            constraints=[
                LinearConstraint(_beside(once, len(least)), -np.inf, 1.0),
                LinearConstraint(_joined(matrix, missing), -np.inf, room[binding]),
            ],
            integrality=np.concatenate([whole, loose]),
            bounds=Bounds(0.0, np.concatenate([whole, loose + np.inf])),
            options={"node_limit": nodes, "mip_rel_gap": 0.0},
        )
    if answer.x is None:
        return None
    taken = answer.x[:n] > 0.5
    action[options.row[taken]] = options.action[taken]
    return fixed_value - float(answer.mip_dual_bound) / scale


def _beside(matrix: csr_array, width: int) -> csr_array:
    """The matrix with empty columns on its right."""
    shape = (matrix.shape[0], matrix.shape[1] + width)
    return csr_array((matrix.data, matrix.indices, matrix.indptr), shape=shape)


def _joined(left: csr_array, right: csr_array) -> csr_array:
    joined: csr_array = vstack([left.T, right.T]).T.tocsr()
    return joined


def _usage_matrix(problem: Problem, options: _Options) -> csr_array:
    """What each option uses of each limit; shape (n_limits, n_options)."""
    n = len(options.row)
    rows = problem.groups.weight[:, problem.groups.group[options.row]]
    seats = np.zeros((len(problem.seats) + 1, n))
    seats[problem.channel_of[options.action], np.arange(n)] = 1.0
    cost = problem.cost[options.row, options.action].astype(np.float64)
    return csr_array(np.vstack([cost[None, :], seats[:-1], rows, -rows]))


def _fill(problem: Problem, priced: Priced, choice: Choice, action: Int16Array) -> None:
    """Give what is left of the limits to those whom it is worth most for."""
    # Who chooses no contact loses the margin by the best one; -inf where none is allowed.
    worth = np.where(choice.action >= 0, choice.profit, -choice.margin)
    able = np.flatnonzero((action < 0) & np.isfinite(worth))
    if not len(able):
        return
    size = min(len(able), _FILLED)
    able = able[np.argpartition(-worth[able], size - 1)[:size]]
    rows = able[np.lexsort((able, -worth[able]))]
    room = (problem.limits - usage_of(problem, action))[: _capped(problem)]
    room[0] -= _SLACK
    worth = _worth(problem, priced, rows)
    for place, row in enumerate(rows):
        used = _use_of(problem, int(row))
        fits = (used <= room[:, None]).all(axis=0) & np.isfinite(worth[place])
        if fits.any():
            chosen = int(np.argmax(np.where(fits, worth[place], -np.inf)))
            action[row] = chosen
            room -= used[:, chosen]


def _use_of(problem: Problem, row: int) -> Float64Array:
    """What each action of one customer uses of each limit but the leasts."""
    n_actions = len(problem.channel_of)
    options = _Options(np.full(n_actions, row), np.arange(n_actions))
    return np.asarray(_usage_matrix(problem, options)[: _capped(problem)].toarray())
