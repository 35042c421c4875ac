"""The sheets of the workbook: the whole list, one per channel, early warnings, read-me."""

from collections.abc import Iterable, Mapping, Sequence
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from scoring import readme_words as words
from scoring.arms import SENT_ARMS
from scoring.column_words import COLUMN_WORDS, ColumnWords
from scoring.export_plan import Export
from scoring.list_csv import column_or_null
from scoring.list_readme import ListSetting, readme_sheet
from scoring.warning_words import WARNING_COLUMN_WORDS
from scoring.workbook import Column, Kind, TableSheet, TextSheet, render_workbook

MAX_WORKBOOK_ROWS = 20_000
"""A sheet of more rows is slow to open; it then holds the first ranks only."""

SEND_BEFORE_LOCAL = "send_before_local"
"""The end of the send window on the customer's clock: of the workbook alone."""

_TIMES = ("send_at_local", SEND_BEFORE_LOCAL)
_WHY = ("reason_1", "reason_2", "reason_3")
_FIRST_COLUMNS = ("rank", "customer_id", "arm", "channel", "offer", *_TIMES, *_WHY, "expected_gain")
_LAST_COLUMNS = ("list_row_id", "list_id", "as_of", "model_version", "config_hash")
"""Of the whole list; the others stand between them, as in the contract."""

_WORK_COLUMNS = (
    "rank",
    "customer_id",
    "offer",
    *_TIMES,
    *_WHY,
    "stage",
    "value_tier",
    "life_cycle",
    "promotion",
    "p_return_natural",
    "p_return_contacted",
    "expected_gain",
    "evidence",
    "follow_up_of",
    "follow_up_channel",
    "follow_up_at",
    "send_at_utc",
    "send_window_end_utc",
    "expires_at",
    "list_row_id",
)
_IDS = ("list_id", "list_row_id", "customer_id", "follow_up_of")
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
            _with_local_times(table.slice(0, MAX_WORKBOOK_ROWS), setting),
            columns=_headers(_reading_order(table.column_names), COLUMN_WORDS, setting),
            frozen=2,
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
        shown = _with_local_times(rows, setting)
        sheets.append(_sheet(channel.label, shown, columns=columns, frozen=2))
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


def _reading_order(names: Sequence[str]) -> list[str]:
    """Columns as people read them: whom, how, when and why; what all rows share comes last."""
    between = [name for name in names if name not in (*_FIRST_COLUMNS, *_LAST_COLUMNS)]
    return [*_FIRST_COLUMNS, *between, *_LAST_COLUMNS]


def _typed_columns(table: pa.Table, columns: Mapping[str, str]) -> Iterable[Column]:
    for name, title in columns.items():
        values = column_or_null(table, name)
        yield Column(title, values, _kind(name, values.type))


def _headers(
    names: Iterable[str], words_of: Mapping[str, ColumnWords], setting: ListSetting
) -> dict[str, str]:
    said = {name: setting.say(known.header) for name, known in words_of.items()}
    said[SEND_BEFORE_LOCAL] = setting.say(words.SEND_BEFORE_LOCAL)
    return {name: said.get(name, name) for name in names}


def _with_local_times(table: pa.Table, setting: ListSetting) -> pa.Table:
    """Rows as people read them: cells know no zone.

    The customer's times are as a clock on their wall shows them, and a follow-up has the local
    date of the list that carries it out, in place of the instant at which that date begins.
    """
    text = pc.utf8_slice_codeunits(table["send_at_local"], 0, _WALL_CLOCK_SIGNS)
    start = pc.strptime(text, format=_WALL_CLOCK, unit="us")
    lasts = pc.subtract(table["send_window_end_utc"], table["send_at_utc"])
    place = table.schema.get_field_index("send_at_local")
    table = table.set_column(place, "send_at_local", start)
    zone = ZoneInfo(setting.timezone)
    dates = [at and at.astimezone(zone).date() for at in table["follow_up_at"].to_pylist()]
    place = table.schema.get_field_index("follow_up_at")
    table = table.set_column(place, "follow_up_at", pa.array(dates, pa.date32()))
    return table.append_column(SEND_BEFORE_LOCAL, pc.add(start, lasts))


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
