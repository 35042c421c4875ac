"""A churn definition as plain JSON values."""

from dataclasses import asdict
from typing import Any

from training.definition import Definition, StageDefinition
from training.definition_curve import ReturnCurve

CURVE_POINTS = 100
"""Curves of more days are thinned to about so many points, evenly spaced from day 0."""


def definition_json(definition: Definition) -> dict[str, Any]:
    """The report's figures; shares between 0 and 1, windows and silences in days."""
    return {
        "q": definition.plan.q,
        "horizon_days": definition.plan.horizon_days,
        "late_cost": definition.plan.late_cost,
        "opinion": definition.plan.opinion,
        "customers": definition.customers,
        "customers_without_stage": definition.without_stage,
        "high_value_spend_above": definition.high_spend,
        "stages": [_stage_json(stage) for stage in definition.stages],
        "other_stages": [
            {"label": label, "customers": customers} for label, customers in definition.other_stages
        ],
        "tiers": None if definition.tiers is None else asdict(definition.tiers),
    }


def _stage_json(stage: StageDefinition) -> dict[str, Any]:
    return {
        "name": stage.name,
        "label": stage.label,
        "customers": stage.customers,
        "windows": [
            {**asdict(opinion), "meaning": None if meaning is None else asdict(meaning)}
            for opinion, meaning in zip(stage.opinions, stage.meanings, strict=True)
        ],
        "lost_days": stage.lost_days,
        "states_by": stage.reference.source,
        "states": stage.states,
        "movement": None if stage.movement is None else asdict(stage.movement),
        "personal": None if stage.personal is None else asdict(stage.personal),
        "cadence": {"fast_up_to_days": stage.fast_days, "medium_up_to_days": stage.slow_days},
        "return_curves": [_curve_json(curve) for curve in stage.curves],
        "cost_curve": _cost_json(stage),
    }


def _curve_json(curve: ReturnCurve) -> dict[str, Any]:
    step = -(-max(len(curve.rate), 1) // CURVE_POINTS)
    return {
        "of": curve.name,
        "silences": curve.silences,
        "returns": curve.returns,
        "supported_days": curve.supported_days,
        "days": list(range(0, len(curve.rate), step)),
        "reached": curve.reached[: len(curve.rate) : step].tolist(),
        "return_rate": curve.rate[::step].tolist(),
        "low": curve.low[::step].tolist(),
        "high": curve.high[::step].tolist(),
    }


def _cost_json(stage: StageDefinition) -> dict[str, Any] | None:
    cost = stage.cost
    if cost is None:
        return None
    step = -(-len(cost.waiting) // CURVE_POINTS)
    return {
        "late_cost": cost.late_cost,
        "scale_days": cost.scale_days,
        "days": list(range(0, len(cost.waiting), step)),
        "false_alarm": list(cost.false_alarm[::step]),
        "waiting": list(cost.waiting[::step]),
    }
