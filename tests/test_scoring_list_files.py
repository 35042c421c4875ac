"""The list as files: equal bytes, no formulas, no controls in what goes to a channel."""

import csv
import io

import openpyxl
import pyarrow.parquet as pq
import pytest
from test_scoring_recall_list import control, row, table_of

from scoring.list_files import channel_csv_name, render_list_files
from scoring.recall_list import SCHEMA

ROWS = (
    row(1, customer_id="=1+1", reason_1='@risk, said "x"', p_dormant=0.25),
    row(2, customer_id="+4912", channel="sms"),
    control(3, customer_id="-7"),
    row(4, customer_id="\ttab", arm="explore", offer="coupon"),
    row(5, customer_id="007"),
)


@pytest.fixture
def files() -> dict[str, bytes]:
    rendered = render_list_files(table_of(*ROWS), channels=("email", "sms", "phone"))
    return {file.name: file.content for file in rendered}


def read_csv(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8"), newline="")))


def test_equal_lists_give_equal_bytes(files: dict[str, bytes]) -> None:
    again = render_list_files(table_of(*ROWS), channels=("email", "sms", "phone"))
    assert {file.name: file.content for file in again} == files


def test_parquet_is_raw_and_typed(files: dict[str, bytes]) -> None:
    table = pq.read_table(io.BytesIO(files["recall_list.parquet"]))
    assert table.schema.equals(SCHEMA, check_metadata=True)
    assert table["customer_id"].to_pylist() == ["=1+1", "+4912", "-7", "\ttab", "007"]


def test_csv_text_never_begins_a_formula(files: dict[str, bytes]) -> None:
    rows = read_csv(files["recall_list.csv"])
    assert [item["customer_id"] for item in rows] == ["'=1+1", "'+4912", "'-7", "'\ttab", "007"]
    assert rows[0]["reason_1"] == '\'@risk, said "x"'
    assert rows[0]["send_at_utc"] == "2025-11-20T10:00:00Z"
    assert rows[2]["send_at_utc"] == ""
    assert rows[0]["p_dormant"] == "0.25"
    assert rows[1]["p_dormant"] == ""
    assert list(rows[0]) == SCHEMA.names


def test_channel_files_hold_only_what_is_sent(files: dict[str, bytes]) -> None:
    ranks = {
        channel: [item["rank"] for item in read_csv(files[channel_csv_name(channel)])]
        for channel in ("email", "sms", "phone")
    }
    assert ranks == {"email": ["1", "4", "5"], "sms": ["2"], "phone": []}
    arms = {item["arm"] for item in read_csv(files["recall_list_email.csv"])}
    assert arms == {"contact", "explore"}


def test_the_workbook_opens_with_text_ids_and_a_frozen_header(files: dict[str, bytes]) -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(files["recall_list.xlsx"])).active
    assert sheet is not None
    header = [cell.value for cell in sheet[1]]
    assert header == SCHEMA.names
    place = header.index("customer_id")
    cells = [sheet.cell(row=line, column=place + 1) for line in range(2, 7)]
    assert [cell.value for cell in cells] == ["'=1+1", "'+4912", "'-7", "'\ttab", "007"]
    assert {cell.data_type for cell in cells} == {"s"}
    assert sheet.freeze_panes == "E2"
    assert sheet.auto_filter.ref is not None
    assert sheet.cell(row=4, column=header.index("send_at_utc") + 1).value is None


def test_an_empty_list_has_all_files() -> None:
    rendered = render_list_files(table_of(), channels=("email",))
    content = {file.name: file.content for file in rendered}
    assert read_csv(content["recall_list.csv"]) == []
    assert content["recall_list_email.csv"].decode().startswith('"list_id"')
    assert pq.read_table(io.BytesIO(content["recall_list.parquet"])).num_rows == 0
    openpyxl.load_workbook(io.BytesIO(content["recall_list.xlsx"]))
