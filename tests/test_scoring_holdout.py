"""Who is held out, and under which salt."""

from datetime import date

import numpy as np
import pytest

from features.errors import DataError
from scoring.arms import HOLDOUT, draw_arms
from scoring.holdout import SaltPeriod, holdout_members, salt_in_force
from scoring.policy import Experiment

IDS = [f"c{number}" for number in range(4000)]
OLD = SaltPeriod("old-salt", date(2026, 1, 10), None)
LEFT = SaltPeriod("old-salt", date(2026, 1, 10), date(2026, 6, 1))
NEW = SaltPeriod("new-salt", date(2026, 6, 3), None)


def configured(salt: str, rotated_on: str | None = None) -> Experiment:
    return Experiment(salt=salt, rotated_on=rotated_on)


def test_members_are_those_that_the_arms_hold_out() -> None:
    experiment = Experiment(holdout_share=0.1)
    members = holdout_members(IDS, experiment=experiment)
    arm = draw_arms(IDS, experiment=experiment, as_of_us=5).arm
    assert np.array_equal(members, arm == HOLDOUT)
    assert 0.08 < members.mean() < 0.12


def test_a_lowered_share_lets_no_recorded_member_out_and_takes_fewer_in() -> None:
    before = holdout_members(IDS, experiment=Experiment(holdout_share=0.1))
    recorded = before.copy()
    recorded[2000:] = False  # those came later
    lowered = Experiment(holdout_share=0.05)
    after = holdout_members(IDS, experiment=lowered, recorded=recorded)
    alone = holdout_members(IDS, experiment=lowered)
    assert np.array_equal(after[:2000], before[:2000])
    assert np.array_equal(after[2000:], alone[2000:])
    arm = draw_arms(IDS, experiment=lowered, as_of_us=5, is_holdout=after).arm
    assert np.array_equal(arm == HOLDOUT, after)


@pytest.mark.parametrize(
    ("periods", "experiment", "day", "salt"),
    [
        ([], configured("any-salt"), date(2026, 1, 1), "any-salt"),
        ([], configured("any-salt", "2026-06-01"), date(2026, 1, 1), "any-salt"),
        ([OLD], configured("old-salt"), date(2025, 12, 1), "old-salt"),
        ([OLD], configured("old-salt"), date(2026, 6, 1), "old-salt"),
        ([OLD], configured("old-salt", "2026-01-01"), date(2026, 6, 1), "old-salt"),
        ([OLD], configured("new-salt", "2026-06-01"), date(2026, 5, 31), "old-salt"),
        ([OLD], configured("new-salt", "2026-06-01"), date(2026, 6, 1), "new-salt"),
        ([LEFT, NEW], configured("new-salt", "2026-06-01"), date(2026, 5, 31), "old-salt"),
        ([LEFT, NEW], configured("new-salt", "2026-06-01"), date(2026, 6, 2), "new-salt"),
        ([LEFT, NEW], configured("new-salt"), date(2026, 3, 1), "old-salt"),
        ([LEFT, NEW], configured("third-salt", "2026-12-01"), date(2026, 12, 1), "third-salt"),
    ],
)
def test_the_salt_in_force_follows_the_ledger_and_the_dated_rotation(
    periods: list[SaltPeriod], experiment: Experiment, day: date, salt: str
) -> None:
    assert salt_in_force(periods, experiment=experiment, day=day) == salt


@pytest.mark.parametrize(
    ("periods", "experiment", "fault"),
    [
        ([OLD], configured("new-salt"), "rotated_on is not set.*Fix: put the old salt back"),
        ([OLD], configured("new-salt", "2026-01-10"), "rotated_on is 2026-01-10"),
        ([LEFT, NEW], configured("third-salt", "2026-06-01"), "dated after 2026-06-03"),
        ([LEFT, NEW], configured("old-salt", "2026-12-01"), "a salt of an earlier rotation"),
        ([OLD], configured("old-salt", "2026-06-01"), "the salt is the one in force since"),
    ],
)
def test_a_salt_that_changes_without_a_trace_is_refused(
    periods: list[SaltPeriod], experiment: Experiment, fault: str
) -> None:
    with pytest.raises(DataError, match=f"experiment\\..*{fault}"):
        salt_in_force(periods, experiment=experiment, day=date(2026, 12, 1))
