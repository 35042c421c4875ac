"""Draws are salted hashes; logged propensities are the ones that the draws really have."""

import hashlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from small_contest import seats_contest

from scoring.arms import (
    ARMS,
    CONTACT,
    EXPLORE,
    GHOST,
    HOLDOUT,
    assignment_propensity,
    draw_arms,
)
from scoring.choice import seat_limits
from scoring.draw import hash_draws
from scoring.exploration import Exploration
from scoring.night_plan import choose_within_limits, plan_contacts, turns_of
from scoring.outcomes import NO_ACTION, UNLIMITED
from scoring.policy import Experiment

IDS = [f"c{number}" for number in range(4000)]
EXPERIMENT = Experiment(holdout_share=0.1, ghost_share=0.2, explore_share=0.3, salt="pepper")


def test_draws_are_the_words_of_a_salted_sha256() -> None:
    digest = hashlib.sha256(b"salt\x1fwhy\x1fc1").digest()
    expected = [
        (int.from_bytes(digest[place : place + 8], "big") >> 11) / 2**53
        for place in range(0, 32, 8)
    ]
    assert hash_draws(["c1"], key=("salt", "why"))[0].tolist() == expected


def test_draws_do_not_depend_on_company_or_order() -> None:
    together = hash_draws(IDS[:100], key=("s",))
    backwards = hash_draws(IDS[:100][::-1], key=("s",))
    assert (together == backwards[::-1]).all()
    assert (hash_draws([IDS[7]], key=("s",))[0] == together[7]).all()


def test_draws_are_uniform_and_unrelated() -> None:
    draws = hash_draws(IDS, key=("s",))
    assert ((draws >= 0) & (draws < 1)).all()
    counts = np.histogram(draws[:, 0], bins=10, range=(0, 1))[0]
    assert np.abs(counts - len(IDS) / 10).max() < 5 * np.sqrt(len(IDS) / 10)
    assert np.abs(np.corrcoef(draws.T) - np.eye(4)).max() < 0.06


def test_nobody_to_draw_for() -> None:
    assert hash_draws([], key=("s",)).shape == (0, 4)


def test_holdout_lasts_over_nights_and_ghosts_change() -> None:
    first = draw_arms(IDS, experiment=EXPERIMENT, as_of_us=1)
    second = draw_arms(IDS, experiment=EXPERIMENT, as_of_us=2)
    assert ((first.arm == HOLDOUT) == (second.arm == HOLDOUT)).all()
    assert (first.tie == second.tie).all()
    assert ((first.arm == GHOST) != (second.arm == GHOST)).any()


def test_another_salt_draws_another_holdout() -> None:
    other = replace(EXPERIMENT, salt="other-salt")
    first = draw_arms(IDS, experiment=EXPERIMENT, as_of_us=1).arm == HOLDOUT
    second = draw_arms(IDS, experiment=other, as_of_us=1).arm == HOLDOUT
    both = (first & second).mean()
    assert both == pytest.approx(0.01, abs=0.006)


def test_arm_shares() -> None:
    arm = draw_arms(IDS, experiment=EXPERIMENT, as_of_us=1).arm
    counts = np.bincount(arm, minlength=len(ARMS)) / len(IDS)
    assert counts == pytest.approx([0.9 * 0.5, 0.9 * 0.3, 0.9 * 0.2, 0.1], abs=0.03)


def test_no_experiment_means_contact_only() -> None:
    nothing = Experiment(holdout_share=0, ghost_share=0, explore_share=0)
    arm = draw_arms(IDS[:500], experiment=nothing, as_of_us=1).arm
    assert (arm == CONTACT).all()


def test_propensity_formulae() -> None:
    arm = np.array([HOLDOUT, GHOST, CONTACT, EXPLORE, EXPLORE], dtype=np.int8)
    propensity = assignment_propensity(
        arm,
        is_best=np.array([True, True, True, True, False]),
        has_best=np.ones(5, dtype=bool),
        chance=np.array([0.4, 0.4, 0.4, 0.4, 0.2]),
        experiment=EXPERIMENT,
    )
    best, other = 0.5 + 0.3 * 0.4, 0.3 * 0.2
    assert propensity.action[0] != propensity.action[0]
    assert propensity.action[1:] == pytest.approx([0.2, best, best, other])
    assert propensity.joint == pytest.approx([0.1, 0.18, 0.9 * best, 0.9 * best, 0.9 * other])
    assert 0.2 + best + 3 * other == pytest.approx(1.0)


@pytest.mark.parametrize(
    "weights", [None, np.array([[0.3, 0.1, 0.0, 0.0], [0.0, 0.2, 0.5, 0.2]])], ids=str
)
def test_simulated_salts_reproduce_the_logged_propensities(
    weights: NDArray[np.float64] | None,
) -> None:
    gains = np.array([[3.0, 2.0, 1.0, -1.0], [1.0, 2.0, 0.5, 0.1]])
    allowed = np.array([[True, True, False, True], [True, True, True, True]])
    limits = seat_limits(np.array([UNLIMITED, UNLIMITED]))
    contest = seats_contest(gains, allowed=allowed, limits=limits)
    plan = plan_contacts(contest)
    turns = turns_of(contest, plan)
    salts = 6000
    seen: list[Counter[tuple[str, int]]] = [Counter(), Counter()]
    logged: list[dict[tuple[str, int], float]] = [{}, {}]
    for number in range(salts):
        experiment = replace(EXPERIMENT, salt=f"salt-{number}")
        draws = draw_arms(["a", "b"], experiment=experiment, as_of_us=5)
        choices = choose_within_limits(
            contest,
            plan,
            turns,
            arm=draws.arm,
            exploration=Exploration(
                draw=draws.action,
                on_trial=draws.on_trial,
                weights=weights,
                share=experiment.explore_share,
                floor=0.1,
            ),
        )
        propensity = assignment_propensity(
            draws.arm,
            is_best=choices.action == choices.best_action,
            has_best=choices.best_action != NO_ACTION,
            chance=choices.chance,
            experiment=experiment,
        ).joint
        for row in range(2):
            control = draws.arm[row] >= GHOST
            what = (ARMS[draws.arm[row]], -1) if control else ("sent", int(choices.action[row]))
            seen[row][what] += 1
            logged[row][what] = float(propensity[row])
    for row in range(2):
        assert sum(logged[row].values()) == pytest.approx(1.0)
        for what, probability in logged[row].items():
            spread = np.sqrt(probability * (1 - probability) / salts)
            assert seen[row][what] / salts == pytest.approx(probability, abs=4 * spread), what
