"""The recall list as files: Parquet for machines, CSV for tools, a workbook for people."""

import io
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import xlsxwriter

from scoring.arms import SENT_ARMS

PARQUET_NAME = "recall_list.parquet"
CSV_NAME = "recall_list.csv"
WORKBOOK_NAME = "recall_list.xlsx"

MAX_WORKBOOK_ROWS = 20_000
"""A workbook of more rows is slow to open; it then holds the first ranks only."""

_FORMULA_START = r"^[=+\-@\t\r]"
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_CREATED = datetime(2000, 1, 1)  # noqa: DTZ001  a workbook's times have no zone
_WIDEST = 60


@dataclass(frozen=True, slots=True)
class ListFile:
    """One file of a list folder."""

    name: str
    content: bytes


def channel_csv_name(channel: str) -> str:
    """Name of the file that goes to a channel's sending tool."""
    return f"recall_list_{channel}.csv"


def render_list_files(table: pa.Table, *, channels: tuple[str, ...]) -> list[ListFile]:
    """The list in every form; equal tables give equal bytes.

    Parameters
    ----------
    table : rows of `scoring.recall_list.SCHEMA`, by rank.
    channels : configured channels; each gets a CSV file of the rows really to be sent
        (arms contact and explore), controls left out.
    """
    text = _as_text(table)
    is_sent = pc.is_in(table["arm"], value_set=pa.array(SENT_ARMS, type=pa.string()))
    files = [
        ListFile(PARQUET_NAME, _render_parquet(table)),
        ListFile(CSV_NAME, _render_csv(text)),
        ListFile(WORKBOOK_NAME, _render_workbook(table)),
    ]
    for channel in channels:
        chosen = pc.and_(is_sent, pc.equal(table["channel"], channel))
        files.append(ListFile(channel_csv_name(channel), _render_csv(text.filter(chosen))))
    return files


def neutralise(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Prefix text that a spreadsheet would run as a formula with an apostrophe."""
    risky = pc.match_substring_regex(column, _FORMULA_START)
    quoted = pc.binary_join_element_wise("'", column, "")
    return pc.if_else(pc.fill_null(risky, False), quoted, column)


def _as_text(table: pa.Table) -> pa.Table:
    columns = {}
    for field in table.schema:
        column = table[field.name]
        if pa.types.is_timestamp(field.type):
            seconds = column.cast(pa.timestamp("s", tz="UTC"), safe=False)
            column = pc.strftime(seconds, format=_TIME_FORMAT)
        elif pa.types.is_string(field.type):
            column = neutralise(column)
        columns[field.name] = column
    return pa.table(columns)


def _render_parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=1 << 20)
    return sink.getvalue()


def _render_csv(text: pa.Table) -> bytes:
    sink = io.BytesIO()
    pacsv.write_csv(text, sink, pacsv.WriteOptions(quoting_style="needed"))
    return sink.getvalue()


def _render_workbook(table: pa.Table) -> bytes:
    shown = table.slice(0, MAX_WORKBOOK_ROWS)
    sink = io.BytesIO()
    book = xlsxwriter.Workbook(
        sink, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    # Without a fixed date the workbook would hold the moment it was written.
    book.set_properties({"title": "Recall list", "created": _CREATED})
    sheet = book.add_worksheet("recall list")
    formats = {
        "head": book.add_format({"bold": True, "bg_color": "#E8EEF4", "bottom": 1}),
        "time": book.add_format({"num_format": "yyyy-mm-dd hh:mm"}),
        "date": book.add_format({"num_format": "yyyy-mm-dd"}),
        "probability": book.add_format({"num_format": "0.0%"}),
        "money": book.add_format({"num_format": "#,##0.00"}),
    }
    for place, field in enumerate(shown.schema):
        _write_column(sheet, place, field, shown[field.name], formats)
    sheet.freeze_panes(1, 4)
    sheet.autofilter(0, 0, max(shown.num_rows, 1), len(shown.schema) - 1)
    book.close()
    return sink.getvalue()


def _write_column(
    sheet: xlsxwriter.worksheet.Worksheet,
    place: int,
    field: pa.Field,
    column: pa.ChunkedArray,
    formats: dict[str, object],
) -> None:
    sheet.write_string(0, place, field.name, formats["head"])
    widest = len(field.name) + 4
    if pa.types.is_timestamp(field.type):
        for row, moment in enumerate(column.to_pylist(), start=1):
            if moment is not None:
                plain = moment.astimezone(UTC).replace(tzinfo=None)
                sheet.write_datetime(row, place, plain, formats["time"])
        widest = max(widest, 17)
    elif pa.types.is_date(field.type):
        for row, day in enumerate(column.to_pylist(), start=1):
            if day is not None:
                sheet.write_datetime(row, place, day, formats["date"])
    elif pa.types.is_string(field.type):
        for row, text in enumerate(neutralise(column).to_pylist(), start=1):
            if text is not None:
                sheet.write_string(row, place, text)
                widest = max(widest, len(text) + 1)
    else:
        style = formats[_number_style(field.name)] if pa.types.is_floating(field.type) else None
        for row, number in enumerate(column.to_pylist(), start=1):
            if number is not None:
                sheet.write_number(row, place, number, style)
    sheet.set_column(place, place, min(widest, _WIDEST))


def _number_style(name: str) -> str:
    return "money" if name in ("expected_gain", "contact_cost") else "probability"
