"""Segments: made-up customers of each state, movement between tiers, and who a limit is about."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_scoring_night import literal_customers

from features.coupon_history import CouponHistory
from features.gap_spread import BETWEEN, CUSTOMERS, GAPS, GAPS_SQUARED, SUMS, WITHIN, Rhythm
from features.life_cycle import LIFE_CYCLES
from features.order_pace import OrderPace
from features.stage import Stage
from features.stage_gaps import GapTotals, StageGaps
from features.value_tier import VALUE_TIERS, tier_codes, tier_cuts
from scoring.customer_past import CustomerPast, join_past, no_past, select_past
from scoring.policy import SegmentLimit
from scoring.promotion import PROMOTIONS, Promotion
from scoring.scored import ScoredCustomers
from scoring.segments import (
    UNKNOWN,
    Segments,
    count_segments,
    life_cycles,
    lost_after,
    recorded_segments,
    segment_customers,
    segment_members,
    tier_movement,
)

STAGES = (
    Stage("guest", "guest", ("visit",), ("visit",), ("purchase",), None),
    Stage("buyer", "buyer", ("purchase",), ("purchase",), ("purchase",), 60.0),
)
TEN_DAYS = float(np.log(10.0))


def totals_of(*, ended: dict[int, int] | None = None, still_open: int = 0) -> GapTotals:
    """Buyers whose gaps are about ten days: sigma of the logs 0.5, all alike."""
    totals = GapTotals.empty(2)
    rhythm = Rhythm.empty(2)
    gaps, customers = 4000.0, 400.0
    rhythm.sums[1, [GAPS, GAPS_SQUARED, CUSTOMERS]] = gaps, 40_000.0, customers
    rhythm.sums[1, SUMS] = gaps * TEN_DAYS
    rhythm.sums[1, BETWEEN] = gaps * TEN_DAYS**2
    rhythm.sums[1, WITHIN] = (gaps - customers) * 0.25
    for days, number in (ended or {}).items():
        totals.ended[1, days] = number
    totals.still_open[1, -1] = still_open
    return replace(totals, rhythm=rhythm)


def buyers(
    silence: list[float],
    *,
    gaps: list[int] | None = None,
    was_dormant: list[bool] | None = None,
    totals: GapTotals | None = None,
) -> ScoredCustomers:
    """Customers on the second stage with so much silence."""
    n = len(silence)
    past = replace(
        no_past(n, 2),
        gaps=StageGaps(
            gaps=np.array([9] * n if gaps is None else gaps, dtype=np.int32),
            log_mean=np.full(n, TEN_DAYS, dtype=np.float32),
            was_dormant=np.array([False] * n if was_dormant is None else was_dormant),
        ),
        totals=totals_of() if totals is None else totals,
    )
    return replace(
        literal_customers(n),
        stage=np.ones(n, dtype=np.int16),
        silence_days=np.array(silence),
        dormant=np.array(silence) >= 60,
        past=past,
    )


def states(scored: ScoredCustomers) -> list[str | None]:
    found = life_cycles(
        scored.stage, silence_days=scored.silence_days, past=scored.past, stages=STAGES
    )
    return [LIFE_CYCLES[code] if code != UNKNOWN else None for code in found]


def test_silence_passes_through_the_states() -> None:
    # Quantiles of a gap of about ten days: P80 15.2, P90 19.0, P95 22.8.
    scored = buyers([3.0, 15.0, 16.0, 18.9, 19.5, 22.5, 23.0, 59.0, 60.0, 400.0])
    assert states(scored) == [
        "active",
        "active",
        "cooling",
        "cooling",
        "at_risk",
        "at_risk",
        "dormant",
        "dormant",
        "dormant",
        "dormant",
    ]


def test_new_and_reactivated_are_told_by_what_was_before() -> None:
    scored = buyers(
        [3.0, 3.0, 3.0, 70.0], gaps=[0, 1, 5, 0], was_dormant=[False, True, False, True]
    )
    assert states(scored) == ["new", "reactivated", "active", "dormant"]


def test_lost_are_those_of_whom_next_to_nobody_returns() -> None:
    # Of 1000 silences 990 end within 100 days, 10 never do: of those of 100 days 0 % return.
    totals = totals_of(ended={10: 900, 100: 90}, still_open=60)
    assert lost_after(totals, 1) == 100
    assert states(buyers([70.0, 99.0, 100.0, 500.0], totals=totals)) == [
        "dormant",
        "dormant",
        "lost",
        "lost",
    ]


def test_where_the_data_are_short_nobody_is_lost() -> None:
    assert lost_after(totals_of(), 1) is None
    assert lost_after(totals_of(ended={10: 900}, still_open=10), 1) is None


def test_stages_nobody_is_recalled_from_have_no_life_cycle() -> None:
    scored = replace(buyers([5.0] * 3), stage=np.array([-1, 0, 1], dtype=np.int16))
    assert states(scored) == [None, None, "active"]


def test_without_any_gap_only_the_stages_window_counts() -> None:
    scored = buyers([5.0, 59.0, 60.0], gaps=[0] * 3, totals=GapTotals.empty(2))
    assert states(scored) == ["new", "new", "dormant"]


def test_movement_counts_everybody_known_a_month_ago() -> None:
    rng = np.random.default_rng(4)
    n = 300
    scored = replace(
        literal_customers(n),
        yearly_spend=rng.integers(0, 90, n).astype(float),
        yearly_orders=rng.integers(0, 9, n).astype(float),
    )
    pace = replace(
        OrderPace.empty(n),
        known_then=rng.random(n) < 0.8,
        spend_then=rng.integers(0, 90, n).astype(np.float32),
        orders_then=rng.integers(0, 9, n).astype(np.int32),
    )
    scored = replace(scored, past=replace(scored.past, pace=pace))
    segments = segment_customers(scored, stages=STAGES, tier_quantile=0.7)
    movement = tier_movement(segments)
    spend, orders = (np.quantile(v, 0.7) for v in (scored.yearly_spend, scored.yearly_orders))

    def tier(money: Any, number: Any) -> str:
        value, often = ("high" if high else "low" for high in (money > spend, number > orders))
        return f"{value} value, {often} frequency"

    frame = pd.DataFrame(
        {
            "then": map(tier, pace.spend_then, pace.orders_then),
            "now": map(tier, scored.yearly_spend, scored.yearly_orders),
            "known": pace.known_then,
        }
    )
    cells = frame[frame.known].groupby(["then", "now"]).size()
    for i, j in itertools.product(range(4), range(4)):
        assert movement.counts[i][j] == cells.get((VALUE_TIERS[i], VALUE_TIERS[j]), 0)
    joined = frame[~frame.known].groupby("now").size()
    assert movement.joined == tuple(joined.get(name, 0) for name in VALUE_TIERS)
    assert sum(map(sum, movement.counts)) + sum(movement.joined) == n
    assert segments.names(np.arange(n))["value_tier"] == frame.now.tolist()
    assert movement.to_json()["counts"][0] == list(movement.counts[0])


def test_tiers_of_nobody() -> None:
    none = np.array([])
    assert tier_codes(none, none, tier_cuts(none, none, quantile=0.8)).tolist() == []
    missing = np.array([np.nan, 4.0])
    assert tier_codes(missing, missing, tier_cuts(missing, missing, quantile=0.5)).tolist() == [
        0,
        3,
    ]


def some_segments(n: int = 60, seed: int = 1) -> tuple[Segments, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)

    def codes(size: int, low: int = 0) -> np.ndarray[Any, Any]:
        return rng.integers(low, size, n).astype(np.int8)

    promotion = Promotion(codes(len(PROMOTIONS)), codes(3))
    stage = rng.integers(-1, 2, n).astype(np.int16)
    return Segments(codes(7, -1), codes(4), codes(4, -1), promotion), stage


CONDITIONS: list[dict[str, tuple[str, ...]]] = [
    {},
    {"stage": ("buyer",)},
    {"life_cycle": ("dormant", "lost")},
    {"value_tier": (VALUE_TIERS[3],), "promotion": ("sensitive", "neutral")},
    {"stage": ("guest",), "life_cycle": ("new",)},
]


@pytest.mark.parametrize("conditions", CONDITIONS)
def test_members_are_those_whom_every_condition_holds_for(
    conditions: dict[str, tuple[str, ...]],
) -> None:
    segments, stage = some_segments()
    limit = SegmentLimit(name="a", **conditions)
    members = segment_members(segments, limit, stage=stage, stages=STAGES)
    names = segments.names(np.arange(len(stage)))
    own = {**names, "stage": [STAGES[s].name if s >= 0 else None for s in stage]}
    for row, member in enumerate(members):
        holds = [own[name][row] in values for name, values in conditions.items()]
        assert member == all(holds)


def test_segments_are_read_back_as_recorded() -> None:
    segments, _ = some_segments(1)
    names = {name: values[0] for name, values in segments.names(np.array([0])).items()}
    again = recorded_segments(names)
    assert again is not None
    assert again.names(np.array([0])) == segments.names(np.array([0]))
    assert recorded_segments({"promotion": None}) is None
    assert recorded_segments({}) is None


def test_counts_name_every_segment() -> None:
    segments, _ = some_segments()
    counts = count_segments(segments)
    assert list(counts["life_cycle"]) == list(LIFE_CYCLES)
    assert sum(counts["life_cycle"].values()) == int((segments.life_cycle != UNKNOWN).sum())
    assert sum(counts["promotion"].values()) == len(segments)
    assert sum(counts["promotion_basis"].values()) == len(segments)


def random_past(n: int, seed: int) -> CustomerPast:
    rng = np.random.default_rng(seed)
    empty = no_past(n, 2)
    pace = replace(empty.pace, recent_days=rng.integers(0, 9, n).astype(np.int16))
    gaps = replace(empty.gaps, gaps=rng.integers(0, 9, n).astype(np.int32))
    plain = rng.integers(0, 9, n).astype(np.int16)
    coupons = CouponHistory(plain, plain, plain, plain)
    return CustomerPast(gaps, pace, coupons, totals_of(ended={3: seed}))


def test_pasts_join_and_totals_stay_everybodys() -> None:
    parts = [random_past(n, n) for n in (3, 0, 5)]
    joined = join_past(parts)
    assert joined.pace.recent_days.tolist() == [
        *parts[0].pace.recent_days,
        *parts[2].pace.recent_days,
    ]
    assert joined.totals.ended[1, 3] == 8
    rows = np.array([6, 1])
    chosen = select_past(joined, rows)
    assert chosen.gaps.gaps.tolist() == joined.gaps.gaps[rows].tolist()
    assert chosen.coupons.offers.tolist() == joined.coupons.offers[rows].tolist()
    assert chosen.totals is joined.totals
