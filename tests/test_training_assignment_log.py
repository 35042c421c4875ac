"""Assignments of lists and of experiments in one form, and the contacts that belong to them."""

from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from small_shop import DAY_US, START_US

from features.contract import TABLES
from features.history import NO_TIME
from scoring.arms import ARMS
from training.assignment_contacts import contact_records, join_contacts, on_sent_lists
from training.assignment_log import (
    CONTACTED_ARMS,
    GHOST_ARM,
    NIGHTLY,
    UNKNOWN_ACTION,
    AssignedRows,
    action_codes,
    assigned_by_experiments,
    assigned_by_lists,
    join_assigned,
)

BERLIN = ZoneInfo("Europe/Berlin")
ACTIONS = ("sms/none", "sms/gift", "mail/none", "mail/gift")


def decisions(rows: list[dict[str, Any]], **extra: list[Any]) -> pa.Table:
    base = {"as_of": "2025-01-01", "bucket": 0, "list_id": "L", "rank": 1, "channel": "sms"}
    table = pa.Table.from_pylist([{**base, "offer": "none", **row} for row in rows])
    for name, values in extra.items():
        table = table.append_column(name, pa.array(values))
    return table


def lists_of(table: pa.Table) -> AssignedRows:
    return assigned_by_lists(table, actions=ACTIONS, timezone=BERLIN, valid_days=1)


def experiment(rows: list[dict[str, Any]]) -> AssignedRows:
    base = {"bucket": 0, "assigned_at": START_US, "arrived_at": START_US, "experiment": "spring"}
    whole = [{"assignment_id": f"a{n}", **base, **row} for n, row in enumerate(rows)]
    schema = TABLES["assignments"].schema
    for row in whole:
        for name in ("propensities",):
            row.setdefault(name, None)
    table = pa.Table.from_pylist(whole, schema=schema)
    return assigned_by_experiments(table, actions=ACTIONS, valid_days=1)


def test_the_arms_are_those_of_the_list() -> None:
    assert {GHOST_ARM, *CONTACTED_ARMS} == set(ARMS) - {"holdout"}


def test_rows_of_lists_without_the_holdout() -> None:
    table = decisions(
        [
            {"customer_id": "a", "arm": "contact", "channel": "mail", "offer": "gift"},
            {"customer_id": "b", "arm": "ghost", "rank": 2},
            {"customer_id": "c", "arm": "holdout", "rank": 3},
            {"customer_id": "d", "arm": None, "rank": 4},
            {"customer_id": "e", "arm": "explore", "channel": "fax", "rank": 5},
        ],
        action_propensity=[0.8, 0.1, None, None, 0.0],
    )
    rows = lists_of(table)
    assert rows.customer_id.to_pylist() == ["a", "b", "e"]
    assert rows.row_id.to_pylist() == ["L/1", "L/2", "L/5"]
    assert rows.action.tolist() == [3, -1, UNKNOWN_ACTION]
    np.testing.assert_array_equal(rows.propensity, [0.8, 0.1, np.nan])
    assert rows.assigned_us.tolist() == [START_US] * 3
    assert rows.expires_us.tolist() == [START_US + DAY_US] * 3


def test_old_lists_have_no_propensity_but_a_name_for_each_row() -> None:
    rows = lists_of(decisions([{"customer_id": "a", "arm": "contact"}]))
    assert np.isnan(rows.propensity).all()
    expiring = decisions(
        [{"customer_id": "a", "arm": "ghost"}, {"customer_id": "b", "arm": "ghost", "rank": 2}],
        expires_at=pa.array([START_US + 9, None], pa.timestamp("us", tz="UTC")).to_pylist(),
    )
    assert lists_of(expiring).expires_us.tolist() == [START_US + 9, START_US + DAY_US]
    named = decisions([{"customer_id": "a", "arm": "ghost"}], list_row_id=["X/9"])
    assert lists_of(named).row_id.to_pylist() == ["X/9"]


def test_actions_by_name() -> None:
    channel = pa.array(["sms", "sms", None, "none", "fax", "mail"])
    offer = pa.array(["gift", None, None, "gift", "none", "lottery"])
    assert action_codes(channel, offer, ACTIONS).tolist() == [1, 0, -1, -1, -2, -2]
    assert action_codes(pa.array(["none"]), pa.array(["none"]), ("none/none",)).tolist() == [0]


def test_imported_propensities_are_looked_up_and_impossible_ones_are_unknown() -> None:
    rows = experiment(
        [
            {"customer_id": "a", "channel": "sms", "propensity": 0.25},
            {"customer_id": "b", "propensities": [("none", 0.5), ("sms/none", 0.5)]},
            {"customer_id": "c", "channel": "sms", "propensity": 0.0},
            {"customer_id": "d", "channel": "sms", "propensity": 1.5},
            {"customer_id": "e", "channel": "sms", "propensities": [("none", 0.5)]},
        ]
    )
    np.testing.assert_array_equal(rows.propensity, [0.25, 0.5, np.nan, np.nan, np.nan])


def test_of_an_assignment_that_was_imported_twice_the_first_counts() -> None:
    rows = experiment(
        [
            {"assignment_id": "x", "customer_id": "a", "channel": "mail", "arrived_at": 9},
            {"assignment_id": "x", "customer_id": "a", "channel": "sms", "arrived_at": 3},
            {"assignment_id": "x", "customer_id": "b", "channel": "sms", "arrived_at": 5},
        ]
    )
    assert rows.arrived_us.tolist() == [3, 5]
    assert rows.action.tolist() == [0, 0]


def test_sources_join_by_experiment() -> None:
    both = join_assigned(
        [
            lists_of(decisions([{"customer_id": "a", "arm": "contact"}])),
            experiment([{"customer_id": "b"}, {"customer_id": "c", "experiment": "autumn"}]),
        ]
    )
    names = [both.experiments[code] for code in both.experiment]
    assert names == [NIGHTLY, "spring", "autumn"]
    assert both.take(np.array([2])).customer_id.to_pylist() == ["c"]


def contacts(rows: list[dict[str, Any]]) -> pa.Table:
    whole = []
    for number, row in enumerate(rows):
        sent = START_US + int(row.pop("day") * DAY_US)
        base = {"contact_id": f"k{number}", "customer_id": "a", "channel": "sms", "sent_at": sent}
        whole.append({**base, "arrived_at": sent, **row})
    return pa.Table.from_pylist(whole, schema=TABLES["contacts"].schema)


def joined(assigned: AssignedRows, rows: list[dict[str, Any]], *, known_day: float = 90) -> Any:
    known = START_US + int(known_day * DAY_US)
    records = contact_records(contacts(rows), known_before_us=known)
    return join_contacts(assigned, records, actions=ACTIONS)


def test_a_contact_belongs_to_the_row_that_it_names() -> None:
    rows = lists_of(
        decisions(
            [
                {"customer_id": "a", "arm": "contact"},
                {"customer_id": "b", "arm": "contact", "rank": 2},
            ]
        )
    )
    # Long after it expired, by another channel: it says itself what it belongs to.
    found = joined(rows, [{"day": 9.0, "list_row_id": "L/1", "channel": "mail"}])
    assert found.found.tolist() == [True, False]
    assert found.sent_us[0] == START_US + 9 * DAY_US


def test_a_contact_that_names_none_is_found_by_customer_channel_and_time() -> None:
    rows = lists_of(
        decisions(
            [
                {"customer_id": "a", "arm": "contact"},
                {"customer_id": "b", "arm": "contact", "rank": 2},
                {"customer_id": "c", "arm": "contact", "rank": 3},
            ]
        )
    )
    found = joined(
        rows,
        [
            {"day": -0.1},
            {"day": 0.2, "channel": "mail"},
            {"day": 0.5},
            {"day": 0.6},
            {"day": 1.1, "customer_id": "b"},
            {"day": 0.5, "customer_id": "c", "channel": "mail"},
        ],
    )
    assert found.found.tolist() == [True, False, False]
    assert found.sent_us[0] == START_US + DAY_US // 2


def test_a_control_that_was_contacted_by_any_channel_is_contaminated() -> None:
    ghosts = decisions(
        [{"customer_id": "a", "arm": "ghost"}, {"customer_id": "b", "arm": "ghost", "rank": 2}]
    )
    found = joined(lists_of(ghosts), [{"day": 0.5, "channel": "fax"}])
    assert found.found.tolist() == [True, False]


def test_a_contact_of_another_row_is_nobody_elses() -> None:
    rows = lists_of(
        decisions(
            [
                {"customer_id": "a", "arm": "contact"},
                {"customer_id": "a", "arm": "ghost", "rank": 2},
            ]
        )
    )
    assert joined(rows, [{"day": 0.5, "list_row_id": "L/1"}]).found.tolist() == [True, False]


def test_customers_of_one_assignment_id_have_their_own_contacts() -> None:
    rows = experiment(
        [
            {"customer_id": name, "assignment_id": "spring", "channel": channel}
            for name, channel in (("a", "sms"), ("b", "sms"), ("c", None))
        ]
    )
    found = joined(rows, [{"day": 9.0, "list_row_id": "spring", "customer_id": "b"}])
    assert found.found.tolist() == [False, True, False]


def test_the_last_version_known_tells_who_left() -> None:
    rows = lists_of(decisions([{"customer_id": "a", "arm": "contact"}]))
    left = START_US + 3 * DAY_US
    versions = [
        {"day": 0.5, "contact_id": "k"},
        {
            "day": 0.5,
            "contact_id": "k",
            "unsubscribed_at": left,
            "arrived_at": START_US + 5 * DAY_US,
        },
    ]
    for known_day, until in ((4.0, NO_TIME), (6.0, left)):
        found = joined(rows, [dict(row) for row in versions], known_day=known_day)
        assert found.found.tolist() == [True]
        assert found.unsubscribed_us.tolist() == [until]


def test_a_list_without_any_contact_was_never_sent_if_others_were() -> None:
    rows = join_assigned(
        [
            lists_of(
                decisions(
                    [
                        {"customer_id": "a", "arm": "contact"},
                        {"customer_id": "b", "arm": "ghost", "rank": 2},
                        {"customer_id": "c", "arm": "contact", "as_of": "2025-01-02"},
                        {"customer_id": "d", "arm": "ghost", "as_of": "2025-01-02", "rank": 2},
                    ]
                )
            ),
            experiment([{"customer_id": "e", "channel": "sms"}]),
        ]
    )
    found = joined(rows, [{"day": 0.5}])
    assert on_sent_lists(rows, found).tolist() == [True, True, False, False, True]
    # Of no list is a contact recorded: nothing can be told.
    assert on_sent_lists(rows, joined(rows, [{"day": -9.0}])).all()
    # That a control was contacted says nothing about the list.
    control = joined(rows, [{"day": 0.5, "customer_id": "b"}])
    assert on_sent_lists(rows, control).all()
