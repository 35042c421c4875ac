"""Forecasts of several origins judged together and apart, beside slow computations."""

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from features.value_tier import VALUE_TIERS
from models.bundle import KINDS
from training.backtest import (
    CURRENT,
    FEWEST,
    KindBacktest,
    OriginForecasts,
    Slice,
    judge_origins,
)
from training.metrics import TOP_SHARES, draw_customers

FIRST = date(2025, 6, 1)
STAGES = ("visitor", "buyer")


def forecasts(seed: int, rows: int = 160) -> OriginForecasts:
    """Forecasts with many ties, a baseline, and a stack that ships."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < 0.4).astype(np.int8)
    noisy = 0.3 + 0.2 * labels.astype(np.float64) + rng.normal(0, 0.2, rows)
    stack: NDArray[np.float64] = np.clip(noisy * 10, 1, 9).astype(np.int64) / 10
    return OriginForecasts(
        day=FIRST + timedelta(days=28 * seed),
        probabilities={
            "recency rule": np.where(rng.random(rows) < 0.5, 0.3, 0.5),
            "stack": stack,
            CURRENT: stack.copy(),
        },
        labels=labels,
        customer=rng.choice(300, size=rows, replace=False).astype(np.uint64),
        stage=rng.integers(0, 2, rows).astype(np.int16),
        tier=np.array(VALUE_TIERS, dtype=object)[rng.integers(0, 4, rows)],
        spend=np.round(rng.gamma(1.0, 50.0, rows), 2),
        shipped="stack",
        level=0.1 * seed,
        training_days=(FIRST,),
        validation_days=(FIRST,),
    )


ORIGINS = tuple(forecasts(seed) for seed in range(3))


def judged(*origins: OriginForecasts, draws: int = 60) -> KindBacktest:
    return judge_origins(KINDS[0], origins, stage_names=STAGES, draws=draws, seed=7)


@pytest.fixture(scope="module")
def whole() -> KindBacktest:
    return judged(*ORIGINS)


def joined(*origins: OriginForecasts) -> OriginForecasts:
    """All rows as if they were of one origin."""
    names = ("labels", "customer", "stage", "tier", "spend")
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(one, name) for one in origins]) for name in names
    }
    probabilities = {
        rung: np.concatenate([one.probabilities[rung] for one in origins])
        for rung in origins[0].probabilities
    }
    return replace(origins[0], probabilities=probabilities, **columns)


def points(one: Slice) -> dict[tuple[str, str], float]:
    """Figures that do not hang on the draws."""
    figures = {(r.name, metric): e.value for r in one.rungs for metric, e in r.metrics.items()}
    return figures | {
        (c.name, share): e.value for c in one.captured_value for share, e in c.shares.items()
    }


def test_the_pooled_slice_is_that_of_all_rows_as_one_origin(whole: KindBacktest) -> None:
    assert whole.pooled == judged(joined(*ORIGINS)).pooled
    assert whole.curves == judged(joined(*ORIGINS)).curves
    assert whole.pooled.rows == sum(len(one.labels) for one in ORIGINS)
    everyone = set(np.concatenate([one.customer for one in ORIGINS]).tolist())
    assert whole.pooled.customers == len(everyone) < whole.pooled.rows


def test_an_origin_is_judged_as_if_it_were_the_only_one(whole: KindBacktest) -> None:
    assert [one.name for one in whole.origins] == ["2025-06-01", "2025-06-29", "2025-07-27"]
    assert whole.levels == (0.0, 0.1, 0.2)
    assert whole.shipped == ("stack",) * 3
    for found, alone in zip(whole.origins, ORIGINS, strict=True):
        assert points(found) == points(judged(alone).pooled)


def test_stages_tiers_and_origins_each_add_up(whole: KindBacktest) -> None:
    assert [one.name for one in whole.stages] == list(STAGES)
    assert [one.name for one in whole.tiers] == sorted(VALUE_TIERS)
    for slices in (whole.origins, whole.stages, whole.tiers):
        assert sum(one.rows for one in slices) == whole.pooled.rows
        assert sum(one.positives for one in slices) == whole.pooled.positives
    rows = joined(*ORIGINS)
    for stage, found in enumerate(whole.stages):
        assert found.rows == np.count_nonzero(rows.stage == stage)
    for found in whole.tiers:
        mine = rows.tier == found.name
        assert found.positives == np.count_nonzero(rows.labels[mine])


def test_too_few_of_either_label_are_counted_but_not_judged() -> None:
    one = ORIGINS[0]
    few = np.flatnonzero(one.labels)[: FEWEST - 1]
    stage = np.zeros(len(one.labels), dtype=np.int16)
    stage[few] = 1
    stage[np.flatnonzero(one.labels == 0)[:40]] = 1
    found = judged(replace(one, stage=stage))
    rare = found.stages[1]
    assert (rare.rows, rare.positives) == (FEWEST + 39, FEWEST - 1)
    assert (rare.rungs, rare.differences, rare.captured_value) == ((), (), ())
    stage[np.flatnonzero(one.labels)[FEWEST - 1]] = 1
    assert judged(replace(one, stage=stage)).stages[1].rungs


def test_differences_are_paired(whole: KindBacktest) -> None:
    by_rung = {rung.name: rung.metrics for rung in whole.pooled.rungs}
    for each in whole.pooled.differences:
        difference = by_rung[CURRENT][each.metric].value - by_rung[each.baseline][each.metric].value
        assert each.estimate.value == pytest.approx(difference, abs=1e-12)
        if each.baseline == "stack":
            assert (each.estimate.value, each.estimate.low, each.estimate.high) == (0, 0, 0)
            assert each.verdict == "not proven yet"
    assert {each.baseline for each in whole.pooled.differences} == {"recency rule", "stack"}
    proven = {(d.baseline, d.metric): d.verdict for d in whole.pooled.differences}
    assert proven["recency rule", "auc"] == "better"


def slow_captured(
    p: NDArray[np.float64], labels: NDArray[np.int8], spend: NDArray[np.float64], share: float
) -> float:
    """Go through the forecasts from the highest on; of the last group only a part fits."""
    room = Fraction(str(share)) * len(p)
    money = sum((Fraction(float(s)) for s, y in zip(spend, labels, strict=True) if y), Fraction(0))
    found = Fraction(0)
    for value in sorted(set(p.tolist()), reverse=True):
        group = [i for i in range(len(p)) if p[i] == value]
        part = min(Fraction(1), room / len(group))
        found += part * sum((Fraction(float(spend[i])) for i in group if labels[i]), Fraction(0))
        room -= part * len(group)
    return float(found / money)


def test_captured_value_counts_ties_in_proportion_as_does_a_slow_loop(whole: KindBacktest) -> None:
    rows = joined(*ORIGINS)
    _, clusters = np.unique(rows.customer, return_inverse=True)
    # The pooled slice draws first.
    counts = draw_customers(clusters, draws=60, rng=np.random.default_rng([7, 0]))
    assert [one.name for one in whole.pooled.captured_value] == ["recency rule", "stack", CURRENT]
    for one in whole.pooled.captured_value[:2]:
        p = rows.probabilities[one.name]
        for share in TOP_SHARES:
            found = one.shares[f"captured_value_top_{round(share * 100)}pct"]
            assert found.value == pytest.approx(slow_captured(p, rows.labels, rows.spend, share))
        drawn = []
        for count in counts:
            again = np.repeat(np.arange(len(p)), count)
            drawn.append(slow_captured(p[again], rows.labels[again], rows.spend[again], 0.2))
        low, high = np.quantile(drawn, (0.025, 0.975))
        assert found.low == pytest.approx(low)
        assert found.high == pytest.approx(high)


def test_without_money_at_stake_no_value_is_captured() -> None:
    one = replace(ORIGINS[0], spend=np.zeros(len(ORIGINS[0].labels)))
    found = judged(one).pooled
    assert [each.shares for each in found.captured_value] == [{}, {}, {}]
    assert found.rungs


def test_the_same_seed_gives_the_same_intervals_and_no_draws_none(whole: KindBacktest) -> None:
    assert judged(*ORIGINS) == whole
    undrawn = judged(*ORIGINS, draws=0).pooled
    assert points(undrawn) == points(whole.pooled)
    assert all(e.low is None for c in undrawn.captured_value for e in c.shares.values())
    assert all(d.verdict == "not proven yet" for d in undrawn.differences)
