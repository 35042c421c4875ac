"""Faults of whole files stop the ingestion with a clear text; odd names and formats do not."""

import gzip
import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingest_home import EVENTS, NOW, balanced, ingest_text, rules_of, shop, stored, write

from features.errors import DataError, UsageError
from features.source import EventSource
from pipelines.ingest import run_ingest

HEADER = "customer_id,occurred_at,event_type,amount\n"
GOOD = "1,2026-01-01 10:00:00,order,2.5\n"
ROW = {
    "customer_id": "1",
    "occurred_at": "2026-01-01 10:00:00",
    "event_type": "order",
    "amount": 2.5,
}
AT = datetime(2026, 1, 1, 9, tzinfo=UTC)


def parquet_bytes(table: Any) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


def many_lines(count: int = 2000) -> str:
    return "".join(f"{n},2026-01-01,order,{n * 7919 % 1000}\n" for n in range(count))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.csv", HEADER + GOOD),
        ("no-line-end.csv", (HEADER + GOOD).strip()),
        ("windows.csv", (HEADER + GOOD).replace("\n", "\r\n")),
        ("old-mac.txt", (HEADER + GOOD).replace("\n", "\r")),
        ("bom.csv", b"\xef\xbb\xbf" + (HEADER + GOOD).encode()),
        ("semicolon.csv", (HEADER + GOOD).replace(",", ";")),
        ("tab.tsv", (HEADER + GOOD).replace(",", "\t")),
        ("pipe.dat", (HEADER + GOOD).replace(",", "|")),
        (
            "quoted.csv",
            '"customer_id","occurred_at","event_type","amount"\n'
            '"1","2026-01-01 10:00:00","order","2.5"\n',
        ),
        ("zipped.csv.gz", gzip.compress((HEADER + GOOD).encode())),
        ("zipped-without-saying.csv", gzip.compress((HEADER + GOOD).encode())),
        ("lines.jsonl", json.dumps(ROW) + "\n"),
        ("lines.ndjson", json.dumps(ROW)),
        ("lines.json.gz", gzip.compress(json.dumps(ROW).encode())),
        ("table.parquet", parquet_bytes(pa.Table.from_pylist([ROW]))),
        ("no-suffix", parquet_bytes(pa.Table.from_pylist([ROW]))),
        ("odd [1] 'name' ü*?.csv", HEADER + GOOD),
        ("blank-lines.csv", HEADER + "\n" + GOOD + "\n\n"),
    ],
)
def test_formats_and_names_are_recognised(name: str, content: str | bytes, tmp_path: Path) -> None:
    summary = ingest_text(tmp_path, content, name=name)
    assert (summary.rows_in, summary.accepted) == (1, 1)
    (row,) = stored(tmp_path)
    assert (row["customer_id"], row["occurred_at"], row["amount"]) == ("1", AT, 2.5)


def test_runs_of_blanks_are_one_delimiter(tmp_path: Path) -> None:
    text = (
        " customer_id  date number  value\n 00001 19970101  1   11.77\n 00002\t19970112 1  12.00\n"
    )
    for delimiter, home in ((None, "a"), (" ", "b"), ("whitespace", "c")):
        source = EventSource(
            occurred_at="date",
            time_format="%Y%m%d",
            event_type="'order'",
            amount="value",
            delimiter=delimiter,
        )
        ingest_text(tmp_path / home, text, events=source, name="cdnow.txt")
        found = [(row["customer_id"], row["amount"]) for row in stored(tmp_path / home)]
        assert sorted(found) == [("00001", 11.77), ("00002", 12.0)]


def test_a_short_row_between_runs_of_blanks_is_a_reject(tmp_path: Path) -> None:
    text = "customer_id occurred_at event_type amount\n"
    text += "1 2026-01-01 visit 1\n2 2026-01-01\n\n3 2026-01-01 visit 2\n"
    summary = ingest_text(tmp_path, text)
    assert rules_of(summary) == {"row_wrong_columns": 1}
    assert summary.accepted == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", "", r"empty \(0 bytes\)"),
        ("header.csv", HEADER, "holds no data rows"),
        ("blank.csv", "  \n \n", "only blanks"),
        ("empty.jsonl", "\n\n", "holds no data rows"),
        ("empty.parquet", parquet_bytes(pa.Table.from_pylist([ROW]).slice(0, 0)), "no data rows"),
        ("cut.csv", HEADER + GOOD + "1,2026-01-0", r"cut off: .*2 of 4 columns"),
        ("cut.jsonl", json.dumps(ROW) + "\n" + json.dumps(ROW)[:30], "cut off: .*half a JSON"),
        ("cut.csv.gz", gzip.compress((HEADER + many_lines()).encode())[:-900], "cut off"),
        ("tail.csv.gz", gzip.compress((HEADER + many_lines()).encode())[:-4], "cut off"),
        ("cut.jsonl.gz", gzip.compress((json.dumps(ROW) + "\n").encode() * 9)[:-9], "cut off"),
        (
            "cut.parquet",
            parquet_bytes(pa.Table.from_pylist([ROW] * 99))[:-50],
            "cut off|cannot be read",
        ),
        ("quote.csv", HEADER + '"1,2026-01-01,visit,\n' + GOOD * 3, "quoted values run over"),
        ("twice.csv", "customer_id,a,A\n1,2,3\n", r"2 with a name used twice \(a, A\)"),
        ("nameless.csv", "customer_id,,\n1,2,3\n", "2 columns without a name"),
        ("numbers.jsonl", "1\n2\n", "no line is a JSON object"),
        ("keys.jsonl", '{"A": 1, "a": 2}\n', "differ only in case"),
        ("array.json", json.dumps([ROW], indent=2), "is one JSON array"),
        ("book.xlsx", b"PK\x03\x04rest", "is a zip archive"),
        ("data.csv.gz", HEADER + GOOD, "holds no gzip data"),
        ("data.parquet", HEADER + GOOD, "does not begin as Parquet"),
        ("data.bin", HEADER + GOOD, "no known format"),
    ],
)
def test_a_fault_of_the_whole_file_stops_the_ingestion(
    name: str, content: str | bytes, message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message) as raised:
        ingest_text(tmp_path, content, name=name)
    assert str(tmp_path / name) in str(raised.value)
    assert "Fix:" in str(raised.value)
    assert not (tmp_path / "warehouse").exists()


def test_a_row_of_absurd_length_stops_the_ingestion(tmp_path: Path) -> None:
    text = HEADER + '"' + GOOD * 100_000
    with pytest.raises(DataError, match="swallow rows"):
        ingest_text(tmp_path, text)


def test_mixed_line_ends_lose_nothing(tmp_path: Path) -> None:
    text = (
        HEADER
        + GOOD.replace("\n", "\r\n")
        + "2,2026-01-01,visit,\n3,2026-01-01,visit,\r\n4,x,visit,\n"
    )
    summary = ingest_text(tmp_path, text)
    assert (summary.rows_in, summary.accepted) == (4, 3)
    assert summary.rejects[0].examples == (f"{tmp_path / 'in.csv'}:4",)


def test_line_ends_inside_quotes_belong_to_the_value(tmp_path: Path) -> None:
    text = HEADER + '1,2026-01-01,"visit\n",\n,2026-01-01,visit,\n'
    summary = ingest_text(tmp_path, text)
    assert (summary.accepted, summary.rejects[0].examples) == (1, (f"{tmp_path / 'in.csv'}:2",))


def test_a_broken_json_line_costs_only_itself(tmp_path: Path) -> None:
    lines = [json.dumps(ROW), '{"customer_id": ', "[1]", json.dumps(ROW | {"customer_id": 17})]
    summary = ingest_text(tmp_path, "\n".join(lines) + "\n", name="in.jsonl")
    assert rules_of(summary) == {"row_not_json": 2}
    assert {row["row"] for row in stored(tmp_path, "rejects")} == {2, 3}
    assert {row["customer_id"] for row in stored(tmp_path)} == {"1", "17"}
    assert balanced(summary)


def test_json_keys_may_be_missing_on_some_lines(tmp_path: Path) -> None:
    lines = [json.dumps(ROW), json.dumps({k: v for k, v in ROW.items() if k != "amount"})]
    ingest_text(tmp_path, "\n".join(lines), name="in.jsonl")
    assert sorted(row["amount"] or 0 for row in stored(tmp_path)) == [0, 2.5]


def test_odd_keys_and_nested_values_are_within_reach_of_sql(tmp_path: Path) -> None:
    line = {'the "id"': 1, "a.b": "2026-01-01", "type of": "visit", "cart": {"sum": 3.5}}
    source = EventSource(
        customer_id='"the ""id"""',
        occurred_at='"a.b"',
        event_type='"type of"',
        amount="cart->>'sum'",
    )
    ingest_text(tmp_path, json.dumps(line), name="in.jsonl", events=source)
    assert stored(tmp_path)[0]["amount"] == 3.5


def test_headers_with_blanks_and_quotes_can_be_mapped(tmp_path: Path) -> None:
    source = EventSource(
        customer_id='"Customer ID"', occurred_at='"when ""exactly"""', event_type="'visit'"
    )
    text = '\ufeff Customer ID ,"when ""exactly"""\n1,2026-01-01\n'
    assert ingest_text(tmp_path, text, events=source).accepted == 1


def test_native_parquet_types_are_used(tmp_path: Path) -> None:
    table = pa.table(
        {
            "customer_id": pa.array([13085, 13086], pa.int64()),
            "occurred_at": pa.array([AT, AT], pa.timestamp("ns", "UTC")),
            "event_type": pa.array(["order", None]).dictionary_encode(),
            "amount": pa.array([1, None], pa.decimal128(9, 2)),
        }
    )
    summary = ingest_text(tmp_path, parquet_bytes(table), name="in.parquet")
    assert rules_of(summary) == {"event_type_missing": 1}
    (row,) = stored(tmp_path)
    assert (row["customer_id"], row["occurred_at"], row["amount"]) == ("13085", AT, 1.0)


def test_a_fraction_as_identifier_is_refused_before_it_is_misread(tmp_path: Path) -> None:
    table = pa.Table.from_pylist([ROW | {"customer_id": 13085.0}])
    with pytest.raises(DataError, match=r"customer_id.*gives DOUBLE.*AS BIGINT"):
        ingest_text(tmp_path, parquet_bytes(table), name="in.parquet")


def test_paths_that_match_nothing_are_all_named(tmp_path: Path) -> None:
    paths = [str(tmp_path / "no.csv"), str(tmp_path / "*.csv"), str(tmp_path)]
    with pytest.raises(UsageError) as raised:
        run_ingest(shop(tmp_path), "events", paths, now=NOW)
    for part in ("no.csv does not exist", "no file matches", "is a folder", "FOLDER/*.csv"):
        assert part in str(raised.value)


def test_patterns_match_files_in_folders(tmp_path: Path) -> None:
    for name in ("a/1.csv", "a/b/2.csv", "a/b/3.txt"):
        write(tmp_path / name, HEADER + GOOD.replace("1,", f"{name[-5]},", 1))
    config = shop(tmp_path, events=EVENTS)
    summary = run_ingest(config, "events", [f"{tmp_path}/a/**/*.csv"], now=NOW)
    assert (len(summary.files), summary.accepted) == (2, 2)


def test_a_file_in_a_set_that_lacks_a_column_is_named(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "a.csv", HEADER + GOOD),
        write(tmp_path / "b.csv", "customer_id,occurred_at,event_type\n1,2026-01-01,visit\n"),
    ]
    with pytest.raises(DataError, match=r"b\.csv: 1 of 4 expressions") as raised:
        run_ingest(shop(tmp_path, events=EVENTS), "events", paths, now=NOW)
    assert "sources.events.amount = 'amount': no column amount" in str(raised.value)
    assert "Columns of the file: customer_id, occurred_at, event_type" in str(raised.value)
    assert not (tmp_path / "warehouse").exists()


def test_columns_may_stand_in_another_order_in_each_file(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "a.csv", HEADER + GOOD),
        write(
            tmp_path / "b.csv", "amount;event_type;customer_id;occurred_at\n3;order;2;2026-01-01\n"
        ),
        write(tmp_path / "c.jsonl", json.dumps(ROW | {"customer_id": "3"})),
    ]
    summary = run_ingest(shop(tmp_path, events=EVENTS), "events", paths, now=NOW)
    assert {row["customer_id"] for row in stored(tmp_path)} == {"1", "2", "3"}
    assert summary.rows_in == 3


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_file_name_that_is_not_utf8_is_shown_and_stored_escaped(
    dry_run: bool, tmp_path: Path
) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.csv")
    write(Path(path), HEADER + GOOD + ",2026-01-01,visit,\n")
    config = shop(tmp_path, events=EVENTS)
    summary = run_ingest(config, "events", [path], dry_run=dry_run, max_reject_share=1.0, now=NOW)
    shown = f"{tmp_path}/bad\\xff.csv"
    assert (summary.files, summary.accepted) == ((shown,), 1)
    assert summary.rejects[0].examples == (f"{shown}:2",)
    assert json.dumps(summary.to_json()).isascii()
    if not dry_run:
        assert stored(tmp_path, "ingestions")[0]["files"] == [shown]
        assert stored(tmp_path, "rejects")[0]["file"] == shown
        assert run_ingest(config, "events", [path], now=NOW).skipped_files == (shown,)


@pytest.mark.parametrize("content", ["", HEADER, HEADER + GOOD + "1,2026"])
def test_an_error_about_a_file_name_that_is_not_utf8_can_be_written(
    content: str, tmp_path: Path
) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.csv")
    with pytest.raises(UsageError, match=r"bad\\xff.csv does not exist"):
        run_ingest(shop(tmp_path), "events", [path], now=NOW)
    write(Path(path), content)
    with pytest.raises(DataError, match=r"bad\\xff.csv: ") as raised:
        run_ingest(shop(tmp_path, events=EVENTS), "events", [path], now=NOW)
    assert str(raised.value).encode()


def test_half_a_parquet_file_is_named_as_the_user_did(tmp_path: Path) -> None:
    content = parquet_bytes(pa.Table.from_pylist([ROW] * 999))
    for size in (len(content) // 2, 9):
        with pytest.raises(DataError, match="cut off: its end is missing") as raised:
            ingest_text(tmp_path, content[:size], name="half.parquet")
        assert str(raised.value).startswith(f"{tmp_path / 'half.parquet'}: the file")
        assert "winback-ingest" not in str(raised.value)


def test_a_damaged_parquet_page_is_a_fault_of_the_file(tmp_path: Path) -> None:
    rows = [ROW | {"customer_id": f"customer {n}"} for n in range(999)]
    content = bytearray(parquet_bytes(pa.Table.from_pylist(rows)))
    content[40:900] = b"\xff" * 860
    with pytest.raises(DataError, match=r"broken.parquet: the file cannot be read") as raised:
        ingest_text(tmp_path, bytes(content), name="broken.parquet")
    assert "winback-ingest" not in str(raised.value)


def test_all_faulty_files_of_a_set_are_told_at_once_by_kind(tmp_path: Path) -> None:
    half = parquet_bytes(pa.Table.from_pylist([ROW] * 99))[:200]
    paths = [write(tmp_path / f"half-{n}.parquet", half + bytes([n])) for n in range(5)]
    paths.append(write(tmp_path / "good.csv", HEADER + GOOD))
    paths += [write(tmp_path / f"short-{n}.csv", f"customer_id\n{n}\n") for n in range(2)]
    paths.append(write(tmp_path / "cut.csv", HEADER + GOOD + "1,2026-01-0"))
    with pytest.raises(DataError) as raised:
        run_ingest(shop(tmp_path, events=EVENTS), "events", paths, now=NOW)
    message = str(raised.value)
    shown = ", ".join(paths[:3])
    assert f"5 of 9 files ({shown}): the file seems to be cut off: its end is mi" in message
    assert f"2 of 9 files ({paths[6]}, {paths[7]}): 3 of 4 expressions do not fit" in message
    assert f"{paths[8]}: the file seems to be cut off: its last line" in message
    assert "good.csv" not in message
    assert not (tmp_path / "warehouse").exists()


def test_empty_files_of_a_set_are_told_in_one_line(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.csv", "") for n in range(9)]
    with pytest.raises(DataError, match=r"^9 of 9 files \(\S+, \S+, \S+\): the file is empty"):
        run_ingest(shop(tmp_path), "events", paths, now=NOW)


def test_a_fault_of_the_configuration_is_told_once_for_all_files(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.csv", HEADER + GOOD + f"{n},") for n in range(9)]
    config = shop(tmp_path, events=EventSource(encoding="klingon"))
    with pytest.raises(DataError) as raised:
        run_ingest(config, "events", paths, now=NOW)
    assert str(raised.value).count("klingon") == 1
