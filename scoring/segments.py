"""Segments of customers: life cycle, value tier and promotion sensitivity, and who moved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.life_cycle import LIFE_CYCLES, life_cycle_of
from features.stage import Stage
from features.stage_gaps import GapTotals
from features.value_tier import VALUE_TIERS, count_moves, tier_codes, tier_cuts
from models.personal_silence import fit_rhythm, personal_limits
from models.silence_survival import lost_day, return_rate, supported_days, survival
from scoring.customer_past import CustomerPast
from scoring.effects import ActionEffects
from scoring.gain import Actions
from scoring.policy import SegmentLimit
from scoring.promotion import (
    BASES,
    PROMOTIONS,
    Promotion,
    actions_by_promotion,
    offers_by_promotion,
    promotion_by_effects,
    promotion_by_history,
)
from scoring.scored import ScoredCustomers

BoolArray = NDArray[np.bool_]
Float64Array = NDArray[np.float64]
Int8Array = NDArray[np.int8]
Int64Array = NDArray[np.int64]

UNKNOWN = -1
"""The life cycle of customers on no stage that anybody is recalled from, and the tier of
those who were not known a month ago."""

LOST_HORIZON_DAYS = 90
"""Lost are those of whom next to nobody returns within so many days."""


@dataclass(frozen=True, slots=True)
class Segments:
    """The segments of n customers; each of shape (n,).

    Attributes
    ----------
    life_cycle : place in `features.life_cycle.LIFE_CYCLES`, or UNKNOWN.
    value_tier : place in `features.value_tier.VALUE_TIERS`.
    tier_then : the tier a month ago, as was known then, by tonight's cuts; or UNKNOWN.
    promotion : sensitivity to offers.
    """

    life_cycle: Int8Array
    value_tier: Int8Array
    tier_then: Int8Array
    promotion: Promotion

    def __len__(self) -> int:
        return len(self.life_cycle)

    def with_promotion(self, rows: Int64Array, promotion: Promotion) -> "Segments":
        """The same with another promotion sensitivity of some customers."""
        code, basis = self.promotion.code.copy(), self.promotion.basis.copy()
        code[rows], basis[rows] = promotion.code, promotion.basis
        return replace(self, promotion=Promotion(code, basis))

    def names(self, rows: Int64Array) -> dict[str, list[str | None]]:
        """Names of some customers' segments, by the columns of the recall list."""
        return {
            "value_tier": _named(self.value_tier[rows], VALUE_TIERS),
            "life_cycle": _named(self.life_cycle[rows], LIFE_CYCLES),
            "promotion": _named(self.promotion.code[rows], PROMOTIONS),
            "promotion_basis": _named(self.promotion.basis[rows], BASES),
        }


def _named(codes: NDArray[Any], names: Sequence[str]) -> list[str | None]:
    known: list[str | None] = [*names, None]
    return [known[code] for code in codes]


def segment_customers(
    scored: ScoredCustomers, *, stages: Sequence[Stage], tier_quantile: float
) -> Segments:
    """Place all scored customers; cuts and shares are those of all of them.

    Parameters
    ----------
    scored : every customer of the night, not some of them.
    stages : the ladder.
    tier_quantile : high is above this quantile of yearly spend, of yearly orders.
    """
    cuts = tier_cuts(scored.yearly_spend, scored.yearly_orders, quantile=tier_quantile)
    pace = scored.past.pace
    then = tier_codes(pace.spend_then, pace.orders_then, cuts)
    then[~pace.known_then] = UNKNOWN
    return Segments(
        life_cycle=life_cycles(
            scored.stage, silence_days=scored.silence_days, past=scored.past, stages=stages
        ),
        value_tier=tier_codes(scored.yearly_spend, scored.yearly_orders, cuts),
        tier_then=then,
        promotion=promotion_by_history(scored.past.coupons),
    )


def apply_promotion(
    segments: Segments,
    rows: Int64Array,
    effects: ActionEffects,
    *,
    order_value: Float64Array,
    actions: Actions,
    gross_margin: float,
) -> tuple[Segments, BoolArray]:
    """Take measured effects into account, and say which actions sensitivity leaves open.

    Parameters
    ----------
    segments : of all customers.
    rows : positions of the m eligible ones.
    effects, order_value : theirs.
    actions, gross_margin : of the configuration.

    Returns
    -------
    The segments, and who may be made which offers, shape (m, n_actions).
    """
    promotion = promotion_by_effects(
        segments.promotion.select(rows),
        effects,
        order_value=order_value,
        actions=actions,
        terms=actions.terms(gross_margin),
    )
    offers = offers_by_promotion(promotion.code, segments.life_cycle[rows], offers=actions.offers)
    mask = actions_by_promotion(offers, effects.effect.evidence, actions)
    return segments.with_promotion(rows, promotion), mask


def recorded_segments(decision: Mapping[str, Any]) -> Segments | None:
    """The segments of one customer as the `decisions` table holds them.

    Null for a decision of an earlier version, which did not log them.
    """
    if decision.get("promotion") is None:
        return None

    def code(name: str, names: Sequence[str]) -> Int8Array:
        value = decision.get(name)
        return np.array([UNKNOWN if value is None else names.index(value)], dtype=np.int8)

    return Segments(
        life_cycle=code("life_cycle", LIFE_CYCLES),
        value_tier=code("value_tier", VALUE_TIERS),
        tier_then=np.array([UNKNOWN], dtype=np.int8),
        promotion=Promotion(code("promotion", PROMOTIONS), code("promotion_basis", BASES)),
    )


def life_cycles(
    stage_of: NDArray[np.int16],
    *,
    silence_days: Float64Array,
    past: CustomerPast,
    stages: Sequence[Stage],
) -> Int8Array:
    """The life cycle of every customer by the rules of their stage; shape (n,).

    Personal limits are quantiles of the customer's own gaps, drawn towards those of the
    stage; the stage's window is its `silence_days`.

    Parameters
    ----------
    stage_of : place of each customer's stage in `stages`, shape (n,).
    silence_days : there, shape (n,).
    past : of the same customers.
    """
    found = np.full(len(stage_of), UNKNOWN, dtype=np.int8)
    for place, stage in enumerate(stages):
        window = stage.silence_days
        rows = np.flatnonzero(stage_of == place)
        if window is None or not len(rows):
            continue
        fit = fit_rhythm(past.totals.rhythm, place)
        gaps, log_mean = past.gaps.gaps[rows], past.gaps.log_mean[rows].astype(np.float64)
        found[rows] = life_cycle_of(
            silence_days[rows],
            is_new=gaps == 0,
            was_dormant=past.gaps.was_dormant[rows],
            limits=(
                np.full((3, len(rows)), np.inf)
                if fit is None
                else personal_limits(fit, gaps, log_mean, window_days=window)
            ),
            window_days=window,
            lost_days=lost_after(past.totals, place),
        )
    return found


def lost_after(totals: GapTotals, stage: int) -> int | None:
    """Days of silence from which on customers of a stage are lost; null if data do not say."""
    ended, still_open = totals.ended[stage], totals.still_open[stage]
    if not ended.any():
        return None
    survivors = survival(ended, still_open)[: supported_days(ended, still_open) + 1]
    return lost_day(return_rate(survivors, LOST_HORIZON_DAYS))


@dataclass(frozen=True, slots=True)
class TierMovement:
    """Who moved between tiers within a month.

    Attributes
    ----------
    tiers : names of the rows and columns.
    counts : counts[i][j] customers were in tier i a month ago and are in tier j now.
    joined : per tier, customers in it now of whom nothing was known a month ago.
    """

    tiers: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    joined: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """For the report and the manifest."""
        return {
            "tiers": list(self.tiers),
            "counts": [list(row) for row in self.counts],
            "joined": list(self.joined),
        }


def tier_movement(segments: Segments) -> TierMovement:
    """Movement between value tiers since a month ago, both cut where they are cut tonight.

    So a move is the customer's own, not one of the cut's.
    """
    known = segments.tier_then != UNKNOWN
    size = len(VALUE_TIERS)
    counts = count_moves(segments.tier_then[known], segments.value_tier[known], size=size)
    joined = np.bincount(segments.value_tier[~known], minlength=size)
    return TierMovement(
        tiers=VALUE_TIERS,
        counts=tuple(tuple(int(n) for n in row) for row in counts),
        joined=tuple(int(n) for n in joined),
    )


def count_segments(segments: Segments) -> dict[str, dict[str, int]]:
    """Customers per life cycle and per promotion sensitivity, in the order of the names."""
    known = segments.life_cycle[segments.life_cycle != UNKNOWN]
    return {
        "life_cycle": _counted(known, LIFE_CYCLES),
        "promotion": _counted(segments.promotion.code, PROMOTIONS),
        "promotion_basis": _counted(segments.promotion.basis, BASES),
    }


def _counted(codes: Int8Array, names: Sequence[str]) -> dict[str, int]:
    counts = np.bincount(codes, minlength=len(names))
    return {name: int(counts[place]) for place, name in enumerate(names)}


def segment_members(
    segments: Segments,
    limit: SegmentLimit,
    *,
    stage: NDArray[np.int16],
    stages: Sequence[Stage],
) -> BoolArray:
    """Who is in the segment that a limit speaks of; shape (n,).

    Each condition that names values holds for those with one of them; one that names none
    holds for all.

    Parameters
    ----------
    segments : of n customers.
    limit : conditions on stage, life cycle, value tier and promotion.
    stage : places of the customers' stages in `stages`, shape (n,).
    """
    steps = tuple(one.name for one in stages)
    conditions = (
        (limit.stage, stage, steps),
        (limit.life_cycle, segments.life_cycle, LIFE_CYCLES),
        (limit.value_tier, segments.value_tier, VALUE_TIERS),
        (limit.promotion, segments.promotion.code, PROMOTIONS),
    )
    members = np.ones(len(segments), dtype=np.bool_)
    for wanted, codes, names in conditions:
        if wanted:
            members &= np.isin(codes, [names.index(name) for name in wanted])
    return members
