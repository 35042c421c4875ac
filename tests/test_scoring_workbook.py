"""Workbooks read back: types, header, filters, names, equal bytes, odd texts."""

import io
from datetime import date, datetime
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape

from scoring.safe_text import neutralise
from scoring.sheet_rows import LONGEST_CELL, column_letters, render_rows
from scoring.workbook import Column, Line, TableSheet, TextSheet, render_workbook, sheet_names

# Cells know no zone.
NOON = datetime(2025, 11, 20, 12, 2, 3)  # noqa: DTZ001
DAY = NOON.replace(hour=0, minute=0, second=0)


def chunked(values: list[Any], kind: pa.DataType | None = None) -> pa.ChunkedArray:
    """A column of one chunk."""
    return pa.chunked_array([pa.array(values, type=kind)])


COLUMNS = (
    Column("Customer", chunked(["007", "=1+1", None]), "id"),
    Column("When", chunked([NOON, None, NOON], pa.timestamp("us")), "time"),
    Column("Day", chunked([date(2025, 11, 20), None, date(1970, 1, 1)]), "date"),
    Column("Chance", chunked([0.25, float("nan"), 1e-7]), "share"),
    Column("Gain", chunked([-1.5, None, 12345.678]), "money"),
    Column("Rank", chunked([1, 2, 2_000_000], pa.int32()), "integer"),
    Column("Why", chunked(['said "x" & <b>', "漢字", "line\nbreak"]), "text"),
)


def read(content: bytes) -> Any:
    """The workbook as openpyxl reads it."""
    return openpyxl.load_workbook(io.BytesIO(content))


def test_cells_have_their_types() -> None:
    page = read(render_workbook([TableSheet("list", COLUMNS, frozen=1)], title="t"))["list"]
    rows = list(page.iter_rows(min_row=2))
    assert [cell.value for cell in rows[0]] == [
        "007",
        NOON,
        DAY,
        0.25,
        -1.5,
        1,
        'said "x" & <b>',
    ]
    assert [cell.value for cell in rows[1]] == ["'=1+1", None, None, None, None, 2, "漢字"]
    assert rows[2][0].value is None
    assert rows[2][3].value == 1e-7
    assert [cell.number_format for cell in rows[0]] == [
        "@",
        "yyyy-mm-dd hh:mm",
        "yyyy-mm-dd",
        "0.0%",
        "#,##0.00",
        "#,##0",
        "General",
    ]
    assert [cell.data_type for cell in rows[0]] == ["s", "d", "d", "n", "n", "n", "s"]


def test_header_is_frozen_filtered_and_wide_enough() -> None:
    page = read(render_workbook([TableSheet("list", COLUMNS, frozen=1)], title="t"))["list"]
    assert [cell.value for cell in page[1]] == [column.title for column in COLUMNS]
    assert all(cell.font.bold for cell in page[1])
    assert page.freeze_panes == "B2"
    assert page.auto_filter.ref == "A1:G4"
    assert page.dimensions == "A1:G4"
    widths = [page.column_dimensions[column_letters(place)].width for place in range(7)]
    assert all(width >= 6 for width in widths)


def test_equal_sheets_give_equal_bytes_that_hold_no_time_of_writing() -> None:
    sheets = [TableSheet("list", COLUMNS), TextSheet("notes", (Line(("a",)),), (20,))]
    first = render_workbook(sheets, title="t")
    assert first == render_workbook(sheets, title="t")
    assert read(first).properties.created.isoformat() == "2000-01-01T00:00:00"


def test_an_empty_table_keeps_header_and_filter() -> None:
    empty = tuple(Column(item.title, item.values.slice(0, 0), item.kind) for item in COLUMNS)
    page = read(render_workbook([TableSheet("list", empty)], title="t"))["list"]
    assert page.max_row == 1
    assert page.auto_filter.ref == "A1:G2"


def test_text_sheets_hold_lines_and_run_nothing() -> None:
    lines = (Line(("=cmd|' /C calc'!A0", "b"), is_heading=True), Line(()), Line(("", "+1")))
    page = read(render_workbook([TextSheet("notes", lines, (20, 30))], title="=t"))["notes"]
    assert page["A1"].value == "'=cmd|' /C calc'!A0"
    assert page["A1"].font.bold
    assert page["B3"].value == "'+1"
    assert page.column_dimensions["B"].width > 25


def test_headers_run_nothing() -> None:
    column = Column("@SUM(A1)", chunked(["x"]), "text")
    page = read(render_workbook([TableSheet("list", (column,))], title="t"))["list"]
    assert page["A1"].value == "'@SUM(A1)"


def test_the_active_sheet_is_shown_first() -> None:
    sheets = [TextSheet("notes", (), (20,)), TableSheet("list", COLUMNS)]
    assert read(render_workbook(sheets, title="t", active=1)).active.title == "list"


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (["a", "A", "a"], ["a", "A (2)", "a (3)"]),
        (["[x]:*?/\\y"], ["x y"]),
        (["'quoted'"], ["quoted"]),
        (["", "  "], ["sheet 1", "sheet 2"]),
        (["history"], ["history (2)"]),
        (["x" * 40, "x" * 40], ["x" * 31, "x" * 27 + " (2)"]),
        (["😀" * 20], ["😀" * 15]),
    ],
)
def test_sheet_names_are_allowed_and_distinct(wanted: list[str], names: list[str]) -> None:
    assert sheet_names(wanted) == names
    read(render_workbook([TextSheet(name, (), (9,)) for name in wanted], title="t"))


def test_texts_no_cell_can_hold_are_cut_or_escaped() -> None:
    texts = ["x" * 40_000, "😀" * 20_000, "a\rb\x01", "_x0041_", "\ufffe"]
    column = Column("id", chunked(texts), "id")
    content = render_workbook([TableSheet("list", (column,))], title="t")
    values = [cell.value for cell in read(content)["list"]["A"][1:]]
    assert values[0] == "x" * (LONGEST_CELL - 1) + "…"
    assert len(values[1].encode("utf-16-le")) // 2 <= LONGEST_CELL
    assert values[1].rstrip("…") == "😀" * ((LONGEST_CELL - 1) // 2)
    assert values[2:] == ["a_x000D_b_x0001_", "_x005F_x0041_", "_xFFFE_"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=6))
def test_any_text_comes_back(texts: list[str]) -> None:
    column = Column("id", chunked(texts, pa.string()), "id")
    page = read(render_workbook([TableSheet("list", (column,))], title="t"))["list"]
    values = [page.cell(line, 1).value for line in range(2, len(texts) + 2)]
    expected = neutralise(pa.array(texts, pa.string())).to_pylist()
    assert [unescape(value or "") for value in values] == expected


def test_letters_of_columns() -> None:
    assert [column_letters(place) for place in (0, 25, 26, 51, 52, 701, 702)] == [
        *("A", "Z", "AA", "AZ", "BA", "ZZ", "AAA")
    ]


def test_no_rows_are_no_xml() -> None:
    assert render_rows([chunked([], pa.string())], styles=[0], first=2) == b""
    assert render_rows([], styles=[], first=2) == b""
