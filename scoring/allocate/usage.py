"""What a choice uses of the limits, and what it is worth."""

import numpy as np
from numpy.typing import NDArray

from scoring.allocate.problem import Problem
from scoring.allocate.search import least_prices

Float64Array = NDArray[np.float64]
Int16Array = NDArray[np.int16]

ROUNDING = 1e-9
"""By so much, relative, counts may seem to exceed a limit: shares of them are rounded numbers."""


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


def n_capped(problem: Problem) -> int:
    """How many of the limits are never exceeded; leasts come after them."""
    return len(problem.limits) - len(problem.groups.least)


def room_left(problem: Problem, action: Int16Array) -> Float64Array:
    """What a choice leaves of each limit; below 0 where it uses more, or misses a least."""
    limits = problem.limits
    room = limits - usage_of(problem, action)
    forgiven = ROUNDING * np.maximum(np.abs(limits), 1.0)
    forgiven[0] = 0.0
    room[np.isfinite(limits) & (np.abs(room) <= forgiven)] = 0.0
    return room


def fits(problem: Problem, action: Int16Array) -> bool:
    """Whether no limit is exceeded; leasts may be missed."""
    return bool((room_left(problem, action)[: n_capped(problem)] >= 0.0).all())


def missed_leasts(problem: Problem, action: Int16Array) -> Float64Array:
    """By how much each least is missed; shape (n_rows,)."""
    return np.maximum(-room_left(problem, action)[n_capped(problem) :], 0.0)


def total_value(problem: Problem, action: Int16Array) -> float:
    """Sum of the chosen actions' values."""
    rows = np.flatnonzero(action >= 0)
    return float(problem.value[rows, action[rows].astype(np.int64)].astype(np.float64).sum())


def total_worth(problem: Problem, action: Int16Array) -> float:
    """The value, and what missed leasts take off it."""
    return total_value(problem, action) - float(
        least_prices(problem) @ missed_leasts(problem, action)
    )
