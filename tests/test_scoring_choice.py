"""The choice: order of candidates, of channels, capacities, exploration."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.arms import CONTACT, EXPLORE, GHOST, HOLDOUT
from scoring.choice import (
    CAPACITY_FULL,
    GAIN_BELOW_MINIMUM,
    LIST_FULL,
    LISTED,
    UNLIMITED,
    Choices,
    Limits,
    choose_actions,
)
from scoring.exploration import Exploration


def choose(
    gains: list[list[float]],
    *,
    capacity: list[int],
    allowed: list[list[bool]] | None = None,
    arm: list[int] | None = None,
    order: list[list[int]] | None = None,
    explore_draw: list[float] | None = None,
    max_rows: int = UNLIMITED,
    min_gain: float = 0.0,
    share: float = 1.0,
) -> Choices:
    """Choose with everything allowed, configured order and contact arm by default."""
    n = len(gains)
    matrix = np.array(gains, dtype=np.float64).reshape(n, len(gains[0]) if gains else 1)
    channels = len(capacity)
    return choose_actions(
        matrix,
        allowed=np.ones(matrix.shape, bool) if allowed is None else np.array(allowed, dtype=bool),
        channel_order=np.array(order or [list(range(channels))] * n, dtype=np.int16),
        arm=np.array(arm or [CONTACT] * n, dtype=np.int8),
        tie=np.linspace(0.9, 0.1, n),
        exploration=Exploration(
            draw=np.array(explore_draw or [0.0] * n),
            on_trial=np.zeros(n, dtype=bool),
            weights=None,
            share=share,
            floor=0.0,
        ),
        limits=Limits(
            capacity=np.array(capacity, dtype=np.int64), max_rows=max_rows, min_gain=min_gain
        ),
    )


def test_the_first_channel_that_gains_is_taken_not_the_best() -> None:
    choices = choose([[1.0, 9.0], [-1.0, 9.0]], capacity=[UNLIMITED, UNLIMITED])
    assert choices.action.tolist() == [0, 1]


def test_the_stage_order_decides_which_is_first() -> None:
    choices = choose([[1.0, 9.0]], capacity=[UNLIMITED, UNLIMITED], order=[[1, 0]])
    assert choices.action.tolist() == [1]


def test_a_channel_outside_the_order_is_never_taken() -> None:
    choices = choose(
        [[-1.0, 9.0]],
        capacity=[UNLIMITED, UNLIMITED],
        order=[[0, -1]],
        allowed=[[True, False]],
    )
    assert choices.outcome.tolist() == [GAIN_BELOW_MINIMUM]


def test_the_best_offer_of_a_channel_is_taken() -> None:
    choices = choose([[1.0, 3.0, 2.0, 9.0]], capacity=[UNLIMITED, UNLIMITED])
    assert choices.action.tolist() == [1]


def test_scarce_capacity_goes_to_the_most_valuable() -> None:
    choices = choose([[1.0], [3.0], [2.0]], capacity=[2])
    assert choices.outcome.tolist() == [CAPACITY_FULL, LISTED, LISTED]


def test_ties_go_by_the_draw() -> None:
    choices = choose([[1.0], [1.0], [1.0]], capacity=[1])
    assert choices.outcome.tolist() == [CAPACITY_FULL, CAPACITY_FULL, LISTED]


def test_a_full_channel_sends_on_to_the_next() -> None:
    choices = choose([[5.0, 1.0], [4.0, 1.0]], capacity=[1, UNLIMITED])
    assert choices.action.tolist() == [0, 1]


def test_controls_use_no_capacity() -> None:
    choices = choose([[5.0], [4.0], [3.0]], capacity=[1], arm=[GHOST, HOLDOUT, CONTACT])
    assert choices.outcome.tolist() == [LISTED, LISTED, LISTED]
    assert choices.action.tolist() == [0, 0, 0]


def test_list_full_counts_controls() -> None:
    choices = choose([[5.0], [4.0], [3.0]], capacity=[UNLIMITED], arm=[GHOST, 0, 0], max_rows=2)
    assert choices.outcome.tolist() == [LISTED, LISTED, LIST_FULL]


def test_gain_must_exceed_the_minimum() -> None:
    choices = choose([[1.0], [1.1]], capacity=[UNLIMITED], min_gain=1.0)
    assert choices.outcome.tolist() == [GAIN_BELOW_MINIMUM, LISTED]


def test_zero_capacity_everywhere() -> None:
    choices = choose([[1.0, 2.0]], capacity=[0, 0])
    assert choices.outcome.tolist() == [CAPACITY_FULL]


def test_exploration_draws_from_allowed_actions_with_capacity() -> None:
    gains = [[5.0, -9.0, 1.0, 0.5]] * 4
    choices = choose(
        gains,
        capacity=[UNLIMITED, UNLIMITED],
        allowed=[[True, True, False, True]] * 4,
        arm=[EXPLORE] * 4,
        explore_draw=[0.0, 0.34, 0.67, 0.999],
    )
    assert choices.action.tolist() == [0, 1, 3, 3]
    assert choices.n_actions.tolist() == [3, 3, 3, 3]
    assert choices.best_action.tolist() == [0, 0, 0, 0]


def test_exploration_leaves_out_full_channels() -> None:
    choices = choose(
        [[5.0, 1.0], [4.0, 1.0]],
        capacity=[1, UNLIMITED],
        arm=[CONTACT, EXPLORE],
        explore_draw=[0.0, 0.0],
    )
    assert choices.action.tolist() == [0, 1]
    assert choices.n_actions.tolist() == [2, 1]


def test_nobody_and_nothing() -> None:
    assert choose([], capacity=[1]).outcome.tolist() == []
    assert choose([[], []], capacity=[]).outcome.tolist() == [GAIN_BELOW_MINIMUM] * 2


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(0, 12))
def test_capacity_is_never_exceeded_and_more_never_lists_fewer(
    seed: int, customers: int, capacity: int
) -> None:
    rng = np.random.default_rng(seed)
    gains = rng.normal(size=(customers, 4)).tolist()
    arm = rng.integers(0, 4, customers).tolist()
    draw = rng.random(customers).tolist()
    listed = []
    for seats in (capacity, capacity + 1):
        choices = choose(gains, capacity=[seats, seats], arm=arm, explore_draw=draw)
        sent = (choices.outcome == LISTED) & (np.array(arm) < GHOST)
        used = np.bincount(choices.action[sent] // 2, minlength=2)
        assert (used <= seats).all()
        listed.append(int((choices.outcome == LISTED).sum()))
    if all(code == CONTACT for code in arm):
        assert listed[1] >= listed[0]
