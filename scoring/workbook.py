"""A workbook: sheets of typed columns, and sheets of text, the same bytes every time."""

import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import xlsxwriter

from scoring.safe_text import neutralise_text
from scoring.sheet_rows import column_letters, render_rows

Kind = Literal["id", "text", "time", "date", "share", "money", "integer", "decimal"]

_FORMATS: dict[Kind, dict[str, object]] = {
    "id": {"num_format": "@"},
    "text": {"num_format": "General"},
    "time": {"num_format": "yyyy-mm-dd hh:mm", "align": "left"},
    "date": {"num_format": "yyyy-mm-dd", "align": "left"},
    "share": {"num_format": "0.0%"},
    "money": {"num_format": "#,##0.00"},
    "integer": {"num_format": "#,##0"},
    "decimal": {"num_format": "#,##0.0"},
}
_HEAD = {"bold": True, "bg_color": "#E8EEF4", "bottom": 1, "text_wrap": True, "valign": "top"}
_WIDTHS: dict[Kind, int] = {
    "id": 6,
    "text": 6,
    "time": 17,
    "date": 12,
    "share": 9,
    "money": 11,
    "integer": 8,
    "decimal": 9,
}
_WIDEST = 60
_WIDEST_HEAD = 24
_MEASURED_ROWS = 500
_WIDE_SIGNS = r"[\x{1100}-\x{115f}\x{2e80}-\x{ffdf}]"
_LONGEST_NAME = 31
_CREATED = datetime(2000, 1, 1)  # noqa: DTZ001  a workbook's times have no zone
_PACKED = (1980, 1, 1, 0, 0, 0)
_OPTIONS = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a sheet: its header, its values and how they look."""

    title: str
    values: pa.ChunkedArray
    kind: Kind


@dataclass(frozen=True, slots=True)
class TableSheet:
    """A sheet of rows under a frozen header with filters.

    Attributes
    ----------
    name : any text; what a sheet's name cannot hold is left out.
    columns : equally long.
    frozen : so many first columns stay in sight.
    """

    name: str
    columns: tuple[Column, ...]
    frozen: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a sheet of text: its cells, the first of a heading in bold."""

    cells: tuple[str, ...]
    is_heading: bool = False


@dataclass(frozen=True, slots=True)
class TextSheet:
    """A sheet of text; `widths` in characters."""

    name: str
    lines: tuple[Line, ...]
    widths: tuple[int, ...]


def render_workbook(
    sheets: Sequence[TableSheet | TextSheet], *, title: str, active: int = 0
) -> bytes:
    """The workbook as a file; equal sheets give equal bytes.

    The frame is xlsxwriter's. The rows of tables, which may be a million cells, are put
    into it as ready XML, as writing cell by cell would take seconds.

    Parameters
    ----------
    active : place of the sheet that is shown first.
    """
    sink = io.BytesIO()
    book = xlsxwriter.Workbook(sink, _OPTIONS)
    # Without a fixed date the workbook would hold the moment it was written.
    book.set_properties({"title": neutralise_text(title), "created": _CREATED})
    formats: dict[str, Any] = {name: book.add_format(form) for name, form in _FORMATS.items()}
    formats |= {"head": book.add_format(_HEAD), "line": book.add_format({"text_wrap": True})}
    names = sheet_names([sheet.name for sheet in sheets])
    for place, (name, sheet) in enumerate(zip(names, sheets, strict=True)):
        page = book.add_worksheet(name)
        if isinstance(sheet, TableSheet):
            _frame_table(page, sheet, formats)
        else:
            _write_lines(page, sheet, formats)
        if place == active:
            page.activate()
    book.close()
    tables = {
        f"xl/worksheets/sheet{place}.xml": sheet
        for place, sheet in enumerate(sheets, start=1)
        if isinstance(sheet, TableSheet)
    }
    return _fill_tables(sink.getvalue(), tables)


def sheet_names(wanted: Sequence[str]) -> list[str]:
    """Names that a workbook may have: short, without []:*?/\\, each once."""
    names: list[str] = []
    taken: set[str] = {"history"}
    for number, text in enumerate(wanted, start=1):
        plain = re.sub(r"[\[\]:*?/\\\x00-\x1f]+", " ", text)
        plain = _short(plain.strip(" '"), _LONGEST_NAME) or f"sheet {number}"
        name, again = plain, 1
        while name.casefold() in taken:
            again += 1
            mark = f" ({again})"
            name = _short(plain, _LONGEST_NAME - len(mark)) + mark
        taken.add(name.casefold())
        names.append(name)
    return names


def _short(text: str, units: int) -> str:
    """The beginning of a text; signs outside the basic plane count twice, as there."""
    cut = text.encode("utf-16-le")[: 2 * units]
    return cut.decode("utf-16-le", errors="ignore").strip(" '")


def _frame_table(page: Any, sheet: TableSheet, formats: dict[str, Any]) -> None:
    """Everything of a table's sheet but its rows."""
    for place, column in enumerate(sheet.columns):
        page.write_string(0, place, neutralise_text(column.title), formats["head"])
        page.set_column(place, place, _width(column), formats[column.kind])
    n_rows = len(sheet.columns[0].values)
    page.freeze_panes(1, sheet.frozen)
    page.autofilter(0, 0, max(n_rows, 1), len(sheet.columns) - 1)


def _write_lines(page: Any, sheet: TextSheet, formats: dict[str, Any]) -> None:
    for place, width in enumerate(sheet.widths):
        page.set_column(place, place, width)
    for row, line in enumerate(sheet.lines):
        look = formats["head" if line.is_heading else "line"]
        for place, text in enumerate(line.cells):
            page.write_string(row, place, neutralise_text(text), look)


def _width(column: Column) -> float:
    widest = max(_WIDTHS[column.kind], min(len(column.title) + 3, _WIDEST_HEAD))
    if column.kind in ("id", "text"):
        some = column.values.slice(0, _MEASURED_ROWS)
        signs = pc.add(pc.utf8_length(some), pc.count_substring_regex(some, _WIDE_SIGNS))
        widest = max(widest, (pc.max(signs).as_py() or 0) + 2)
    return min(widest, _WIDEST)


def _fill_tables(frame: bytes, tables: dict[str, TableSheet]) -> bytes:
    """Put the rows of tables into the sheets that have only their header so far."""
    sink = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(frame)) as old,
        zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as new,
    ):
        for part in old.namelist():
            content = old.read(part)
            if part in tables:
                content = _with_rows(content, tables[part])
            entry = zipfile.ZipInfo(part, date_time=_PACKED)
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, content, compresslevel=4)
    return sink.getvalue()


def _with_rows(content: bytes, sheet: TableSheet) -> bytes:
    n_rows = len(sheet.columns[0].values)
    rows = render_rows(
        [column.values for column in sheet.columns],
        styles=_column_styles(content, len(sheet.columns)),
        first=2,
    )
    whole = f'<dimension ref="A1:{column_letters(len(sheet.columns) - 1)}{n_rows + 1}"/>'
    content = re.sub(rb'<dimension ref="[^"]*"/>', whole.encode(), content, count=1)
    before, end, after = content.partition(b"</sheetData>")
    return b"".join((before, rows, end, after))


def _column_styles(content: bytes, n_columns: int) -> list[int]:
    """The cell formats that the frame gives its columns."""
    styles = [0] * n_columns
    for mark in re.finditer(rb'<col min="(\d+)" max="(\d+)"[^>]*? style="(\d+)"', content):
        first, last, style = (int(group) for group in mark.groups())
        styles[first - 1 : last] = [style] * (last - first + 1)
    return styles
