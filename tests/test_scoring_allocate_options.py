"""What a program weighs: cheapest exchanges, nothing dominated, nothing out of reach."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.allocate_shops import Sizes, random_night
from scoring.allocate.allocation import allocate
from scoring.allocate.door import close_unaffordable
from scoring.allocate.dual import best_choices
from scoring.allocate.options import (
    Options,
    cheapest_exchanges,
    drop_dominated,
    merge_options,
    worth_of,
)
from scoring.allocate.problem import NO_ACTION, Problem, no_groups
from scoring.allocate.repair import lowest_rows
from scoring.allocate.search import find_prices


def priced_shop(rng: np.random.Generator, n: int) -> Problem:
    """A push that costs nothing, two text messages and a phone call, for a tight budget."""
    cost = np.broadcast_to(np.array([0.0, 0.05, 0.5, 2.0], dtype=np.float32), (n, 4)).copy()
    return Problem(
        value=rng.lognormal(0.0, 1.0, (n, 4)).astype(np.float32),
        cost=cost,
        channel_of=np.array([0, 1, 1, 2]),
        budget=n * 0.05,
        seats=np.array([n / 2.0, np.inf, np.inf]),
        groups=no_groups(n),
    )


def every_option(problem: Problem) -> Options:
    row, action = np.nonzero(problem.value > 0)
    return Options(row, action)


def pairs_of(options: Options) -> set[tuple[int, int]]:
    return set(zip(options.row.tolist(), options.action.tolist(), strict=True))


def test_the_cheapest_exchange_of_every_kind_is_among_them() -> None:
    problem = priced_shop(np.random.default_rng(3), 400)
    priced = find_prices(problem)
    choice = best_choices(problem, priced.prices, threads=1)
    worth = worth_of(problem, priced.prices, np.arange(400))
    found = pairs_of(cheapest_exchanges(problem, priced.prices, choice, each=2, most=10_000))
    kinds = 0
    for now in range(NO_ACTION, 4):
        rows = np.flatnonzero(choice.action == now)
        for instead in range(4):
            if instead == now or not len(rows):
                continue
            loss = choice.profit[rows] - worth[rows, instead]
            assert (int(rows[np.argmin(loss)]), instead) in found
            kinds += 1
    assert kinds > 10
    for row in {row for row, _ in found}:
        now = int(choice.action[row])
        assert now == NO_ACTION or (row, now) in found


def test_fewer_exchanges_are_the_first_of_every_kind() -> None:
    problem = priced_shop(np.random.default_rng(4), 300)
    priced = find_prices(problem)
    choice = best_choices(problem, priced.prices, threads=1)
    few = cheapest_exchanges(problem, priced.prices, choice, each=1, most=10_000)
    limited = cheapest_exchanges(problem, priced.prices, choice, each=5, most=len(few.row) // 2)
    assert pairs_of(limited) <= pairs_of(few)
    assert 0 < len(limited.row) < len(few.row)


def test_no_customers_have_no_exchanges() -> None:
    problem = priced_shop(np.random.default_rng(5), 0)
    priced = find_prices(problem)
    choice = best_choices(problem, priced.prices, threads=1)
    assert len(cheapest_exchanges(problem, priced.prices, choice, each=2, most=10).row) == 0


def test_options_that_another_beats_are_dropped_and_no_others() -> None:
    problem = replace(
        priced_shop(np.random.default_rng(0), 3),
        value=np.array(
            [[1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 3.0, 0.5], [1.0, 2.0, 1.0, 9.0]], dtype=np.float32
        ),
    )
    # Both text messages are of one channel: the dearer one has to be worth more.
    assert pairs_of(every_option(problem)) - pairs_of(
        drop_dominated(problem, every_option(problem))
    ) == {(1, 2), (2, 2)}


@pytest.mark.parametrize("seed", range(6))
def test_dropping_what_is_dominated_costs_nothing(seed: int) -> None:
    problem = random_night(np.random.default_rng((31, seed)), Sizes(20, 120, 12))
    kept = drop_dominated(problem, every_option(problem))
    value = np.full_like(problem.value, -np.inf)
    value[kept.row, kept.action] = problem.value[kept.row, kept.action]
    whole, less = allocate(problem), allocate(replace(problem, value=value))
    assert less.worth == pytest.approx(whole.worth, rel=1e-6)


def test_lots_of_options_are_merged_in_order_and_once() -> None:
    problem = priced_shop(np.random.default_rng(0), 9)
    one = Options(np.array([3, 3, 7]), np.array([1, 2, 0]))
    other = Options(np.array([0, 3]), np.array([3, 2]))
    merged = merge_options(problem, one, other)
    assert merged.row.tolist() == [0, 3, 3, 7]
    assert merged.action.tolist() == [3, 1, 2, 0]


def test_what_no_budget_buys_counts_in_no_bound() -> None:
    problem = priced_shop(np.random.default_rng(8), 200)
    problem.value[17, 3], problem.cost[17, 3] = 1e6, 5e4
    affordable = close_unaffordable(problem, threads=1)
    assert affordable.value[17, 3] == -np.inf
    assert problem.value[17, 3] > 0
    assert allocate(problem).gap < 1e-3
    # With it the prices' bound says little.
    assert find_prices(problem).bound > 1.05 * find_prices(affordable).bound


@pytest.mark.parametrize("budget", [0.0, 0.01])
def test_a_budget_that_buys_nothing_has_a_price(budget: float) -> None:
    problem = replace(priced_shop(np.random.default_rng(8), 200), budget=budget)
    found = allocate(problem)
    assert found.prices.budget > 1.0
    assert found.usage[0] == 0.0


def test_a_channel_without_seats_has_a_price() -> None:
    problem = replace(
        priced_shop(np.random.default_rng(8), 200), seats=np.array([0.0, np.inf, np.inf])
    )
    assert allocate(problem).prices.seats[0] > 0.01


def test_where_all_can_be_paid_nothing_is_copied() -> None:
    problem = priced_shop(np.random.default_rng(9), 50)
    assert close_unaffordable(problem, threads=1) is problem


def test_a_contact_as_dear_as_the_budget_is_compared_in_full_precision() -> None:
    # As 32-bit numbers both are equal, as 64-bit numbers the cost is above the budget.
    problem = Problem(
        value=np.array([[1.0], [0.5]], dtype=np.float32),
        cost=np.array([[0.1], [0.05]], dtype=np.float32),
        channel_of=np.array([0]),
        budget=0.1,
        seats=np.array([np.inf]),
        groups=no_groups(2),
    )
    found = allocate(problem)
    assert found.action.tolist() == [NO_ACTION, 0]
    assert found.gap == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("budget", [1.0, 1e10, 1e300])
def test_nothing_to_gain_is_nothing_to_do_whatever_the_budget(budget: float) -> None:
    problem = priced_shop(np.random.default_rng(2), 20)
    found = allocate(replace(problem, value=np.full_like(problem.value, -np.inf), budget=budget))
    assert (found.action == NO_ACTION).all()
    assert found.bound == 0.0
    shut = replace(problem, seats=np.zeros(3), budget=budget)
    assert (allocate(shut).action == NO_ACTION).all()


def test_costs_of_what_is_not_allowed_disturb_nothing() -> None:
    problem = priced_shop(np.random.default_rng(2), 20)
    problem.value[:, 3], problem.cost[:, 3] = -np.inf, np.inf
    without = replace(
        problem,
        value=problem.value[:, :3],
        cost=problem.cost[:, :3],
        channel_of=problem.channel_of[:3],
    )
    assert allocate(problem).worth == pytest.approx(allocate(without).worth)


def test_of_equal_numbers_the_first_are_lowest() -> None:
    numbers = np.array([2.0, 1.0, 3.0, 1.0, 2.0, 2.0, 0.0])
    assert lowest_rows(numbers, 5).tolist() == [0, 1, 3, 4, 6]
    assert lowest_rows(numbers, 3).tolist() == [1, 3, 6]
    assert lowest_rows(numbers, 99).tolist() == list(range(7))


def test_a_few_thousand_customers_of_a_few_kinds_share_seats_and_budget() -> None:
    rng = np.random.default_rng(0)
    problem = Problem(
        value=rng.integers(1, 4, (3000, 2)).astype(np.float32),
        cost=rng.integers(1, 4, (3000, 2)).astype(np.float32),
        channel_of=np.array([0, 1]),
        budget=1501.0,
        seats=np.array([400.0, np.inf]),
        groups=no_groups(3000),
    )
    assert allocate(problem, proves=False).value > 0.999 * allocate(problem).bound
