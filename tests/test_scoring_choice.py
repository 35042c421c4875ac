"""The choice: the plan's customers in turn, seats, money, segments, exploration."""

from dataclasses import fields, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from small_contest import choose_in, seats_contest

from scoring.arms import CONTACT, EXPLORE, GHOST, HOLDOUT
from scoring.choice import Candidates, Choices, seat_limits
from scoring.contest import Contest
from scoring.exploration import Exploration
from scoring.night_plan import plan_contacts
from scoring.outcomes import (
    BUDGET_SPENT,
    CAPACITY_FULL,
    GAIN_BELOW_MINIMUM,
    LIST_FULL,
    LISTED,
    NO_ACTION,
    NOT_YET,
    OUTBID,
    SEGMENT_FULL,
    UNLIMITED,
)
from scoring.policy import SegmentLimit
from scoring.segment_limits import group_customers


def contest_of(
    gains: list[list[float]],
    *,
    capacity: list[int],
    allowed: list[list[bool]] | None = None,
    max_rows: int = UNLIMITED,
    min_gain: float = 0.0,
) -> Contest:
    """Seats alone, ties by falling place."""
    n = len(gains)
    matrix = np.array(gains, dtype=np.float64).reshape(n, len(gains[0]) if gains else 1)
    return seats_contest(
        matrix,
        limits=seat_limits(
            np.array(capacity, dtype=np.int64), max_rows=max_rows, min_gain=min_gain
        ),
        allowed=None if allowed is None else np.array(allowed, dtype=bool),
        tie=np.linspace(0.9, 0.1, n),
    )


def choose(
    contest: Contest,
    *,
    arm: list[int] | None = None,
    explore_draw: list[float] | None = None,
    on_trial: bool = False,
    weights: list[float] | None = None,
) -> Choices:
    """Contact arm and uniform exploration by default."""
    n = len(contest.candidates.tie)
    return choose_in(
        contest,
        arm=np.array(arm or [CONTACT] * n, dtype=np.int8),
        exploration=Exploration(
            draw=np.array(explore_draw or [0.0] * n),
            on_trial=np.full(n, on_trial),
            weights=None if weights is None else np.tile(weights, (n, 1)),
            share=1.0,
            floor=0.0,
        ),
    )


def with_money(contest: Contest, cost: list[list[float]], *, budget: float) -> Contest:
    """The same where actions cost something."""
    spent = np.array(cost, dtype=np.float32)
    candidates = replace(contest.candidates, cost=spent)
    return replace(contest, candidates=candidates, limits=replace(contest.limits, budget=budget))


def with_segment(contest: Contest, members: list[bool], limit: SegmentLimit) -> Contest:
    """The same with a limit on some of the customers."""
    rows = group_customers([limit], np.array([members]))
    return replace(
        contest,
        candidates=replace(contest.candidates, group=rows.group),
        segments=rows,
        limits=replace(contest.limits, member=rows.member),
    )


def test_the_best_channel_is_taken() -> None:
    choices = choose(contest_of([[1.0, 9.0], [9.0, 1.0]], capacity=[UNLIMITED, UNLIMITED]))
    assert choices.action.tolist() == [1, 0]


def test_scarce_seats_go_where_they_add_most() -> None:
    """The first would gain more by channel 0, but loses less by going to 1."""
    choices = choose(contest_of([[5.0, 4.9], [4.0, 1.0]], capacity=[1, UNLIMITED]))
    assert choices.action.tolist() == [1, 0]
    assert choices.best_action.tolist() == [1, 0]


def test_an_action_that_is_not_allowed_is_never_taken() -> None:
    contest = contest_of([[-1.0, 9.0]], capacity=[UNLIMITED, UNLIMITED], allowed=[[True, False]])
    assert choose(contest).outcome.tolist() == [GAIN_BELOW_MINIMUM]


def test_the_best_offer_of_a_channel_is_taken() -> None:
    choices = choose(contest_of([[1.0, 3.0, 2.0, 9.0]], capacity=[UNLIMITED, 0]))
    assert choices.action.tolist() == [1]


def test_scarce_capacity_goes_to_the_most_valuable() -> None:
    choices = choose(contest_of([[1.0], [3.0], [2.0]], capacity=[2]))
    assert choices.outcome.tolist() == [OUTBID, LISTED, LISTED]


def test_ties_list_as_many_as_there_are_seats() -> None:
    choices = choose(contest_of([[1.0], [1.0], [1.0]], capacity=[1]))
    assert (choices.outcome == LISTED).sum() == 1


def test_controls_use_no_seat() -> None:
    contest = contest_of([[5.0], [4.0], [3.0]], capacity=[1])
    choices = choose(contest, arm=[GHOST, HOLDOUT, CONTACT])
    assert choices.outcome.tolist() == [LISTED, LISTED, LISTED]
    assert choices.action.tolist() == [0, 0, 0]


def test_the_next_in_worth_takes_a_seat_that_chance_left_empty() -> None:
    """The plan counts on 1.25 customers per seat; the first is a ghost."""
    contest = replace(contest_of([[5.0], [4.0], [3.0]], capacity=[1]), sent_share=0.8)
    choices = choose(contest, arm=[GHOST, CONTACT, CONTACT])
    assert choices.outcome.tolist() == [LISTED, LISTED, OUTBID]


def test_list_full_counts_controls() -> None:
    contest = contest_of([[5.0], [4.0], [3.0]], capacity=[UNLIMITED], max_rows=2)
    choices = choose(contest, arm=[GHOST, CONTACT, CONTACT])
    assert choices.outcome.tolist() == [LISTED, LISTED, LIST_FULL]


def test_gain_must_exceed_the_minimum() -> None:
    choices = choose(contest_of([[1.0], [1.1]], capacity=[UNLIMITED], min_gain=1.0))
    assert choices.outcome.tolist() == [GAIN_BELOW_MINIMUM, LISTED]


def test_zero_capacity_everywhere_lists_nobody() -> None:
    choices = choose(contest_of([[1.0, 2.0]], capacity=[0, 0]))
    assert choices.outcome.tolist() == [CAPACITY_FULL]


def test_the_budget_buys_what_it_brings_most_of() -> None:
    contest = with_money(
        contest_of([[3.0], [2.0], [2.0]], capacity=[UNLIMITED]),
        [[2.0], [1.0], [1.0]],
        budget=2.0,
    )
    choices = choose(contest)
    assert choices.outcome.tolist()[1:] == [LISTED, LISTED]
    assert choices.outcome[0] in {OUTBID, BUDGET_SPENT}


def test_a_reserve_is_kept_for_more_returns_than_expected() -> None:
    """Expected 1.0 each with a variance of 1: two cost 2, and 3.4 with one deviation."""
    contest = with_money(
        contest_of([[3.0], [2.0], [2.0]], capacity=[UNLIMITED]),
        [[1.0], [1.0], [1.0]],
        budget=2.5,
    )
    unsure = replace(contest.candidates, variance=np.ones((3, 1), dtype=np.float32))
    contest = replace(contest, candidates=unsure, limits=replace(contest.limits, sigmas=1.0))
    assert (choose(contest).outcome == LISTED).sum() == 1


def test_a_segment_gets_no_more_than_its_most() -> None:
    contest = with_segment(
        contest_of([[5.0], [4.0], [3.0]], capacity=[UNLIMITED]),
        [True, True, False],
        SegmentLimit(name="rich", max_contacts=1),
    )
    choices = choose(contest)
    assert choices.outcome[2] == LISTED
    assert choices.outcome[0] == LISTED
    assert choices.outcome[1] in {OUTBID, SEGMENT_FULL}


def test_customers_of_a_segment_that_may_get_nothing_are_not_called_outbid() -> None:
    contest = with_segment(
        contest_of([[5.0], [4.0], [3.0], [-1.0]], capacity=[UNLIMITED]),
        [True, True, False, True],
        SegmentLimit(name="rich", max_contacts=0),
    )
    outcome = choose(contest).outcome.tolist()
    assert outcome == [SEGMENT_FULL, SEGMENT_FULL, LISTED, GAIN_BELOW_MINIMUM]


def test_a_segment_gets_its_least_before_others() -> None:
    contest = with_segment(
        contest_of([[5.0], [4.0], [3.0]], capacity=[2]),
        [False, False, True],
        SegmentLimit(name="new", min_contacts=1),
    )
    assert choose(contest).outcome.tolist()[2] == LISTED


def test_a_least_that_cannot_be_reached_is_missed_by_as_little_as_possible() -> None:
    contest = with_segment(
        contest_of([[5.0], [-1.0], [3.0]], capacity=[2]),
        [False, True, True],
        SegmentLimit(name="new", min_contacts=2),
    )
    assert choose(contest).outcome.tolist() == [LISTED, GAIN_BELOW_MINIMUM, LISTED]


def test_a_least_share_is_of_the_contacts_sent() -> None:
    gains = [[9.0 - place / 10] for place in range(20)]
    contest = with_segment(
        contest_of(gains, capacity=[10]),
        [place >= 12 for place in range(20)],
        SegmentLimit(name="new", min_share=0.3),
    )
    listed = choose(contest).outcome == LISTED
    assert listed.sum() == 10
    assert listed[12:].sum() == 3


def test_a_most_share_is_of_the_contacts_sent() -> None:
    gains = [[9.0 - place / 10] for place in range(20)]
    contest = with_segment(
        contest_of(gains, capacity=[UNLIMITED]),
        [place < 15 for place in range(20)],
        SegmentLimit(name="known", max_share=0.5),
    )
    listed = choose(contest).outcome == LISTED
    assert listed[15:].sum() == 5
    assert listed[:15].sum() == 5


def test_who_is_held_back_is_listed_on_trial_only() -> None:
    contest = contest_of([[5.0], [4.0]], capacity=[UNLIMITED])
    held = replace(contest, candidates=replace(contest.candidates, held=np.array([True, False])))
    assert choose(held).outcome.tolist() == [NOT_YET, LISTED]
    tried = choose(held, on_trial=True, weights=[1.0], arm=[EXPLORE, CONTACT])
    assert tried.outcome.tolist() == [LISTED, LISTED]
    assert tried.best_action.tolist() == [NO_ACTION, 0]


def test_exploration_draws_from_allowed_actions_with_capacity() -> None:
    contest = contest_of(
        [[5.0, -9.0, 1.0, 0.5]] * 4,
        capacity=[UNLIMITED, UNLIMITED],
        allowed=[[True, True, False, True]] * 4,
    )
    choices = choose(contest, arm=[EXPLORE] * 4, explore_draw=[0.0, 0.34, 0.67, 0.999])
    assert choices.action.tolist() == [0, 1, 3, 3]
    assert choices.n_actions.tolist() == [3, 3, 3, 3]
    assert choices.best_action.tolist() == [0, 0, 0, 0]


def test_exploration_leaves_out_full_channels() -> None:
    contest = contest_of([[5.0, 1.0], [4.0, 1.0]], capacity=[1, UNLIMITED])
    choices = choose(contest, arm=[CONTACT, EXPLORE], explore_draw=[0.0, 0.0])
    assert choices.action.tolist() == [0, 1]
    assert choices.n_actions.tolist() == [2, 1]


def test_exploration_spends_no_more_than_the_budget() -> None:
    contest = with_money(
        contest_of([[5.0, 4.0], [5.0, 4.0]], capacity=[UNLIMITED, UNLIMITED]),
        [[1.0, 3.0], [1.0, 3.0]],
        budget=2.0,
    )
    choices = choose(contest, arm=[EXPLORE, EXPLORE], explore_draw=[0.99, 0.99])
    assert choices.action.tolist() == [0, 0]


def test_nobody_and_nothing() -> None:
    assert choose(contest_of([], capacity=[1])).outcome.tolist() == []
    assert choose(contest_of([[], []], capacity=[])).outcome.tolist() == [GAIN_BELOW_MINIMUM] * 2


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(0, 12), st.floats(0.01, 5.0))
def test_no_limit_is_ever_exceeded(seed: int, customers: int, capacity: int, budget: float) -> None:
    rng = np.random.default_rng(seed)
    gains = rng.normal(size=(customers, 4)).tolist()
    arm = rng.integers(0, 4, customers)
    cost = rng.random((customers, 4))
    contest = with_money(
        contest_of(gains, capacity=[capacity, UNLIMITED], max_rows=25), cost.tolist(), budget=budget
    )
    choices = choose(contest, arm=arm.tolist(), explore_draw=rng.random(customers).tolist())
    listed = np.flatnonzero(choices.outcome == LISTED)
    sent = listed[arm[listed] < GHOST]
    assert len(listed) <= 25
    assert (choices.action[sent] < 2).sum() <= capacity
    assert cost.astype(np.float32)[sent, choices.action[sent]].sum() <= budget + 1e-6


def test_a_least_of_a_segment_that_nobody_competes_in_leaves_prices_alone() -> None:
    contest = with_segment(
        contest_of([[5.0], [4.0], [3.0], [-1.0]], capacity=[2]),
        [False, False, False, True],
        SegmentLimit(name="new", min_contacts=2),
    )
    plan = plan_contacts(contest)
    assert plan.prices.seats[0] >= 3.0
    assert plan.prices.least.max() == 0.0


def test_taken_customers_keep_all_that_is_known_of_them() -> None:
    rng = np.random.default_rng(3)
    candidates = Candidates(
        value=rng.random((4, 2)),
        cost=rng.random((4, 2)).astype(np.float32),
        variance=rng.random((4, 2)).astype(np.float32),
        allowed=rng.random((4, 2)) < 0.5,
        group=np.arange(4, dtype=np.int32),
        held=rng.random(4) < 0.5,
        tie=rng.random(4),
    )
    taken = candidates.take(np.array([3, 1]))
    for field in fields(Candidates):
        whole = getattr(candidates, field.name)
        np.testing.assert_array_equal(getattr(taken, field.name), [whole[3], whole[1]])
