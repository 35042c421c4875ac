"""What the allocation is compared with: the whole problem given to HiGHS, and three sorts."""

from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, hstack, vstack

from scoring.allocate.allocation import URGENCIES, missed_counts
from scoring.allocate.problem import NO_ACTION, Problem
from scoring.allocate.quiet import quiet_stdout
from scoring.allocate.search import least_prices
from scoring.allocate.usage import n_capped, room_left, total_worth

Int16Array = NDArray[np.int16]
Int64Array = NDArray[np.int64]
Float64Array = NDArray[np.float64]

SORTS = ("value", "value per cost", "best value per cost")


@dataclass(frozen=True, slots=True)
class Exact:
    """HiGHS's answer to the whole problem.

    Attributes
    ----------
    worth : of its choice, at the urgency of leasts that the problem came with; -inf
        without a choice.
    missed : contacts by which the choice misses leasts above 0.
    proven : whether it finished before the time limit.
    """

    worth: float
    missed: float
    proven: bool
    seconds: float


def solve_whole(problem: Problem, *, seconds: float = 60.0) -> Exact:
    """All customers with all their actions as one mixed-integer program.

    Missed leasts are asked for with more urgency, as in the allocation.
    """
    found = _solve(problem, seconds=seconds, told=problem)
    for urgency in URGENCIES:
        if found.missed == 0.0:
            break
        urgent = replace(problem, groups=replace(problem.groups, urgency=urgency))
        another = _solve(urgent, seconds=seconds, told=problem)
        if another.missed < found.missed:
            found = another
    return found


def _solve(problem: Problem, *, seconds: float, told: Problem) -> Exact:
    row, action = np.nonzero(problem.value > 0)
    if not len(row):
        none = np.full(problem.n_customers, NO_ACTION, dtype=np.int16)
        return Exact(
            total_worth(told, none), missed_counts(problem, none), proven=True, seconds=0.0
        )
    n = len(row)
    place = np.arange(n)
    once = csr_array((np.ones(n), (row, place)), shape=(problem.n_customers, n))
    money = problem.cost[row, action].astype(np.float64)[None, :]
    seats = csr_array(
        (np.ones(n), (problem.channel_of[action], place)), shape=(len(problem.seats), n)
    )
    counted = problem.groups.weight[:, problem.groups.group[row]]
    usage = vstack([csr_array(money), seats, csr_array(counted), csr_array(-counted)]).tocsr()
    n_least = len(problem.groups.least)
    missing = csr_array(
        (-np.ones(n_least), (usage.shape[0] - n_least + np.arange(n_least), np.arange(n_least))),
        shape=(usage.shape[0], n_least),
    )
    empty = csr_array((problem.n_customers, n_least))
    value = problem.value[row, action].astype(np.float64)
    scale = 1e4 / max(float(value.sum()), 1e-300)
    penalty = least_prices(problem)
    begun = perf_counter()
    with quiet_stdout():
        answer = milp(
            -scale * np.concatenate([value, -penalty]),
            constraints=[
                LinearConstraint(hstack([once, empty]).tocsr(), -np.inf, 1.0),
                LinearConstraint(hstack([usage, missing]).tocsr(), -np.inf, problem.limits),
            ],
            integrality=np.concatenate([np.ones(n), np.zeros(n_least)]),
            bounds=Bounds(0.0, np.concatenate([np.ones(n), np.full(n_least, np.inf)])),
            options={"time_limit": seconds, "mip_rel_gap": 1e-8},
        )
    spent = perf_counter() - begun
    if answer.x is None:
        return Exact(-np.inf, 0.0, proven=False, seconds=spent)
    chosen = np.full(problem.n_customers, NO_ACTION, dtype=np.int16)
    taken = answer.x[:n] > 0.5
    chosen[row[taken]] = action[taken]
    missed = missed_counts(problem, chosen)
    return Exact(total_worth(told, chosen), missed, answer.status == 0, spent)


def sort_and_admit(problem: Problem, sort: str) -> Int16Array:
    """One action for everybody, admitted in order while the limits allow; leasts are ignored.

    "value" takes everybody's most valuable action, most valuable first; "value per cost"
    sorts the same actions by value per money; "best value per cost" also chooses them so.
    """
    value = np.where(problem.value > 0, problem.value, -np.inf)
    per_cost = value / np.maximum(problem.cost, np.float32(1e-9))
    chosen = np.argmax(per_cost if sort == SORTS[2] else value, axis=1)
    everybody = np.arange(problem.n_customers)
    key = (value if sort == SORTS[0] else per_cost)[everybody, chosen]
    rows = np.flatnonzero(np.isfinite(key))
    order = rows[np.argsort(-key[rows], kind="stable")]
    action = np.full(problem.n_customers, NO_ACTION, dtype=np.int16)
    _admit(
        order, chosen, problem.cost, problem.channel_of, problem.groups.group,
        problem.groups.weight, problem.limits.copy(), len(problem.seats), action,
    )  # fmt: skip
    return action


@njit(cache=True)
def _admit(  # type: ignore[no-untyped-def]
    order, chosen, cost, channel_of, group, weight, room, n_channels, out_action
):
    n_rows = weight.shape[0]
    for row in order:
        action = chosen[row]
        seat = 1 + channel_of[action]
        fits = cost[row, action] <= room[0] and room[seat] >= 1.0
        for line in range(n_rows):
            used = weight[line, group[row]]
            fits &= used <= room[1 + n_channels + line] or used <= 0.0
        if fits:
            out_action[row] = action
            room[0] -= cost[row, action]
            room[seat] -= 1.0
            for line in range(n_rows):
                room[1 + n_channels + line] -= weight[line, group[row]]


def limits_exceeded(problem: Problem, action: Int16Array) -> int:
    """How many budgets, seats and mosts a choice exceeds."""
    return int((room_left(problem, action)[: n_capped(problem)] < 0.0).sum())


def closed_actions(problem: Problem, action: Int16Array) -> int:
    """How many customers got an action that is not worth anything or not allowed."""
    rows = np.flatnonzero(action >= 0)
    return int((~(problem.value[rows, action[rows].astype(np.int64)] > 0)).sum())
