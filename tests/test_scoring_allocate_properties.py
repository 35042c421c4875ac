"""What holds for every night: limits, bounds, and that more is never worse."""

from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.allocate_rivals import (
    SORTS,
    closed_actions,
    limits_exceeded,
    solve_whole,
    sort_and_admit,
)
from benchmarks.allocate_shops import Sizes, random_night
from scoring.allocate.allocation import Allocation, allocate
from scoring.allocate.dual import best_totals, dual_value
from scoring.allocate.problem import Problem, no_groups, prices_of
from scoring.allocate.search import least_prices
from scoring.allocate.usage import room_left, total_worth

SMALL = Sizes(1, 40, 5)
few = settings(
    max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
seeds = st.integers(0, 10**6)


def night_of(seed: int) -> Problem:
    return random_night(np.random.default_rng(seed), SMALL)


def without_groups(seed: int) -> Problem:
    night = night_of(seed)
    return replace(night, groups=no_groups(night.n_customers))


def slack_of(found: Allocation) -> float:
    """How much a comparison of two allocations may miss by."""
    return found.bound - found.worth + 1e-6 * abs(found.worth)


@few
@given(seeds)
def test_no_limit_is_exceeded_and_the_bound_lies_above(seed: int) -> None:
    problem = night_of(seed)
    found = allocate(problem)
    assert limits_exceeded(problem, found.action) == 0
    assert closed_actions(problem, found.action) == 0
    assert found.worth <= found.bound
    assert 0.0 <= found.gap <= 1.0
    assert (found.prices.vector >= 0).all()
    room = room_left(problem, found.action)
    assert np.isfinite(room[np.isfinite(problem.limits)]).all()


@few
@given(seeds, st.floats(1.0, 4.0))
def test_more_money_never_brings_less(seed: int, times: float) -> None:
    problem = without_groups(seed)
    found, more = allocate(problem), allocate(replace(problem, budget=problem.budget * times))
    assert more.value >= found.value - slack_of(more)


@few
@given(seeds, st.integers(1, 20))
def test_more_seats_never_bring_less(seed: int, seats: int) -> None:
    problem = without_groups(seed)
    found, more = allocate(problem), allocate(replace(problem, seats=problem.seats + seats))
    assert more.value >= found.value - slack_of(more)


@few
@given(seeds)
def test_no_sort_is_worth_more(seed: int) -> None:
    problem = without_groups(seed)
    found = allocate(problem)
    best = max(total_worth(problem, sort_and_admit(problem, sort)) for sort in SORTS)
    assert found.worth >= best - 1e-9 * abs(best)


@few
@given(seeds)
def test_bounds_at_any_prices_lie_above_the_optimum(seed: int) -> None:
    problem = night_of(seed)
    exact = solve_whole(problem, seconds=10.0)
    if exact.missed > 0:
        return
    rng = np.random.default_rng(seed)
    for _ in range(20):
        vector = rng.exponential(10.0 ** rng.uniform(-3.0, 1.0), len(problem.limits))
        vector *= rng.random(len(vector)) < 0.7
        vector[~np.isfinite(problem.limits)] = 0.0
        first_least = len(vector) - len(problem.groups.least)
        vector[first_least:] = np.minimum(vector[first_least:], least_prices(problem))
        prices = prices_of(vector, problem)
        bound = dual_value(problem, prices, best_totals(problem, prices, threads=1))
        assert bound >= exact.worth - 1e-9 * abs(exact.worth)


@few
@given(seeds)
def test_the_order_of_customers_changes_no_worth(seed: int) -> None:
    problem = night_of(seed)
    order = np.random.default_rng(seed).permutation(problem.n_customers)
    groups = replace(problem.groups, group=problem.groups.group[order])
    turned = replace(problem, value=problem.value[order], cost=problem.cost[order], groups=groups)
    one, other = allocate(problem), allocate(turned)
    assert abs(one.worth - other.worth) <= max(slack_of(one), slack_of(other))
