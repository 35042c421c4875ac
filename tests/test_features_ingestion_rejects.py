"""Bad rows: each is a reject with its rule, file and row, and without its values."""

from pathlib import Path

import pytest
from ingest_home import balanced, ingest_text, rules_of, stored

from features.errors import DataError
from features.source import ContactSource, CustomerSource

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
