"""What the eligible could get tonight, and what it would be worth and cost."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.action_value import ActionTerms
from models.order_value import return_values, shrink_order_value
from scoring.choice import Candidates
from scoring.contest import cautious_gains, expected_spending
from scoring.effects import ActionEffects, NightEffects
from scoring.eligibility import stage_offers
from scoring.exploration import best_action_shares, night_generator
from scoring.gain import Actions, gain_terms, list_actions
from scoring.night_policy import NightPolicy
from scoring.scored import ScoredCustomers
from scoring.segment_limits import SegmentRows, group_customers
from scoring.segments import Segments, apply_promotion, segment_members

BoolArray = NDArray[np.bool_]
Float64Array = NDArray[np.float64]
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Offered:
    """What m eligible customers could get; see `Night`."""

    order_value: Float64Array
    actions: Actions
    effects: ActionEffects
    gains: Float64Array
    allowed: BoolArray
    segments: Segments
    terms: ActionTerms


def offer_actions(
    scored: ScoredCustomers,
    eligible: Int64Array,
    *,
    is_open: BoolArray,
    believed: NightEffects,
    order_value: Float64Array,
    segments: Segments,
    policy: NightPolicy,
) -> Offered:
    """Weigh every action for the eligible, and say which may be taken.

    Parameters
    ----------
    is_open : shape (m, n_channels).
    """
    actions = list_actions(policy.channels, policy.offers)
    terms = actions.terms(policy.gross_margin)
    weighed = believed.weigh(
        scored.p_natural[eligible],
        scored.effect_x[eligible],
        names=scored.effect_names,
        actions=actions,
    )
    segments, promoted = apply_promotion(
        segments,
        eligible,
        weighed,
        order_value=order_value,
        actions=actions,
        gross_margin=policy.gross_margin,
    )
    return Offered(
        order_value=order_value,
        actions=actions,
        effects=weighed,
        gains=weighed.gains(order_value=order_value, terms=terms),
        allowed=promoted & allowed_actions(is_open, scored.stage[eligible], policy),
        segments=segments,
        terms=terms,
    )


def make_candidates(
    offered: Offered, *, group: Int32Array, tie: Float64Array, policy: NightPolicy
) -> Candidates:
    spending = expected_spending(
        offered.effects, order_value=offered.order_value, terms=offered.terms
    )
    return Candidates(
        value=cautious_gains(
            offered.gains,
            offered.effects,
            order_value=offered.order_value,
            terms=offered.terms,
            caution=policy.limits.caution,
        ),
        cost=spending.cost,
        variance=spending.variance,
        allowed=offered.allowed,
        group=group,
        held=np.zeros(len(tie), dtype=np.bool_),
        tie=tie,
    )


def segment_rows(
    segments: Segments, eligible: Int64Array, scored: ScoredCustomers, policy: NightPolicy
) -> SegmentRows:
    limits = policy.limits.segments
    members = np.zeros((len(limits), len(eligible)), dtype=np.bool_)
    for place, limit in enumerate(limits):
        whole = segment_members(segments, limit, stage=scored.stage, stages=policy.stages)
        members[place] = whole[eligible]
    return group_customers(limits, members)


def best_shares(offered: Offered, asked: BoolArray, policy: NightPolicy) -> Float64Array | None:
    """How often each action is the best one for those asked about, others have zeros."""
    if policy.experiment.exploration == "uniform":
        return None
    rows = np.flatnonzero(asked & offered.allowed.any(axis=1))
    effects = offered.effects.take(rows)
    kept, lost = gain_terms(
        effects.natural,
        order_value=offered.order_value[rows],
        attrition_cost=effects.attrition_cost,
        terms=offered.terms,
    )
    shares = np.zeros(offered.allowed.shape)
    shares[rows] = best_action_shares(
        effects.draws(night_generator(policy.experiment, as_of_us=policy.as_of_us)),
        log_odds0=effects.log_odds0,
        kept=kept,
        lost=lost,
        allowed=offered.allowed[rows],
        min_gain=policy.rules.min_gain,
    )
    return shares


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
