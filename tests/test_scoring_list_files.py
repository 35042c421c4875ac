"""The list as files: equal bytes, no formulas, no controls in what goes to a channel."""

import csv
import io
import time
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from list_setting import CHANNELS, small_setting
from test_scoring_recall_list import AS_OF, HOUR, control, row, table_of

from scoring import early_warning_table
from scoring.code_words import CODE_WORDS
from scoring.column_words import COLUMN_WORDS
from scoring.export_plan import CALLER_COLUMNS, SENDER_COLUMNS, Export
from scoring.list_files import channel_csv_name, render_list_files
from scoring.list_sheets import MAX_WORKBOOK_ROWS, render_list_workbook
from scoring.policy import Channel, Offer
from scoring.recall_list import SCHEMA
from scoring.warning_words import WARNING_COLUMN_WORDS, WARNING_REASON_WORDS

ROWS = (
    row(1, customer_id="=1+1", reason_1='@risk, said "x"', p_dormant=0.25),
    row(2, customer_id="+4912", channel="sms"),
    control(3, customer_id="-7"),
    row(4, customer_id="\ttab", arm="explore", offer="coupon", send_at_utc=AS_OF + 9 * HOUR),
    row(5, customer_id="007"),
)
WARNINGS = pa.table(
    {"customer_id": ["=w1", "w2"], "orders_usual": [9.5, None], "since": [AS_OF, AS_OF]}
).cast(
    pa.schema(
        [
            pa.field("customer_id", pa.string()),
            pa.field("orders_usual", pa.float64()),
            pa.field("since", pa.timestamp("us", tz="UTC")),
        ]
    )
)


def render(*rows: dict[str, Any], **changes: Any) -> dict[str, bytes]:
    """The files of a list of these rows, by name."""
    warnings = changes.pop("warnings", None)
    rendered = render_list_files(table_of(*rows), small_setting(**changes), warnings=warnings)
    return {file.name: file.content for file in rendered}


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return render(*ROWS, warnings=WARNINGS)


def read_csv(content: bytes, **options: Any) -> list[dict[str, str]]:
    encoding = options.pop("encoding", "utf-8")
    return list(csv.DictReader(io.StringIO(content.decode(encoding), newline=""), **options))


def read_book(files: dict[str, bytes]) -> Any:
    return openpyxl.load_workbook(io.BytesIO(files["recall_list.xlsx"]))


def texts_of(sheet: Any) -> list[str]:
    return [cell for line in sheet.iter_rows(values_only=True) for cell in line if cell]


def test_equal_lists_give_equal_bytes(files: dict[str, bytes]) -> None:
    assert render(*ROWS, warnings=WARNINGS) == files


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


def test_channel_files_hold_only_what_is_sent_in_sending_order(files: dict[str, bytes]) -> None:
    rows = {
        channel: [item["customer_id"] for item in read_csv(files[channel_csv_name(channel)])]
        for channel in CHANNELS
    }
    assert rows == {"email": ["'\ttab", "'=1+1", "007"], "sms": ["'+4912"], "phone": []}


def test_senders_get_what_they_need_and_callers_the_reasons(files: dict[str, bytes]) -> None:
    header = {
        channel: files[channel_csv_name(channel)].decode().splitlines()[0].replace('"', "")
        for channel in CHANNELS
    }
    assert header["email"] == ",".join(SENDER_COLUMNS)
    assert header["phone"] == ",".join(CALLER_COLUMNS)
    seats = {"desk": Channel("desk", 1.0, seats_per_hour=3)}
    desk = render(row(1, channel="desk"), channels=seats)["recall_list_desk.csv"]
    assert '"reason_1"' in desk.decode()


def test_exports_choose_order_and_name_columns() -> None:
    columns = {"list_row_id": "ref", "offer": "=aktion", "customer_id": 'the "id"'}
    exports = {
        "sms": Export(columns=columns, delimiter=";", encoding="utf-8-sig"),
        "list": Export(columns={"customer_id": "id", "list_row_id": "ref", "rank": "n"}),
    }
    files = render(*ROWS, exports=exports)
    sms = files["recall_list_sms.csv"]
    assert sms.startswith(b"\xef\xbb\xbf")
    assert sms.decode("utf-8-sig").splitlines() == [
        '"ref";"\'=aktion";"the ""id"""',
        '"2025-11-20-abc/2";"none";"\'+4912"',
    ]
    assert [list(item.values()) for item in read_csv(files["recall_list.csv"])][1:3] == [
        ["'+4912", "2025-11-20-abc/2", "2"],
        ["'-7", "2025-11-20-abc/3", "3"],
    ]
    sheet = read_book(files)["text message"]
    assert [cell.value for cell in sheet[1]] == ["ref", "'=aktion", 'the "id"']


def test_gb18030_holds_every_sign() -> None:
    columns = {"list_row_id": "行号", "customer_id": "客户"}
    exports = {"email": Export(columns=columns, encoding="gb18030")}
    files = render(row(1, customer_id="张三😀"), exports=exports)
    [only] = read_csv(files["recall_list_email.csv"], encoding="gb18030")
    assert only == {"行号": "2025-11-20-abc/1", "客户": "张三😀"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_odd_ids_survive_every_delimiter(delimiter: Any) -> None:
    odd = ['a,"b"', "line\nbreak", "semi;colon|tab\tx", "ünïcødé 漢字 😀", "x" * 5_000, " y "]
    rows = [row(rank, customer_id=name) for rank, name in enumerate(odd, start=1)]
    columns = {"list_row_id": "ref", "customer_id": "id"}
    exports = {"email": Export(columns=columns, delimiter=delimiter)}
    content = render(*rows, exports=exports)["recall_list_email.csv"]
    assert [item["id"] for item in read_csv(content, delimiter=delimiter)] == odd


def test_a_list_of_an_older_version_lacks_columns_but_can_be_written() -> None:
    table = table_of(*ROWS).drop_columns(["follow_up_of", "life_cycle"])
    exports = {"email": Export(columns={"list_row_id": "r", "customer_id": "c", "life_cycle": "l"})}
    files = {f.name: f.content for f in render_list_files(table, small_setting(exports=exports))}
    assert {item["l"] for item in read_csv(files["recall_list_email.csv"])} == {""}
    assert read_csv(files["recall_list.csv"])[0]["follow_up_of"] == ""


def test_the_workbook_opens_at_the_list_with_text_ids_and_a_frozen_header(
    files: dict[str, bytes],
) -> None:
    book = read_book(files)
    assert book.sheetnames == [
        "Read me",
        "Recall list",
        "e-mail",
        "text message",
        "phone call",
        "Early warnings",
    ]
    sheet = book.active
    assert sheet.title == "Recall list"
    header = [cell.value for cell in sheet[1]]
    assert header[:2] == ["Rank", "Customer"]
    words = {words.header.en: name for name, words in COLUMN_WORDS.items()}
    assert {words.get(title) for title in header} == {*SCHEMA.names, None}
    assert header.count("Send before (customer's time)") == 1
    cells = [sheet.cell(row=line, column=2) for line in range(2, 7)]
    assert [cell.value for cell in cells] == ["'=1+1", "'+4912", "'-7", "'\ttab", "007"]
    assert {cell.data_type for cell in cells} == {"s"}
    assert sheet.freeze_panes == "C2"
    assert sheet.auto_filter.ref == f"A1:{sheet.cell(1, len(SCHEMA) + 1).column_letter}6"
    first = {words.get(title, title): sheet.cell(2, n) for n, title in enumerate(header, start=1)}
    assert first["send_at_utc"].is_date
    assert first["send_at_local"].value.isoformat() == "2025-11-20T11:00:00"
    assert first["Send before (customer's time)"].value.isoformat() == "2025-11-20T12:00:00"
    assert first["p_dormant"].number_format == "0.0%"
    assert first["expected_gain"].number_format == "#,##0.00"
    assert first["rank"].number_format == "#,##0"
    assert sheet.cell(row=4, column=first["send_at_utc"].column).value is None
    assert sheet.cell(row=4, column=first["send_at_local"].column).value is None


def test_channel_sheets_hold_what_is_to_be_sent_in_sending_order(files: dict[str, bytes]) -> None:
    book = read_book(files)
    ranks = {name: [cell.value for cell in book[name]["A"]][1:] for name in book.sheetnames[2:5]}
    assert ranks == {"e-mail": [4, 1, 5], "text message": [2], "phone call": []}
    for name in ranks:
        assert book[name].freeze_panes == "C2"
        assert book[name].auto_filter.ref is not None


def test_the_read_me_says_what_is_in_the_workbook(files: dict[str, bytes]) -> None:
    told = " ".join(texts_of(read_book(files)["Read me"]))
    for part in (
        "2025-11-20-abc",
        "5, of which 4 are to be contacted and 1 are controls",
        "2025-11-20 23:00 UTC",
        "EUR",
        "has bought",
        "5 % coupon",
        "assumption",
        "ghost control",
        "winback ingest contacts",
        "20\u202f000",
        "Probability of a return within 30 days without a contact.",
        *SCHEMA.names,
    ):
        assert part in told


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_read_me_says_what_every_code_means(language: Any) -> None:
    told = texts_of(read_book(render(*ROWS, language=language)).worksheets[0])
    for column in ("arm", "evidence", "life_cycle", "promotion", "send_basis"):
        for code, known in CODE_WORDS[column].items():
            assert code in told
            assert known.name.say(language) in told


def test_a_follow_up_has_the_date_of_its_list_in_the_sheets() -> None:
    # The midnight that begins 25 November in Berlin is 23:00 of the 24th in UTC.
    at = AS_OF + 5 * 24 * HOUR
    files = render(row(1, follow_up_channel="sms", follow_up_at=at), row(2))
    assert read_csv(files["recall_list.csv"])[0]["follow_up_at"] == "2025-11-24T23:00:00Z"
    book = read_book(files)
    for name in ("Recall list", "e-mail"):
        header = [cell.value for cell in book[name][1]]
        place = header.index("Follow up on") + 1
        cells = [book[name].cell(line, place) for line in (2, 3)]
        assert cells[0].value.isoformat() == "2025-11-25T00:00:00"
        assert cells[0].number_format == "yyyy-mm-dd"
        assert cells[1].value is None


def test_headers_and_read_me_speak_the_language() -> None:
    book = read_book(render(*ROWS, language="zh", warnings=WARNINGS))
    assert book.sheetnames[:2] == ["使用说明", "召回名单"]
    assert book.sheetnames[-1] == "预警名单"
    header = [cell.value for cell in book["召回名单"][1]]
    assert {*header} == {
        "最晚发送（客户当地）",
        *(item.header.zh for item in COLUMN_WORDS.values()),
    }
    assert book["e-mail"]["A1"].value == COLUMN_WORDS["rank"].header.zh
    assert any("请勿" in text for text in texts_of(book["使用说明"]))


def test_early_warnings_are_a_file_and_a_sheet(files: dict[str, bytes]) -> None:
    rows = read_csv(files["early_warnings.csv"])
    assert [item["customer_id"] for item in rows] == ["'=w1", "w2"]
    assert rows[0]["since"] == "2025-11-19T23:00:00Z"
    sheet = read_book(files)["Early warnings"]
    assert [cell.value for cell in sheet["A"]] == ["Customer", "'=w1", "w2"]
    assert [cell.value for cell in sheet["B"]] == ["Order days, usual", 9.5, None]
    assert sheet["B2"].number_format == "#,##0.0"
    assert sheet["C2"].is_date
    without = render(*ROWS)
    assert "early_warnings.csv" not in without
    assert "Early warnings" not in read_book(without).sheetnames


def test_early_warnings_have_words_for_every_column_and_reason(files: dict[str, bytes]) -> None:
    assert list(WARNING_COLUMN_WORDS) == early_warning_table.SCHEMA.names
    assert set(WARNING_REASON_WORDS) == set(early_warning_table.REASONS)
    told = texts_of(read_book(files)["Read me"])
    assert {*early_warning_table.SCHEMA.names, *early_warning_table.REASONS} <= {*told}


def test_labels_of_the_configuration_run_nothing() -> None:
    files = render(
        *ROWS,
        business="=evil()",
        channels={"email": Channel("=HYPERLINK(1)", 0.01), "sms": Channel("＝sms", 0.1)},
        offers={"none": Offer("+cmd")},
    )
    for sheet in read_book(files):
        for line in sheet.iter_rows():
            for cell in line:
                assert cell.data_type != "f"
                assert not str(cell.value or "").startswith(("=", "+", "-", "@", "＝"))


def test_an_empty_list_has_all_files() -> None:
    content = render(warnings=WARNINGS.slice(0, 0))
    assert read_csv(content["recall_list.csv"]) == []
    assert content["recall_list_email.csv"].decode().startswith('"list_row_id"')
    assert pq.read_table(io.BytesIO(content["recall_list.parquet"])).num_rows == 0
    book = read_book(content)
    assert book["Recall list"].max_row == 1
    assert "Nobody is listed." in texts_of(book["Read me"])


def test_a_sheet_holds_the_first_ranks_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scoring.list_sheets.MAX_WORKBOOK_ROWS", 2)
    book = read_book(render(*ROWS))
    assert book["Recall list"].max_row == 3
    assert [cell.value for cell in book["e-mail"]["A"]][1:] == [4, 1]


def test_a_full_workbook_is_quick() -> None:
    """Processor time, as other programs may use the machine."""
    rows = MAX_WORKBOOK_ROWS
    many = pa.concat_tables([table_of(row(1))] * rows).combine_chunks()
    place = SCHEMA.get_field_index("rank")
    many = many.set_column(place, SCHEMA.field(place), pa.array(range(1, rows + 1), pa.int32()))
    start = time.process_time()
    render_list_workbook(many, small_setting())
    assert time.process_time() - start < 6
