"""The recall list's contract: its columns and the named rules that every list keeps."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.errors import ArtifactError, describe
from features.life_cycle import LIFE_CYCLES
from features.value_tier import VALUE_TIERS
from models.contact_effect import EVIDENCE
from scoring.arms import ARMS, SENT_ARMS
from scoring.customer_hours import SEND_BASES
from scoring.promotion import PROMOTIONS

BoolArray = NDArray[np.bool_]

SCHEMA_VERSION = 4
TIME = pa.timestamp("us", tz="UTC")

PROBABILITY_DECIMALS = 6
PROPENSITY_DECIMALS = 9
MONEY_DECIMALS = 4
_PROBABILITY_STEP = 10.0**-PROBABILITY_DECIMALS

SCHEMA = pa.schema(
    [
        pa.field("list_id", pa.string(), nullable=False),
        pa.field("as_of", TIME, nullable=False),
        pa.field("rank", pa.int32(), nullable=False),
        pa.field("list_row_id", pa.string(), nullable=False),
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("value_tier", pa.string(), nullable=False),
        pa.field("life_cycle", pa.string(), nullable=False),
        pa.field("promotion", pa.string(), nullable=False),
        pa.field("arm", pa.string(), nullable=False),
        pa.field("channel", pa.string(), nullable=False),
        pa.field("offer", pa.string(), nullable=False),
        pa.field("send_at_utc", TIME),
        pa.field("send_at_local", pa.string()),
        pa.field("send_window_end_utc", TIME),
        pa.field("send_basis", pa.string()),
        pa.field("expires_at", TIME, nullable=False),
        pa.field("p_dormant", pa.float64()),
        pa.field("p_return_natural", pa.float64(), nullable=False),
        pa.field("p_return_contacted", pa.float64(), nullable=False),
        pa.field("uplift", pa.float64(), nullable=False),
        pa.field("uplift_low", pa.float64(), nullable=False),
        pa.field("uplift_high", pa.float64(), nullable=False),
        pa.field("expected_gain", pa.float64(), nullable=False),
        pa.field("contact_cost", pa.float64(), nullable=False),
        pa.field("expected_cost", pa.float64(), nullable=False),
        pa.field("propensity", pa.float64(), nullable=False),
        pa.field("evidence", pa.string(), nullable=False),
        pa.field("next_order_expected", pa.date32()),
        pa.field("next_order_low", pa.date32()),
        pa.field("next_order_high", pa.date32()),
        pa.field("follow_up_of", pa.string()),
        pa.field("follow_up_channel", pa.string()),
        pa.field("follow_up_at", TIME),
        pa.field("reason_1", pa.string()),
        pa.field("reason_2", pa.string()),
        pa.field("reason_3", pa.string()),
        pa.field("model_version", pa.string(), nullable=False),
        pa.field("config_hash", pa.string(), nullable=False),
    ],
    metadata={"winback_recall_list": str(SCHEMA_VERSION)},
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A named promise of the list; `broken` marks the rows (shape (n,)) that break it."""

    name: str
    meaning: str
    broken: Callable[[pa.Table], BoolArray]


def check_recall_list(table: pa.Table) -> None:
    """Refuse a list that breaks its contract.

    Raises
    ------
    ArtifactError : the columns differ from `SCHEMA`, or a rule is broken; names every
        broken rule with its number of rows.
    """
    if not table.schema.equals(SCHEMA, check_metadata=True):
        different = _different_columns(table.schema)
        raise ArtifactError(
            describe(
                "recall list",
                f"{len(different)} columns are not those of schema version {SCHEMA_VERSION}",
                examples=different,
                expected="the columns of docs/recall-list.md, in order",
                fix="build the list with scoring.list_rows",
            )
        )
    broken = {rule.name: int(rule.broken(table).sum()) for rule in RULES}
    faults = [f"{name}: {count} rows" for name, count in broken.items() if count]
    if faults:
        raise ArtifactError(
            describe(
                "recall list",
                f"{len(faults)} rules are broken",
                examples=faults,
                expected="a list that keeps every rule of docs/recall-list.md",
                fix="this is a bug in winback: report the rule's name",
            )
        )


def _different_columns(schema: pa.Schema) -> list[str]:
    expected = {field.name: (field.type, field.nullable) for field in SCHEMA}
    found = {field.name: (field.type, field.nullable) for field in schema}
    names = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
    return names or ["order of columns or metadata"]


def _floats(table: pa.Table, name: str) -> NDArray[np.float64]:
    values: NDArray[np.float64] = (
        table[name].cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    )
    return values


def _nulls(table: pa.Table, name: str) -> BoolArray:
    return np.asarray(pc.is_null(table[name]).to_numpy(zero_copy_only=False), dtype=np.bool_)


def _is_in(table: pa.Table, name: str, values: tuple[str, ...]) -> BoolArray:
    found = pc.is_in(table[name], value_set=pa.array(values, type=pa.string()))
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _times(table: pa.Table, name: str) -> NDArray[np.int64]:
    filled = table[name].cast(pa.int64()).fill_null(0)
    return np.asarray(filled.to_numpy(zero_copy_only=False), dtype=np.int64)


def _null_where_required(table: pa.Table) -> BoolArray:
    found = np.zeros(table.num_rows, dtype=np.bool_)
    for field in SCHEMA:
        if not field.nullable:
            found |= _nulls(table, field.name)
    return found


def _rank_not_sequence(table: pa.Table) -> BoolArray:
    wrong: BoolArray = _floats(table, "rank") != np.arange(1, table.num_rows + 1)
    return wrong


def _gain_rises(table: pa.Table) -> BoolArray:
    gain = _floats(table, "expected_gain")
    return np.concatenate(([False], np.diff(gain) > 0))[: table.num_rows]


def _customer_repeated(table: pa.Table) -> BoolArray:
    codes = table["customer_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    return np.asarray(np.bincount(codes, minlength=1)[codes] > 1, dtype=np.bool_)


def _probability_outside(table: pa.Table) -> BoolArray:
    found = np.zeros(table.num_rows, dtype=np.bool_)
    for name in ("p_dormant", "p_return_natural", "p_return_contacted"):
        values = _floats(table, name)
        found |= ~_nulls(table, name) & ~((values >= 0) & (values <= 1))
    return found


def _propensity_outside(table: pa.Table) -> BoolArray:
    values = _floats(table, "propensity")
    return ~((values > 0) & (values <= 1))


def _uplift_not_difference(table: pa.Table) -> BoolArray:
    difference = _floats(table, "p_return_contacted") - _floats(table, "p_return_natural")
    return ~(np.abs(_floats(table, "uplift") - difference) < _PROBABILITY_STEP)


def _interval_misses_uplift(table: pa.Table) -> BoolArray:
    low, middle, high = (_floats(table, name) for name in ("uplift_low", "uplift", "uplift_high"))
    slack = 2 * _PROBABILITY_STEP
    return ~((low <= middle + slack) & (middle <= high + slack))


def _money_not_finite(table: pa.Table) -> BoolArray:
    return ~(np.isfinite(_floats(table, "expected_gain")) & (_floats(table, "contact_cost") >= 0))


def _control_has_contact(table: pa.Table) -> BoolArray:
    control = ~_is_in(table, "arm", SENT_ARMS)
    times = ("send_at_utc", "send_at_local", "send_window_end_utc", "follow_up_at")
    has_time = ~np.logical_and.reduce([_nulls(table, name) for name in times])
    wrong: BoolArray = control & (has_time | (_floats(table, "contact_cost") != 0))
    return wrong


def _sent_without_time(table: pa.Table) -> BoolArray:
    sent = _is_in(table, "arm", SENT_ARMS)
    times = ("send_at_utc", "send_at_local", "send_window_end_utc")
    wrong: BoolArray = sent & np.logical_or.reduce([_nulls(table, name) for name in times])
    return wrong


def _times_out_of_order(table: pa.Table) -> BoolArray:
    as_of, send, end, expires = (
        _times(table, name)
        for name in ("as_of", "send_at_utc", "send_window_end_utc", "expires_at")
    )
    sent = ~_nulls(table, "send_at_utc")
    late = expires <= as_of
    return late | (sent & ~((as_of <= send) & (send < end) & (end <= expires)))


def _follow_up_out_of_order(table: pa.Table) -> BoolArray:
    no_channel, no_time = _nulls(table, "follow_up_channel"), _nulls(table, "follow_up_at")
    early = _times(table, "follow_up_at") <= _times(table, "as_of")
    control = ~_is_in(table, "arm", SENT_ARMS)
    wrong: BoolArray = (no_channel != no_time) | (~no_time & (early | control))
    return wrong


def _next_order_out_of_order(table: pa.Table) -> BoolArray:
    expected, low, high = (
        table[name].cast(pa.int32())
        for name in ("next_order_expected", "next_order_low", "next_order_high")
    )
    day = pa.array(_times(table, "as_of"), pa.int64()).cast(TIME).cast(pa.date32()).cast(pa.int32())
    # The as-of is a local midnight: its UTC date is the list's day or the one before.
    early = [pc.fill_null(pc.less(one, day), False) for one in (expected, low, high)]
    crossed = pc.fill_null(pc.greater(low, high), False)
    without_expected = pc.and_(pc.is_null(expected), pc.or_(pc.is_valid(low), pc.is_valid(high)))
    without_low = pc.and_(pc.is_null(low), pc.is_valid(high))
    broken = np.zeros(table.num_rows, dtype=np.bool_)
    for one in (*early, crossed, without_expected, without_low):
        broken |= np.asarray(one.to_numpy(zero_copy_only=False), dtype=np.bool_)
    return broken


RULES: tuple[Rule, ...] = (
    Rule("required_not_null", "a required column has no null", _null_where_required),
    Rule("rank_sequence", "ranks are 1, 2, 3, ... down the list", _rank_not_sequence),
    Rule("gain_descends", "expected_gain never rises down the list", _gain_rises),
    Rule("customer_once", "a customer is listed at most once", _customer_repeated),
    Rule("arm_known", f"arm is one of {', '.join(ARMS)}", lambda t: ~_is_in(t, "arm", ARMS)),
    Rule(
        "evidence_known",
        f"evidence is one of {', '.join(EVIDENCE)}",
        lambda t: ~_is_in(t, "evidence", EVIDENCE),
    ),
    Rule(
        "tier_known",
        "value_tier is one of the four tiers",
        lambda t: ~_is_in(t, "value_tier", VALUE_TIERS),
    ),
    Rule(
        "life_cycle_known",
        f"life_cycle is one of {', '.join(LIFE_CYCLES)}",
        lambda t: ~_is_in(t, "life_cycle", LIFE_CYCLES),
    ),
    Rule(
        "promotion_known",
        f"promotion is one of {', '.join(PROMOTIONS)}",
        lambda t: ~_is_in(t, "promotion", PROMOTIONS),
    ),
    Rule("probability_range", "probabilities lie in [0, 1]", _probability_outside),
    Rule("propensity_range", "propensity lies in (0, 1]", _propensity_outside),
    Rule(
        "uplift_is_difference",
        "uplift = p_return_contacted - p_return_natural",
        _uplift_not_difference,
    ),
    Rule("uplift_in_interval", "uplift_low <= uplift <= uplift_high", _interval_misses_uplift),
    Rule("money_finite", "gains are finite, costs are not negative", _money_not_finite),
    Rule("control_not_contacted", "controls have no send time and no cost", _control_has_contact),
    Rule("sent_has_time", "contacted rows have their send times", _sent_without_time),
    Rule(
        "send_basis_known",
        f"contacted rows have a send_basis, one of {', '.join(SEND_BASES)}; controls have none",
        lambda t: (
            ~np.where(
                _is_in(t, "arm", SENT_ARMS),
                _is_in(t, "send_basis", SEND_BASES),
                _nulls(t, "send_basis"),
            )
        ),
    ),
    Rule(
        "times_in_order",
        "as_of <= send_at_utc < send_window_end_utc <= expires_at",
        _times_out_of_order,
    ),
    Rule(
        "follow_up_in_order",
        "follow-ups have a channel and a time after as_of, and controls have none",
        _follow_up_out_of_order,
    ),
    Rule(
        "next_order_in_order",
        "next_order dates are not before as_of, low <= high, no end without the ones before it",
        _next_order_out_of_order,
    ),
)
