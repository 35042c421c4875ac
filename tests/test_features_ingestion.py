"""Bad rows: each is a reject with its rule, file and row, and every row is counted once."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ingest_home import EVENTS, balanced, ingest_text, rules_of, stored, with_rules

from features.errors import DataError
from features.source import ContactSource, CustomerSource, EventSource

HEADER = "customer_id,occurred_at,event_type,amount\n"
GOOD = "1,2026-01-01 10:00:00,order,2.5\n"


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        (",2026-01-01,visit,", "customer_id_missing"),
        ('"   ",2026-01-01,visit,', "customer_id_missing"),
        (f"{'x' * 257},2026-01-01,visit,", "customer_id_too_long"),
        ("1,,visit,", "occurred_at_missing"),
        ("1,yesterday,visit,", "occurred_at_unparsable"),
        ("1,01/02/2026,visit,", "occurred_at_unparsable"),
        ("1,2026-02-30,visit,", "occurred_at_unparsable"),
        ("1,1767225600,visit,", "occurred_at_unparsable"),
        ("1,infinity,visit,", "occurred_at_unparsable"),
        ("1,2026-01-01 10:00:00 Mars/Olympus,visit,", "occurred_at_unparsable"),
        ("1,1899-12-31,visit,", "occurred_at_before_1990"),
        ("1,1989-12-31,visit,", "occurred_at_before_1990"),
        ("1,0001-01-01,visit,", "occurred_at_before_1990"),
        ("1,2026-11-23,visit,", "occurred_at_in_future"),
        ("1,9999-12-31,visit,", "occurred_at_in_future"),
        ("1,2026-01-01,,", "event_type_missing"),
        ("1,2026-01-01,click,", "event_type_unknown"),
        ("1,2026-01-01,Visit,", "event_type_unknown"),
        ("1,2026-01-01,order,12 EUR", "amount_not_a_number"),
        ('1,2026-01-01,order,"1,234.50"', "amount_not_a_number"),
        ("1,2026-01-01,order,nan", "amount_not_finite"),
        ("1,2026-01-01,order,inf", "amount_not_finite"),
        ("1,2026-01-01,visit,-2e12", "amount_absurd"),
        ("1,2026-01-01,order,-1", "order_amount_negative"),
        ("1,2026-01-01,refund,1", "refund_amount_positive"),
        ("1,2026-01-01,visit", "row_wrong_columns"),
        ("1,2026-01-01,visit,1,2", "row_wrong_columns"),
        ('1,2026-01-01,visit,"1"2', "row_bad_quotes"),
    ],
)
def test_a_bad_event_is_rejected_by_its_rule(row: str, rule: str, tmp_path: Path) -> None:
    summary = ingest_text(tmp_path, HEADER + GOOD + row + "\n" + GOOD.replace("1,", "2,", 1))
    assert rules_of(summary) == {rule: 1}
    assert summary.accepted == 2
    assert summary.rejects[0].examples == (f"{tmp_path / 'in.csv'}:2",)
    (reject,) = stored(tmp_path, "rejects")
    assert (reject["file"], reject["row"], reject["rule"]) == (str(tmp_path / "in.csv"), 2, rule)
    assert balanced(summary)


def test_bytes_that_are_not_utf8_reject_their_row(tmp_path: Path) -> None:
    summary = ingest_text(tmp_path, (HEADER + GOOD).encode() + b"caf\xe9,2026-01-01,visit,\n")
    assert rules_of(summary) == {"row_not_utf8": 1}
    assert summary.accepted == 1


def test_the_rejects_table_holds_no_customer_data(tmp_path: Path) -> None:
    ingest_text(tmp_path, HEADER + GOOD + "secret-id,2026-01-01,secret-type,987654321\n")
    text = repr(stored(tmp_path, "rejects"))
    assert "secret" not in text
    assert "987654321" not in text


def test_row_numbers_count_rows_that_cannot_be_read(tmp_path: Path) -> None:
    lines = ["1,2026-01-01,visit", GOOD.strip(), ",2026-01-01,visit,", "1", "1,bad,visit,"]
    summary = ingest_text(tmp_path, HEADER + "\n".join(lines) + "\n")
    rows = {reject["row"]: reject["rule"] for reject in stored(tmp_path, "rejects")}
    assert rows == {
        1: "row_wrong_columns",
        3: "customer_id_missing",
        4: "row_wrong_columns",
        5: "occurred_at_unparsable",
    }
    assert summary.accepted == 1


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


def test_too_many_rejects_stop_before_anything_is_stored(tmp_path: Path) -> None:
    text = HEADER + GOOD * 2 + ",2026-01-01,visit,\n1,bad,visit,\n1\n"
    with pytest.raises(DataError) as raised:
        ingest_text(tmp_path, text, max_reject_share=0.5)
    message = str(raised.value)
    assert "3 of 5 rows (60.00%) are rejected; nothing was stored" in message
    for part in ("customer_id_missing [customer_id]: 1 row (", "in.csv:3", "row_wrong_columns"):
        assert part in message
    assert not (tmp_path / "warehouse").exists()
    assert ingest_text(tmp_path, text, max_reject_share=0.6).accepted == 1


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


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("c1,1,2026-01-01,fax,,,,", "channel_unknown"),
        (",1,2026-01-01,email,,,,", "contact_id_missing"),
        ("c1,1,,email,,,,", "sent_at_missing"),
        ("c1,1,2026-01-01 10:00:00,email,2026-01-01 09:00:00,,,", "opened_before_sent"),
        ("c1,1,2026-01-01,email,late,,,", "opened_at_unparsable"),
        ("c1,1,2026-01-01,email,,2027-01-01,,", "clicked_at_in_future"),
        ("c1,1,2026-01-01,email,,,2025-01-01,", "unsubscribed_before_sent"),
        ("c1,1,2026-01-01,email,,,,-1", "cost_negative"),
        ("c1,1,2026-01-01,email,,,,free", "cost_not_a_number"),
    ],
)
def test_a_bad_contact_is_rejected_by_its_rule(row: str, rule: str, tmp_path: Path) -> None:
    source = ContactSource(
        opened_at="opened", clicked_at="clicked", unsubscribed_at="unsubscribed", cost="cost"
    )
    header = "contact_id,customer_id,sent_at,channel,opened,clicked,unsubscribed,cost\n"
    good = "c0,1,2026-01-01 10:00:00,sms,2026-01-01 09:58:00,,,0.1\n"  # clocks may differ a little
    summary = ingest_text(tmp_path, header + good + row + "\n", kind="contacts", contacts=source)
    assert rules_of(summary) == {rule: 1}
    assert summary.accepted == 1
    assert balanced(summary)


@pytest.mark.parametrize(
    ("row", "rule", "column"),
    [
        ("2,1899-01-01,,,,", "signup_at_before_1900", "signup_at"),
        ("2,soon,,,,", "signup_at_unparsable", "signup_at"),
        ("2,,Europe/Atlantis,,,", "timezone_unknown", "timezone"),
        ("2,,,maybe,,", "do_not_contact_not_boolean", "do_not_contact"),
        ("2,,,,perhaps,", "flag_not_boolean", "email_ok"),
        (f"2,,,,,{'x' * 300}", "attribute_too_long", "city"),
    ],
)
def test_a_bad_customer_is_rejected_by_its_rule(
    row: str, rule: str, column: str, tmp_path: Path
) -> None:
    source = CustomerSource(
        signup_at="signup",
        timezone="zone",
        do_not_contact="stop",
        flags={"email_ok": "email"},
        attributes={"city": "city"},
    )
    header = "customer_id,signup,zone,stop,email,city\n"
    good = "1,1985-05-01,Asia/Tokyo,No,1,Ulm\n"
    summary = ingest_text(tmp_path, header + good + row + "\n", kind="customers", customers=source)
    assert rules_of(summary) == {rule: 1}
    assert summary.rejects[0].column == column
    (customer,) = stored(tmp_path, "customers")
    assert customer["signup_at"] == customer["changed_at"] == customer["arrived_at"]
    assert (customer["do_not_contact"], customer["timezone"]) == (False, "Asia/Tokyo")
    assert (customer["flags"], customer["attributes"]) == ([("email_ok", True)], [("city", "Ulm")])


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
    from ingest_home import NOW, shop, write

    from pipelines.ingest import run_ingest

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
