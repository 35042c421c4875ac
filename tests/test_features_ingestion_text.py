"""Encodings and delimiters of text files: what is not as configured is told with the key."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from ingest_home import ingest_text, rules_of, stored

from features.errors import DataError
from features.source import CustomerSource, EventSource

HEADER = "customer_id,occurred_at,event_type,amount\n"
GOOD = "1,2026-01-01 10:00:00,order,2.5\n"
ROW = {"customer_id": "1", "occurred_at": "2026-01-01", "event_type": "order", "amount": 2.5}


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "iso8859-15"])
def test_other_encodings_are_read_when_configured(encoding: str, tmp_path: Path) -> None:
    source = EventSource(amount="amount", encoding=encoding)
    text = HEADER + "Zoë,2026-01-01,visit,\n"
    ingest_text(tmp_path, text.encode(encoding), events=source)
    assert stored(tmp_path)[0]["customer_id"] == "Zoë"


def test_bytes_outside_a_configured_encoding_stop_the_ingestion(tmp_path: Path) -> None:
    source = EventSource(amount="amount", encoding="ascii")
    summary = ingest_text(
        tmp_path, (HEADER + GOOD).encode() + b"\xe9,2026-01-01,visit,\n", events=source
    )
    assert rules_of(summary) == {"row_not_utf8": 1}
    with pytest.raises(DataError, match="not utf-16"):
        source = EventSource(amount="amount", encoding="utf-16")
        ingest_text(tmp_path, (HEADER + GOOD + "x").encode(), events=source, name="b.csv")


def test_a_header_in_another_encoding_is_told_with_the_key(tmp_path: Path) -> None:
    text = "Kunde;Telefon gültig\n1;ja\n".encode("cp1252")
    mapped = CustomerSource(customer_id="Kunde", flags={"sms": '"Telefon gültig"'})
    advice = 'The header is not valid UTF-8; set encoding = "cp1252" in [sources.customers].'
    with pytest.raises(DataError, match="no column Telefon gültig") as raised:
        ingest_text(tmp_path, text, kind="customers", customers=mapped)
    assert advice in str(raised.value)
    unknown = replace(mapped, customer_id="Kundin", encoding="cp1252")
    with pytest.raises(DataError, match="Columns of the file: Kunde, Telefon gültig") as raised:
        ingest_text(tmp_path, text, kind="customers", customers=unknown)
    assert advice not in str(raised.value)


def test_an_unknown_encoding_names_the_key(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"sources.events.encoding: 'klingon' is no known text"):
        ingest_text(tmp_path, HEADER + GOOD, events=EventSource(encoding="klingon"))
    with pytest.raises(DataError, match=r"sources.events.encoding: 'utf.x00' is no known text"):
        ingest_text(tmp_path, HEADER + GOOD, events=EventSource(encoding="utf\0"))


def test_a_wrong_configured_delimiter_is_told_with_the_right_one(tmp_path: Path) -> None:
    source = EventSource(amount="amount", delimiter=";")
    with pytest.raises(DataError, match=r"the header is one column.*with ',' there are 4"):
        ingest_text(tmp_path, HEADER + GOOD, events=source)
    with pytest.raises(DataError, match=r"sources.events.delimiter: ',,' is no delimiter"):
        ingest_text(tmp_path, HEADER + GOOD, events=EventSource(delimiter=",,"))


def test_a_delimiter_nobody_could_guess_is_suspected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Only one column was found"):
        ingest_text(tmp_path, (HEADER + GOOD).replace(",", "^"))
    source = EventSource(amount="amount", delimiter="^")
    assert ingest_text(tmp_path, (HEADER + GOOD).replace(",", "^"), events=source).accepted == 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("name", ["in.csv", "in.jsonl", "in.csv.gz"])
def test_utf16_under_the_default_encoding_is_told_and_not_taken_for_cut_off(
    encoding: str, name: str, tmp_path: Path
) -> None:
    text = (json.dumps(ROW) + "\n") if "json" in name else HEADER + GOOD
    content = text.encode(encoding)
    content = gzip.compress(content) if name.endswith(".gz") else content
    with pytest.raises(DataError, match=r"UTF-(16|32)") as raised:
        ingest_text(tmp_path, content, name=name)
    fix = f'set encoding = "{encoding}" in [sources.events] of winback.toml'
    assert fix in str(raised.value)
    source = EventSource(amount="amount", encoding=encoding)
    assert ingest_text(tmp_path, content, name=name, events=source).accepted == 1
