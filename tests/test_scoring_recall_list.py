"""The list's contract: a good list passes, each named rule catches its own fault."""

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from features.errors import ArtifactError
from scoring.recall_list import RULES, SCHEMA, check_recall_list

AS_OF = 1_763_593_200_000_000
HOUR = 3_600_000_000


def row(rank: int, **changes: Any) -> dict[str, Any]:
    """One good row of the list."""
    base = {
        "list_id": "2025-11-20-abc",
        "as_of": AS_OF,
        "rank": rank,
        "list_row_id": f"2025-11-20-abc/{rank}",
        "customer_id": f"c{rank}",
        "stage": "buyer",
        "value_tier": "low value, low frequency",
        "life_cycle": "dormant",
        "promotion": "neutral",
        "arm": "contact",
        "channel": "email",
        "offer": "none",
        "send_at_utc": AS_OF + 11 * HOUR,
        "send_at_local": "2025-11-20T11:00:00+01:00",
        "send_window_end_utc": AS_OF + 12 * HOUR,
        "send_basis": "own",
        "expires_at": AS_OF + 24 * HOUR,
        "p_dormant": None,
        "p_return_natural": 0.1,
        "p_return_contacted": 0.15,
        "uplift": 0.05,
        "uplift_low": 0.01,
        "uplift_high": 0.09,
        "expected_gain": 10.0 - rank,
        "contact_cost": 0.01,
        "expected_cost": 0.02,
        "propensity": 0.8,
        "evidence": "rules",
        "reason_1": "silent for 94 days",
        "model_version": "m/1",
        "config_hash": "abc",
    }
    return {**base, **changes}


def control(rank: int, **changes: Any) -> dict[str, Any]:
    """One good row of a control."""
    times = ("send_at_utc", "send_at_local", "send_window_end_utc", "send_basis")
    nothing = dict.fromkeys(times)
    return row(
        rank, **{"arm": "ghost", "contact_cost": 0.0, "expected_cost": 0.0, **nothing, **changes}
    )


def table_of(*rows: dict[str, Any]) -> pa.Table:
    """The rows as a table of the contract's schema, nulls allowed everywhere."""
    whole = {
        field.name: pa.array([item.get(field.name) for item in rows], type=pa.int64()).cast(
            field.type
        )
        if pa.types.is_timestamp(field.type)
        else pa.array([item.get(field.name) for item in rows], type=field.type)
        for field in SCHEMA
    }
    return pa.Table.from_arrays(list(whole.values()), schema=SCHEMA)


def test_a_good_list_and_an_empty_one_pass() -> None:
    check_recall_list(table_of(row(1), control(2), row(3, p_dormant=0.5)))
    check_recall_list(table_of())


FAULTS: dict[str, list[dict[str, Any]]] = {
    "required_not_null": [row(1, stage=None)],
    "rank_sequence": [row(2)],
    "gain_descends": [row(1, expected_gain=1.0), row(2, expected_gain=2.0)],
    "customer_once": [row(1, customer_id="x"), row(2, customer_id="x")],
    "arm_known": [row(1, arm="maybe")],
    "evidence_known": [row(1, evidence="hope")],
    "tier_known": [row(1, value_tier="gold")],
    "life_cycle_known": [row(1, life_cycle="at risk")],
    "promotion_known": [row(1, promotion="fan")],
    "probability_range": [row(1, p_dormant=1.2)],
    "propensity_range": [row(1, propensity=0.0)],
    "uplift_is_difference": [row(1, uplift=0.04)],
    "uplift_in_interval": [row(1, uplift_low=0.06)],
    "money_finite": [row(1, contact_cost=-1.0)],
    "control_not_contacted": [control(1, contact_cost=0.5)],
    "sent_has_time": [row(1, send_at_local=None)],
    "send_basis_known": [row(1, send_basis="luck"), row(2, send_basis=None)],
    "follow_up_in_order": [row(1, follow_up_channel="sms")],
    "next_order_in_order": [
        row(
            1,
            next_order_expected=date(2025, 12, 1),
            next_order_low=date(2025, 12, 9),
            next_order_high=date(2025, 12, 8),
        )
    ],
    "times_in_order": [row(1, send_window_end_utc=AS_OF + 30 * HOUR)],
}


def test_every_rule_is_tested() -> None:
    assert set(FAULTS) == {rule.name for rule in RULES}


@pytest.mark.parametrize("name", FAULTS)
def test_each_rule_catches_its_fault(name: str) -> None:
    with pytest.raises(ArtifactError, match=f"{name}: "):
        check_recall_list(table_of(*FAULTS[name]))


LATE, SOON = date(2026, 2, 1), date(2025, 11, 25)


@pytest.mark.parametrize(
    "dates",
    [
        {},
        {"next_order_expected": LATE},
        {"next_order_expected": LATE, "next_order_low": SOON},
        {"next_order_expected": SOON, "next_order_low": SOON, "next_order_high": LATE},
        # A mean may lie beyond the interval: few return late, but very late.
        {"next_order_expected": LATE, "next_order_low": SOON, "next_order_high": SOON},
    ],
)
def test_next_orders_that_may_be_listed(dates: dict[str, date]) -> None:
    check_recall_list(table_of(row(1, **dates)))


@pytest.mark.parametrize(
    "dates",
    [
        {"next_order_low": SOON},
        {"next_order_expected": LATE, "next_order_high": LATE},
        {"next_order_expected": date(2025, 11, 1)},
    ],
)
def test_next_orders_that_may_not(dates: dict[str, date]) -> None:
    with pytest.raises(ArtifactError, match="next_order_in_order: 1 rows"):
        check_recall_list(table_of(row(1, **dates)))


def test_a_control_with_a_send_time_is_refused() -> None:
    with pytest.raises(ArtifactError, match="control_not_contacted"):
        check_recall_list(table_of(row(1, arm="holdout", contact_cost=0.0)))


def test_other_columns_are_named() -> None:
    table = table_of(row(1))
    with pytest.raises(ArtifactError, match=r"1 columns .*\(offer\)"):
        check_recall_list(table.drop_columns(["offer"]))
    with pytest.raises(ArtifactError, match="order of columns"):
        check_recall_list(table.select(table.column_names[::-1]))
