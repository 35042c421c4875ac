"""The cells of a worksheet as XML, column by column: many rows in little time.

The XML is that of ECMA-376, part 1, section 18.3.1.73 (rows) and 18.3.1.4 (cells).
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from scoring.safe_text import neutralise

LONGEST_CELL = 32_767
"""UTF-16 units a cell can hold; a spreadsheet calls a file with more damaged."""

MAX_SHEET_ROWS = 1_048_575
"""Rows a sheet can hold below its header."""

_CUT = "…"
# No XML 1.0 document may hold these; spreadsheets write them as _xHHHH_.
_FORBIDDEN = r"[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\x{fffe}\x{ffff}]"
_LOOKS_ESCAPED = r"_(x[0-9A-Fa-f]{4}_)"
_DAY_US = 86_400_000_000
_EPOCH_DAY = 25_569
"""1970-01-01 in days since 1899-12-30, the day from which spreadsheets count."""


def render_rows(columns: Sequence[pa.ChunkedArray], *, styles: Sequence[int], first: int) -> bytes:
    """The `<row>` elements of a table; null cells are left out.

    Parameters
    ----------
    columns : equally long; text, numbers, dates, times. Numbers that are not finite are
        left out as nulls are.
    styles : number of each column's cell format in the workbook.
    first : number of the first row in the sheet, from 1.
    """
    n_rows = len(columns[0]) if columns else 0
    if not n_rows:
        return b""
    number = pa.array(range(first, first + n_rows), pa.int32()).cast(pa.string())
    cells = [
        _render_cells(column.combine_chunks(), column_letters(place), number, style)
        for place, (column, style) in enumerate(zip(columns, styles, strict=True))
    ]
    rows = pc.binary_join_element_wise('<row r="', number, '">', *cells, "</row>", "")
    return "".join(rows.to_pylist()).encode()


def column_letters(place: int) -> str:
    """A for 0, Z for 25, AA for 26."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _render_cells(column: pa.Array, letters: str, number: pa.Array, style: int) -> pa.Array:
    """The cells of one column; an empty text for null."""
    if pa.types.is_string(column.type):
        kind, value = ' t="inlineStr"', _text_xml(column)
        before, after = '<is><t xml:space="preserve">', "</t></is>"
    else:
        kind, value, before, after = "", _number_text(column), "<v>", "</v>"
    cells = pc.binary_join_element_wise(
        f'<c r="{letters}', number, f'" s="{style}"{kind}>{before}', value, f"{after}</c>", ""
    )
    return pc.fill_null(cells, "")


def _number_text(column: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        days = pc.divide(column.cast(pa.int64()).cast(pa.float64()), _DAY_US)
        column = pc.round(pc.add(days, _EPOCH_DAY), 9)
    elif pa.types.is_date(column.type):
        column = pc.add(column.cast(pa.int32()), _EPOCH_DAY)
    elif pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_finite(column), column, None)
    return column.cast(pa.string())


def _text_xml(column: pa.Array) -> pa.Array:
    text = neutralise(column)
    if pc.any(pc.greater(pc.utf8_length(text), LONGEST_CELL // 2)).as_py():
        text = pa.array([_cut(one) for one in text.to_pylist()], pa.string())
    text = pc.replace_substring_regex(text, _LOOKS_ESCAPED, r"_x005F_\1")
    if pc.any(pc.match_substring_regex(text, _FORBIDDEN)).as_py():
        text = pa.array([_escape_forbidden(one) for one in text.to_pylist()], pa.string())
    for sign, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = pc.replace_substring(text, sign, escaped)
    return text


def _cut(text: str | None) -> str | None:
    units = (text or "").encode("utf-16-le")
    if len(units) <= 2 * LONGEST_CELL:
        return text
    # Half of a sign outside the basic plane may be left at the end.
    return units[: 2 * (LONGEST_CELL - 1)].decode("utf-16-le", errors="ignore") + _CUT


def _escape_forbidden(text: str | None) -> str | None:
    if text is None:
        return None
    return "".join(f"_x{ord(sign):04X}_" if _is_forbidden(sign) else sign for sign in text)


def _is_forbidden(sign: str) -> bool:
    return (sign < " " and sign not in "\t\n") or sign in "\ufffe\uffff"
