"""Rolling origins: the same training repeated in the past, judged on what came afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.value_tier import tier_names
from models.bundle import KINDS, Kind
from training.ladder import Curves, Difference, Rung, judge_fold, trace_curves
from training.ladder_fit import fit_ladder
from training.material import Material
from training.metrics import TOP_SHARES, Estimate, draw_customers
from training.plan import TrainingPlan

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]
Int8Array = NDArray[np.int8]

CURRENT = "as shipped"
"""The forecast of whichever rung each origin's training would have shipped."""

FEWEST = 20
"""Rows of either label below which a slice is counted but not judged."""


@dataclass(frozen=True, slots=True)
class OriginForecasts:
    """What one training said of one population at its test cutoff, and what came.

    Attributes
    ----------
    day : local date of the origin.
    probabilities : by rung, and of the shipped one under `CURRENT`; each of shape (n,).
    labels : 0 or 1, shape (n,).
    customer : hash of the customer, shape (n,).
    stage : position in the ladder of stages, shape (n,).
    tier : value and frequency tier at the origin, shape (n,).
    spend : yearly spend, the value at stake, shape (n,).
    shipped, level : the rung chosen, and the level forecast.
    training_days, validation_days : local dates of the cutoffs.
    """

    day: date
    probabilities: dict[str, Float64Array]
    labels: Int8Array
    customer: NDArray[np.uint64]
    stage: NDArray[np.int16]
    tier: NDArray[np.object_]
    spend: Float64Array
    shipped: str
    level: float
    training_days: tuple[date, ...]
    validation_days: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class CapturedValue:
    """By rung and top share: share of the positives' yearly spend found among them."""

    name: str
    shares: dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class Slice:
    """One set of forecasts judged; `rungs` is empty where too few rows have either label."""

    name: str
    rows: int
    customers: int
    positives: int
    rungs: tuple[Rung, ...]
    differences: tuple[Difference, ...]
    captured_value: tuple[CapturedValue, ...]


@dataclass(frozen=True, slots=True)
class KindBacktest:
    """One model over all origins.

    Attributes
    ----------
    kind : which model.
    pooled : all origins' forecasts together.
    origins, stages, tiers : the same by origin, stage and tier.
    shipped, levels : by origin, in order.
    curves : calibration and captured share, all origins pooled.
    """

    kind: Kind
    pooled: Slice
    origins: tuple[Slice, ...]
    stages: tuple[Slice, ...]
    tiers: tuple[Slice, ...]
    shipped: tuple[str, ...]
    levels: tuple[float, ...]
    curves: Curves


def forecast_origin(
    material: Material, *, plan: TrainingPlan, tier_quantile: float
) -> dict[Kind, OriginForecasts]:
    """Train as if the test cutoff were today, and forecast the customers seen there.

    Parameters
    ----------
    material : everything at and before the test cutoff, plus the test fold's labels.
    plan : learner settings.
    tier_quantile : see `features.value_tier.tier_names`.
    """
    folds = material.folds
    tests = {kind: material.panel.fold(kind, "test", folds) for kind in KINDS}
    names = material.feature_names
    yearly = {
        kind: [
            np.nan_to_num(rows.values[:, names.index(name)].astype(np.float64))
            for name in ("spend_365d", "orders_365d")
        ]
        for kind, rows in tests.items()
    }
    together = [np.concatenate([yearly[kind][i] for kind in KINDS]) for i in range(2)]
    tiers = tier_names(together[0], together[1], quantile=tier_quantile)
    by_kind = np.split(tiers, np.cumsum([len(tests[kind].labels) for kind in KINDS])[:-1])
    found: dict[Kind, OriginForecasts] = {}
    for kind, tier in zip(KINDS, by_kind, strict=True):
        rows, fitted = tests[kind], fit_ladder(kind, material, plan=plan)
        given = fitted.ladder.probabilities(rows.values, rows.value, threads=plan.learner.threads)
        given[CURRENT] = given[fitted.ladder.shipped]
        found[kind] = OriginForecasts(
            day=folds.of("test")[0].day,
            probabilities=given,
            labels=rows.labels,
            customer=rows.customer,
            stage=rows.value.stage,
            tier=tier,
            spend=yearly[kind][0],
            shipped=fitted.ladder.shipped,
            level=fitted.level.value,
            training_days=tuple(cutoff.day for cutoff in folds.of("training")),
            validation_days=tuple(cutoff.day for cutoff in folds.of("validation")),
        )
    return found


def judge_origins(
    kind: Kind,
    origins: Sequence[OriginForecasts],
    *,
    stage_names: Sequence[str],
    draws: int,
    seed: int,
) -> KindBacktest:
    """Judge all origins' forecasts together and apart.

    Parameters
    ----------
    kind : which model.
    origins : of this model, earliest first.
    stage_names : by position in the ladder of stages.
    draws : bootstrap draws; customers are drawn with all their rows, at all origins.
    seed : source of chance.

    References
    ----------
    METHODS.md section 1: time-ordered evaluation, paired customer bootstrap.
    """
    rows = _Rows.of(origins)
    rng = np.random.default_rng([seed, KINDS.index(kind)])

    def sliced(name: str, chosen: NDArray[Any]) -> Slice:
        return _judge_slice(name, rows.take(chosen), draws=draws, rng=rng)

    everyone = np.ones(len(rows.labels), dtype=np.bool_)
    present = np.unique(rows.stage).tolist()
    return KindBacktest(
        kind=kind,
        pooled=sliced("all origins", everyone),
        origins=tuple(
            sliced(one.day.isoformat(), rows.origin == at) for at, one in enumerate(origins)
        ),
        stages=tuple(sliced(stage_names[stage], rows.stage == stage) for stage in present),
        tiers=tuple(sliced(str(tier), rows.tier == tier) for tier in sorted(set(rows.tier))),
        shipped=tuple(one.shipped for one in origins),
        levels=tuple(one.level for one in origins),
        curves=trace_curves(rows.probabilities, rows.labels, shipped=CURRENT),
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    probabilities: dict[str, Float64Array]
    labels: Int8Array
    customer: NDArray[np.uint64]
    stage: NDArray[np.int16]
    tier: NDArray[np.object_]
    spend: Float64Array
    origin: Int64Array

    @classmethod
    def of(cls, origins: Sequence[OriginForecasts]) -> "_Rows":
        return cls(
            probabilities={
                name: np.concatenate([one.probabilities[name] for one in origins])
                for name in origins[0].probabilities
            },
            labels=np.concatenate([one.labels for one in origins]),
            customer=np.concatenate([one.customer for one in origins]),
            stage=np.concatenate([one.stage for one in origins]),
            tier=np.concatenate([one.tier for one in origins]),
            spend=np.concatenate([one.spend for one in origins]),
            origin=np.repeat(np.arange(len(origins)), [len(one.labels) for one in origins]),
        )

    def take(self, rows: NDArray[Any]) -> "_Rows":
        return _Rows(
            {name: p[rows] for name, p in self.probabilities.items()},
            self.labels[rows],
            self.customer[rows],
            self.stage[rows],
            self.tier[rows],
            self.spend[rows],
            self.origin[rows],
        )


def _judge_slice(name: str, rows: _Rows, *, draws: int, rng: np.random.Generator) -> Slice:
    positives = int(np.count_nonzero(rows.labels))
    customers, numbered = np.unique(rows.customer, return_inverse=True)
    clusters = np.asarray(numbered, dtype=np.int64)
    rungs: tuple[Rung, ...] = ()
    differences: tuple[Difference, ...] = ()
    captured: tuple[CapturedValue, ...] = ()
    if min(positives, len(rows.labels) - positives) >= FEWEST:
        counts = draw_customers(clusters, draws=draws, rng=rng)
        rungs, differences = judge_fold(
            rows.probabilities, rows.labels, shipped=CURRENT, counts=counts
        )
        at_stake = rows.spend * rows.labels
        captured = tuple(
            CapturedValue(rung, _captured_value(p, at_stake, counts))
            for rung, p in rows.probabilities.items()
        )
    return Slice(
        name=name,
        rows=len(rows.labels),
        customers=len(customers),
        positives=positives,
        rungs=rungs,
        differences=differences,
        captured_value=captured,
    )


def _captured_value(
    probability: Float64Array, at_stake: Float64Array, counts: NDArray[np.uint8]
) -> dict[str, Estimate]:
    """Share of the money at stake within the top shares; rows tied there count in proportion."""
    order = np.argsort(-probability, kind="stable")
    p = probability[order]
    ends = np.flatnonzero(np.append(p[1:] != p[:-1], True))
    shares = np.array(TOP_SHARES)

    def found(weight: Float64Array) -> Float64Array:
        rows = np.append(0.0, np.cumsum(weight)[ends])
        money = np.append(0.0, np.cumsum(weight * at_stake[order])[ends])
        if money[-1] <= 0:
            return np.full(len(shares), np.nan)
        return np.asarray(np.interp(shares * rows[-1], rows, money / money[-1]))

    point = found(np.ones(len(p)))
    if np.isnan(point).any():
        return {}
    drawn = np.array([found(count[order].astype(np.float64)) for count in counts])
    given = {}
    for at, share in enumerate(TOP_SHARES):
        low, high = (None, None)
        if len(drawn):
            ends_of = np.nanquantile(drawn[:, at], (0.025, 0.975))
            low, high = float(ends_of[0]), float(ends_of[1])
        given[f"captured_value_top_{round(share * 100)}pct"] = Estimate(float(point[at]), low, high)
    return given
