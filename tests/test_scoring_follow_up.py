"""Follow-ups: which still run, what they leave open tonight, and what rows plan next."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_scoring_night import DAY, POLICY, STAGES, literal_customers

from features.local_day import local_midnight_us
from features.stage import Stage
from scoring.arms import GHOST
from scoring.eligibility import CHANNEL_RULES, OPEN, ChannelBlocks
from scoring.follow_up import (
    LAPSE_DAYS,
    NO_FOLLOW_UP,
    PlannedSteps,
    RunningFollowUps,
    find_running,
    join_follow_ups,
    keep_to_step,
    ladder_ranks,
    no_follow_ups,
    steps_in_turn,
)
from scoring.follow_up_plan import NO_CHANNEL, follow_up_columns, followed_steps, plan_channels
from scoring.night import EXCLUSIONS, Night, decide_night
from scoring.night_policy import NightPolicy
from scoring.policy import Caps, Channel, Experiment, FollowUp, ListRules
from scoring.pressure import DAY_US, NEVER
from scoring.scored import ScoredCustomers, join_scored, select_scored

AS_OF = 100 * DAY_US
NAMES = ("push", "sms", "email", "phone")
LADDER = {name: Channel(label=name, cost=0.01) for name in NAMES}
ONE_STAGE = (Stage("buyer", "has bought", ("buy",), ("buy",), ("buy",), silence_days=30),)


def running_after(**changes: Any) -> list[int]:
    """Places of one customer's step, planned 3 days ago and due tonight unless changed."""
    given_ = {"since": 3.0, "due": 0.0, "step": 1, "silence": 60.0, "returned": np.nan, **changes}
    left = given_.get("left")
    found = find_running(
        PlannedSteps(
            customer=np.array([1]),
            since_us=np.array([AS_OF - int(given_["since"] * DAY_US)]),
            channel=np.array([2]),
            due_us=np.array([AS_OF - int(given_["due"] * DAY_US)]),
            step=np.array([given_["step"]]),
            row_ids=("list/1",),
        ),
        silence_days=np.array([1.0, given_["silence"]]),
        days_since_return=np.array([1.0, given_["returned"]]),
        unsubscribed_us=np.array([AS_OF, NEVER if left is None else AS_OF - int(left * DAY_US)]),
        follow_up=FollowUp(max_steps=given_.get("max_steps", 3)),
        as_of_us=AS_OF,
    )
    return found.place.tolist()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"due": -5.0},
        {"due": LAPSE_DAYS},
        {"due": LAPSE_DAYS + 1 / 24},
        {"returned": 3.01},
        {"silence": 3.01},
        {"left": 3.01},
        {"step": 3},
    ],
    ids=str,
)
def test_a_follow_up_runs_on(changes: dict[str, Any]) -> None:
    assert running_after(**changes) == [NO_FOLLOW_UP, 0]


@pytest.mark.parametrize(
    "changes",
    [
        {"due": LAPSE_DAYS + 1},
        {"returned": 2.9},
        {"silence": 2.9},
        {"left": 0.5},
        {"step": 4},
        {"max_steps": 0},
    ],
    ids=["lapsed", "returned", "silence ended", "left a channel", "too many", "switched off"],
)
def test_a_follow_up_is_stopped(changes: dict[str, Any]) -> None:
    assert running_after(**changes) == [NO_FOLLOW_UP, NO_FOLLOW_UP]


def running(*steps: tuple[int, int] | None) -> RunningFollowUps:
    """One customer each: (planned channel, days until due), or none."""
    held = [step for step in steps if step is not None]
    place = np.cumsum([step is not None for step in steps]) - 1
    return RunningFollowUps(
        place=np.where([step is None for step in steps], NO_FOLLOW_UP, place).astype(np.int32),
        channel=np.array([channel for channel, _ in held], dtype=np.int64),
        due_us=np.array([AS_OF + days * DAY_US for _, days in held], dtype=np.int64),
        step=np.arange(1, len(held) + 1, dtype=np.int64),
        row_ids=tuple(f"list/{number}" for number in range(1, len(held) + 1)),
    )


def test_due_and_awaited_split_the_running() -> None:
    found = running((0, 1), None, (1, 0), (2, -2))
    assert found.awaited(as_of_us=AS_OF).tolist() == [True, False, False, False]
    assert found.due(as_of_us=AS_OF).tolist() == [False, False, True, True]
    nobody = no_follow_ups(3)
    assert not (nobody.awaited(as_of_us=AS_OF) | nobody.due(as_of_us=AS_OF)).any()


def test_parts_are_joined_and_selected_as_a_whole() -> None:
    parts = [running(None, (0, 1)), no_follow_ups(2), running((3, 0), (1, 2))]
    whole = join_follow_ups(parts)
    assert whole.place.tolist() == [-1, 0, -1, -1, 1, 2]
    assert whole.row_ids == ("list/1", "list/1", "list/2")
    chosen = whole.select(np.array([5, 0, 4]))
    assert chosen.channel[chosen.place[[0, 2]]].tolist() == [1, 3]
    assert chosen.place[1] == NO_FOLLOW_UP


def test_the_ladder_is_the_stages_order_else_the_configured_one() -> None:
    ranks = ladder_ranks(np.array([1, 0]), stages=STAGES, channels=POLICY.channels)
    assert ranks.tolist() == [[3, 0, 1], [0, 1, 2]]


def kept(
    planned: int, *, closed: tuple[str, ...] = (), due: int = 0, ladder: tuple[str, ...] = NAMES
) -> str:
    """Open channels of a customer whose planned channel is given."""
    names = ("", "unsubscribed", "follow_up_step")
    code = np.array([[int(name in closed) for name in NAMES]], dtype=np.int16)
    stages = (replace(ONE_STAGE[0], channels=ladder),)
    ranks = ladder_ranks(np.array([0]), stages=stages, channels=LADDER)
    turn = steps_in_turn(running((planned, due)), ranks=ranks, as_of_us=AS_OF)
    found = keep_to_step(ChannelBlocks(code, names), in_turn=turn, ranks=ranks)
    assert [names[one] for one in found.code[0, code[0] > 0]] == ["unsubscribed"] * len(closed)
    return " ".join(name for name, one in zip(NAMES, found.code[0], strict=True) if one == OPEN)


def test_only_the_planned_channel_is_open_on_its_night() -> None:
    assert kept(1) == "sms"
    assert kept(3) == "phone"


def test_where_the_planned_channel_is_closed_the_next_of_the_ladder_follows() -> None:
    assert kept(1, closed=("sms",)) == "email"
    assert kept(1, closed=("sms", "email")) == "phone"
    assert kept(1, closed=("sms",), ladder=("email", "sms", "phone", "push")) == "phone"


def test_where_none_is_left_everything_stays_open() -> None:
    assert kept(3, closed=("phone",)) == "push sms email"
    assert kept(2, closed=("email", "phone")) == "push sms"


def test_a_channel_that_is_gone_from_configuration_or_ladder_ends_the_follow_up() -> None:
    assert kept(-1) == "push sms email phone"
    assert kept(2, ladder=("push", "sms", "phone")) == "push sms email phone"


def test_before_it_is_due_a_follow_up_closes_no_channel() -> None:
    assert kept(1, due=1) == "push sms email phone"


def night_of(
    n: int = 60, *, follow_ups: RunningFollowUps | None = None, **changes: Any
) -> tuple[ScoredCustomers, Night, NightPolicy]:
    """A night of dormant buyers with all four channels open, nobody drawn for exploring."""
    base = select_scored(literal_customers(), np.arange(n) % 40)
    reach = replace(base.reach, do_not_contact=np.zeros(n, bool), flags=np.ones((n, 2), bool))
    pressure = replace(
        base.pressure,
        sent=np.zeros((n, 3), np.int32),
        sent_by_channel=np.zeros((n, 4, 3), np.int32),
        last_sent_us=np.full(n, NEVER),
        unsubscribed=np.zeros((n, 4), bool),
    )
    scored = replace(
        base,
        stage=np.zeros(n, np.int16),
        dormant=np.ones(n, bool),
        p_dormant=np.full(n, np.nan),
        p_natural=np.full(n, 0.1),
        mean_order=np.full(n, 50.0),
        reach=reach,
        pressure=pressure,
        follow_ups=no_follow_ups(n) if follow_ups is None else follow_ups,
    )
    scored = replace(scored, **changes.pop("scored", {}))
    policy = replace(
        POLICY,
        stages=ONE_STAGE,
        channels=LADDER,
        experiment=Experiment(
            holdout_share=0, ghost_share=0.2, explore_share=0, cold_explore_share=0, salt="plan"
        ),
        rules=ListRules(),
        **changes,
    )
    return scored, decide_night(scored, policy), policy


def only(*names: str) -> dict[str, Channel]:
    """Channels of which the named alone are worth a contact."""
    return {
        name: replace(channel, cost=0.01 if name in names else 99.0, effect_prior=0.5)
        for name, channel in LADDER.items()
    }


def planned_names(scored: ScoredCustomers, night: Night, policy: NightPolicy) -> set[str | None]:
    """What sent rows plan; controls must plan nothing."""
    planned = plan_channels(scored, night, policy)
    sent = night.draws.arm[night.listed] < GHOST
    assert sent.any()
    assert (~sent).any()
    assert (planned[~sent] == NO_CHANNEL).all()
    return {None if code == NO_CHANNEL else NAMES[code] for code in planned[sent]}


@pytest.mark.parametrize(
    ("own", "following"), [("push", "sms"), ("sms", "email"), ("email", "phone"), ("phone", None)]
)
def test_the_next_step_is_the_next_channel_of_the_ladder(own: str, following: str | None) -> None:
    scored, night, policy = _own_channel(own)
    assert planned_names(scored, night, policy) == {following}


def _own_channel(own: str, **changes: Any) -> tuple[ScoredCustomers, Night, NightPolicy]:
    """A night on which all contacts go through one channel."""
    scored, _, policy = night_of(**changes)
    policy = replace(policy, channels=only(own))
    return scored, decide_night(scored, policy), policy


def test_channels_without_consent_or_left_are_passed_over() -> None:
    unsubscribed = np.zeros((60, 4), bool)
    unsubscribed[:, 1] = True
    base, _, _ = night_of()
    pressure = replace(base.pressure, unsubscribed=unsubscribed)
    scored, night, policy = _own_channel("push", scored={"pressure": pressure})
    assert planned_names(scored, night, policy) == {"email"}
    channels = {**policy.channels, "email": replace(policy.channels["email"], requires=("app",))}
    policy = replace(policy, channels=channels)
    flags = replace(scored.reach, flags=np.zeros((60, 2), bool))
    scored = replace(scored, reach=flags)
    assert planned_names(scored, decide_night(scored, policy), policy) == {"phone"}


def test_a_cap_that_is_over_by_then_does_not_matter_and_one_that_is_not_does() -> None:
    base, _, _ = night_of()
    by_channel = base.pressure.sent_by_channel.copy()
    by_channel[:, 1] = [0, 1, 1]
    pressure = replace(base.pressure, sent_by_channel=by_channel)
    scored, _, policy = _own_channel("push", scored={"pressure": pressure})
    for cap, following in (("max_per_7d", "sms"), ("max_per_30d", "email")):
        sms = replace(policy.channels["sms"], **{cap: 1})
        capped = replace(policy, channels={**policy.channels, "sms": sms})
        assert planned_names(scored, decide_night(scored, capped), capped) == {following}


@pytest.mark.parametrize(
    ("caps", "possible"),
    [
        (Caps(), True),
        (Caps(max_per_7d=1), False),
        (Caps(max_per_30d=1), False),
        (Caps(max_per_30d=2), True),
        (Caps(min_pause_days=7), False),
    ],
    ids=str,
)
def test_no_step_is_planned_that_caps_forbid_for_good(caps: Caps, possible: bool) -> None:
    scored, night, policy = _own_channel("push", caps=caps)
    assert planned_names(scored, night, policy) == ({"sms"} if possible else {None})


def test_steps_are_counted_and_end() -> None:
    def due_tonight(max_steps: int) -> tuple[ScoredCustomers, Night, NightPolicy]:
        follow_ups = replace(
            running(*[(1, 0)] * 60),
            due_us=np.full(60, POLICY.as_of_us),
            step=np.full(60, 2, dtype=np.int64),
        )
        return night_of(follow_ups=follow_ups, follow_up=FollowUp(max_steps=max_steps))

    for most, following in ((2, {None}), (3, {"email"})):
        scored, night, policy = due_tonight(most)
        steps = followed_steps(scored, night, policy)
        assert set(steps.step.tolist()) == {2}
        rows = night.eligible[night.listed]
        assert list(steps.row_id) == [f"list/{row + 1}" for row in rows]
        assert planned_names(scored, night, policy) == following


def test_the_due_night_is_a_local_midnight_across_a_change_of_clocks() -> None:
    scored, night, policy = _own_channel("push")
    columns = follow_up_columns(scored, night, policy)
    due = set(columns["follow_up_at"].drop_null().to_pylist())
    midnight = local_midnight_us(DAY + timedelta(days=3), ZoneInfo("Europe/Berlin"))
    assert due == {midnight}
    # Clocks were put forward on the list's day.
    assert midnight - policy.as_of_us == 3 * DAY_US - DAY_US // 24


def test_who_waits_for_a_later_step_is_excluded_and_who_is_due_has_one_channel() -> None:
    steps = replace(
        running(*[(1, 0)] * 30, *[None] * 30),
        due_us=np.where(np.arange(30) % 2, POLICY.as_of_us + DAY_US, POLICY.as_of_us),
    )
    scored, night, policy = night_of(follow_ups=steps)
    names = [EXCLUSIONS[code] for code in night.exclusion]
    assert names[1:30:2] == ["in_follow_up"] * 15
    assert set(names[0:30:2]) == {""}
    open_ = night.blocks.is_open[np.searchsorted(night.asked, np.arange(0, 30, 2))]
    assert open_.tolist() == [[False, True, False, False]] * 15
    assert "follow_up_step" in CHANNEL_RULES
    listed = night.eligible[night.listed]
    followed = followed_steps(scored, night, policy)
    assert {int(row) for row, of in zip(listed, followed.row_id, strict=True) if of} == set(
        range(0, 30, 2)
    )
    parts = [select_scored(scored, np.arange(0, 25)), select_scored(scored, np.arange(25, 60))]
    again = decide_night(join_scored(parts), policy)
    assert (again.exclusion == night.exclusion).all()


@given(
    st.lists(st.booleans(), min_size=4, max_size=4),
    st.permutations(NAMES),
    st.integers(-1, 3),
)
def test_a_due_step_leaves_the_first_open_channel_of_the_rest_of_the_ladder(
    closed: list[bool], order: list[str], planned: int
) -> None:
    shut = tuple(name for name, is_shut in zip(NAMES, closed, strict=True) if is_shut)
    rest = order[order.index(NAMES[planned]) :] if planned >= 0 else []
    expected = next((name for name in rest if name not in shut), None)
    found = kept(planned, closed=shut, ladder=tuple(order))
    if expected is None:
        assert set(found.split()) == set(NAMES) - set(shut)
    else:
        assert found == expected
