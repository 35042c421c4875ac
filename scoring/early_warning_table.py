"""The contract of the early warnings: their columns and the named rules that they keep."""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.errors import ArtifactError, describe
from features.life_cycle import LIFE_CYCLES
from features.value_tier import VALUE_TIERS
from scoring.promotion import PROMOTIONS
from scoring.recall_list import Rule

BoolArray = NDArray[np.bool_]
Float64Array = NDArray[np.float64]

SCHEMA_VERSION = 1

REASONS = ("frequency_tier_dropped", "pace_dropped", "silence_past_own_rhythm")
TIER_DROP, PACE_DROP, LONG_SILENCE = REASONS
JOINT = "+"
"""Stands between the reasons of a customer who has several."""

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
at an unchanged pace (docs/segments.md). `value_at_stake` is yearly spend x p_dormant.
`reason` is one of `REASONS`, or several of them with `JOINT` between."""


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


def _reason_unknown(table: pa.Table) -> BoolArray:
    told = [text.split(JOINT) for text in table["reason"].to_pylist()]
    return np.array([not set(names) <= set(REASONS) for names in told], dtype=np.bool_)


def _not_sliding(table: pa.Table) -> BoolArray:
    more = _values(table, "orders_recent") > _values(table, "orders_usual")
    return np.asarray(_known("tier_then", VALUE_TIERS[1::2])(table) | more)


def _drop_without_tiers(table: pa.Table) -> BoolArray:
    fell = ~_known("tier_now", VALUE_TIERS[::2])(table)
    says = [TIER_DROP in text.split(JOINT) for text in table["reason"].to_pylist()]
    return np.asarray(np.array(says, dtype=np.bool_) & ~fell)


RULES: tuple[Rule, ...] = (
    Rule("rank_sequence", "ranks are 1, 2, 3, ... down the table", _rank_not_sequence),
    Rule("stake_descends", "value_at_stake never rises down the table", _stake_rises),
    Rule("customer_once", "a customer is warned of at most once", _customer_repeated),
    Rule("life_cycle_known", "life_cycle is a known state", _known("life_cycle", LIFE_CYCLES)),
    Rule("tier_then_known", "tier_then is a known tier", _known("tier_then", VALUE_TIERS)),
    Rule("tier_now_known", "tier_now is a known tier", _known("tier_now", VALUE_TIERS)),
    Rule("promotion_known", "promotion is a known class", _known("promotion", PROMOTIONS)),
    Rule("reason_known", f"reasons are among {', '.join(REASONS)}", _reason_unknown),
    Rule("probability_range", "probabilities lie in [0, 1]", _probability_outside),
    Rule("amounts_not_negative", "counts, days and money are not negative", _amount_negative),
    Rule(
        "slides_down",
        "all were of high frequency a month ago and have no more order days than usual",
        _not_sliding,
    ),
    Rule(
        "reason_fits_tiers",
        "a drop of the frequency tier is a reason only where there is one",
        _drop_without_tiers,
    ),
)
