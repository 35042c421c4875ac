"""Who is listed tells nothing of arms: with every limit at once, near its margin too."""

from dataclasses import replace

import numpy as np
import pytest
from small_contest import seats_contest

from scoring.arms import CONTACT, EXPLORE, GHOST, HOLDOUT
from scoring.choice import seat_limits
from scoring.contest import Contest, sent_share
from scoring.exploration import Exploration
from scoring.night_plan import choose_within_limits, plan_contacts, turns_of
from scoring.outcomes import LISTED, NO_ACTION, UNLIMITED
from scoring.policy import Experiment, SegmentLimit
from scoring.segment_limits import group_customers

HELD_OUT, CONTROLS, EXPLORERS = 0.05, 0.15, 0.2
EXPERIMENT = Experiment(
    holdout_share=HELD_OUT, ghost_share=CONTROLS, explore_share=EXPLORERS, salt="pepper"
)
N, DRAWS = 60, 1200
LIMITS = {
    "money and rows": {"budget": 6.0, "max_rows": 35},
    "segments": {
        "segments": (
            SegmentLimit(name="few", max_contacts=4),
            SegmentLimit(name="many", min_contacts=18),
        )
    },
}


def limited_contest(
    rng: np.random.Generator,
    *,
    max_rows: int = UNLIMITED,
    budget: float = np.inf,
    segments: tuple[SegmentLimit, ...] = (),
) -> Contest:
    """Three channels, two with few seats, and two offers, of which one costs money."""
    contest = seats_contest(
        rng.gamma(2.0, 2.0, (N, 6)) - 1.5,
        limits=seat_limits(np.array([UNLIMITED, 9, 6]), max_rows=max_rows),
        allowed=rng.random((N, 6)) < 0.8,
        tie=rng.random(N),
        sent_share=sent_share(EXPERIMENT),
    )
    rows = group_customers(segments, (rng.random((2, N)) < 0.4)[: len(segments)])
    spent = rng.random((2, N, 6)).astype(np.float32)
    candidates = replace(
        contest.candidates,
        cost=spent[0],
        variance=spent[1] / 4,
        group=rows.group,
        held=rng.random(N) < 0.1,
    )
    limits = replace(contest.limits, budget=budget, sigmas=1.0, member=rows.member)
    return replace(contest, candidates=candidates, segments=rows, limits=limits)


@pytest.mark.parametrize("name", LIMITS)
def test_arms_of_the_listed_are_as_likely_as_logged(name: str) -> None:
    rng = np.random.default_rng(8)
    contest = limited_contest(rng, **LIMITS[name])
    plan = plan_contacts(contest)
    turns = turns_of(contest, plan)
    weights = rng.dirichlet(np.ones(6), N) * contest.candidates.allowed
    listed, surplus, spread = np.zeros(N), np.zeros((3, N)), np.zeros((3, N))
    for _ in range(DRAWS):
        drawn = rng.random(N)
        arm = np.where(drawn < CONTROLS + EXPLORERS, EXPLORE, CONTACT).astype(np.int8)
        arm[drawn < CONTROLS] = GHOST
        arm[rng.random(N) < HELD_OUT] = HOLDOUT
        exploration = Exploration(
            draw=rng.random(N),
            on_trial=contest.on_trial(drawn < CONTROLS + EXPLORERS),
            weights=weights,
            share=EXPLORERS,
            floor=0.02,
        )
        choices = choose_within_limits(contest, plan, turns, arm=arm, exploration=exploration)
        on_list = choices.outcome == LISTED
        earned = choices.best_action != NO_ACTION
        admitted = np.where(earned, 1.0, CONTROLS + EXPLORERS)
        likely = {
            HOLDOUT: np.full(N, HELD_OUT),
            GHOST: (1.0 - HELD_OUT) * CONTROLS / admitted,
            CONTACT: np.where(earned, (1.0 - HELD_OUT) * (1.0 - CONTROLS - EXPLORERS), 0.0),
        }
        listed += on_list
        for place, (code, chance) in enumerate(likely.items()):
            surplus[place] += np.where(on_list, (arm == code) - chance, 0.0)
            spread[place] += np.where(on_list, chance * (1.0 - chance), 0.0)
    share = listed / DRAWS
    margin = (share > 0.05) & (share < 0.95)
    assert margin.sum() >= 2, "some are listed by the luck of others only"
    for rows in (margin, share >= 0.95, share > 0.0):
        scores = surplus[:, rows].sum(axis=1) / np.sqrt(spread[:, rows].sum(axis=1))
        assert np.abs(scores).max() < 4.0
    told = spread > 10.0
    assert np.abs(surplus[told] / np.sqrt(spread[told])).max() < 4.5
