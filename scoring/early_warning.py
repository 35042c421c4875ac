"""Early warnings: customers who are not dormant yet but order less than they used to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.special import bdtr

from features.errors import ArtifactError, describe
from features.life_cycle import LIFE_CYCLES
from features.order_pace import RECENT_DAYS, OrderPace
from features.stage import Stage
from features.value_tier import VALUE_TIERS
from scoring.promotion import PROMOTIONS
from scoring.recall_list import MONEY_DECIMALS, PROBABILITY_DECIMALS, Rule
from scoring.scored import ScoredCustomers
from scoring.segments import UNKNOWN, Segments

BoolArray = NDArray[np.bool_]
Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]

SCHEMA_VERSION = 1

MIN_USUAL = 3.0
"""Fewest orders that must be usual in `RECENT_DAYS`: of fewer, none at all is no surprise."""

FALSE_SHARE = 0.1
"""Largest expected share of false alarms among those whose own pace has dropped."""

TIER_DROP, PACE_DROP, BOTH = "frequency_tier_dropped", "pace_dropped", "tier_and_pace_dropped"
REASONS = (TIER_DROP, PACE_DROP, BOTH)

_DAYS_DECIMALS = 1
_RATE_DECIMALS = 2
_PVALUE_DECIMALS = 9

SCHEMA = pa.schema(
    [
        pa.field("rank", pa.int32(), nullable=False),
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("life_cycle", pa.string(), nullable=False),
        pa.field("tier_then", pa.string(), nullable=False),
        pa.field("tier_now", pa.string(), nullable=False),
        pa.field("promotion", pa.string(), nullable=False),
        pa.field("orders_recent", pa.int32(), nullable=False),
        pa.field("orders_usual", pa.float64(), nullable=False),
        pa.field("chance_of_so_few", pa.float64(), nullable=False),
        pa.field("p_dormant", pa.float64(), nullable=False),
        pa.field("last_order_days", pa.float64(), nullable=False),
        pa.field("yearly_spend", pa.float64(), nullable=False),
        pa.field("value_at_stake", pa.float64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
    ],
    metadata={"winback_early_warnings": str(SCHEMA_VERSION)},
)
"""`orders_recent` are order days of the last 60 days, `orders_usual` those that the
customer's own earlier pace lets expect in as many; `chance_of_so_few` is the chance of so few
at an unchanged pace (docs/segments.md). `value_at_stake` is yearly spend x p_dormant."""


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


def early_warnings(
    scored: ScoredCustomers,
    segments: Segments,
    *,
    stages: Sequence[Stage],
    left_alone: BoolArray,
    max_rows: int,
) -> pa.Table:
    """Who is not dormant yet but slides, the largest value at stake first.

    Warned of are those of high frequency a month ago and of low frequency now, unless their
    recent orders keep to their pace, and those whose own pace has dropped (`pace_test`).

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
    test = pace_test(scored.past.pace, awake)
    slid = awake & (segments.tier_then % 2 == 1) & (segments.value_tier % 2 == 0)
    slid &= scored.past.pace.recent_days < test.usual
    found = np.flatnonzero(slid | test.dropped).astype(np.int64)
    stake = np.maximum(scored.yearly_spend, 0.0) * scored.p_dormant
    rows = found[np.lexsort((found, -stake[found]))][:max_rows]
    names = segments.names(rows)
    reason = np.where(slid & test.dropped, BOTH, np.where(slid, TIER_DROP, PACE_DROP))
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
        "reason": reason[rows].tolist(),
    }
    arrays = [pa.array(columns[field.name], type=field.type) for field in SCHEMA]
    table = pa.Table.from_arrays(arrays, schema=SCHEMA)
    check_early_warnings(table)
    return table


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


def check_early_warnings(table: pa.Table) -> None:
    """Refuse a table that breaks a rule.

    Raises
    ------
    ArtifactError : the columns differ from `SCHEMA`, or a rule is broken.
    """
    faults = [] if table.schema.equals(SCHEMA, check_metadata=True) else ["columns differ"]
    if not faults:
        counts = {rule.name: int(rule.broken(table).sum()) for rule in RULES}
        faults = [f"{name}: {count} rows" for name, count in counts.items() if count]
    if faults:
        raise ArtifactError(
            describe(
                "early warnings",
                f"{len(faults)} rules are broken",
                examples=faults,
                expected="a table that keeps every rule of docs/segments.md",
                fix="this is a bug in winback: report the rule's name",
            )
        )


def _values(table: pa.Table, name: str) -> Float64Array:
    return np.asarray(table[name].cast(pa.float64()).to_numpy(), dtype=np.float64)


def _known(name: str, values: Sequence[str]) -> Callable[[pa.Table], BoolArray]:
    def broken(table: pa.Table) -> BoolArray:
        found = pc.is_in(table[name], value_set=pa.array(values, type=pa.string()))
        return ~np.asarray(found.to_numpy(), dtype=np.bool_)

    return broken


def _rank_not_sequence(table: pa.Table) -> BoolArray:
    return np.asarray(_values(table, "rank") != np.arange(1, table.num_rows + 1))


def _stake_rises(table: pa.Table) -> BoolArray:
    stake = _values(table, "value_at_stake")
    return np.concatenate(([False], np.diff(stake) > 0))[: table.num_rows]


def _customer_repeated(table: pa.Table) -> BoolArray:
    codes = table["customer_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    return np.asarray(np.bincount(codes, minlength=1)[codes] > 1)


def _probability_outside(table: pa.Table) -> BoolArray:
    values = np.stack([_values(table, name) for name in ("p_dormant", "chance_of_so_few")])
    return np.asarray(~((values >= 0) & (values <= 1)).all(axis=0))


def _amount_negative(table: pa.Table) -> BoolArray:
    names = ("orders_recent", "orders_usual", "last_order_days", "yearly_spend", "value_at_stake")
    return np.asarray(~(np.stack([_values(table, name) for name in names]) >= 0).all(axis=0))


def _drop_without_tiers(table: pa.Table) -> BoolArray:
    fell = ~_known("tier_then", VALUE_TIERS[1::2])(table) & ~_known("tier_now", VALUE_TIERS[::2])(
        table
    )
    says = ~_known("reason", (TIER_DROP, BOTH))(table)
    return np.asarray(fell != says)


RULES: tuple[Rule, ...] = (
    Rule("rank_sequence", "ranks are 1, 2, 3, ... down the table", _rank_not_sequence),
    Rule("stake_descends", "value_at_stake never rises down the table", _stake_rises),
    Rule("customer_once", "a customer is warned of at most once", _customer_repeated),
    Rule("life_cycle_known", "life_cycle is a known state", _known("life_cycle", LIFE_CYCLES)),
    Rule("tier_then_known", "tier_then is a known tier", _known("tier_then", VALUE_TIERS)),
    Rule("tier_now_known", "tier_now is a known tier", _known("tier_now", VALUE_TIERS)),
    Rule("promotion_known", "promotion is a known class", _known("promotion", PROMOTIONS)),
    Rule("reason_known", f"reason is one of {', '.join(REASONS)}", _known("reason", REASONS)),
    Rule("probability_range", "probabilities lie in [0, 1]", _probability_outside),
    Rule("amounts_not_negative", "counts, days and money are not negative", _amount_negative),
    Rule(
        "reason_fits_tiers",
        "the reason names a drop of the frequency tier where there is one",
        _drop_without_tiers,
    ),
)
