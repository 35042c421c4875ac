"""Holding back: who is worth more within days, at the same prices, whatever their arm."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from test_scoring_night import POLICY, literal_customers

from scoring.follow_up import RunningFollowUps
from scoring.night import EXCLUSIONS, Night, decide_night
from scoring.night_policy import NightPolicy
from scoring.outcomes import LISTED, NOT_YET
from scoring.policy import Experiment, Waiting
from scoring.scored import ScoredCustomers
from scoring.waiting import CLEARLY, LEAST_MORE, Ahead, Comparison, LookAhead, discount_factor

HELD = EXCLUSIONS.index("not_yet")
CALM = replace(POLICY, experiment=Experiment(holdout_share=0.0, ghost_share=0.0, explore_share=0.0))
N = 60


def customers() -> ScoredCustomers:
    return literal_customers(N)


def ahead_of(
    scored: ScoredCustomers,
    factor: Callable[[np.ndarray], np.ndarray],
    *,
    p_return: float = 0.01,
) -> LookAhead:
    """Returns without contact become so many times as likely; the position decides."""

    def ahead(positions: np.ndarray) -> Ahead:
        assert (np.diff(positions) > 0).all()
        return Ahead(
            p_natural=np.clip(scored.p_natural[positions] * factor(positions), 0.001, 0.999),
            effect_x=scored.effect_x[positions],
            p_return=np.full(len(positions), p_return),
        )

    return ahead


def rising(positions: np.ndarray) -> np.ndarray:
    return np.where(positions % 2 == 0, 2.0, 0.5)


def night_of(ahead: LookAhead | None, policy: NightPolicy = CALM) -> Night:
    return decide_night(customers(), policy, ahead=ahead)


def held_of(night: Night) -> np.ndarray:
    return np.flatnonzero(night.exclusion == HELD)


def test_only_those_are_held_back_who_are_worth_more() -> None:
    before = night_of(None)
    night = night_of(ahead_of(customers(), rising))
    would_be = set(before.eligible[before.choices.outcome == LISTED].tolist())
    held = set(held_of(night).tolist())
    assert held and all(row % 2 == 0 for row in held)
    # With nobody else to take the places, the odd ones are listed as before.
    assert {row for row in would_be if row % 2} <= set(night.eligible[night.listed].tolist())
    assert {row for row in would_be if row % 2 == 0} <= held
    assert not held & set(night.eligible[night.listed].tolist())


def test_a_decaying_customer_is_never_held_back() -> None:
    assert not len(held_of(night_of(ahead_of(customers(), lambda rows: np.full(len(rows), 0.9)))))


def test_equal_prospects_are_no_reason_to_wait() -> None:
    same = ahead_of(customers(), lambda rows: np.ones(len(rows)), p_return=0.0)
    policy = replace(CALM, waiting=Waiting(discount_per_week=0.0))
    assert not len(held_of(night_of(same, policy)))


def test_who_will_come_anyway_is_not_worth_waiting_for_nor_held_back() -> None:
    surely = ahead_of(customers(), rising, p_return=0.99)
    assert not len(held_of(night_of(surely)))


def test_switched_off_nobody_is_looked_at() -> None:
    def never(_positions: np.ndarray) -> Ahead:
        raise AssertionError("asked")

    night = night_of(never, replace(CALM, waiting=Waiting(days=0)))
    assert night.exclusion.tolist() == night_of(None).exclusion.tolist()


def test_a_heavy_discount_makes_haste() -> None:
    policy = replace(CALM, waiting=Waiting(discount_per_week=0.9))
    assert not len(held_of(night_of(ahead_of(customers(), rising), policy)))
    assert discount_factor(Waiting(days=14, discount_per_week=0.1)) == pytest.approx(0.81)


def test_their_places_go_to_others() -> None:
    """Seats that are held free are taken by the next in line, who were looked at, too."""
    policy = replace(CALM, rules=replace(CALM.rules, max_rows=6))
    before, night = night_of(None, policy), night_of(ahead_of(customers(), rising), policy)
    assert len(before.listed) == len(night.listed) == 6
    assert all(row % 2 for row in night.eligible[night.listed])


def test_arms_decide_nothing_and_chance_still_admits_some() -> None:
    """So that it can be learnt what waiting is worth: explorers and ghosts, on trial."""
    ahead = ahead_of(customers(), rising)
    held = night_of(ahead).exclusion == HELD
    drawn = replace(CALM, experiment=replace(CALM.experiment, explore_share=0.4, ghost_share=0.3))
    night = night_of(ahead, drawn)
    on_trial = held & (night.exclusion == 0)
    assert on_trial.any()
    assert held_of(night).tolist() == np.flatnonzero(held & ~on_trial).tolist()
    places = np.flatnonzero(on_trial[night.eligible])
    assert (night.choices.best_action[places] < 0).all()
    assert night.draws.on_trial[places].all()


def test_a_follow_up_that_is_due_keeps_its_time() -> None:
    scored, ahead = customers(), ahead_of(customers(), rising)
    row = int(held_of(night_of(ahead))[0])
    place = np.full(N, -1, dtype=np.int32)
    place[row] = 0
    due = RunningFollowUps(
        place=place,
        channel=np.array([1]),
        due_us=np.array([CALM.as_of_us]),
        step=np.array([1]),
        row_ids=("a-row",),
    )
    night = decide_night(replace(scored, follow_ups=due), CALM, ahead=ahead)
    assert night.exclusion[row] != HELD
    assert NOT_YET not in night.choices.outcome[night.eligible == row]


def test_a_little_more_is_not_clearly_more() -> None:
    waiting = Waiting(discount_per_week=0.0)
    gain = np.array([1.0, 1.0, 0.001, 0.001, 0.0])
    later = np.array([1.0 + 0.9 * CLEARLY, 1.0 + 1.1 * CLEARLY, 0.009, LEAST_MORE + 0.0015, 0.02])
    found = Comparison(
        gain=gain, worth=gain, later_gain=later, later_worth=later, p_return=np.zeros(5)
    )
    assert found.is_better_later(waiting).tolist() == [False, True, False, True, True]
