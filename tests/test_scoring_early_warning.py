"""Early warnings: who is found, how many by mistake, and the table's rules."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import binom
from test_scoring_night import STAGES, literal_customers

from features.errors import ArtifactError
from features.life_cycle import (
    ACTIVE,
    AT_RISK,
    COOLING,
    DORMANT,
    LIFE_CYCLES,
    LOST,
    NEW,
    REACTIVATED,
)
from features.order_pace import RECENT_DAYS, OrderPace
from features.value_tier import VALUE_TIERS
from scoring.early_warning import (
    FALSE_SHARE,
    MIN_GAPS,
    MIN_USUAL,
    early_warnings,
    pace_test,
    who_is_left_alone,
)
from scoring.early_warning_table import (
    LONG_SILENCE,
    PACE_DROP,
    RULES,
    SCHEMA,
    TIER_DROP,
    check_early_warnings,
)
from scoring.pressure import NEVER
from scoring.promotion import Promotion
from scoring.scored import ScoredCustomers
from scoring.segments import UNKNOWN, Segments

SPAN = 365.0
LOW, HIGH = 0, 1


def pace_of(usual: Any, recent: Any, span: float = SPAN) -> OrderPace:
    """Order days of the usual and the recent days, of customers known for `span` days before."""
    n = len(usual)
    return replace(
        OrderPace.empty(n),
        known_then=np.ones(n, dtype=np.bool_),
        usual_days=np.asarray(usual, dtype=np.int16),
        recent_days=np.asarray(recent, dtype=np.int16),
        usual_span=np.full(n, span, dtype=np.float32),
    )


def everybody(pace: OrderPace) -> np.ndarray[Any, Any]:
    return np.ones(len(pace.recent_days), dtype=np.bool_)


def test_the_chance_is_that_of_a_binomial_count() -> None:
    # Enough customers who keep their pace that no season is seen.
    usual = np.array([60, 12, 50, 0] + [73] * 200)
    recent = np.array([0, 2, 9, 0] + [13] * 200)
    pace = pace_of(usual, recent)
    test = pace_test(pace, everybody(pace))
    share = RECENT_DAYS / (RECENT_DAYS + SPAN)
    expected = binom.cdf(recent, recent + usual, share)
    np.testing.assert_allclose(test.chance, expected, rtol=1e-9)
    np.testing.assert_allclose(test.usual, usual / SPAN * RECENT_DAYS)
    assert test.dropped[0]
    assert not test.dropped[1:].any()


def test_nobody_is_tested_whose_silence_is_no_surprise() -> None:
    usual = int(MIN_USUAL * SPAN / RECENT_DAYS) - 1
    pace = pace_of([usual] * 50 + [73] * 200, [0] * 50 + [13] * 200)
    assert not pace_test(pace, everybody(pace)).dropped.any()
    unknown = pace_of([40] * 9, [0] * 9, span=0.0)
    test = pace_test(unknown, everybody(unknown))
    assert test.chance.tolist() == [1.0] * 9
    assert not test.dropped.any()


def test_a_quiet_season_is_nobodys_early_warning() -> None:
    rng = np.random.default_rng(3)
    rate = rng.gamma(3.0, 0.03, 3000)
    usual = rng.poisson(rate * SPAN)
    quiet = rng.poisson(rate * RECENT_DAYS * 0.3)
    pace = pace_of(usual, quiet)
    assert pace_test(pace, everybody(pace)).dropped.mean() < 0.002


@pytest.mark.parametrize("seed", range(5))
def test_few_of_the_found_keep_their_pace(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 4000
    rate = rng.gamma(3.0, 0.04, n)
    slides = rng.random(n) < 0.1
    usual = rng.poisson(rate * SPAN)
    recent = rng.poisson(rate * RECENT_DAYS * np.where(slides, 0.1, 1.0))
    pace = pace_of(usual, recent)
    test = pace_test(pace, everybody(pace))
    found = test.dropped
    assert slides[found].sum() > 100
    assert (~slides[found]).mean() <= FALSE_SHARE
    none = pace_of(usual, rng.poisson(rate * RECENT_DAYS))
    assert pace_test(none, everybody(none)).dropped.sum() <= 2


def customers(n: int = 8) -> tuple[ScoredCustomers, Segments]:
    """Awake buyers of unchanged pace, the later the more they spend."""
    scored = replace(
        literal_customers(n),
        stage=np.zeros(n, dtype=np.int16),
        dormant=np.zeros(n, dtype=np.bool_),
        p_dormant=np.full(n, 0.5),
        yearly_spend=100.0 * np.arange(n),
        days_since_order=np.full(n, 9.0),
    )
    scored = replace(scored, past=replace(scored.past, pace=pace_of([73] * n, [12] * n)))
    tier = np.full(n, HIGH, dtype=np.int8)
    none = np.zeros(n, dtype=np.int8)
    return scored, Segments(np.full(n, ACTIVE, np.int8), tier, tier.copy(), Promotion(none, none))


def warned(
    scored: ScoredCustomers, segments: Segments, *, max_rows: int = 500, left: Any = ()
) -> pa.Table:
    alone = np.isin(np.arange(len(scored)), list(left))
    return early_warnings(scored, segments, stages=STAGES, left_alone=alone, max_rows=max_rows)


def slid(rows: list[int], **changes: Any) -> tuple[ScoredCustomers, Segments]:
    """Those rows fell from high to low frequency, and order less than usual."""
    scored, segments = customers()
    segments.value_tier[rows] = LOW
    recent = scored.past.pace.recent_days.copy()
    recent[rows] = 8
    pace = replace(scored.past.pace, recent_days=recent)
    scored = replace(scored, past=replace(scored.past, pace=pace), **changes)
    return scored, segments


def ids(table: pa.Table) -> list[int]:
    return [int(name[1:]) if name[1:].isdigit() else 7 for name in table["customer_id"].to_pylist()]


def test_who_keeps_tier_and_pace_is_not_warned_of() -> None:
    table = warned(*customers())
    assert table.num_rows == 0
    assert table.schema.equals(SCHEMA, check_metadata=True)


def test_a_fall_of_the_frequency_tier_is_warned_of_by_value_at_stake() -> None:
    scored, segments = slid([1, 4, 6])
    table = warned(scored, segments)
    assert ids(table) == [6, 4, 1]
    assert table["rank"].to_pylist() == [1, 2, 3]
    assert set(table["reason"].to_pylist()) == {"frequency_tier_dropped"}
    assert table["value_at_stake"].to_pylist() == [300.0, 200.0, 50.0]
    assert table["tier_then"].to_pylist() == [VALUE_TIERS[HIGH]] * 3
    assert table["tier_now"].to_pylist() == [VALUE_TIERS[LOW]] * 3
    assert table["orders_recent"].to_pylist() == [8] * 3
    assert ids(warned(scored, segments, max_rows=2)) == [6, 4]
    assert warned(scored, segments, max_rows=0).num_rows == 0


def test_a_fall_of_the_tier_at_an_unchanged_pace_is_none() -> None:
    scored, segments = customers()
    segments.value_tier[3] = LOW
    recent = scored.past.pace.recent_days.copy()
    recent[3] = 14
    pace = replace(scored.past.pace, recent_days=recent)
    scored = replace(scored, past=replace(scored.past, pace=pace))
    assert warned(scored, segments).num_rows == 0


def test_a_drop_of_the_own_pace_is_warned_of_without_a_tier() -> None:
    scored, segments = customers()
    recent = scored.past.pace.recent_days.copy()
    recent[[2, 5]] = 0
    pace = replace(scored.past.pace, recent_days=recent)
    scored = replace(scored, past=replace(scored.past, pace=pace))
    table = warned(scored, segments)
    assert ids(table) == [5, 2]
    assert set(table["reason"].to_pylist()) == {PACE_DROP}
    segments.value_tier[5] = LOW
    assert warned(scored, segments)["reason"].to_pylist() == [f"{TIER_DROP}+{PACE_DROP}", PACE_DROP]
    assert max(table["chance_of_so_few"].to_pylist()) < 0.01


def test_a_silence_that_is_long_for_the_customer_is_warned_of() -> None:
    scored, segments = customers()
    segments.life_cycle[:] = [ACTIVE, COOLING, AT_RISK, DORMANT, LOST, AT_RISK, NEW, REACTIVATED]
    gaps = scored.past.gaps.gaps.copy()
    gaps[:] = MIN_GAPS
    gaps[5] = MIN_GAPS - 1
    own = replace(scored.past.gaps, gaps=gaps)
    pace = pace_of([73] * 8, [12, 12, 8, 8, 12, 8, 12, 12])
    scored = replace(scored, past=replace(scored.past, gaps=own, pace=pace))
    table = warned(scored, segments)
    assert ids(table) == [3, 2]
    assert set(table["reason"].to_pylist()) == {LONG_SILENCE}


def test_who_never_ordered_often_or_speeds_up_is_not_warned_of() -> None:
    # Seen in a real list: 2 orders, usually 0.3, "ordering less or later than usual".
    scored, segments = customers()
    segments.life_cycle[:] = AT_RISK
    gaps = np.full_like(scored.past.gaps.gaps, MIN_GAPS)
    own = replace(scored.past.gaps, gaps=gaps)
    pace = pace_of([2, 73, 73, 73, 73, 73, 73, 73], [2, 14, 8, 8, 8, 8, 8, 8])
    scored = replace(scored, past=replace(scored.past, gaps=own, pace=pace))
    segments.tier_then[[0, 2]] = LOW
    segments.value_tier[[0, 2]] = LOW
    assert ids(warned(scored, segments)) == [7, 6, 5, 4, 3]


@pytest.mark.parametrize(
    "changes",
    [
        {"dormant": np.arange(8) == 6},
        {"p_dormant": np.where(np.arange(8) == 6, np.nan, 0.5)},
        {"days_since_order": np.where(np.arange(8) == 6, np.nan, 9.0)},
    ],
)
def test_the_dormant_and_those_who_never_ordered_are_not_warned_of(changes: Any) -> None:
    assert ids(warned(*slid([4, 6], **changes))) == [4]


def test_newcomers_and_who_is_left_alone_are_not_warned_of() -> None:
    scored, segments = slid([4, 6])
    assert ids(warned(scored, segments, left=[6])) == [4]
    segments.tier_then[6] = UNKNOWN
    assert ids(warned(scored, segments)) == [4]
    segments.life_cycle[4] = UNKNOWN
    assert ids(warned(scored, segments)) == []


def test_left_alone_are_objectors_controls_and_the_holdout() -> None:
    scored, _ = customers(4)
    scored.reach.do_not_contact[:] = [True, False, False, False]
    scored.pressure.control_until_us[:] = [NEVER, 101, 100, NEVER]
    holdout = np.array([False, False, False, True])
    alone = who_is_left_alone(scored, as_of_us=100, is_holdout=holdout)
    assert alone.tolist() == [True, True, False, True]


GOOD = {
    "rank": 1,
    "customer_id": "c1",
    "stage": "buyer",
    "life_cycle": LIFE_CYCLES[ACTIVE],
    "tier_then": VALUE_TIERS[HIGH],
    "tier_now": VALUE_TIERS[LOW],
    "promotion": "neutral",
    "orders_recent": 1,
    "orders_usual": 4.5,
    "chance_of_so_few": 0.01,
    "p_dormant": 0.5,
    "last_order_days": 9.0,
    "yearly_spend": 10.0,
    "value_at_stake": 5.0,
    "reason": "frequency_tier_dropped",
}
FAULTS: dict[str, list[dict[str, Any]]] = {
    "rank_sequence": [{"rank": 2}],
    "stake_descends": [{}, {"rank": 2, "customer_id": "x", "value_at_stake": 6.0}],
    "customer_once": [{}, {"rank": 2}],
    "life_cycle_known": [{"life_cycle": "at risk"}],
    "tier_then_known": [{"tier_then": "gold"}],
    "tier_now_known": [{"tier_now": "gold"}],
    "promotion_known": [{"promotion": "fan"}],
    "reason_known": [{"reason": f"{TIER_DROP}+mood"}],
    "probability_range": [{"p_dormant": 1.5}],
    "amounts_not_negative": [{"yearly_spend": -1.0}],
    "slides_down": [{"tier_then": VALUE_TIERS[LOW]}, {"orders_recent": 5}],
    "reason_fits_tiers": [{"tier_now": VALUE_TIERS[HIGH]}],
}


def test_every_rule_is_tested() -> None:
    assert set(FAULTS) == {rule.name for rule in RULES}


@pytest.mark.parametrize("name", FAULTS)
def test_each_rule_catches_its_fault(name: str) -> None:
    check_early_warnings(pa.Table.from_pylist([GOOD], schema=SCHEMA))
    table = pa.Table.from_pylist([{**GOOD, **row} for row in FAULTS[name]], schema=SCHEMA)
    with pytest.raises(ArtifactError, match=f"{name}: "):
        check_early_warnings(table)


def test_other_columns_are_refused() -> None:
    with pytest.raises(ArtifactError, match="columns differ"):
        check_early_warnings(pa.table({"rank": [1]}))
