"""Rows whose times contradict each other are counted."""

from dataclasses import replace

from feature_tables import history_of, random_tables

from features.history import History
from features.kernels.feature import DAY_US
from training.leak_audit_times import check_times


def in_order(seed: int = 1) -> History:
    history = history_of(random_tables(seed, customers=30))
    return history


def test_times_in_order_pass() -> None:
    check = check_times([in_order(1), in_order(2)])
    assert check.verdict == "passed"
    assert int(check.figures["events"]) > 500


def test_all_events_known_at_once_is_said() -> None:
    history = in_order()
    at_once = replace(history.events, arrived_at=history.events.occurred_at)
    check = check_times([replace(history, events=at_once)])
    assert check.verdict == "passed"
    assert "known when they happened" in check.meaning


def test_arrivals_before_the_event_are_told() -> None:
    history = in_order()
    early = replace(history.events, arrived_at=history.events.occurred_at - DAY_US)
    check = check_times([replace(history, events=early)])
    assert check.verdict == "warning"
    assert check.named == ("events arrived before they occurred",)


def test_outcomes_before_the_sending_are_told() -> None:
    history = in_order()
    contacts = replace(history.contacts, sent_at=history.contacts.sent_at + 400 * DAY_US)
    check = check_times([replace(history, contacts=contacts)])
    assert check.verdict == "warning"
    assert {"opens before the sending", "contacts arrived before they were sent"} <= set(
        check.named
    )


def test_nothing_to_look_at() -> None:
    assert check_times([]).verdict == "not checked"
