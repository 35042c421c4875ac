"""The optimum with its proof: `allocate` is what the rest of winback calls."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scoring.allocate.core import choose_whole
from scoring.allocate.door import check_problem, close_unaffordable
from scoring.allocate.problem import Prices, Problem
from scoring.allocate.search import find_prices
from scoring.allocate.usage import missed_leasts, total_value, usage_of

Float64Array = NDArray[np.float64]
Int16Array = NDArray[np.int16]

URGENCIES = (50.0, 2000.0)
"""How much a least that was missed may displace, in contacts of the largest value."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """Who gets which action, and how good that is.

    Attributes
    ----------
    action : shape (n,), `NO_ACTION` for no contact.
    value : sum of the chosen actions' values.
    worth : the same less what missed leasts are taken to cost; equal to `value` where every
        least is reached.
    bound : no allocation within the limits is worth more.
    prices : what one more unit of each limit would add.
    usage : of each limit, in the order of `Problem.limits`.
    """

    action: Int16Array
    value: float
    worth: float
    bound: float
    prices: Prices
    usage: Float64Array

    @property
    def gap(self) -> float:
        """How far the best allocation may be away, as a share of its value."""
        apart = self.bound - self.worth
        best = self.value + apart
        return apart / best if best > 0 else 0.0


def allocate(
    problem: Problem, *, proves: bool = True, threads: int = 1, seed: int = 0
) -> Allocation:
    """Choose contacts of the largest total value within all limits.

    Prices of the limits are found by minimising the dual function, closest calls are solved
    as a mixed-integer program. Where a least above 0 is missed, it is asked for again with more
    urgency, in case contacts of more value stood in its way. METHODS section 4;
    docs/allocation.md.

    Parameters
    ----------
    proves : whether small problems are searched on, until the best choice is proven if that can
        be done in some seconds; without it they are left as near as large ones.
    threads : that walk over the customers; the result does not depend on them.
    seed : draws samples that speed up the search for prices.

    Raises
    ------
    DataError
        If values, costs or limits are no numbers, or negative where they must not be.
    """
    check_problem(problem, threads=threads)
    problem = close_unaffordable(problem, threads=threads)
    found = _allocate(problem, proves=proves, threads=threads, seed=seed)
    missed = missed_counts(problem, found.action)
    for urgency in URGENCIES:
        if missed == 0.0:
            break
        urgent = replace(problem, groups=replace(problem.groups, urgency=urgency))
        another = _allocate(urgent, proves=False, threads=threads, seed=seed)
        still = missed_counts(problem, another.action)
        if still >= missed:
            continue
        found, missed = another, still
        if proves:
            another = _allocate(urgent, proves=True, threads=threads, seed=seed)
            if missed_counts(problem, another.action) <= missed:
                found, missed = another, missed_counts(problem, another.action)
    return found


def missed_counts(problem: Problem, action: Int16Array) -> float:
    """By how many contacts leasts above 0 are missed, all together."""
    asked = problem.groups.least > 0
    return float(missed_leasts(problem, action)[asked].sum())


def _allocate(problem: Problem, *, proves: bool, threads: int, seed: int) -> Allocation:
    priced = find_prices(problem, threads=threads, seed=seed)
    whole = choose_whole(problem, priced, proves=proves, threads=threads)
    return Allocation(
        action=whole.action,
        value=total_value(problem, whole.action),
        worth=whole.worth,
        bound=whole.bound,
        prices=priced.prices,
        usage=usage_of(problem, whole.action),
    )
