"""Random nights keep every promise, and the check would notice if they did not."""

import os
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from night_checks import violations
from random_nights import RandomNight, random_night

from scoring.arms import SENT_ARMS
from scoring.follow_up import no_follow_ups
from scoring.policy import Channel, SegmentLimit

NIGHTS = int(os.environ.get("WINBACK_RANDOM_NIGHTS", "30"))
"""10,000 take about an hour of one core."""


def test_no_random_night_breaks_a_promise() -> None:
    rows = 0
    for seed in range(NIGHTS):
        case = random_night(seed)
        assert violations(case) == []
        rows += case.table.num_rows
    assert rows > 2 * NIGHTS


@cache
def busy_night() -> RandomNight:
    """The first night with many contacts that cost something."""
    return next(
        case
        for seed in range(1000)
        if len(sent_rows(case := random_night(seed))) > 8
        and sum(row["contact_cost"] for row in sent_rows(case)) > 1
    )


def sent_rows(case: RandomNight) -> list[dict[str, Any]]:
    return [row for row in case.table.to_pylist() if row["arm"] in SENT_ARMS]


def with_channels(case: RandomNight, **changes: object) -> RandomNight:
    """The same list under other channels' rules than it was made by."""
    channels: dict[str, Channel] = {
        name: replace(channel, **changes)  # type: ignore[arg-type]
        for name, channel in case.policy.channels.items()
    }
    return replace(case, policy=replace(case.policy, channels=channels))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"capacity": 0}, "contacts for 0 seats"),
        ({"seats_per_hour": 1}, "contacts in an hour with 1 seats"),
        ({"quiet_hours": ("00:00-12:00", "12:00-00:00")}, "in quiet hours"),
        ({"max_per_30d": 0}, "is closed: its own cap"),
    ],
)
def test_the_check_notices_broken_rules_of_channels(changes: dict[str, object], told: str) -> None:
    assert any(told in fault for fault in violations(with_channels(busy_night(), **changes)))


def test_the_check_notices_broken_limits() -> None:
    case = busy_night()
    tight = replace(
        case.policy.limits,
        budget=1e-6,
        segments=(
            SegmentLimit(name="all", max_contacts=1),
            SegmentLimit(name="half of all", max_share=0.5),
        ),
    )
    rules = replace(case.policy.rules, max_rows=1)
    found = violations(replace(case, policy=replace(case.policy, limits=tight, rules=rules)))
    for told in ("of a budget of", "contacts of all, at most 1", "of half of all", "max_rows"):
        assert any(told in fault for fault in found), told


def test_the_check_notices_who_must_not_be_contacted() -> None:
    case = busy_night()
    n = len(case.scored)
    reach = replace(case.scored.reach, do_not_contact=np.ones(n, dtype=np.bool_))
    pressure = replace(
        case.scored.pressure,
        sent=np.full((n, 3), 99, dtype=np.int32),
        unsubscribed=np.ones_like(case.scored.pressure.unsubscribed),
        last_sent_us=np.full(n, case.policy.as_of_us - 1),
        control_until_us=np.full(n, case.policy.as_of_us + 1),
    )
    changed = replace(
        case.scored, reach=reach, pressure=pressure, days_since_order=np.full(n, -1.0)
    )
    found = violations(replace(case, scored=changed))
    for told in (
        "is marked do-not-contact",
        "is over a cap",
        "was contacted a moment ago",
        "is in a control window",
        "has just ordered",
        "is closed: unsubscribed",
    ):
        assert any(told in fault for fault in found), told


def test_the_check_notices_follow_ups_gone_wrong() -> None:
    case = next(case for seed in range(300) if _follows_up(case := random_night(seed)))
    forgotten = replace(case.scored, follow_ups=no_follow_ups(len(case.scored)))
    found = violations(replace(case, scored=forgotten))
    assert any("names a followed row without a due follow-up" in fault for fault in found)


def _follows_up(case: RandomNight) -> bool:
    return any(row["follow_up_of"] for row in case.table.to_pylist())


def test_a_random_night_depends_on_its_seed_alone() -> None:
    assert random_night(3).table.equals(random_night(3).table)
