"""The churn-definition lab: what dormant should mean on each stage, and what that comes to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features.life_cycle import DORMANT
from features.stage import Stage
from features.stage_state import NO_STAGE
from models.personal_silence import RhythmFit, fit_rhythm, personal_limits
from training.definition_counts import Cuts, SilenceCounts
from training.definition_curve import ReturnCurve, return_curves
from training.definition_lifecycle import (
    ELSEWHERE,
    Movement,
    TierMovement,
    count_states,
    life_states,
    movement_of,
    tier_movement,
)
from training.definition_meaning import Meaning, People, weigh
from training.definition_personal import PersonalWindows, summarise_windows
from training.definition_silence import Standing
from training.definition_snapshot import Snapshot
from training.definition_window import (
    CostCurve,
    Opinion,
    lost_after,
    propose_by_cost,
    propose_by_rule,
)

Float64Array = NDArray[np.float64]
Int8Array = NDArray[np.int8]

Proposer = Literal["return rule", "D-curve"]


@dataclass(frozen=True, slots=True)
class DefinitionPlan:
    """What is asked.

    Attributes
    ----------
    q : chance of return at or below which a customer counts as dormant.
    horizon_days : H, the days within which a return counts.
    late_cost : cost of finding out `scale_days` late, in false alarms (the D-curve's).
    opinion : whose window personal windows and life cycle go by, where it has one; else the
        configured one.
    tier_quantile : high value and high frequency are above this quantile.
    """

    q: float
    horizon_days: int
    late_cost: float
    opinion: Proposer
    tier_quantile: float


@dataclass(frozen=True, slots=True)
class StageDefinition:
    """What dormant could mean on one stage.

    Attributes
    ----------
    name, label : of the stage.
    customers : on the stage today.
    fast_days, slow_days : where the cadence groups part; null without gaps.
    curves : return curves: of all, by value tier, by cadence.
    cost : the D-curve; null where it cannot be drawn.
    lost_days : silence after which next to nobody returns; null if the data do not say.
    opinions : of the return rule, the D-curve and the configuration.
    meanings : what each would mean; null for one without an answer.
    reference : the opinion that personal windows and states go by.
    personal : personal windows; null where no customer has a completed gap.
    states : customers per state of the life cycle, today.
    movement : between states since a month ago; null if the data do not reach back.
    """

    name: str
    label: str
    customers: int
    fast_days: float | None
    slow_days: float | None
    curves: tuple[ReturnCurve, ...]
    cost: CostCurve | None
    lost_days: int | None
    opinions: tuple[Opinion, ...]
    meanings: tuple[Meaning | None, ...]
    reference: Opinion
    personal: PersonalWindows | None
    states: dict[str, int]
    movement: Movement | None


@dataclass(frozen=True, slots=True)
class Definition:
    """The report on all stages.

    Attributes
    ----------
    plan : what was asked.
    customers : with a visible event.
    without_stage : those of them who have reached no milestone.
    high_spend : high value is more order amounts in a year than this.
    stages : those with `silence_days`.
    other_stages : label and number of customers of those without.
    tiers : movement between value and frequency tiers; null if the data do not reach back.
    """

    plan: DefinitionPlan
    customers: int
    without_stage: int
    high_spend: float
    stages: tuple[StageDefinition, ...]
    other_stages: tuple[tuple[str, int], ...]
    tiers: TierMovement | None


@dataclass(frozen=True, slots=True)
class _Proposal:
    """What is known of a stage before anybody's state is."""

    position: int
    curves: list[ReturnCurve]
    opinions: tuple[Opinion, Opinion, Opinion]
    cost: CostCurve | None
    fit: RhythmFit | None
    reference: Opinion


def define(
    stages: Sequence[Stage],
    snapshot: Snapshot,
    counts: SilenceCounts,
    *,
    plan: DefinitionPlan,
    cuts: Cuts,
    capacities: Sequence[int | None],
) -> Definition:
    """Draw the curves, hear the opinions and say what each would mean.

    Parameters
    ----------
    stages : the ladder.
    snapshot, counts : over all buckets.
    plan : what is asked.
    cuts : those that `counts` was made with.
    capacities : contacts per night of each stage's channels; null for no limit.
    """
    now = snapshot.now
    proposals = [
        _propose(position, stage, snapshot, counts, plan)
        for position, stage in enumerate(stages)
        if stage.silence_days is not None
    ]
    windows: list[float | None] = [None] * len(stages)
    for one in proposals:
        windows[one.position] = one.reference.window_days
    found, dormant = [], np.zeros(len(now.seen), dtype=np.bool_)
    for one in proposals:
        state = _states(one, now, windows)
        dormant |= (state >= DORMANT) & (state != ELSEWHERE)
        before = None if snapshot.month_ago is None else _states(one, snapshot.month_ago, windows)
        found.append(
            _describe(
                one,
                stages[one.position],
                snapshot,
                (before, state),
                cuts,
                capacity=capacities[one.position],
            )
        )
    return Definition(
        plan=plan,
        customers=int(now.seen.sum()),
        without_stage=int((now.seen & (now.stage == NO_STAGE)).sum()),
        high_spend=cuts.spend,
        stages=tuple(found),
        other_stages=tuple(
            (stage.label, int((now.stage == position).sum()))
            for position, stage in enumerate(stages)
            if stage.silence_days is None
        ),
        tiers=(
            None
            if snapshot.month_ago is None
            else tier_movement(
                snapshot.month_ago, now, quantile=plan.tier_quantile, dormant=dormant
            )
        ),
    )


def _propose(
    position: int, stage: Stage, snapshot: Snapshot, counts: SilenceCounts, plan: DefinitionPlan
) -> _Proposal:
    curves = return_curves(counts, position, horizon_days=plan.horizon_days)
    by_rule = propose_by_rule(curves[0], plan.q)
    by_cost, cost = propose_by_cost(curves[0], plan.late_cost)
    configured = Opinion("configured", stage.silence_days)
    asked = by_rule if plan.opinion == "return rule" else by_cost
    return _Proposal(
        position=position,
        curves=curves,
        opinions=(by_rule, by_cost, configured),
        cost=cost,
        fit=fit_rhythm(snapshot.rhythm, position),
        reference=configured if asked.window_days is None else asked,
    )


def _limits(one: _Proposal, standing: Standing) -> Float64Array:
    window = one.reference.window_days
    if one.fit is None or window is None:
        return np.full((3, len(standing.seen)), np.inf)
    # Of customers on another stage the gaps are of that stage: their limits are never read.
    return personal_limits(one.fit, standing.gaps, standing.log_mean, window_days=window)


def _states(one: _Proposal, standing: Standing, windows: Sequence[float | None]) -> Int8Array:
    return life_states(
        standing,
        one.position,
        limits=_limits(one, standing),
        windows=windows,
        lost_days=lost_after(one.curves[0]),
    )


def _describe(
    one: _Proposal,
    stage: Stage,
    snapshot: Snapshot,
    states: tuple[Int8Array | None, Int8Array],
    cuts: Cuts,
    *,
    capacity: int | None,
) -> StageDefinition:
    people = _people(snapshot, one.position)
    before, state = states
    fast, slow = cuts.fast_days[one.position], cuts.slow_days[one.position]
    return StageDefinition(
        name=stage.name,
        label=stage.label,
        customers=len(people.silence_days),
        fast_days=float(fast) if np.isfinite(fast) else None,
        slow_days=float(slow) if np.isfinite(slow) else None,
        curves=tuple(one.curves),
        cost=one.cost,
        lost_days=lost_after(one.curves[0]),
        opinions=one.opinions,
        meanings=tuple(
            None
            if opinion.window_days is None
            else weigh(opinion.window_days, one.curves[0], people, capacity=capacity)
            for opinion in one.opinions
        ),
        reference=one.reference,
        personal=_personal(one, snapshot.now),
        states=count_states(state),
        movement=None if before is None else movement_of(before, state),
    )


def _people(snapshot: Snapshot, position: int) -> People:
    now, after = snapshot.now, snapshot.aftermath
    if after is None:
        nobody = np.zeros(0, dtype=np.bool_)
        return People(now.silence_days[now.stage == position], None, nobody, nobody)
    then = after.stage == position
    return People(
        silence_days=now.silence_days[now.stage == position],
        silence_days_then=after.silence_days[then],
        woke=after.woke[then],
        returned=after.returned[then],
    )


def _personal(one: _Proposal, now: Standing) -> PersonalWindows | None:
    window = one.reference.window_days
    here = now.stage == one.position
    if one.fit is None or window is None or not here.any():
        return None
    return summarise_windows(
        one.fit, _limits(one, now)[2][here], now.silence_days[here], window_days=window
    )
