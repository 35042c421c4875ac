"""From choices to times within a night: seats by the hour, controls, and the hours of everybody."""

from dataclasses import replace

import numpy as np
import pytest
from test_scoring_night import POLICY, literal_customers

from features.active_hours import ActiveHours
from features.kernels.hours import HOUR_US, HourGrid
from scoring.arms import GHOST, HOLDOUT, draw_arms
from scoring.booking import book_contacts, timing_rules
from scoring.customer_hours import SEND_BASES
from scoring.exploration import Exploration
from scoring.night import EXCLUSIONS, Night, decide_night, prepare_night
from scoring.night_plan import choose_within_limits, plan_contacts, turns_of
from scoring.outcomes import CAPACITY_FULL, LISTED, NO_ACTION
from scoring.policy import Channel, Experiment, Offer
from scoring.scored import ScoredCustomers

CALLS = Channel(
    label="call",
    cost=0.01,
    effect_prior=0.8,
    windows=("10:00-11:00",),
    send_hours=("10:00-11:00",),
    seats_per_hour=3,
)
STAGES = tuple(replace(stage, channels=(), offers=()) for stage in POLICY.stages)
ONLY_CALLS = replace(
    POLICY, stages=STAGES, channels={"call": CALLS}, offers={"none": Offer(label="no offer")}
)
"""Berlin and Sao Paulo have one hour of seats each; it is not the same one."""


def callable_customers(n: int = 60) -> ScoredCustomers:
    """Customers of the literal night with one channel; two in three of them in Berlin."""
    scored = literal_customers(n)
    pressure = replace(
        scored.pressure,
        sent_by_channel=scored.pressure.sent_by_channel[:, :1],
        unsubscribed=scored.pressure.unsubscribed[:, :1],
    )
    zone = (np.arange(n) % 3 != 0).astype(np.int32)
    return replace(scored, pressure=pressure, reach=replace(scored.reach, zone=zone))


def calls_by_hour(night: Night) -> np.ndarray:
    """Contacts by whole hours since the as-of."""
    at = night.times.send_at_us[night.times.seated]
    return np.bincount((at - ONLY_CALLS.as_of_us) // HOUR_US)


def test_who_finds_no_seat_is_not_listed_and_no_hour_is_over_booked() -> None:
    scored = callable_customers()
    # Berlin's are worth more: without the other zone's seats the plan would give them all six.
    berlin = scored.reach.zone == 1
    scored = replace(scored, mean_order=np.where(berlin, 200.0, 40.0), orders=np.full(60, 9.0))
    night = decide_night(scored, ONLY_CALLS)
    assert calls_by_hour(night).max() == 3
    taken_back = np.flatnonzero(night.choices.outcome == CAPACITY_FULL)
    assert len(taken_back) > 0
    assert (night.choices.action[taken_back] == NO_ACTION).all()
    assert (night.exclusion[night.eligible[taken_back]] == EXCLUSIONS.index("capacity_full")).all()
    assert not night.times.seated[taken_back].any()
    listed = night.choices.outcome == LISTED
    assert np.array_equal(night.times.seated, listed & (night.draws.arm < GHOST))


def test_those_who_keep_their_seats_have_the_larger_gains() -> None:
    night = decide_night(callable_customers(), ONLY_CALLS)
    seated = np.flatnonzero(night.times.seated & (night.draws.arm == 0))
    assert len(seated) > 0
    refused = np.flatnonzero(night.choices.outcome == CAPACITY_FULL)
    zone = night.eligible[seated] % 3 == 0
    for place in refused:
        same = seated[zone == (night.eligible[place] % 3 == 0)]
        assert (night.gains[same, 0] >= night.gains[place, 0]).all()


def test_who_is_listed_does_not_depend_on_who_is_a_control() -> None:
    scored = callable_customers()
    # Nobody's hours are known: of the four hours with seats only one is in their windows.
    calls = replace(CALLS, seats_per_hour=2, send_hours=("09:00-13:00",))
    shares = Experiment(holdout_share=0.1, ghost_share=0.3, explore_share=0.2)
    ready = prepare_night(scored, replace(ONLY_CALLS, channels={"call": calls}, experiment=shares))
    plan = plan_contacts(ready.contest)
    turns = turns_of(ready.contest, plan)
    ids = scored.ids(ready.eligible)
    surplus, spread, unseated = np.zeros(2), np.zeros(2), 0
    for number in range(700):
        shares = replace(shares, salt=f"salt-{number}")
        draws = draw_arms(ids, experiment=shares, as_of_us=ONLY_CALLS.as_of_us)
        exploration = Exploration(
            draw=draws.action,
            on_trial=ready.contest.on_trial(draws.on_trial),
            weights=None,
            share=shares.explore_share,
            floor=shares.propensity_floor,
        )
        booked = book_contacts(
            scored,
            ready.eligible,
            choices=choose_within_limits(
                ready.contest, plan, turns, arm=draws.arm, exploration=exploration
            ),
            gains=ready.offered.gains,
            draws=draws,
            windows=ready.slots,
            rules=timing_rules({"call": calls}, shares, list_day=ONLY_CALLS.list_day),
        ).choices
        arm = draws.arm[booked.outcome == LISTED]
        for place, (code, share) in enumerate(((HOLDOUT, 0.1), (GHOST, 0.9 * 0.3))):
            surplus[place] += (arm == code).sum() - share * len(arm)
            spread[place] += share * (1.0 - share) * len(arm)
        unseated += int((booked.outcome == CAPACITY_FULL).sum())
    assert unseated > 1000
    assert (np.abs(surplus) < 4 * np.sqrt(spread)).all()


def test_a_channel_without_seats_by_the_hour_takes_everybody() -> None:
    free = replace(ONLY_CALLS, channels={"call": replace(CALLS, seats_per_hour=None)})
    night = decide_night(callable_customers(), free)
    assert calls_by_hour(night).max() > 3
    assert "capacity_full" not in {EXCLUSIONS[code] for code in night.exclusion}


@pytest.mark.parametrize("known", [False, True])
def test_nights_use_the_hours_that_were_counted(known: bool) -> None:
    scored = callable_customers()
    policy = replace(
        ONLY_CALLS,
        channels={"call": replace(CALLS, seats_per_hour=None, send_hours=None)},
        experiment=replace(ONLY_CALLS.experiment, explore_time_share=0.0),
    )
    if known:
        hours = np.zeros((60, 24), dtype=np.float16)
        hours[:, 18] = 12
        scored = replace(
            scored,
            active=ActiveHours(
                hours=hours,
                busy=np.empty(0, dtype=np.int64),
                busy_days=np.empty((0, 2, 24), dtype=np.float16),
                week=np.zeros((7, 24)),
                contacts=HourGrid(*(np.zeros((1, 24)) for _ in HourGrid._fields)),
                zones=(("Europe/Berlin", 60),),
            ),
        )
    night = decide_night(scored, policy)
    seated = np.flatnonzero(night.times.seated)
    assert len(seated) > 10
    basis = {SEND_BASES[code] for code in night.times.basis[seated]}
    assert basis == {"own" if known else "configured"}
    local = night.times.send_at_us[seated] // HOUR_US + np.where(
        scored.reach.zone[night.eligible[seated]] == 1, 2, -3
    )
    # Attention of two hours: from 17:00 or from 18:00 on.
    assert set(local % 24) <= ({17, 18} if known else {10})
