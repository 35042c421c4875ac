"""Exploration: its law over open actions, seats it may take, trials, and its probabilities."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit
from small_contest import choose_in, seats_contest

from scoring import exploration
from scoring.arms import (
    ARMS,
    CONTACT,
    EXPLORE,
    GHOST,
    HOLDOUT,
    assignment_propensity,
    draw_arms,
)
from scoring.choice import Choices, seat_limits
from scoring.contest import Contest
from scoring.exploration import (
    Exploration,
    best_action_shares,
    experiment_in_force,
    night_generator,
)
from scoring.night_plan import choose_within_limits, plan_contacts, turns_of
from scoring.outcomes import (
    CAPACITY_FULL,
    GAIN_BELOW_MINIMUM,
    LISTED,
    NO_ACTION,
    TRIAL_CHANCE,
    UNLIMITED,
)
from scoring.policy import Experiment

Floats = NDArray[np.float64]
FLOOR = 0.03
SHARE = 0.3


def night(
    rng: np.random.Generator, n: int, *, capacity: tuple[int, ...], weighted: bool = True
) -> dict[str, object]:
    """Arguments of a choice among 2 offers per channel for n customers, at random."""
    actions = 2 * len(capacity)
    weights = rng.dirichlet(np.full(actions + 1, 0.3), n)[:, 1:]
    return {
        "value": rng.normal(0.2, 1.0, (n, actions)),
        "allowed": rng.random((n, actions)) < 0.8,
        "arm": rng.integers(0, 4, n).astype(np.int8),
        "tie": rng.random(n),
        "exploration": Exploration(
            draw=rng.random(n),
            on_trial=rng.random(n) < 0.5,
            weights=weights if weighted else None,
            share=SHARE,
            floor=FLOOR,
        ),
        "limits": seat_limits(np.array(capacity, dtype=np.int64)),
    }


def contest_of(arguments: dict[str, object]) -> Contest:
    """The contest of `night`'s arguments."""
    rest = {name: value for name, value in arguments.items() if name not in {"arm", "exploration"}}
    return seats_contest(**rest)  # type: ignore[arg-type]


def choose(arguments: dict[str, object]) -> Choices:
    """Call the choice with `night`'s arguments."""
    return choose_in(
        contest_of(arguments), arm=arguments["arm"], exploration=arguments["exploration"]
    )  # type: ignore[arg-type]


seats = st.one_of(st.just(UNLIMITED), st.integers(0, 9))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 25), st.tuples(seats, seats, seats), st.booleans())
def test_the_law_sums_to_one_over_open_actions_and_keeps_its_floor(
    seed: int, n: int, capacity: tuple[int, int, int], weighted: bool
) -> None:
    """One customer's own draw is turned through all its values, all else equal."""
    rng = np.random.default_rng(seed)
    arguments = night(rng, n, capacity=capacity, weighted=weighted)
    row = int(rng.integers(n))
    arguments["arm"][row] = EXPLORE  # type: ignore[index]
    explores = arguments["exploration"]
    assert isinstance(explores, Exploration)
    law: dict[int, float] = {}
    for own in np.linspace(0.0, 1.0, 120, endpoint=False):
        explores.draw[row] = own
        choices = choose(arguments)
        if choices.outcome[row] != LISTED:
            assert not law
            assert choices.chance[row] == 0.0
            continue
        law[int(choices.action[row])] = float(choices.chance[row])
    if law:
        assert sum(law.values()) == pytest.approx(1.0)
        assert len(law) == choices.n_actions[row]
        assert min(law.values()) >= min(FLOOR, 1.0 / len(law)) - 1e-12
        assert arguments["allowed"][row, list(law)].all()  # type: ignore[index]
        if not weighted:
            assert min(law.values()) == pytest.approx(max(law.values()))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60), st.tuples(seats, seats, seats))
@example(65725, 44, (UNLIMITED, 3, UNLIMITED))  # one takes a seat to spare, one of the share
def test_no_seat_too_many_and_none_robbed_beyond_the_share(
    seed: int, n: int, capacity: tuple[int, int, int]
) -> None:
    """Once a seat was to spare, none but the share's can be missing to planned customers."""
    arguments = night(np.random.default_rng(seed), n, capacity=capacity)
    arm = arguments["arm"]
    choices = choose(arguments)
    planned = plan_contacts(contest_of(arguments)).action
    sent = (choices.outcome == LISTED) & (arm < GHOST)  # type: ignore[operator]
    channel = choices.action // 2
    for code, limit in enumerate(capacity):
        if limit == UNLIMITED:
            continue
        assert (sent & (channel == code)).sum() <= limit
        elsewhere = sent & (channel == code) & (choices.best_action // 2 != code)
        lost = (choices.outcome != LISTED) & (planned >= 0) & (planned // 2 == code)
        moved = sent & (choices.best_action // 2 == code) & (planned // 2 != code)
        robbed = min(elsewhere.sum(), lost.sum() - moved.sum())
        assert robbed <= np.ceil(SHARE * limit)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 40), st.tuples(seats, seats))
def test_the_order_of_rows_does_not_matter(seed: int, n: int, capacity: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    arguments = night(rng, n, capacity=capacity)
    mixed = rng.permutation(n)
    explores = arguments["exploration"]
    assert isinstance(explores, Exploration)
    assert explores.weights is not None
    shuffled = {
        name: value[mixed] if isinstance(value, np.ndarray) else value
        for name, value in arguments.items()
    }
    shuffled["exploration"] = replace(
        explores,
        draw=explores.draw[mixed],
        on_trial=explores.on_trial[mixed],
        weights=explores.weights[mixed],
    )
    first, second = choose(arguments), choose(shuffled)
    for name in ("outcome", "action", "best_action", "n_actions", "chance"):
        assert (getattr(first, name)[mixed] == getattr(second, name)).all(), name


def of_one_kind(n: int, gains: list[float], weights: list[float], **given: object) -> Choices:
    """n equal customers, one offer per channel, everything allowed, all exploring."""
    limits = seat_limits(np.array(given.get("capacity", [UNLIMITED] * len(gains)), dtype=np.int64))
    return choose_in(
        seats_contest(np.tile(gains, (n, 1)), limits=limits),
        arm=np.full(n, given.get("arm", EXPLORE), dtype=np.int8),
        exploration=Exploration(
            draw=np.arange(n) / n,
            on_trial=np.full(n, given.get("on_trial", True)),
            weights=np.tile(weights, (n, 1)),
            share=0.2,
            floor=0.0,
        ),
    )


def test_draws_in_which_nothing_pays_go_to_the_best_action() -> None:
    choices = of_one_kind(100, [2.0, 1.0], [0.2, 0.5])
    assert Counter(choices.action.tolist()) == {0: 50, 1: 50}
    assert choices.chance == pytest.approx(0.5)


def test_weights_of_closed_channels_are_shared_by_the_open_ones() -> None:
    choices = of_one_kind(100, [2.0, 1.0, -1.0], [0.1, 0.3, 0.6], capacity=[-1, -1, 0])
    assert Counter(choices.action.tolist()) == {0: 25, 1: 75}


def test_a_channel_believed_useless_is_tried_on_seats_that_nobody_wants() -> None:
    choices = of_one_kind(100, [2.0, -1.0], [0.5, 0.5], capacity=[-1, 40])
    assert (choices.action == 1).sum() == 40


def test_wanted_seats_are_explored_up_to_the_share() -> None:
    """Ten are planned for channel 1's seats; of the others explorers take 2 of them at most."""
    choices = of_one_kind(100, [2.0, 1.5], [0.1, 0.9], capacity=[90, 10])
    assert (choices.best_action == 1).sum() >= 8
    left = ((choices.best_action == 1) & (choices.action == 0)).sum()
    assert ((choices.best_action == 0) & (choices.action == 1)).sum() <= 2 + left


def test_hopeful_customers_are_listed_on_trial() -> None:
    hopeful = [TRIAL_CHANCE, 0.1]
    choices = of_one_kind(20, [-1.0, -2.0], hopeful)
    assert (choices.outcome == LISTED).all()
    assert (choices.best_action == NO_ACTION).all()
    assert set(choices.action.tolist()) == {0, 1}
    hopeless = of_one_kind(20, [-1.0, -2.0], [TRIAL_CHANCE / 2, 0.1])
    assert (hopeless.outcome == GAIN_BELOW_MINIMUM).all()
    unlucky = of_one_kind(20, [-1.0, -2.0], hopeful, on_trial=False, arm=CONTACT)
    assert (unlucky.outcome == GAIN_BELOW_MINIMUM).all()


def test_trials_end_with_the_seats() -> None:
    choices = of_one_kind(20, [-1.0, -2.0], [0.5, 0.5], capacity=[3, 0])
    assert Counter(choices.outcome.tolist()) == {LISTED: 3, CAPACITY_FULL: 17}
    elsewhere = of_one_kind(20, [-1.0, -2.0], [0.0, 0.5], capacity=[3, 0])
    assert (elsewhere.outcome == CAPACITY_FULL).all()


def test_propensities_of_trials_are_those_of_many_salts() -> None:
    """Given that they are listed at all: holdout, ghosts, and each action."""
    gains, weights = np.array([[-1.0, -2.0]]), np.array([[0.4, 0.1]])
    experiment = Experiment(holdout_share=0.2, ghost_share=0.2, explore_share=0.4)
    contest = seats_contest(gains, limits=seat_limits(np.array([UNLIMITED, UNLIMITED])))
    plan = plan_contacts(contest)
    turns = turns_of(contest, plan)
    seen: Counter[tuple[str, int]] = Counter()
    logged: dict[tuple[str, int], float] = {}
    for number in range(8000):
        salted = replace(experiment, salt=f"salt-{number}")
        draws = draw_arms(["a"], experiment=salted, as_of_us=5)
        choices = choose_within_limits(
            contest,
            plan,
            turns,
            arm=draws.arm,
            exploration=Exploration(draws.action, draws.on_trial, weights, 0.4, 0.05),
        )
        if choices.outcome[0] != LISTED:
            continue
        propensity = assignment_propensity(
            draws.arm,
            is_best=choices.action == choices.best_action,
            has_best=choices.best_action != NO_ACTION,
            chance=choices.chance,
            experiment=salted,
        )
        control = draws.arm[0] >= GHOST
        what = (ARMS[draws.arm[0]], -1 if control else int(choices.action[0]))
        seen[what] += 1
        logged[what] = float(propensity.joint[0])
    listed = seen.total()
    assert listed == pytest.approx(8000 * 0.6, rel=0.05)
    assert sum(logged.values()) == pytest.approx(1.0)
    assert logged["holdout", -1] == 0.2
    for what, probability in logged.items():
        spread = np.sqrt(probability * (1 - probability) / listed)
        assert seen[what] / listed == pytest.approx(probability, abs=4 * spread), what


def test_shares_of_being_best_agree_with_counting() -> None:
    rng = np.random.default_rng(3)
    n, n_actions = 30, 4
    shifts = rng.normal(0.2, 0.3, (50, n_actions))
    log_odds0, kept = rng.normal(-2, 1, n), rng.uniform(5, 9, (n, n_actions))
    lost = rng.uniform(0.5, 1.5, (n, n_actions))
    allowed = rng.random((n, n_actions)) < 0.7
    shares = best_action_shares(
        lambda rows: np.repeat(shifts[:, None, :], rows.stop - rows.start, axis=1),
        log_odds0=log_odds0,
        kept=kept,
        lost=lost,
        allowed=allowed,
        min_gain=0.1,
    )
    gains = expit(log_odds0[None, :, None] + shifts[:, None, :]) * kept - lost
    gains = np.where(allowed, gains, -np.inf)
    best = np.where(gains.max(axis=2) > 0.1, gains.argmax(axis=2), n_actions)
    expected = (best[:, :, None] == np.arange(n_actions)).mean(axis=0)
    assert shares == pytest.approx(expected)
    assert (shares.sum(axis=1) <= 1 + 1e-12).all()


def test_shares_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    kept, log_odds0 = rng.uniform(5, 9, (40, 4)), rng.normal(-2, 1, 40)
    experiment = Experiment()

    def shares() -> Floats:
        worlds = night_generator(experiment, as_of_us=9).normal(0.2, 0.3, (60, 1, 4))
        return best_action_shares(
            lambda rows: np.repeat(worlds, rows.stop - rows.start, axis=1),
            log_odds0=log_odds0,
            kept=kept,
            lost=np.full((40, 4), 0.9),
            allowed=np.ones((40, 4), dtype=bool),
            min_gain=0.0,
        )

    whole = shares()
    monkeypatch.setattr(exploration, "BLOCK_ROWS", 7)
    assert (shares() == whole).all()


def test_nights_and_salts_have_draws_of_their_own() -> None:
    experiment = Experiment()
    first = night_generator(experiment, as_of_us=1).random()
    assert night_generator(experiment, as_of_us=1).random() == first
    assert night_generator(experiment, as_of_us=2).random() != first
    other = replace(experiment, salt="other")
    assert night_generator(other, as_of_us=1).random() != first


@pytest.mark.parametrize(
    ("evidence", "share"),
    [
        ((), 0.1),
        (("rules", "rules"), 0.1),
        (("rules", "response"), 0.1),
        (("rules", "uplift"), 0.05),
    ],
)
def test_more_is_explored_while_nothing_is_measured(
    evidence: tuple[str, ...], share: float
) -> None:
    experiment = Experiment(explore_share=0.05, cold_explore_share=0.1)
    assert experiment_in_force(experiment, evidence=evidence).explore_share == share
    larger = Experiment(explore_share=0.2, cold_explore_share=0.1)
    assert experiment_in_force(larger, evidence=evidence).explore_share == 0.2


def test_holdout_is_drawn_beside_the_trials() -> None:
    experiment = Experiment(holdout_share=0.5, ghost_share=0.2, explore_share=0.3)
    draws = draw_arms([f"c{n}" for n in range(2000)], experiment=experiment, as_of_us=1)
    among = draws.on_trial[draws.arm == HOLDOUT].mean()
    assert among == pytest.approx(0.5, abs=0.06)
    assert (np.isin(draws.arm, (EXPLORE, GHOST)) <= draws.on_trial).all()


def test_one_customers_draws_repeated_for_all_count_as_their_copies_do() -> None:
    rng = np.random.default_rng(5)
    n, n_actions = 50, 6
    worlds = rng.normal(0.2, 0.3, (60, 1, n_actions))
    kept, log_odds0 = rng.uniform(5, 9, (n, n_actions)), rng.normal(-2, 1, n)
    allowed = rng.random((n, n_actions)) < 0.7

    def shares(copy: bool) -> Floats:
        def draws(rows: slice) -> Floats:
            repeated = np.broadcast_to(worlds, (60, rows.stop - rows.start, n_actions))
            return repeated.copy() if copy else repeated

        return best_action_shares(
            draws,
            log_odds0=log_odds0,
            kept=kept,
            lost=np.full((n, n_actions), 0.9),
            allowed=allowed,
            min_gain=0.0,
        )

    np.testing.assert_array_equal(shares(copy=True), shares(copy=False))
