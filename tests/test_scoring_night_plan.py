"""Plan and certificate: reserves, prices, bounds against all choices, caution."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_contest import choose_in, seats_contest

from scoring.arms import CONTACT, EXPLORE, GHOST
from scoring.choice import seat_limits
from scoring.contest import Contest, sent_share
from scoring.exploration import Exploration
from scoring.night_plan import certify, plan_contacts
from scoring.outcomes import LISTED, UNLIMITED
from scoring.policy import Experiment, SegmentLimit
from scoring.segment_limits import (
    SegmentRows,
    contact_counts,
    group_customers,
    group_limits,
    segment_contacts,
)


def money_contest(
    rng: np.random.Generator, n: int, *, seats: list[int], budget: float, sigmas: float = 0.0
) -> Contest:
    """n customers, one offer per channel, with costs and their variances."""
    contest = seats_contest(
        rng.normal(1.0, 1.0, (n, len(seats))), limits=seat_limits(np.array(seats, dtype=np.int64))
    )
    spent = rng.random((2, n, len(seats))).astype(np.float32)
    candidates = replace(contest.candidates, cost=spent[0], variance=spent[1] / 4)
    return replace(
        contest,
        candidates=candidates,
        limits=replace(contest.limits, budget=budget, sigmas=sigmas),
    )


def nobody_explores(n: int) -> Exploration:
    return Exploration(
        draw=np.zeros(n), on_trial=np.zeros(n, dtype=np.bool_), weights=None, share=0.0, floor=0.0
    )


def best_by_trial(contest: Contest, arm: NDArray[np.int8]) -> float:
    """The largest value of any choice for the contact arm, by trying all."""
    candidates, limits = contest.candidates, contest.limits
    rows = np.flatnonzero(arm == CONTACT)
    best = 0.0
    for taken in itertools.product(range(-1, candidates.value.shape[1]), repeat=len(rows)):
        chosen = [(row, action) for row, action in zip(rows, taken, strict=True) if action >= 0]
        cost = sum(float(candidates.cost[row, action]) for row, action in chosen)
        seats = np.bincount([action for _, action in chosen], minlength=len(limits.capacity))
        if cost <= limits.budget and (seats <= limits.capacity).all():
            best = max(best, sum(float(candidates.value[row, a]) for row, a in chosen))
    return best


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6), st.floats(0.2, 4.0))
def test_no_choice_for_the_contact_arm_beats_the_bound(seed: int, n: int, budget: float) -> None:
    rng = np.random.default_rng(seed)
    contest = money_contest(rng, n, seats=[1, 2], budget=budget)
    arm = rng.choice([CONTACT, GHOST], n).astype(np.int8)
    choices = choose_in(contest, arm=arm, exploration=nobody_explores(n))
    certificate = certify(contest, plan_contacts(contest), choices, arm)
    best = best_by_trial(contest, arm)
    assert certificate.value <= best + 1e-6
    assert best <= certificate.bound + 1e-6
    assert 0.0 <= certificate.gap <= 1.0


def test_large_nights_come_close_to_their_bound() -> None:
    rng = np.random.default_rng(4)
    contest = replace(
        money_contest(rng, 4000, seats=[300, 200], budget=150.0, sigmas=1.28), sent_share=0.9
    )
    arm = rng.choice([CONTACT, GHOST], 4000, p=[0.9, 0.1]).astype(np.int8)
    choices = choose_in(contest, arm=arm, exploration=nobody_explores(4000))
    certificate = certify(contest, plan_contacts(contest), choices, arm)
    assert certificate.gap < 0.01
    assert certificate.spent < certificate.spent_high <= 150.0
    assert certificate.spent_high > 0.97 * 150.0
    assert certificate.contacts == int(((choices.outcome == LISTED) & (arm == CONTACT)).sum())


def offers_contest(rng: np.random.Generator, n: int, *, budget: float) -> Contest:
    """Push, text message and phone, each plain and with a coupon that all who return are given."""
    contact = np.array([0.002, 0.002, 0.05, 0.05, 0.8, 0.8])
    given = rng.lognormal(2.5, 0.5, (n, 1)) * np.tile([0.0, 0.1], 3)
    returns = rng.beta(1.0, 6.0, (n, 1)) + rng.exponential(0.02, (n, 6))
    returns = np.clip(returns, 0.0, 0.9)
    value = rng.exponential(0.2, (n, 6)) * np.array([0.6, 0.9, 0.8, 1.2, 1.5, 2.0]) - contact / 4
    limits = seat_limits(np.array([UNLIMITED, n // 4, n // 50]), max_rows=n // 3)
    contest = seats_contest(value, limits=limits, sent_share=0.87)
    spread = (returns * (1.0 - returns) * given**2).astype(np.float32)
    candidates = replace(
        contest.candidates,
        cost=(contact + returns * given).astype(np.float32),
        variance=spread,
    )
    return replace(
        contest,
        candidates=candidates,
        channel_of=np.repeat(np.arange(3), 2),
        limits=replace(contest.limits, budget=budget, sigmas=1.28),
        explore_share=0.1,
    )


@pytest.mark.parametrize("n", [300, 3000, 12_000])
@pytest.mark.parametrize("each", [0.0004, 0.002, 0.01, 0.05])
def test_exploring_leaves_lists_with_a_budget_near_their_bound(n: int, each: float) -> None:
    rng = np.random.default_rng((n, int(each * 1e4)))
    contest = offers_contest(rng, n, budget=each * n)
    arm = rng.choice([CONTACT, EXPLORE, GHOST], n, p=[0.78, 0.09, 0.13]).astype(np.int8)
    exploration = Exploration(
        draw=rng.random(n), on_trial=np.zeros(n, np.bool_), weights=None, share=0.1, floor=0.0
    )
    choices = choose_in(contest, arm=arm, exploration=exploration)
    certificate = certify(contest, plan_contacts(contest), choices, arm)
    assert certificate.spent_high <= contest.limits.budget
    assert (arm[choices.outcome == LISTED] == EXPLORE).any()
    assert certificate.gap < (0.15 if n == 300 else 0.03)


def test_more_budget_never_plans_less() -> None:
    contest = offers_contest(np.random.default_rng(12), 2000, budget=1.0)
    gains = []
    for budget in np.geomspace(0.5, 200.0, 20):
        limits = replace(contest.limits, budget=float(budget))
        plan = plan_contacts(replace(contest, limits=limits))
        rows = np.flatnonzero(plan.action >= 0)
        taken = plan.action[rows]
        candidates = contest.candidates
        gains.append(float(candidates.value[rows, taken].sum()))
        spent = 0.87 * float(candidates.cost[rows, taken].sum())
        reserve = 1.28 * np.sqrt(0.87 * float(candidates.variance[rows, taken].sum()))
        assert spent + reserve <= budget * (1.0 + 1e-6)
        # Not even half of exploration's tenth of the budget lies idle.
        assert spent + reserve >= 0.9 * budget * (1.0 - 1e-2) or plan.prices.budget < 0.5
    assert (np.diff(gains) >= -1e-3 * np.array(gains[1:])).all()


def test_a_contact_dearer_than_the_budget_leaves_the_bound_alone() -> None:
    n = 300
    rng = np.random.default_rng(0)
    contest = money_contest(rng, n, seats=[UNLIMITED], budget=50.0)
    value, cost = rng.lognormal(1.0, 0.5, (n, 1)).astype(np.float32), np.ones((n, 1), np.float32)
    value[7], cost[7] = 20_000.0, 450.0
    candidates = replace(contest.candidates, value=value, cost=cost)
    contest = replace(contest, candidates=candidates)
    arm = np.full(n, CONTACT, dtype=np.int8)
    choices = choose_in(contest, arm=arm, exploration=nobody_explores(n))
    certificate = certify(contest, plan_contacts(contest), choices, arm)
    assert certificate.value > 100.0
    assert certificate.gap < 1e-3


def test_prices_are_the_same_whatever_the_arms() -> None:
    """The plan has no arms: nobody's own draw can move what they are held to."""
    contest = money_contest(np.random.default_rng(1), 300, seats=[30, 20], budget=20.0)
    first, second = plan_contacts(contest), plan_contacts(contest)
    assert (first.action == second.action).all()
    assert first.prices.vector.tolist() == second.prices.vector.tolist()


def test_a_price_is_what_the_next_seat_brings() -> None:
    contest = seats_contest(
        np.array([[5.0], [4.0], [3.0], [1.0]]), limits=seat_limits(np.array([2]))
    )
    assert 3.0 <= plan_contacts(contest).prices.seats[0] <= 4.0


def test_a_row_more_brings_something_only_if_it_is_sent() -> None:
    contest = seats_contest(
        np.array([[5.0], [4.0], [4.0], [1.0]]),
        limits=seat_limits(np.array([UNLIMITED]), max_rows=2),
        sent_share=0.5,
    )
    arm = np.array([CONTACT, GHOST, CONTACT, GHOST], dtype=np.int8)
    plan = plan_contacts(contest)
    choices = choose_in(contest, arm=arm, exploration=nobody_explores(4))
    assert certify(contest, plan, choices, arm).row_price == pytest.approx(0.5 * 4.0)


def test_exploration_takes_from_the_bound_what_it_uses() -> None:
    contest = seats_contest(np.array([[5.0], [4.0]]), limits=seat_limits(np.array([1])))
    arm = np.array([EXPLORE, CONTACT], dtype=np.int8)
    explores = replace(nobody_explores(2), share=1.0)
    choices = choose_in(contest, arm=arm, exploration=explores)
    certificate = certify(contest, plan_contacts(contest), choices, arm)
    assert (certificate.value, certificate.bound) == (0.0, 0.0)
    assert certificate.seats_used.tolist() == [1]


def test_sent_share_leaves_out_both_controls() -> None:
    experiment = Experiment(holdout_share=0.1, ghost_share=0.2)
    assert sent_share(experiment) == pytest.approx(0.72)


def rows_of(limits: list[SegmentLimit], members: list[list[bool]]) -> SegmentRows:
    return group_customers(limits, np.array(members))


def test_segments_are_counted_over_their_combinations() -> None:
    rows = rows_of(
        [SegmentLimit(name="a", max_contacts=2), SegmentLimit(name="b", min_share=0.5)],
        [[True, True, False, False], [False, True, True, False]],
    )
    assert len(set(rows.group.tolist())) == 4
    sent = np.array([True, True, False, True])
    assert segment_contacts(rows, sent).tolist() == [2, 1]
    least, most = contact_counts(rows, contacts=5)
    assert (least.tolist(), most.tolist()) == ([0, 3], [2, -1])


def test_the_plan_counts_controls_too() -> None:
    """Limits are of contacts: the plan may hold as many more as controls are expected."""
    rows = rows_of([SegmentLimit(name="a", min_contacts=4, max_contacts=8)], [[True, False]])
    limits = group_limits(rows, max_rows=10, sent_share=0.8, planned=0)
    assert limits.most.tolist() == [10.0, 10.0]
    assert limits.least.tolist() == [-np.inf, 5.0]


def test_a_least_share_of_few_customers_does_not_shorten_the_list() -> None:
    """Half for a segment of one: it gets its one contact, the others theirs."""
    contest = seats_contest(
        np.linspace(5.0, 1.0, 20)[:, None], limits=seat_limits(np.array([10], dtype=np.int64))
    )
    rows = rows_of([SegmentLimit(name="new", min_share=0.5)], [[False] * 19 + [True]])
    contest = replace(
        contest,
        candidates=replace(contest.candidates, group=rows.group),
        segments=rows,
        limits=replace(contest.limits, member=rows.member),
    )
    choices = choose_in(
        contest, arm=np.full(20, CONTACT, dtype=np.int8), exploration=nobody_explores(20)
    )
    listed = choices.outcome == LISTED
    assert listed.sum() == 10
    assert listed[19]
