"""One night's decisions: from scored customers to who is listed with which action."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.arms import ArmDraws, draw_arms
from scoring.booking import book_contacts, timing_rules
from scoring.choice import Choices
from scoring.contest import (
    Contest,
    night_limits,
    sent_share,
)
from scoring.effects import ActionEffects, NightEffects, assumed_effects
from scoring.eligibility import (
    CUSTOMER_CODES,
    OPEN,
    ChannelBlocks,
    block_channels,
    exclude_by_contact_rules,
    exclude_by_state,
)
from scoring.exploration import (
    Exploration,
    experiment_in_force,
)
from scoring.follow_up import keep_to_step, ladder_ranks, steps_in_turn
from scoring.gain import Actions
from scoring.night_plan import (
    Certificate,
    certify,
    choose_within_limits,
    plan_contacts,
    turns_of,
)
from scoring.night_policy import NightPolicy
from scoring.offered import (
    Offered,
    best_shares,
    expected_order_values,
    make_candidates,
    offer_actions,
    segment_rows,
)
from scoring.outcomes import LISTED, OUTCOMES, UNLIMITED
from scoring.policy import (
    Experiment,
)
from scoring.reachability import NO_ZONE
from scoring.scored import ScoredCustomers, select_pressure, select_reach
from scoring.segments import (
    Segments,
    segment_customers,
)
from scoring.send_times import SendTimes
from scoring.send_windows import (
    SendWindows,
    find_send_windows,
    has_send_window,
    seats_tonight,
)
from scoring.waiting import LookAhead, Prospects, hold_back, with_held

BoolArray = NDArray[np.bool_]
Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]
Int8Array = NDArray[np.int8]

EXCLUSIONS = (*CUSTOMER_CODES, *OUTCOMES[LISTED + 1 :])
"""Every reason for not being listed; the first, empty, is for those who are."""


@dataclass(frozen=True, slots=True)
class Night:
    """What was decided for n scored customers, m of them eligible.

    Attributes
    ----------
    exclusion : shape (n,), place in `EXCLUSIONS`; 0 for the listed.
    asked : positions of the customers whose channels were looked at.
    blocks : why each of their channels is closed; rows as in `asked`.
    eligible : shape (m,), positions of the customers with an open channel.
    order_value : shape (m,), money a return is worth before margin.
    effects : what each action is expected to change for them.
    gains, allowed : shape (m, n_actions): expected gain of each action, and whether it
        may be taken.
    draws, choices : of the eligible; what chance and the choice gave them.
    times : when each of the eligible who are contacted is to be reached.
    slots : allowed times by (zone, channel name); null where quiet hours leave none.
    experiment : in force that night, its explore share by what effects rest on.
    segments : of all n customers.
    cost : shape (m, n_actions), expected spending of each action; money.
    certificate : how close the list is to the best one, and what limits it.
    """

    exclusion: Int8Array
    asked: Int64Array
    blocks: ChannelBlocks
    eligible: Int64Array
    order_value: Float64Array
    actions: Actions
    effects: ActionEffects
    gains: Float64Array
    allowed: BoolArray
    draws: ArmDraws
    choices: Choices
    times: SendTimes
    slots: SendWindows
    experiment: Experiment
    segments: Segments
    cost: Float32Array
    certificate: Certificate

    @property
    def listed(self) -> Int64Array:
        """Places within `eligible` of the listed, the largest expected gain first."""
        places = np.flatnonzero(self.choices.outcome == LISTED)
        gain = self.gains[places, self.choices.action[places]]
        order = np.lexsort((places, self.draws.tie[places], -gain))
        return places[order].astype(np.int64)


@dataclass(frozen=True, slots=True)
class PreparedNight:
    """A night before anybody is chosen; see `Night` for what is not said here.

    Attributes
    ----------
    exclusion : shape (n,), place in `EXCLUSIONS` of those who are not eligible; 0 for others.
    offered : what the eligible could get.
    contest : what competes, and for what.
    """

    exclusion: Int8Array
    asked: Int64Array
    blocks: ChannelBlocks
    eligible: Int64Array
    offered: Offered
    draws: ArmDraws
    slots: SendWindows
    experiment: Experiment
    contest: Contest


def prepare_night(
    scored: ScoredCustomers,
    policy: NightPolicy,
    *,
    effects: NightEffects | None = None,
    order_values: Float64Array | None = None,
    is_holdout: BoolArray | None = None,
    segments: Segments | None = None,
    threads: int = 1,
) -> PreparedNight:
    """Apply the rules in order: state, contact rules, channels, offers; weigh what is left.

    Parameters
    ----------
    scored : customers in a fixed order (bucket, then id), so that equal inputs give
        equal lists.
    effects : what contacts change; null means the configuration's assumptions.
    order_values : shape (n,), what a return is worth before margin; null means
        `expected_order_values` of these customers.
    is_holdout : shape (n,), see `scoring.holdout`; null means by the salted hash alone.
    segments : of the customers; null means as `segment_customers` places them.
    threads : for the search of the optimum; the night does not depend on them.
    """
    exclusion = _exclude(scored, policy)
    asked = np.flatnonzero(exclusion == OPEN).astype(np.int64)
    blocks, slots = look_at_channels(scored, asked, policy)
    reachable = blocks.is_open.any(axis=1)
    exclusion[asked[~reachable]] = EXCLUSIONS.index("no_eligible_channel")
    eligible = asked[reachable]
    if order_values is None:
        order_values = expected_order_values(scored, policy)
    if segments is None:
        segments = segment_customers(
            scored, stages=policy.stages, tier_quantile=policy.rules.tier_quantile
        )
    believed = effects or assumed_effects(policy.channels, policy.offers)
    offered = offer_actions(
        scored,
        eligible,
        is_open=blocks.is_open[reachable],
        believed=believed,
        order_value=order_values[eligible],
        segments=segments,
        policy=policy,
    )
    experiment = experiment_in_force(policy.experiment, evidence=believed.effect.evidence)
    draws = draw_arms(
        scored.ids(eligible),
        experiment=experiment,
        as_of_us=policy.as_of_us,
        is_holdout=None if is_holdout is None else is_holdout[eligible],
    )
    rows = segment_rows(offered.segments, eligible, scored, policy)
    contest = Contest(
        candidates=make_candidates(offered, group=rows.group, tie=draws.tie, policy=policy),
        channel_of=offered.actions.channel_of.astype(np.int64),
        segments=rows,
        limits=night_limits(
            policy.limits, policy.rules, capacity=_capacity(policy, slots), segments=rows
        ),
        sent_share=sent_share(experiment),
        threads=threads,
        explore_share=experiment.explore_share,
    )
    return PreparedNight(
        exclusion=exclusion,
        asked=asked,
        blocks=blocks,
        eligible=eligible,
        offered=offered,
        draws=draws,
        slots=slots,
        experiment=experiment,
        contest=contest,
    )


def decide_night(
    scored: ScoredCustomers,
    policy: NightPolicy,
    *,
    effects: NightEffects | None = None,
    order_values: Float64Array | None = None,
    is_holdout: BoolArray | None = None,
    segments: Segments | None = None,
    ahead: LookAhead | None = None,
    threads: int = 1,
) -> Night:
    """Prepare the night, find the best contacts, and give them out within the real limits.

    Parameters
    ----------
    scored, effects, order_values, is_holdout, segments, threads : see `prepare_night`.
    ahead : tells who is worth more within days, see `scoring.waiting`; null holds nobody back.
    """
    ready = prepare_night(
        scored,
        policy,
        effects=effects,
        order_values=order_values,
        is_holdout=is_holdout,
        segments=segments,
        threads=threads,
    )
    contest, draws, offered, eligible = ready.contest, ready.draws, ready.offered, ready.eligible
    experiment, exclusion = ready.experiment, ready.exclusion.copy()
    plan = plan_contacts(contest)
    if ahead is not None and policy.waiting.days:
        prospects = Prospects(
            scored=scored,
            eligible=eligible,
            offered=offered,
            believed=effects or assumed_effects(policy.channels, policy.offers),
            policy=policy,
        )
        held = hold_back(prospects, contest, plan, ahead=ahead)
        if held.any():
            contest = with_held(contest, held)
            plan = plan_contacts(contest)
    turns = turns_of(contest, plan)
    on_trial = contest.on_trial(draws.on_trial)
    choices = choose_within_limits(
        contest,
        plan,
        turns,
        arm=draws.arm,
        exploration=Exploration(
            draw=draws.action,
            on_trial=on_trial,
            # The law of who cannot be listed is asked of nobody.
            weights=best_shares(offered, turns.may_be_listed(on_trial), policy),
            share=experiment.explore_share,
            floor=experiment.propensity_floor,
        ),
    )
    booked = book_contacts(
        scored,
        eligible,
        choices=choices,
        gains=offered.gains,
        draws=draws,
        windows=ready.slots,
        rules=timing_rules(policy.channels, experiment, list_day=policy.list_day),
    )
    refused = booked.choices.outcome != LISTED
    exclusion[eligible[refused]] = len(CUSTOMER_CODES) - 1 + booked.choices.outcome[refused]
    return Night(
        exclusion=exclusion,
        asked=ready.asked,
        blocks=ready.blocks,
        eligible=eligible,
        order_value=offered.order_value,
        actions=offered.actions,
        effects=offered.effects,
        gains=offered.gains,
        allowed=offered.allowed,
        draws=draws,
        choices=booked.choices,
        times=booked.times,
        slots=ready.slots,
        experiment=experiment,
        segments=offered.segments,
        cost=contest.candidates.cost,
        certificate=certify(contest, plan, booked.choices, draws.arm),
    )


def _exclude(scored: ScoredCustomers, policy: NightPolicy) -> Int8Array:
    """Codes of who cannot be contacted, before any channel is looked at; shape (n,)."""
    by_state = exclude_by_state(
        scored.stage,
        dormant=scored.dormant,
        p_dormant=scored.p_dormant,
        stages=policy.stages,
        at_risk_probability=policy.rules.at_risk_probability,
    )
    by_contacts = exclude_by_contact_rules(
        reach=scored.reach,
        pressure=scored.pressure,
        caps=policy.caps,
        days_since_order=scored.days_since_order,
        awaits_follow_up=scored.follow_ups.awaited(as_of_us=policy.as_of_us),
        as_of_us=policy.as_of_us,
    )
    exclusion = np.where(by_state == OPEN, by_contacts, by_state).astype(np.int8)
    if not policy.channels:
        exclusion[exclusion == OPEN] = EXCLUSIONS.index("no_channel_configured")
    return exclusion


def look_at_channels(
    scored: ScoredCustomers, rows: Int64Array, policy: NightPolicy
) -> tuple[ChannelBlocks, SendWindows]:
    """Why channels are closed to the given rows, and the send windows of their zones.

    Parameters
    ----------
    rows : positions of customers on some stage.
    """
    reach = select_reach(scored.reach, rows)
    slots = find_send_windows(
        reach, policy.channels, zone=policy.zone, list_day=policy.list_day, active=scored.active
    )
    blocks = block_channels(
        scored.stage[rows],
        stages=policy.stages,
        channels=policy.channels,
        reach=reach,
        pressure=select_pressure(scored.pressure, rows),
        has_window=has_send_window(reach, policy.channels, slots),
    )
    ranks = ladder_ranks(scored.stage[rows], stages=policy.stages, channels=policy.channels)
    in_turn = steps_in_turn(scored.follow_ups.select(rows), ranks=ranks, as_of_us=policy.as_of_us)
    return keep_to_step(blocks, in_turn=in_turn, ranks=ranks), slots


def _capacity(policy: NightPolicy, slots: SendWindows) -> Int64Array:
    """Contacts by channel; `UNLIMITED` where there is no limit."""
    seats = seats_tonight(policy.channels, slots)
    known = [
        [limit for limit in (channel.capacity, by_hour) if limit is not None]
        for channel, by_hour in zip(policy.channels.values(), seats, strict=True)
    ]
    capacity = [min(limits, default=UNLIMITED) for limits in known]
    return np.array(capacity, dtype=np.int64)


def count_unknown_zones(scored: ScoredCustomers, rows: Int64Array) -> int:
    """How many of the rows are timed in the business's zone for want of their own."""
    return int((scored.reach.zone[rows] == NO_ZONE).sum())
