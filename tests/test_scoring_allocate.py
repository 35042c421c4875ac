"""Allocations against every combination, against HiGHS, and where limits are odd."""

import ctypes
import sys
from dataclasses import replace
from time import process_time

import numpy as np
import pytest
from allocate_brute import best_of_all, tiny_problem

from benchmarks.allocate_rivals import limits_exceeded, solve_whole
from benchmarks.allocate_shops import Sizes, random_night, shop_matrices, shop_night
from features.errors import DataError
from scoring.allocate.allocation import allocate, missed_counts
from scoring.allocate.problem import GroupLimits, Problem, no_groups
from scoring.allocate.quiet import quiet_stdout
from scoring.allocate.usage import total_worth


def problem_of(
    value: object, cost: object, *, budget: float = np.inf, seats: object = (np.inf,)
) -> Problem:
    """One channel per action, unless there are fewer seats."""
    values = np.array(value, dtype=np.float32)
    limits = np.array(seats, dtype=np.float64)
    return Problem(
        value=values,
        cost=np.array(cost, dtype=np.float32),
        channel_of=np.minimum(np.arange(values.shape[1]), len(limits) - 1),
        budget=budget,
        seats=limits,
        groups=no_groups(len(values)),
    )


def alike(
    n: int, value: list[float], cost: list[float], *, budget: float, seats: list[float]
) -> Problem:
    """As many customers, all the same."""
    return problem_of([value] * n, [cost] * n, budget=budget, seats=seats)


def test_tiny_problems_reach_the_best_of_all_combinations() -> None:
    rng = np.random.default_rng(1)
    for _ in range(30):
        problem = tiny_problem(rng)
        found = allocate(problem)
        missed, value = best_of_all(problem)
        assert missed_counts(problem, found.action) == pytest.approx(missed)
        assert found.value == pytest.approx(value, rel=1e-6)
        assert limits_exceeded(problem, found.action) == 0
        assert found.bound >= found.worth


@pytest.mark.parametrize("seed", range(12))
def test_random_nights_equal_highs(seed: int) -> None:
    problem = random_night(np.random.default_rng((7, seed)), Sizes(50, 200, 10))
    found = allocate(problem)
    exact = solve_whole(problem, seconds=10.0)
    assert missed_counts(problem, found.action) == pytest.approx(exact.missed)
    assert total_worth(problem, found.action) >= exact.worth - 1e-6 * abs(exact.worth)
    assert limits_exceeded(problem, found.action) == 0


def test_the_choice_is_the_same_for_any_number_of_threads() -> None:
    problem = shop_night(*shop_matrices(70_000, seed=3), "very tight")
    one, two = allocate(problem, threads=1), allocate(problem, threads=2)
    assert one.action.tobytes() == two.action.tobytes()
    assert (one.value, one.bound) == (two.value, two.bound)
    assert one.prices.vector.tobytes() == two.prices.vector.tobytes()
    assert one.gap < 1e-4


def test_seats_go_to_as_many_of_equal_customers() -> None:
    found = allocate(alike(5_000, [2.0], [0.1], budget=np.inf, seats=[100]))
    assert found.value == pytest.approx(200.0)
    assert found.gap < 1e-6


def test_seats_for_half_of_a_hundred_thousand_equal_customers_are_all_taken() -> None:
    found = allocate(alike(100_000, [2.0], [0.1], budget=np.inf, seats=[50_000]))
    assert found.value == pytest.approx(100_000.0)


def test_equal_customers_share_a_budget_between_a_cheap_and_a_dear_contact() -> None:
    # Two thirds cheap and one third dear: neither alone comes near.
    found = allocate(alike(60_000, [1.0, 3.0], [1.0, 4.0], budget=120_000, seats=[np.inf] * 2))
    assert found.value == pytest.approx(100_000.0, rel=1e-4)
    assert found.gap < 1e-4


def test_equal_customers_share_channels() -> None:
    seats = [1_000.0, 300.0, 50.0]
    found = allocate(alike(20_000, [1.0, 2.0, 5.0], [0.1, 1.0, 2.0], budget=330.0, seats=seats))
    # Worth per money is 10, 2 and 2.5.
    assert found.value == pytest.approx(1_000 + 250 + 2 * 130, rel=0.01)
    assert found.gap < 0.01


def test_without_seats_money_or_allowed_actions_nobody_is_contacted() -> None:
    rng = np.random.default_rng(2)
    value, cost = rng.random((40, 2)), 0.1 + rng.random((40, 2))
    shut = [
        problem_of(value, cost, seats=[0, 0]),
        problem_of(value, cost, budget=0.0, seats=[np.inf] * 2),
        problem_of(np.full((40, 2), -np.inf), cost, seats=[9, 9]),
        problem_of(-value, cost, seats=[9, 9]),
        problem_of(np.zeros((0, 2)), np.zeros((0, 2)), seats=[9, 9], budget=5.0),
    ]
    for problem in shut:
        found = allocate(problem)
        assert (found.action == -1).all()
        assert (found.value, found.gap) == (0.0, pytest.approx(0.0, abs=1e-9))


def test_what_costs_nothing_needs_no_budget() -> None:
    found = allocate(problem_of([[1.0, 5.0]] * 50, [[0.0, 1.0]] * 50, budget=0.0, seats=[30, 30]))
    assert (found.action == 0).sum() == 30
    assert (found.action == 1).sum() == 0


def test_slack_limits_have_no_price() -> None:
    rng = np.random.default_rng(3)
    value = rng.normal(size=(300, 3))
    found = allocate(problem_of(value, rng.random((300, 3)), budget=1e6, seats=[400, 400, np.inf]))
    assert found.value == pytest.approx(np.maximum(value.max(axis=1), 0.0).sum(), rel=1e-5)
    assert not found.prices.vector.any()
    assert found.gap == pytest.approx(0.0, abs=1e-9)


def test_a_price_is_what_one_more_seat_adds() -> None:
    rng = np.random.default_rng(4)
    problem = problem_of(rng.random((3_000, 1)), np.ones((3_000, 1)), seats=[600])
    found = allocate(problem)
    more = allocate(replace(problem, seats=np.array([601.0])))
    assert found.prices.seats[0] == pytest.approx(more.value - found.value, abs=1e-3)


def grouped(problem: Problem, weight: object, least: object, most: object) -> Problem:
    """Customers take turns in the groups."""
    rows = np.array(weight, dtype=np.float64)
    group = (np.arange(problem.n_customers) % rows.shape[1]).astype(np.int32)
    limits = np.array(least, dtype=np.float64), np.array(most, dtype=np.float64)
    return replace(problem, groups=GroupLimits(group, rows, *limits))


def test_a_least_beyond_what_there_is_takes_all_there_is() -> None:
    problem = problem_of([[5.0], [1.0]] * 20, np.ones((40, 1)), seats=[30])
    found = allocate(grouped(problem, [[0, 1]], [25.0], [np.inf]))
    assert found.usage[2] == 20
    assert found.usage[1] == 30
    assert found.value == pytest.approx(10 * 5 + 20 * 1)


def test_a_least_displaces_many_better_contacts_where_it_has_to() -> None:
    # A contact of the second group costs as much as 20 of the first, each worth more.
    problem = problem_of([[5.0], [1.0]] * 50, [[1.0], [20.0]] * 50, budget=45.0)
    found = allocate(grouped(problem, [[0, 1]], [2.0], [np.inf]))
    assert found.usage[2] == 2
    assert found.value == pytest.approx(2 * 1 + 5 * 5)


def test_shares_at_most_and_at_least_are_kept() -> None:
    rng = np.random.default_rng(5)
    value = rng.random((400, 1)) + np.array([0.5, 0.0])[np.arange(400) % 2][:, None]
    problem = problem_of(value, np.ones((400, 1)), seats=[100])
    free = allocate(problem)
    at_most = allocate(grouped(problem, [[0.7, -0.3]], [-np.inf], [0.0]))
    at_least = allocate(grouped(problem, [[-0.6, 0.4]], [0.0], [np.inf]))
    first = [float((found.action[::2] >= 0).sum()) for found in (free, at_most, at_least)]
    assert first[0] > 60
    assert first[1:] == [30, 40]
    assert free.value > at_least.value > at_most.value


def test_fifty_segment_rows_are_kept() -> None:
    rng = np.random.default_rng(6)
    value, cost = shop_matrices(2_000, seed=8)
    night = shop_night(value, cost, "tight")
    group = rng.integers(0, 64, 2_000).astype(np.int32)
    weight = (rng.random((50, 64)) < 0.3).astype(np.float64)
    least = np.where(np.arange(50) % 2, 30.0, -np.inf)
    most = np.where(np.arange(50) % 2, np.inf, 330.0)
    problem = replace(night, groups=GroupLimits(group, weight, least, most))
    found = allocate(problem)
    assert limits_exceeded(problem, found.action) == 0
    assert missed_counts(problem, found.action) == 0.0
    assert found.gap < 1e-3


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_the_unit_of_money_changes_nothing(unit: float) -> None:
    night = random_night(np.random.default_rng(12), Sizes(300, 300, 8))
    scaled = replace(
        night,
        value=(night.value * np.float32(unit)).astype(np.float32),
        cost=(night.cost * np.float32(unit)).astype(np.float32),
        budget=night.budget * unit,
    )
    one, other = allocate(night), allocate(scaled)
    assert other.value == pytest.approx(one.value * unit, rel=1e-6)
    assert other.gap < 1e-6
    assert limits_exceeded(scaled, other.action) == 0


def test_a_budget_that_fits_to_the_last_cent_is_spent() -> None:
    found = allocate(problem_of([[1.0]] * 90, [[0.5]] * 90, budget=20.0))
    assert found.usage[0] == 20.0


def test_hard_knapsacks_end_soon_and_tell_their_gap() -> None:
    # Worth as much as they cost, a few of them enormous: nothing tells them apart.
    rng = np.random.default_rng(9)
    size = (rng.pareto(1.1, (3_000, 6)) + 0.1).astype(np.float32)
    problem = problem_of(size, size, budget=float(size.sum()) / 500, seats=[300] * 6)
    begun = process_time()
    found = allocate(problem)
    assert process_time() - begun < 20
    assert found.worth <= found.bound
    assert limits_exceeded(problem, found.action) == 0
    assert found.gap < 1e-3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"value": np.array([[np.nan], [1.0]], np.float32)}, "1 values that are no number"),
        ({"value": np.array([[np.inf], [1.0]], np.float32)}, "1 values that are no number"),
        ({"cost": np.array([[-1.0], [np.nan]], np.float32)}, "2 costs that are no number"),
        ({"cost": np.ones((1, 1), np.float32)}, "cost is not shaped like value"),
        ({"budget": -1.0}, "the budget is no number or below 0"),
        ({"budget": np.nan}, "the budget is no number or below 0"),
        ({"seats": np.array([-2.0])}, "seats are no number or below 0"),
        ({"channel_of": np.array([7])}, "channel_of does not name a channel"),
    ],
)
def test_what_is_no_problem_is_refused(change: dict[str, object], words: str) -> None:
    problem = problem_of([[1.0], [1.0]], [[1.0], [1.0]], seats=[1])
    with pytest.raises(DataError, match=words):
        allocate(replace(problem, **change))  # type: ignore[arg-type]


def test_a_cost_that_nobody_pays_may_be_anything() -> None:
    found = allocate(problem_of([[-np.inf, 1.0]], [[np.nan, 1.0]], budget=5.0, seats=[1, 1]))
    assert found.action.tolist() == [1]


def test_standard_output_stays_clean(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_stdout():
        ctypes.CDLL(None).puts(b"from C")
    allocate(random_night(np.random.default_rng(12), Sizes(300, 300, 8)))
    sys.stdout.write("after")
    assert capfd.readouterr().out == "after"
