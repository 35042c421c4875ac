"""One night's decisions: from scored customers to who is listed with which action."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from features.stage import Stage
from models.order_value import return_values, shrink_order_value
from scoring.arms import ArmDraws, draw_arms
from scoring.booking import book_contacts, timing_rules
from scoring.choice import LISTED, OUTCOMES, UNLIMITED, Choices, Limits, choose_actions
from scoring.effects import ActionEffects, NightEffects, assumed_effects
from scoring.eligibility import (
    CUSTOMER_CODES,
    OPEN,
    ChannelBlocks,
    block_channels,
    exclude_by_contact_rules,
    exclude_by_state,
    stage_channel_order,
    stage_offers,
)
from scoring.exploration import (
    Exploration,
    best_action_shares,
    experiment_in_force,
    night_generator,
)
from scoring.follow_up import keep_to_step, ladder_ranks, steps_in_turn
from scoring.gain import Actions, gain_terms, list_actions
from scoring.policy import (
    Caps,
    Channel,
    Experiment,
    FollowUp,
    ListRules,
    NightLimits,
    Offer,
    Waiting,
)
from scoring.reachability import NO_ZONE
from scoring.scored import ScoredCustomers, select_pressure, select_reach
from scoring.segments import Segments, apply_promotion, segment_customers
from scoring.send_times import SendTimes
from scoring.send_windows import (
    SendWindows,
    find_send_windows,
    has_send_window,
    seats_tonight,
)
from scoring.timing import ListDay

BoolArray = NDArray[np.bool_]
Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]
Int8Array = NDArray[np.int8]

EXCLUSIONS = (*CUSTOMER_CODES, *OUTCOMES[LISTED + 1 :])
"""Every reason for not being listed; the first, empty, is for those who are."""


@dataclass(frozen=True, slots=True)
class NightPolicy:
    """What the configuration says about one night.

    Attributes
    ----------
    as_of_us : the as-of, microseconds since 1970-01-01 UTC.
    day : the list's local date.
    zone : the business's IANA zone, used where a customer's own is unknown.
    gross_margin : share of an order's amount that is kept.
    """

    as_of_us: int
    day: date
    zone: str
    gross_margin: float
    stages: tuple[Stage, ...]
    channels: Mapping[str, Channel]
    offers: Mapping[str, Offer]
    caps: Caps
    experiment: Experiment
    rules: ListRules
    limits: NightLimits = field(default_factory=NightLimits)
    follow_up: FollowUp = field(default_factory=FollowUp)
    waiting: Waiting = field(default_factory=Waiting)

    @property
    def list_day(self) -> ListDay:
        """The list's date and its as-of."""
        return ListDay(day=self.day, as_of_us=self.as_of_us)


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

    @property
    def listed(self) -> Int64Array:
        """Places within `eligible` of the listed, the largest expected gain first."""
        places = np.flatnonzero(self.choices.outcome == LISTED)
        gain = self.gains[places, self.choices.action[places]]
        order = np.lexsort((places, self.draws.tie[places], -gain))
        return places[order].astype(np.int64)


def decide_night(
    scored: ScoredCustomers,
    policy: NightPolicy,
    *,
    effects: NightEffects | None = None,
    order_values: Float64Array | None = None,
    is_holdout: BoolArray | None = None,
    segments: Segments | None = None,
) -> Night:
    """Apply the rules in order: state, contact rules, channels, gain, capacity.

    Parameters
    ----------
    scored : customers in a fixed order (bucket, then id), so that equal inputs give
        equal lists.
    effects : what contacts change; null means the configuration's assumptions.
    order_values : shape (n,), what a return is worth before margin; null means
        `expected_order_values` of these customers.
    is_holdout : shape (n,), see `scoring.holdout`; null means by the salted hash alone.
    segments : of the customers; null means as `segment_customers` places them.
    """
    exclusion = exclude_by_state(
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
    exclusion = np.where(exclusion == OPEN, by_contacts, exclusion).astype(np.int8)
    if not policy.channels:
        exclusion[exclusion == OPEN] = EXCLUSIONS.index("no_channel_configured")
    asked = np.flatnonzero(exclusion == OPEN).astype(np.int64)
    blocks, slots = look_at_channels(scored, asked, policy)
    reachable = blocks.is_open.any(axis=1)
    exclusion[asked[~reachable]] = EXCLUSIONS.index("no_eligible_channel")
    eligible = asked[reachable]
    if order_values is None:
        order_values = expected_order_values(scored, policy)
    order_value = order_values[eligible]
    actions = list_actions(policy.channels, policy.offers)
    believed = effects or assumed_effects(policy.channels, policy.offers)
    weighed = believed.weigh(
        scored.p_natural[eligible],
        scored.effect_x[eligible],
        names=scored.effect_names,
        actions=actions,
    )
    gains = weighed.gains(order_value=order_value, terms=actions.terms(policy.gross_margin))
    stage = scored.stage[eligible]
    if segments is None:
        segments = segment_customers(
            scored, stages=policy.stages, tier_quantile=policy.rules.tier_quantile
        )
    segments, promoted = apply_promotion(
        segments,
        eligible,
        weighed,
        order_value=order_value,
        actions=actions,
        gross_margin=policy.gross_margin,
    )
    allowed = allowed_actions(blocks.is_open[reachable], stage, policy) & promoted
    experiment = experiment_in_force(policy.experiment, evidence=believed.effect.evidence)
    draws = draw_arms(
        scored.ids(eligible),
        experiment=experiment,
        as_of_us=policy.as_of_us,
        is_holdout=None if is_holdout is None else is_holdout[eligible],
    )
    choices = choose_actions(
        gains,
        allowed=allowed,
        channel_order=stage_channel_order(policy.stages, tuple(policy.channels))[stage],
        arm=draws.arm,
        tie=draws.tie,
        exploration=Exploration(
            draw=draws.action,
            on_trial=draws.on_trial,
            weights=_best_shares(
                weighed,
                order_value=order_value,
                actions=actions,
                # The law of who cannot be listed is asked of nobody.
                allowed=allowed & may_be_listed(gains, allowed, draws.on_trial, policy)[:, None],
                policy=policy,
            ),
            share=experiment.explore_share,
            floor=experiment.propensity_floor,
        ),
        limits=_limits(policy, slots),
    )
    booked = book_contacts(
        scored,
        eligible,
        choices=choices,
        gains=gains,
        draws=draws,
        windows=slots,
        rules=timing_rules(policy.channels, experiment, list_day=policy.list_day),
    )
    choices = booked.choices
    refused = choices.outcome != LISTED
    exclusion[eligible[refused]] = len(CUSTOMER_CODES) - 1 + choices.outcome[refused]
    return Night(
        exclusion=exclusion,
        asked=asked,
        blocks=blocks,
        eligible=eligible,
        order_value=order_value,
        actions=actions,
        effects=weighed,
        gains=gains,
        allowed=allowed,
        draws=draws,
        choices=choices,
        times=booked.times,
        slots=slots,
        experiment=experiment,
        segments=segments,
    )


def _best_shares(
    weighed: ActionEffects,
    *,
    order_value: Float64Array,
    actions: Actions,
    allowed: BoolArray,
    policy: NightPolicy,
) -> Float64Array | None:
    """How often each action is the best one, where exploration asks for it."""
    if policy.experiment.exploration == "uniform":
        return None
    rows = np.flatnonzero(allowed.any(axis=1))
    asked = weighed.take(rows)
    kept, lost = gain_terms(
        asked.natural,
        order_value=order_value[rows],
        attrition_cost=asked.attrition_cost,
        terms=actions.terms(policy.gross_margin),
    )
    shares = np.zeros(allowed.shape)
    shares[rows] = best_action_shares(
        asked.draws(night_generator(policy.experiment, as_of_us=policy.as_of_us)),
        log_odds0=asked.log_odds0,
        kept=kept,
        lost=lost,
        allowed=allowed[rows],
        min_gain=policy.rules.min_gain,
    )
    return shares


def may_be_listed(
    gains: Float64Array, allowed: BoolArray, on_trial: BoolArray, policy: NightPolicy
) -> BoolArray:
    """Who has an action that gains enough, or is on trial; shape (m,).

    Parameters
    ----------
    gains, allowed : shape (m, n_actions).
    on_trial : shape (m,), see `scoring.arms.ArmDraws`.
    """
    return np.asarray(on_trial | (allowed & (gains > policy.rules.min_gain)).any(axis=1))


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


def allowed_actions(is_open: BoolArray, stage: NDArray[np.int16], policy: NightPolicy) -> BoolArray:
    """Which actions may be taken: the channel is open, the stage makes the offer.

    Parameters
    ----------
    is_open : shape (m, n_channels).
    stage : shape (m,).

    Returns
    -------
    Shape (m, n_actions).
    """
    offers = stage_offers(policy.stages, policy.offers)[stage]
    by_channel = np.repeat(is_open, len(policy.offers), axis=1)
    allowed: BoolArray = by_channel & np.tile(offers, (1, len(policy.channels)))
    return allowed


def expected_order_values(scored: ScoredCustomers, policy: NightPolicy) -> Float64Array:
    """Money each customer's return is worth before margin: the stage's, else their own."""
    own = shrink_order_value(scored.mean_order, scored.orders)
    return return_values(own, scored.stage, policy.stages)


def _limits(policy: NightPolicy, slots: SendWindows) -> Limits:
    seats = seats_tonight(policy.channels, slots)
    known = [
        [limit for limit in (channel.capacity, by_hour) if limit is not None]
        for channel, by_hour in zip(policy.channels.values(), seats, strict=True)
    ]
    capacity = [min(limits, default=UNLIMITED) for limits in known]
    rows = policy.rules.max_rows
    return Limits(
        capacity=np.array(capacity, dtype=np.int64),
        max_rows=UNLIMITED if rows is None else rows,
        min_gain=policy.rules.min_gain,
    )


def count_unknown_zones(scored: ScoredCustomers, rows: Int64Array) -> int:
    """How many of the rows are timed in the business's zone for want of their own."""
    return int((scored.reach.zone[rows] == NO_ZONE).sum())
