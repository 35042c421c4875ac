"""Early warnings: frequent customers, not dormant yet, who order less than they used to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import bdtr

from features.life_cycle import AT_RISK, DORMANT
from features.order_pace import RECENT_DAYS, OrderPace
from features.stage import Stage
from features.value_tier import VALUE_TIERS
from scoring.customer_past import CustomerPast
from scoring.early_warning_table import JOINT, REASONS, SCHEMA, check_early_warnings
from scoring.recall_list import MONEY_DECIMALS, PROBABILITY_DECIMALS
from scoring.scored import ScoredCustomers
from scoring.segments import UNKNOWN, Segments

BoolArray = NDArray[np.bool_]
Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]

MIN_USUAL = 3.0
"""Fewest orders that must be usual in `RECENT_DAYS`: of fewer, none at all is no surprise."""

FALSE_SHARE = 0.1
"""Largest expected share of false alarms among those whose own pace has dropped."""

MIN_GAPS = 3
"""Fewest completed gaps from which on a silence is told to be long for this customer."""

_DAYS_DECIMALS = 1
_RATE_DECIMALS = 2
_PVALUE_DECIMALS = 9


@dataclass(frozen=True, slots=True)
class PaceTest:
    """Recent order days of n customers beside what their own pace lets expect; shape (n,).

    Attributes
    ----------
    usual : order days to be expected in `RECENT_DAYS`; 0 without an earlier pace.
    chance : probability of as few as were seen, or fewer, at an unchanged pace; 1 for those
        without an earlier pace.
    dropped : so improbable that few of those so called are expected to be false alarms.
    """

    usual: Float64Array
    chance: Float64Array
    dropped: BoolArray


def pace_test(pace: OrderPace, candidates: BoolArray) -> PaceTest:
    """Test each customer's recent order days against their own earlier pace.

    At an unchanged pace k recent order days of n in all are binomial: each falls among the
    recent ones with the probability R / (R + T), R = `RECENT_DAYS` and T the customer's
    earlier days (two Poisson counts, given their sum: how well the own pace is known is
    part of the test). Where everybody orders less than before, R is shortened by the same
    share, so that a quiet season is nobody's early warning. Tested are those of whom
    `MIN_USUAL` or more were to be expected; of them the Benjamini-Hochberg rule picks those
    of whom at most `FALSE_SHARE` are expected to be there by chance.

    Parameters
    ----------
    pace : of n customers.
    candidates : who may be warned of, shape (n,).

    References
    ----------
    Przyborowski, Wilenski 1940; Benjamini, Hochberg 1995.
    """
    span, earlier = pace.usual_span.astype(np.float64), pace.usual_days.astype(np.float64)
    recent = pace.recent_days.astype(np.float64)
    known = span > 0.0
    days = RECENT_DAYS * _season(recent[known], earlier[known], span[known])
    usual = np.zeros(len(span))
    usual[known] = earlier[known] / span[known] * days
    asked = np.flatnonzero(candidates & known)
    chance = np.ones(len(span))
    share = days / (days + span[asked])
    chance[asked] = bdtr(recent[asked], (recent + earlier)[asked].astype(np.int64), share)
    tested = asked[usual[asked] >= MIN_USUAL]
    dropped = np.zeros(len(span), dtype=np.bool_)
    dropped[tested] = _discoveries(chance[tested])
    return PaceTest(usual, chance, dropped)


def _season(recent: Float64Array, earlier: Float64Array, span: Float64Array) -> float:
    """Everybody's recent orders beside those that their earlier paces let expect, at most 1."""
    expected = float((earlier / span).sum()) * RECENT_DAYS
    return min(float(recent.sum()) / expected, 1.0) if expected > 0.0 else 1.0


def _discoveries(chance: Float64Array) -> BoolArray:
    """The Benjamini-Hochberg rule at `FALSE_SHARE`; shape as `chance`."""
    ordered = np.sort(chance)
    below = np.flatnonzero(ordered <= FALSE_SHARE * np.arange(1, len(chance) + 1) / len(chance))
    if not len(below):
        return np.zeros(len(chance), dtype=np.bool_)
    return np.asarray(chance <= ordered[below[-1]])


@dataclass(frozen=True, slots=True)
class Slides:
    """Which of n customers slide.

    Attributes
    ----------
    holds : shape (3, n), whether each of `REASONS` holds.
    test : of their pace.
    """

    holds: BoolArray
    test: PaceTest


def find_slides(past: CustomerPast, segments: Segments, awake: BoolArray) -> Slides:
    """Who slides, and by which reason.

    All were of high frequency a month ago and have fewer recent order days than usual. Of these:
    those of low frequency now; those whose own pace has dropped (`pace_test`); and those silent
    for longer than nine in ten of their own gaps, at risk or dormant by their own rhythm though
    not yet by the stage's window.

    Parameters
    ----------
    past, segments : of n customers.
    awake : who is not dormant and may be warned of, shape (n,).
    """
    frequent = awake & (segments.tier_then % 2 == 1)
    test = pace_test(past.pace, frequent)
    fewer = frequent & (past.pace.recent_days < test.usual)
    past_own = np.isin(segments.life_cycle, (AT_RISK, DORMANT))
    silent = past_own & (past.gaps.gaps >= MIN_GAPS)
    holds = [segments.value_tier % 2 == 0, test.dropped, silent]
    return Slides(np.stack([fewer & one for one in holds]), test)


def early_warnings(
    scored: ScoredCustomers,
    segments: Segments,
    *,
    stages: Sequence[Stage],
    left_alone: BoolArray,
    max_rows: int,
) -> pa.Table:
    """Who is frequent, not dormant yet, but slides, the largest value at stake first.

    Parameters
    ----------
    scored, segments : of n customers.
    stages : the ladder.
    left_alone : shape (n,), who must not be approached whatever the warning: see
        `who_is_left_alone`.
    max_rows : most rows.

    Returns
    -------
    A table of `SCHEMA`, checked against its rules.

    Raises
    ------
    ArtifactError : a rule is broken.
    """
    awake = ~scored.dormant & ~np.isnan(scored.p_dormant) & ~left_alone
    awake &= (segments.life_cycle != UNKNOWN) & (segments.tier_then != UNKNOWN)
    awake &= np.isfinite(scored.days_since_order)
    slides = find_slides(scored.past, segments, awake)
    test = slides.test
    found = np.flatnonzero(slides.holds.any(axis=0)).astype(np.int64)
    stake = np.maximum(scored.yearly_spend, 0.0) * scored.p_dormant
    rows = found[np.lexsort((found, -stake[found]))][:max_rows]
    names = segments.names(rows)
    columns: dict[str, Any] = {
        "rank": np.arange(1, len(rows) + 1, dtype=np.int32),
        "customer_id": scored.ids(rows),
        "stage": [stages[place].name for place in scored.stage[rows]],
        "life_cycle": names["life_cycle"],
        "tier_then": [VALUE_TIERS[place] for place in segments.tier_then[rows]],
        "tier_now": names["value_tier"],
        "promotion": names["promotion"],
        "orders_recent": scored.past.pace.recent_days[rows].astype(np.int32),
        "orders_usual": np.round(test.usual[rows], _RATE_DECIMALS),
        "chance_of_so_few": np.round(test.chance[rows], _PVALUE_DECIMALS),
        "p_dormant": np.round(scored.p_dormant[rows], PROBABILITY_DECIMALS),
        "last_order_days": np.round(scored.days_since_order[rows], _DAYS_DECIMALS),
        "yearly_spend": np.round(np.maximum(scored.yearly_spend[rows], 0.0), MONEY_DECIMALS),
        "value_at_stake": np.round(stake[rows], MONEY_DECIMALS),
        "reason": _reasons(slides.holds[:, rows]),
    }
    arrays = [pa.array(columns[field.name], type=field.type) for field in SCHEMA]
    table = pa.Table.from_arrays(arrays, schema=SCHEMA)
    check_early_warnings(table)
    return table


def _reasons(holds: BoolArray) -> list[str]:
    return [
        JOINT.join(name for name, true in zip(REASONS, row, strict=True) if true)
        for row in holds.T.tolist()
    ]


def who_is_left_alone(
    scored: ScoredCustomers, *, as_of_us: int, is_holdout: BoolArray
) -> BoolArray:
    """Who is not warned of: nobody may act on it; shape (n,).

    Customers who asked not to be contacted, the holdout, and controls of earlier lists: an
    operator who rings them up on a warning would spoil the comparison.

    Parameters
    ----------
    is_holdout : shape (n,), see `scoring.holdout`.
    """
    controls = scored.pressure.control_until_us > as_of_us
    return np.asarray(scored.reach.do_not_contact | controls | is_holdout)
