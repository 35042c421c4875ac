"""Ingestion as a whole: every row is counted once, and what is not to be stored leaves no trace."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ingest_home import (
    EVENTS,
    NOW,
    balanced,
    ingest_text,
    rules_of,
    shop,
    stored,
    with_rules,
    write,
)

from features.source import EventSource
from pipelines.ingest import run_ingest

HEADER = "customer_id,occurred_at,event_type,amount\n"
GOOD = "1,2026-01-01 10:00:00,order,2.5\n"


@pytest.mark.parametrize(
    ("unknown", "accepted", "ignored", "rejected", "remapped"),
    [("error", 1, 0, 1, 0), ("ignore", 1, 1, 0, 0), ("map", 2, 0, 0, 1)],
)
def test_unknown_event_types_follow_the_policy(
    unknown: str, accepted: int, ignored: int, rejected: int, remapped: int, tmp_path: Path
) -> None:
    rules = with_rules(unknown=unknown, unknown_as="visit")
    summary = ingest_text(tmp_path, HEADER + GOOD + "1,2026-01-02,click,\n", rules=rules)
    found = (summary.accepted, summary.ignored, summary.rejected, summary.remapped)
    assert found == (accepted, ignored, rejected, remapped)
    assert balanced(summary)


def test_a_row_of_an_ignored_type_is_not_judged(tmp_path: Path) -> None:
    rules = with_rules(unknown="ignore")
    summary = ingest_text(tmp_path, HEADER + GOOD + "1,2026-01-02,sale,cheap\n", rules=rules)
    assert (summary.ignored, summary.rejected) == (1, 0)


def test_a_mapped_type_obeys_the_rules_of_its_new_type(tmp_path: Path) -> None:
    rules = with_rules(unknown="map", unknown_as="order")
    summary = ingest_text(tmp_path, HEADER + GOOD + "1,2026-01-02,sale,-5\n", rules=rules)
    assert rules_of(summary) == {"order_amount_negative": 1}


def test_a_dry_run_leaves_no_trace(tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    summary = ingest_text(tmp_path, HEADER + GOOD, dry_run=True)
    assert (summary.accepted, summary.dry_run, summary.versions) == (1, True, {})
    assert set(tmp_path.iterdir()) - before == {tmp_path / "in.csv"}


def test_a_dry_run_sees_what_is_stored_and_changes_nothing(tmp_path: Path) -> None:
    ingest_text(tmp_path, HEADER + GOOD)
    files = sorted((tmp_path / "warehouse").rglob("*"))
    summary = ingest_text(tmp_path, HEADER + GOOD + "2,2026-01-02,visit,\n", dry_run=True)
    assert (summary.accepted, summary.duplicate_in_warehouse) == (1, 1)
    assert sorted((tmp_path / "warehouse").rglob("*")) == files


def test_nothing_is_left_beside_the_warehouse(tmp_path: Path) -> None:
    ingest_text(tmp_path, HEADER + GOOD)
    assert {path.name for path in tmp_path.iterdir()} == {"in.csv", "warehouse"}


def test_arrival_is_the_event_in_a_first_fill_and_now_afterwards(tmp_path: Path) -> None:
    first = ingest_text(tmp_path, HEADER + GOOD)
    second = ingest_text(tmp_path, HEADER + "2,2026-01-02 10:00:00,visit,\n", name="b.csv")
    third = ingest_text(
        tmp_path, HEADER + "3,2026-01-03 10:00:00,visit,\n", name="c.csv", backfill=True
    )
    arrived = {row["customer_id"]: row["arrived_at"] for row in stored(tmp_path)}
    assert arrived == {
        "1": datetime(2026, 1, 1, 9, tzinfo=UTC),
        "2": datetime(2026, 11, 21, 12, tzinfo=UTC),
        "3": datetime(2026, 1, 3, 9, tzinfo=UTC),
    }
    assert first.arrival_rule == third.arrival_rule == "occurred_at (back-fill)"
    assert second.arrival_rule == "time of ingestion"


def test_a_late_arrival_keeps_its_time(tmp_path: Path) -> None:
    source = EventSource(amount="amount", arrived_at="arrived")
    text = "customer_id,occurred_at,event_type,amount,arrived\n"
    text += "1,2026-01-01,visit,,2026-02-01\n2,2026-01-01,visit,,\n3,2026-01-01,visit,,soon\n"
    summary = ingest_text(tmp_path, text, events=source)
    assert {row["customer_id"]: row["arrived_at"].month for row in stored(tmp_path)} == {
        "1": 1,  # the last hour of January in UTC
        "2": 12,
    }
    assert summary.arrival_rule == "as mapped for 1 rows, else occurred_at (back-fill)"
    assert rules_of(summary) == {"arrived_at_unparsable": 1}


cells = {
    "customer_id": ["1", "2", "", " 3 ", "x" * 300],
    "occurred_at": [
        "2026-01-01",
        "2026-03-29 02:30:00",
        "2026-01-01T00:00:00Z",
        "x",
        "",
        "1980-01-01",
    ],
    "event_type": ["visit", "order", "refund", "click", ""],
    "amount": ["", "1.5", "-2", "many", "nan", "1e15"],
}
event_lines = st.lists(
    st.one_of(
        st.tuples(*(st.sampled_from(values) for values in cells.values())).map(",".join),
        st.sampled_from(["", "1,2", "1,2026-01-01,visit,1,1"]).filter(bool),
    ),
    min_size=1,
    max_size=30,
)


@given(
    lines=event_lines,
    seed=st.randoms(use_true_random=False),
    repeated=st.sampled_from(["keep", "drop"]),
    unknown=st.sampled_from(["error", "ignore", "map"]),
)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_row_is_counted_once_and_row_order_never_matters(
    lines: list[str],
    seed: object,
    repeated: str,
    unknown: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    rules = with_rules(repeated_rows=repeated, unknown=unknown, unknown_as="visit")
    shuffled = list(lines)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    results = []
    for order in (lines, shuffled):
        home = tmp_path_factory.mktemp("shop")
        summary = ingest_text(home, HEADER + "\n".join(order) + "\n", rules=rules)
        assert balanced(summary)
        assert summary.accepted == len(stored(home))
        assert summary.rejected == len(stored(home, "rejects"))
        results.append((rules_of(summary), summary.duplicate, stored(home)))
    assert results[0] == results[1]


def test_more_files_give_the_same_rows_as_one(tmp_path: Path) -> None:
    rows = [f"{n % 7},2026-01-{n % 28 + 1:02d},visit,{n}\n" for n in range(60)]
    one = ingest_text(tmp_path / "one", HEADER + "".join(rows))
    config = shop(tmp_path / "many", events=EVENTS)
    paths = [
        write(tmp_path / "many" / f"{part}.csv", HEADER + "".join(rows[part::3]))
        for part in range(3)
    ]
    many = run_ingest(config, "events", paths, now=NOW)
    assert (one.rows_in, one.accepted) == (many.rows_in, many.accepted)
    assert stored(tmp_path / "one") == stored(tmp_path / "many")
