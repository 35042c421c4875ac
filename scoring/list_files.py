"""The recall list as files: Parquet for machines, CSV for tools, a workbook for people."""

import io
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from scoring.export_plan import WHOLE_LIST, Export, channel_columns, list_columns
from scoring.list_csv import render_csv
from scoring.list_readme import ListSetting
from scoring.list_sheets import render_list_workbook, rows_to_send, sending_order

PARQUET_NAME = "recall_list.parquet"
CSV_NAME = "recall_list.csv"
WORKBOOK_NAME = "recall_list.xlsx"
WARNINGS_NAME = "early_warnings.csv"


@dataclass(frozen=True, slots=True)
class ListFile:
    """One file of a list folder."""

    name: str
    content: bytes


def channel_csv_name(channel: str) -> str:
    """Name of the file that goes to a channel's sending tool."""
    return f"recall_list_{channel}.csv"


def render_list_files(
    table: pa.Table, setting: ListSetting, *, warnings: pa.Table | None = None
) -> list[ListFile]:
    """The list in every form; equal tables give equal bytes.

    Each configured channel gets a CSV file of the rows really to be sent (arms contact and
    explore) in sending order, controls left out.

    Parameters
    ----------
    table : rows of `scoring.recall_list.SCHEMA`, by rank.
    warnings : customers that early warnings are about; null means that there is no such
        table, and no file or sheet of it.
    """
    files = [
        ListFile(PARQUET_NAME, render_parquet(table)),
        ListFile(CSV_NAME, _render_whole(table, setting)),
        ListFile(WORKBOOK_NAME, render_list_workbook(table, setting, warnings=warnings)),
    ]
    files += [
        ListFile(channel_csv_name(channel), render_channel_csv(table, setting, channel=channel))
        for channel in setting.channels
    ]
    if warnings is not None:
        files.append(ListFile(WARNINGS_NAME, render_csv(warnings)))
    return files


def render_parquet(table: pa.Table) -> bytes:
    """A table as it is, typed and raw."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=1 << 20)
    return sink.getvalue()


def render_channel_csv(table: pa.Table, setting: ListSetting, *, channel: str) -> bytes:
    """What a channel's sending tool gets, as the configuration has it."""
    export = setting.exports.get(channel, Export())
    return render_csv(
        sending_order(rows_to_send(table, channel)),
        columns=channel_columns(
            channel, export, seats_per_hour=setting.channels[channel].seats_per_hour
        ),
        delimiter=export.delimiter,
        encoding=export.encoding,
    )


def _render_whole(table: pa.Table, setting: ListSetting) -> bytes:
    export = setting.exports.get(WHOLE_LIST, Export())
    return render_csv(
        table,
        columns=list_columns(export),
        delimiter=export.delimiter,
        encoding=export.encoding,
    )
