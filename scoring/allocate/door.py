"""What a problem must be like before anything is computed from it."""

from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.errors import DataError, describe
from scoring.allocate.dual import in_blocks
from scoring.allocate.problem import GroupLimits, Problem

_WORDS = ("values that are no number or infinite", "costs that are no number, infinite or below 0")


def check_problem(problem: Problem, *, threads: int) -> None:
    """Raise DataError, with all faults of the first kind found, unless all of it makes sense."""
    for faults in (_shape_faults, _limit_faults):
        found = faults(problem)
        if found:
            raise _error("; ".join(found))

    def count(start: int, stop: int) -> tuple[int, int]:
        bad: tuple[int, int] = _count_bad(problem.value[start:stop], problem.cost[start:stop])
        return bad

    parts = list(in_blocks(problem.n_customers, count, threads=threads))
    counts = [sum(part[kind] for part in parts) for kind in range(2)]
    found = [f"{n:,} {words}" for n, words in zip(counts, _WORDS, strict=True) if n]
    if found:
        raise _error("; ".join(found))


def close_unaffordable(problem: Problem, *, threads: int) -> Problem:
    """The same problem without actions that alone cost more than the budget.

    No allocation holds them, but prices and bound would count them. Where the budget buys nothing
    at all they are kept and it is called 0: only they tell what more of it would bring.
    """
    budget = problem.budget
    if not np.isfinite(budget):
        return problem

    def count(start: int, stop: int) -> tuple[int, int]:
        counts: tuple[int, int] = _count_unaffordable(
            problem.value[start:stop], problem.cost[start:stop], budget
        )
        return counts

    parts = list(in_blocks(problem.n_customers, count, threads=threads))
    if not sum(beyond for beyond, _ in parts):
        return problem
    if not sum(paid for _, paid in parts):
        return replace(problem, budget=0.0)
    value = problem.value.copy()
    value[problem.cost > np.float64(budget)] = -np.inf
    return replace(problem, value=value)


def _error(fault: str) -> DataError:
    return DataError(
        describe(
            "allocation",
            fault,
            expected="finite values (-inf for what is not allowed), costs and limits of at least 0",
            fix="look for missing or negative costs and amounts in winback.toml and the data",
        )
    )


def _shape_faults(problem: Problem) -> list[str]:
    n, n_actions = problem.value.shape
    groups, n_rows = problem.groups, len(problem.groups.least)
    n_groups = groups.weight.shape[1]
    agree = {
        "value has more actions than 16 bits can number": n_actions <= np.iinfo(np.int16).max,
        "cost is not shaped like value": problem.cost.shape == (n, n_actions),
        "channel_of does not name a channel for every action": problem.channel_of.shape
        == (n_actions,)
        and _within(problem.channel_of, len(problem.seats) + 1),
        "group does not name a group for every customer": groups.group.shape == (n,)
        and _within(groups.group, n_groups),
        "least, most and weight differ in their rows": groups.most.shape == (n_rows,)
        and groups.weight.shape == (n_rows, n_groups),
    }
    return [fault for fault, holds in agree.items() if not holds]


def _within(numbers: NDArray[np.integer], size: int) -> bool:
    return bool(((numbers >= 0) & (numbers < size)).all())


def _limit_faults(problem: Problem) -> list[str]:
    groups: GroupLimits = problem.groups
    # Written so that no number fails too.
    hold = {
        "the budget is no number or below 0": problem.budget >= 0,
        "seats are no number or below 0": (problem.seats >= 0).all(),
        "a most is no number or below 0": (groups.most >= 0).all(),
        "a least is no number or infinite": (groups.least < np.inf).all(),
        "weights are not finite": np.isfinite(groups.weight).all(),
        "the urgency of leasts is not above 0": groups.urgency > 0,
    }
    return [fault for fault, holds in hold.items() if not holds]


@njit(cache=True, nogil=True)
def _count_unaffordable(value, cost, budget):  # type: ignore[no-untyped-def]
    """How many options cost more than the budget, and how many cost something within it."""
    n_rows, n_actions = value.shape
    beyond, paid = 0, 0
    for row in range(n_rows):
        for action in range(n_actions):
            if value[row, action] > 0.0:
                if cost[row, action] > budget:
                    beyond += 1
                elif cost[row, action] > 0.0:
                    paid += 1
    return beyond, paid


@njit(cache=True, nogil=True)
def _count_bad(value, cost):  # type: ignore[no-untyped-def]
    n_rows, n_actions = value.shape
    values, costs = 0, 0
    for row in range(n_rows):
        for action in range(n_actions):
            here = value[row, action]
            if np.isnan(here) or here == np.inf:
                values += 1
            elif here > 0.0 and not (cost[row, action] >= 0.0 and cost[row, action] < np.inf):
                costs += 1
    return values, costs
