"""Rows that are there already: counted, and kept once or as configured."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ingest_home import NOW, balanced, ingest_text, rules_of, stored, with_rules

from features.ingestion_summary import IngestSummary
from features.source import ContactSource, CustomerSource, EventSource

HEADER = "event_id,customer_id,occurred_at,event_type,amount\n"
WITH_ID = EventSource(event_id="event_id", amount="amount")
WITHOUT_ID = EventSource(amount="amount")
A = "a,1,2026-01-01 10:00:00,order,5\n"
B = "b,1,2026-01-01 10:00:00,order,5\n"


def counts(summary: IngestSummary) -> tuple[int, int, int]:
    assert balanced(summary)
    return summary.accepted, summary.duplicate, summary.duplicate_in_warehouse


def test_an_event_id_is_kept_once_within_a_source(tmp_path: Path) -> None:
    summary = ingest_text(tmp_path, HEADER + A + B + A, events=WITH_ID)
    assert counts(summary) == (2, 1, 0)


def test_an_event_id_is_kept_once_in_the_warehouse(tmp_path: Path) -> None:
    ingest_text(tmp_path, HEADER + A, events=WITH_ID)
    summary = ingest_text(tmp_path, HEADER + A + A + B, events=WITH_ID, name="b.csv")
    assert counts(summary) == (1, 2, 1)
    assert len(stored(tmp_path)) == 2


def test_of_two_events_with_one_id_the_same_wins_in_any_order(tmp_path: Path) -> None:
    other = A.replace(",5", ",7")
    for name, text in (("a", A + other), ("b", other + A)):
        ingest_text(tmp_path / name, HEADER + text, events=WITH_ID)
        assert [row["amount"] for row in stored(tmp_path / name)] == [5.0]


def test_events_without_their_id_are_repeats_as_if_there_were_none(tmp_path: Path) -> None:
    text = HEADER + A + A.replace("a,", ",", 1) * 2
    summary = ingest_text(tmp_path, text, events=WITH_ID)
    assert counts(summary) == (2, 1, 0)


@pytest.mark.parametrize(("policy", "accepted", "kept"), [("drop", 1, 0), ("keep", 3, 2)])
def test_repeated_rows_follow_the_policy(
    policy: str, accepted: int, kept: int, tmp_path: Path
) -> None:
    rules = with_rules(repeated_rows=policy)
    summary = ingest_text(tmp_path, HEADER + A * 3, events=WITHOUT_ID, rules=rules)
    assert (summary.accepted, summary.repeats_kept) == (accepted, kept)
    assert balanced(summary)


@pytest.mark.parametrize(
    ("policy", "rows", "note"),
    [
        (
            "drop",
            3,
            "2 rows equal another row and were dropped; if repeats are real, "
            'set events.repeated_rows = "keep".',
        ),
        ("keep", 3, "2 rows equal another row and were kept (events.repeated_rows)."),
        ("keep", 2, "1 row equals another row and was kept (events.repeated_rows)."),
        ("drop", 1, None),
        ("keep", 1, None),
    ],
)
def test_repeated_rows_are_noted_with_their_policy(
    policy: str, rows: int, note: str | None, tmp_path: Path
) -> None:
    rules = with_rules(repeated_rows=policy)
    summary = ingest_text(
        tmp_path, HEADER + A * rows + B.replace("10:00", "10:01"), events=WITHOUT_ID, rules=rules
    )
    assert [one for one in summary.notes if "equal" in one] == ([note] if note else [])


def test_rows_with_one_event_id_are_not_noted_as_repeats(tmp_path: Path) -> None:
    summary = ingest_text(tmp_path, HEADER + A * 3, events=WITH_ID)
    assert summary.duplicate == 2
    assert not any("equal" in note for note in summary.notes)


def test_rows_that_differ_in_an_unmapped_column_are_no_repeats(tmp_path: Path) -> None:
    summary = ingest_text(tmp_path, HEADER + A + B, events=WITHOUT_ID)
    assert counts(summary) == (2, 0, 0)


@pytest.mark.parametrize(("policy", "expected"), [("drop", (1, 1, 1)), ("keep", (2, 0, 0))])
def test_stored_rows_without_id_follow_the_policy(
    policy: str, expected: tuple[int, int, int], tmp_path: Path
) -> None:
    rules = with_rules(repeated_rows=policy)
    ingest_text(tmp_path, HEADER + A, events=WITHOUT_ID, rules=rules)
    text = HEADER + A + A.replace("10:00", "10:01")
    summary = ingest_text(tmp_path, text, events=WITHOUT_ID, rules=rules, name="b.csv")
    assert counts(summary) == expected


def test_a_stored_repeat_is_found_whatever_its_nulls(tmp_path: Path) -> None:
    row = "x,1,2026-01-01,visit,\n"
    ingest_text(tmp_path, HEADER + row, events=WITHOUT_ID)
    summary = ingest_text(tmp_path, HEADER + row + B, events=WITHOUT_ID, name="b.csv")
    assert counts(summary) == (1, 1, 1)


def test_rejected_rows_are_no_duplicates(tmp_path: Path) -> None:
    bad = "z,1,never,order,5\n"
    summary = ingest_text(tmp_path, HEADER + bad + bad + A, events=WITH_ID)
    assert counts(summary) == (1, 0, 0)
    assert summary.rejected == 2


CONTACT = ContactSource(opened_at="opened", outcome="outcome")
CONTACT_HEADER = "contact_id,customer_id,sent_at,channel,opened,outcome\n"
SENT = "c1,1,2026-01-01 10:00:00,email,,\n"
OPENED = "c1,1,2026-01-01 10:00:00,email,2026-01-01 11:00:00,\n"


def contact(home: Path, text: str, name: str = "in.csv", **options: Any) -> IngestSummary:
    return ingest_text(
        home, CONTACT_HEADER + text, kind="contacts", contacts=CONTACT, name=name, **options
    )


def test_the_outcome_of_a_contact_is_a_new_version_that_arrives_now(tmp_path: Path) -> None:
    contact(tmp_path, SENT)
    summary = contact(tmp_path, OPENED, "b.csv", backfill=True)
    assert counts(summary) == (1, 0, 0)
    rows = sorted(stored(tmp_path, "contacts"), key=lambda row: row["arrived_at"])
    assert [row["opened_at"] is not None for row in rows] == [False, True]
    assert [row["arrived_at"] for row in rows] == [datetime(2026, 1, 1, 9, tzinfo=UTC), NOW]


def test_an_unchanged_contact_is_a_duplicate(tmp_path: Path) -> None:
    contact(tmp_path, SENT + OPENED.replace("c1", "c2"))
    summary = contact(tmp_path, OPENED.replace("c1", "c2") + SENT * 2, "b.csv")
    assert counts(summary) == (0, 3, 2)
    assert len(stored(tmp_path, "contacts")) == 2


def test_of_reports_that_arrive_together_the_fullest_counts(tmp_path: Path) -> None:
    for name, text in (("a", SENT + OPENED), ("b", OPENED + SENT)):
        summary = contact(tmp_path / name, text)
        assert counts(summary) == (1, 1, 0)
        assert stored(tmp_path / name, "contacts")[0]["opened_at"] is not None


CUSTOMER = CustomerSource(
    signup_at="signup", flags={"email_ok": "email"}, attributes={"city": "city"}
)
CUSTOMER_HEADER = "customer_id,signup,email,city,changed\n"
ULM = "1,2025-01-01,yes,Ulm,2025-06-01\n"
BONN = "1,2025-01-01,yes,Bonn,2025-07-01\n"


def customer(
    home: Path, text: str, name: str = "in.csv", *, changed: bool = False, **options: Any
) -> IngestSummary:
    source = CUSTOMER
    if changed:
        source = CustomerSource(
            signup_at="signup",
            flags=dict(CUSTOMER.flags),
            attributes=dict(CUSTOMER.attributes),
            changed_at="changed",
        )
    return ingest_text(
        home, CUSTOMER_HEADER + text, kind="customers", customers=source, name=name, **options
    )


def test_a_changed_customer_is_a_new_version(tmp_path: Path) -> None:
    customer(tmp_path, ULM)
    summary = customer(tmp_path, BONN, "b.csv")
    assert counts(summary) == (1, 0, 0)
    rows = sorted(stored(tmp_path, "customers"), key=lambda row: row["changed_at"])
    assert [dict(row["attributes"])["city"] for row in rows] == ["Ulm", "Bonn"]
    assert rows[0]["changed_at"] == datetime(2024, 12, 31, 23, tzinfo=UTC)
    assert rows[1]["changed_at"] == rows[1]["arrived_at"] == NOW


def test_a_back_fill_never_dates_a_further_version_back(tmp_path: Path) -> None:
    customer(tmp_path, ULM)
    customer(tmp_path, BONN, "b.csv", backfill=True)
    latest = max(stored(tmp_path, "customers"), key=lambda row: row["changed_at"])
    assert (dict(latest["attributes"])["city"], latest["arrived_at"]) == ("Bonn", NOW)


def test_an_unchanged_customer_is_a_duplicate(tmp_path: Path) -> None:
    customer(tmp_path, ULM)
    summary = customer(tmp_path, ULM + ULM + "2,,,,\n", "b.csv")
    assert counts(summary) == (1, 2, 1)


def test_a_customer_who_moved_back_is_a_new_version(tmp_path: Path) -> None:
    customer(tmp_path, ULM)
    customer(tmp_path, BONN, "b.csv")
    later = datetime(2026, 11, 22, tzinfo=UTC)
    summary = customer(tmp_path, ULM + "\n", "c.csv", now=later)
    assert counts(summary) == (1, 0, 0)
    assert len(stored(tmp_path, "customers")) == 3


def test_versions_with_their_own_times_are_kept_apart(tmp_path: Path) -> None:
    summary = customer(tmp_path, ULM + BONN + BONN, changed=True)
    assert counts(summary) == (2, 1, 0)
    again = customer(tmp_path, BONN + ULM, "b.csv", changed=True)
    assert counts(again) == (0, 2, 2)


def test_rows_that_contradict_each_other_are_rejected_both(tmp_path: Path) -> None:
    summary = customer(tmp_path, ULM + BONN + "2,,,,\n")
    assert rules_of(summary) == {"customer_contradiction": 2}
    assert counts(summary) == (1, 0, 0)
    assert {row["row"] for row in stored(tmp_path, "rejects")} == {1, 2}


def test_a_new_flag_makes_a_new_version_and_key_order_does_not(tmp_path: Path) -> None:
    def load(flags: dict[str, str], blank_lines: int) -> IngestSummary:
        # Blank lines make other bytes of the same rows: the file is not known yet.
        text = "customer_id,a,b\n1,yes,no\n" + "\n" * blank_lines
        source = CustomerSource(flags=flags)
        return ingest_text(tmp_path, text, kind="customers", customers=source)

    assert load({"a": "a", "b": "b"}, 0).accepted == 1
    assert load({"b": "b", "a": "a"}, 1).duplicate == 1
    assert load({"a": "a"}, 2).duplicate == 1
    assert load({"a": "a", "c": "b"}, 3).accepted == 1
