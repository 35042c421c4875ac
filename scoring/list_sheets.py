"""The sheets of the workbook: the whole list, one per channel, early warnings, read-me."""

from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from scoring import readme_words as words
from scoring.arms import SENT_ARMS
from scoring.column_words import COLUMN_WORDS, ColumnWords
from scoring.export_plan import CALLER_COLUMNS, Export
from scoring.list_csv import column_or_null
from scoring.list_readme import ListSetting, readme_sheet
from scoring.warning_words import WARNING_COLUMN_WORDS
from scoring.workbook import Column, Kind, TableSheet, TextSheet, render_workbook

MAX_WORKBOOK_ROWS = 20_000
"""A sheet of more rows is slow to open; it then holds the first ranks only."""

_WORK_COLUMNS = (
    "rank",
    *CALLER_COLUMNS,
    "life_cycle",
    "promotion",
    "p_return_natural",
    "p_return_contacted",
    "expected_gain",
    "evidence",
)
_IDS = ("list_id", "list_row_id", "customer_id", "follow_up_of")
_LOCAL_TIMES = ("send_at_local",)
_MONEY = ("expected_gain", "contact_cost", "expected_cost", "yearly_spend", "value_at_stake")
_SHARES = ("p_", "uplift", "propensity", "chance_")
_WALL_CLOCK = "%Y-%m-%dT%H:%M:%S"
_WALL_CLOCK_SIGNS = 19


def render_list_workbook(
    table: pa.Table, setting: ListSetting, *, warnings: pa.Table | None = None
) -> bytes:
    """The list as a workbook for people.

    Parameters
    ----------
    table : rows of the list, by rank.
    warnings : early warnings; null leaves their sheet out.
    """
    sheets: list[TableSheet | TextSheet] = [
        readme_sheet(table, setting, max_rows=MAX_WORKBOOK_ROWS, has_warnings=warnings is not None),
        _sheet(
            setting.say(words.WHOLE_LIST),
            table.slice(0, MAX_WORKBOOK_ROWS),
            columns=_headers(table.column_names, COLUMN_WORDS, setting),
            frozen=5,
        ),
        *channel_sheets(table, setting),
    ]
    if warnings is not None:
        name = setting.say(words.EARLY_WARNINGS)
        headers = _headers(warnings.column_names, WARNING_COLUMN_WORDS, setting)
        shown = warnings.slice(0, MAX_WORKBOOK_ROWS)
        sheets.append(_sheet(name, shown, columns=headers, frozen=2))
    title = setting.say(words.TITLE, day=setting.day.isoformat(), business=setting.business)
    return render_workbook(sheets, title=title, active=1)


def channel_sheets(
    table: pa.Table, setting: ListSetting, *, max_rows: int | None = None
) -> list[TableSheet]:
    """A sheet per channel with its rows to be sent, the earliest first.

    Parameters
    ----------
    max_rows : most rows of a sheet, the first ranks; null means `MAX_WORKBOOK_ROWS`.
    """
    most = MAX_WORKBOOK_ROWS if max_rows is None else max_rows
    plain = Export()
    sheets = []
    for name, channel in setting.channels.items():
        columns = setting.exports.get(name, plain).columns or _headers(
            _WORK_COLUMNS, COLUMN_WORDS, setting
        )
        rows = sending_order(rows_to_send(table, name).slice(0, most))
        sheets.append(_sheet(channel.label, rows, columns=columns, frozen=3))
    return sheets


def rows_to_send(table: pa.Table, channel: str) -> pa.Table:
    """Rows of a channel really to be sent: never a control."""
    is_sent = pc.is_in(table["arm"], value_set=pa.array(SENT_ARMS, type=pa.string()))
    return table.filter(pc.and_(is_sent, pc.equal(table["channel"], channel)))


def sending_order(table: pa.Table) -> pa.Table:
    """Rows by the time they are to be sent, those of one time by rank."""
    return table.sort_by([("send_at_utc", "ascending"), ("rank", "ascending")])


def _sheet(name: str, table: pa.Table, *, columns: Mapping[str, str], frozen: int) -> TableSheet:
    return TableSheet(name, tuple(_typed_columns(table, columns)), frozen=min(frozen, len(columns)))


def _typed_columns(table: pa.Table, columns: Mapping[str, str]) -> Iterable[Column]:
    for name, title in columns.items():
        values = column_or_null(table, name)
        if name in _LOCAL_TIMES:
            values = _wall_clock(values)
        yield Column(title, values, _kind(name, values.type))


def _headers(
    names: Iterable[str], words_of: Mapping[str, ColumnWords], setting: ListSetting
) -> dict[str, str]:
    return {
        name: setting.say(words_of[name].header) if name in words_of else name for name in names
    }


def _wall_clock(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Local times as a clock on the wall shows them: cells know no zone."""
    without_offset = pc.utf8_slice_codeunits(column, 0, _WALL_CLOCK_SIGNS)
    return pc.strptime(without_offset, format=_WALL_CLOCK, unit="us")


def _kind(name: str, kind: pa.DataType) -> Kind:
    if pa.types.is_timestamp(kind):
        return "time"
    if pa.types.is_date(kind):
        return "date"
    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_floating(kind):
        if name in _MONEY:
            return "money"
        return "share" if name.startswith(_SHARES) else "decimal"
    return "id" if name in _IDS else "text"
