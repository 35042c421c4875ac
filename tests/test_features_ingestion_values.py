"""From cells to values: expressions, times and text."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ingest_home import balanced, ingest_text, rules_of, stored

from features.errors import DataError
from features.source import CustomerSource, EventSource

HEADER = "customer_id,occurred_at,event_type,amount\n"
GOOD = "1,2026-01-01 10:00:00,order,2.5\n"


def test_an_expression_that_fails_on_a_row_rejects_it(tmp_path: Path) -> None:
    source = EventSource(
        customer_id="CAST(customer_id AS BIGINT)::VARCHAR",
        amount="amount",
        where="CAST(amount AS DOUBLE) < 100",
    )
    text = (
        HEADER + GOOD + "x1,2026-01-01,visit,1\n3,2026-01-01,visit,lots\n4,2026-01-01,visit,500\n"
    )
    summary = ingest_text(tmp_path, text, events=source)
    assert rules_of(summary) == {"customer_id_fails": 1, "where_fails": 1}
    assert (summary.accepted, summary.filtered) == (1, 1)
    assert balanced(summary)


def test_a_product_of_text_columns_needs_no_cast(tmp_path: Path) -> None:
    source = EventSource(amount="qty * price")
    text = "customer_id,occurred_at,event_type,qty,price\n007,2026-01-01,order,2,1.5\n"
    text += "8,2026-01-01,order,two,1.5\n9,2026-01-01,order,,1.5\n"
    summary = ingest_text(tmp_path, text, events=source)
    assert rules_of(summary) == {"amount_not_a_number": 1}
    assert {row["customer_id"]: row["amount"] for row in stored(tmp_path)} == {
        "007": 3.0,
        "9": None,
    }


def test_mixed_types_in_a_column_cost_only_their_rows(tmp_path: Path) -> None:
    rows = [f"{n},2026-01-01,order,{n}.5" for n in range(3000)]
    rows[2999] = "2999,2026-01-01,order,n/a"
    summary = ingest_text(tmp_path, HEADER + "\n".join(rows) + "\n")
    assert (summary.accepted, rules_of(summary)) == (2999, {"amount_not_a_number": 1})


def test_clock_changes_are_handled_and_counted(tmp_path: Path) -> None:
    times = ["2026-03-29 02:30:00", "2025-10-26 02:30:00", "2026-07-01 12:00:00"]
    text = HEADER + "".join(f"{n},{time},visit,\n" for n, time in enumerate(times))
    summary = ingest_text(tmp_path, text)
    assert (summary.clock_gap, summary.clock_overlap) == (1, 1)
    assert {row["customer_id"]: row["occurred_at"] for row in stored(tmp_path)} == {
        "0": datetime(2026, 3, 29, 1, 30, tzinfo=UTC),  # shifted forward to 03:30 summer time
        "1": datetime(2025, 10, 26, 0, 30, tzinfo=UTC),  # the first 02:30, in summer time
        "2": datetime(2026, 7, 1, 10, tzinfo=UTC),
    }


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T09:00:00Z",
        "2026-01-01 10:00:00+01",
        "2026-01-01T10:00:00.000+0100",
        "2026-01-01 04:00:00-05:00",
        "2026-01-01 09:00:00 UTC",
        "2026-01-01 18:00:00 Asia/Tokyo",
        "2026-01-01 10:00",
        "2026-01-01T10:00:00",
    ],
)
def test_offsets_win_over_the_configured_zone(text: str, tmp_path: Path) -> None:
    ingest_text(tmp_path, f"{HEADER}1,{text},visit,\n")
    assert stored(tmp_path)[0]["occurred_at"] == datetime(2026, 1, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("%Y%m%d", "20260101", datetime(2025, 12, 31, 23, tzinfo=UTC)),
        ("%d/%m/%Y %H:%M", "02/01/2026 10:00", datetime(2026, 1, 2, 9, tzinfo=UTC)),
        ("%d.%m.%Y %H:%M %z", "02.01.2026 10:00 -0500", datetime(2026, 1, 2, 15, tzinfo=UTC)),
        ("%Y%m%d", "2026-01-01", datetime(2025, 12, 31, 23, tzinfo=UTC)),
    ],
)
def test_a_time_format_is_used_and_iso_still_works(
    pattern: str, text: str, expected: datetime, tmp_path: Path
) -> None:
    source = EventSource(amount="amount", time_format=pattern)
    ingest_text(tmp_path, f"{HEADER}1,{text},visit,\n", events=source)
    assert stored(tmp_path)[0]["occurred_at"] == expected


def test_a_wrong_time_format_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    source = EventSource(amount="amount", time_format="%Q")
    with pytest.raises(DataError, match=r"sources.events.time_format.*%Q"):
        ingest_text(tmp_path, HEADER + GOOD, events=source)


def test_epoch_numbers_are_mapped_by_sql(tmp_path: Path) -> None:
    source = EventSource(amount="amount", occurred_at="to_timestamp(occurred_at / 1000)")
    ingest_text(tmp_path, HEADER + "1,1767258000123,visit,\n", events=source)
    assert stored(tmp_path)[0]["occurred_at"] == datetime(2026, 1, 1, 9, 0, 0, 123000, tzinfo=UTC)


def test_blanks_around_text_are_trimmed_and_zeros_kept(tmp_path: Path) -> None:
    text = HEADER + '" 007\t",2026-01-01, visit ,\n\u00a0O\'Brien "x" é\u00a0,2026-01-01,visit,\n'
    ingest_text(tmp_path, text)
    ids = {row["customer_id"] for row in stored(tmp_path)}
    assert ids == {"007", 'O\'Brien "x" é'}


@given(st.lists(st.datetimes(datetime(1901, 1, 2), datetime(2026, 11, 20)), max_size=200))  # noqa: DTZ001
@settings(max_examples=5, deadline=None)
@example([datetime(2026, 3, 29, 2, 30), datetime(2025, 10, 26, 2, 30), datetime(1969, 6, 1)])  # noqa: DTZ001
def test_stored_instants_are_those_of_zoneinfo(moments: list[datetime]) -> None:
    text = "customer_id,signup\n" + "".join(f"{n},{m}\n" for n, m in enumerate(moments)) + "x,\n"
    with TemporaryDirectory() as folder:
        home = Path(folder)
        source = CustomerSource(signup_at="signup")
        summary = ingest_text(home, text, kind="customers", customers=source)
        found = {row["customer_id"]: row["signup_at"] for row in stored(home, "customers")}
    zone = ZoneInfo("Europe/Berlin")
    expected = {str(n): m.replace(tzinfo=zone).astimezone(UTC) for n, m in enumerate(moments)}
    assert found == {**expected, "x": None}
    folds = [(m.replace(tzinfo=zone), m.replace(tzinfo=zone, fold=1)) for m in moments]
    offsets = [(a.utcoffset(), b.utcoffset()) for a, b in folds]
    assert summary.clock_gap == sum(a < b for a, b in offsets if a is not None and b is not None)
    assert summary.clock_overlap == sum(
        a > b for a, b in offsets if a is not None and b is not None
    )


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_expression_that_stops_all_rows_is_named_without_the_value(
    dry_run: bool, tmp_path: Path
) -> None:
    # DuckDB's TRY cannot stop an unknown zone, and its message quotes the value.
    text = "customer_id,ts,zone,event_type\n1,2026-01-01,Europe/Paris,visit\n"
    text += "2,2026-01-02,secret,visit\n"
    source = EventSource(occurred_at="ts::TIMESTAMP AT TIME ZONE zone", where="event_type <> ''")
    with pytest.raises(DataError, match="1 of 4 expressions fail on a row") as raised:
        ingest_text(tmp_path, text, events=source, dry_run=dry_run)
    assert "sources.events.occurred_at = 'ts::TIMESTAMP AT TIME ZONE zone'" in str(raised.value)
    assert "secret" not in str(raised.value)
    assert raised.value.__context__ is None
    assert not (tmp_path / "warehouse").exists()


def test_a_pattern_from_a_column_that_is_no_pattern_rejects_its_row(tmp_path: Path) -> None:
    text = (
        "customer_id,occurred_at,event_type,pattern\n1,2026-01-01,visit,(\n2,2026-01-01,visit,a\n"
    )
    source = EventSource(category="regexp_replace('cab', pattern, '')")
    summary = ingest_text(tmp_path, text, events=source)
    assert rules_of(summary) == {"category_fails": 1}
    assert stored(tmp_path)[0]["category"] == "cb"


def test_a_constant_pattern_that_is_no_pattern_names_its_key(tmp_path: Path) -> None:
    source = EventSource(category="regexp_replace(event_type, '(', '')")
    with pytest.raises(DataError, match=r"sources.events.category = .*missing \)"):
        ingest_text(
            tmp_path, "customer_id,occurred_at,event_type\n1,2026-01-01,visit\n", events=source
        )
