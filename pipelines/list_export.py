"""`winback list export`: a list's rows written where a sending tool takes them from."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc

from features.errors import ArtifactError, UsageError, describe
from pipelines.config import Config
from pipelines.config_faults import nearest_name
from pipelines.file_drop import drop_files
from pipelines.list_folder import WrittenList, choose_day, read_written_list
from pipelines.list_setting import list_setting
from scoring.export_plan import Export, channel_columns, list_column_names, missing_keys
from scoring.list_csv import column_or_null
from scoring.list_files import channel_csv_name, render_channel_csv, render_parquet
from scoring.list_readme import ListSetting
from scoring.list_sheets import channel_sheets, rows_to_send, sending_order
from scoring.recall_list import TIME
from scoring.sheet_rows import MAX_SHEET_ROWS
from scoring.workbook import render_workbook

SCHEMA_VERSION = 1
Format = Literal["csv", "xlsx", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)
_WORKBOOK_NAME = "recall_list_to_send.xlsx"


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What is to be written, and where.

    Attributes
    ----------
    to : a folder, or a file whose ending is the format's.
    channels : empty means all that are configured.
    form : null means the file's ending, and CSV in a folder.
    columns : list columns in place of the configured ones; empty means those.
    force : write rows that are void, too.
    """

    to: Path
    channels: tuple[str, ...] = ()
    form: str | None = None
    columns: tuple[str, ...] = ()
    force: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written.

    Attributes
    ----------
    status : "written" or "dry run".
    rows : rows written, by channel.
    expired : rows of these channels that are void by now.
    late : those whose send window is over though they are not void.
    forced : whether these were written all the same; else they were left out.
    controls : rows of controls on the list, which no sender ever gets.
    not_exported : rows to be sent by channels that were not asked for, or that are no
        longer configured.
    files : what was written, or would be.
    """

    day: date
    list_id: str | None
    status: Literal["written", "dry run"]
    rows: Mapping[str, int]
    expired: int
    late: int
    forced: bool
    controls: int
    not_exported: Mapping[str, int]
    files: tuple[Path, ...]

    def to_json(self) -> dict[str, Any]:
        """A JSON document with a schema version."""
        document = asdict(self)
        document |= {"day": self.day.isoformat(), "files": [str(path) for path in self.files]}
        return {"schema_version": SCHEMA_VERSION, **document}


def export_list(
    config: Config, request: ExportRequest, *, as_of: date | None = None, now: datetime
) -> ExportReport:
    """Write the rows to be sent of a day's list; controls are never among them.

    The list is compared with its manifest first. A channel without rows gets a file with
    nothing but its header, so that an earlier list's file never stays in its place.

    Parameters
    ----------
    as_of : local date of the list; null means the latest one.

    Raises
    ------
    UsageError : an unknown channel, column or format; one file for several.
    ArtifactError : there is no such list; it was changed since it was written; all its
        rows are void and `force` is false; the place cannot be written to.
    """
    channels = _asked_channels(config, request)
    places = _places(config, request, channels)
    written = read_written_list(
        config.lists_path, choose_day(config.lists_path, as_of), check_all=True
    )
    setting = _setting(config, request, written.day, channels)
    sent = pa.concat_tables([rows_to_send(written.table, channel) for channel in channels])
    is_expired = pc.less_equal(sent["expires_at"], pa.scalar(now, TIME))
    window_over = pc.less_equal(sent["send_window_end_utc"], pa.scalar(now, TIME))
    n_expired = _count(is_expired)
    n_late = _count(pc.and_not(window_over, is_expired))
    if not request.force:
        if sent.num_rows and n_expired + n_late == sent.num_rows:
            raise _all_void(written, n_expired=n_expired, n_late=n_late)
        sent = sent.filter(pc.invert(pc.or_(is_expired, window_over)))
    contents = _render(sent, setting, _form(request))
    if not request.dry_run:
        drop_files(dict(zip(places, contents, strict=True)))
    to_send = {
        name: rows_to_send(written.table, name).num_rows
        for name in sorted(set(written.table["channel"].to_pylist()))
    }
    return ExportReport(
        day=written.day,
        list_id=written.list_id,
        status="dry run" if request.dry_run else "written",
        rows={channel: rows_to_send(sent, channel).num_rows for channel in channels},
        expired=n_expired,
        late=n_late,
        forced=request.force and n_expired + n_late > 0,
        controls=written.table.num_rows - sum(to_send.values()),
        not_exported={k: rows for k, rows in to_send.items() if rows and k not in channels},
        files=places,
    )


def _count(marked: pa.ChunkedArray) -> int:
    return pc.sum(marked).as_py() or 0


def _asked_channels(config: Config, request: ExportRequest) -> tuple[str, ...]:
    for name in request.channels:
        if name not in config.channels:
            raise UsageError(
                describe(
                    "--channel",
                    f'"{name}" is not a channel',
                    expected=f"one of: {', '.join(config.channels) or 'none is configured'}",
                    fix=f"{nearest_name(name, config.channels)}correct --channel",
                )
            )
    if not config.channels:
        raise UsageError(
            describe(
                "winback.toml",
                "no channel is configured",
                expected="a channel to export for",
                fix="add one to [channels]",
            )
        )
    return tuple(dict.fromkeys(request.channels)) or tuple(config.channels)


def _form(request: ExportRequest) -> Format:
    """The format asked for, or the one of the file's ending."""
    ending = request.to.suffix.removeprefix(".")
    wanted = request.form or (ending if ending in FORMATS else "csv")
    for form in FORMATS:
        if wanted == form and (not ending or ending not in FORMATS or ending == form):
            return form
    raise UsageError(
        describe(
            "--format",
            f'"{wanted}" does not fit' if wanted in FORMATS else f'"{wanted}" is not a format',
            expected=f"one of {', '.join(FORMATS)}, and a file of that ending",
            fix="correct --format or --to",
        )
    )


def _places(config: Config, request: ExportRequest, channels: Sequence[str]) -> tuple[Path, ...]:
    """Where each file goes: one per channel, or one workbook."""
    form, to = _form(request), request.to
    is_file = to.suffix == f".{form}" and not to.is_dir()
    folder = (to.parent if is_file else to).resolve()
    if folder.is_relative_to(config.lists_path):
        raise UsageError(
            describe(
                "--to",
                "it lies in the folder of lists, where only `winback nightly` writes",
                expected="another folder",
                fix="pass the folder that the sending tool reads",
            )
        )
    if form == "xlsx":
        return (to if is_file else to / _WORKBOOK_NAME,)
    if is_file and len(channels) > 1:
        raise UsageError(
            describe(
                "--to",
                f"one file for {len(channels)} channels",
                examples=channels,
                expected="a folder, or one channel",
                fix="pass a folder, or --channel with one name",
            )
        )
    if is_file:
        return (to,)
    return tuple(to / Path(channel_csv_name(name)).with_suffix(f".{form}") for name in channels)


def _setting(
    config: Config, request: ExportRequest, day: date, channels: Sequence[str]
) -> ListSetting:
    """The files' setting for these channels alone, with the columns asked for."""
    setting = list_setting(config, day)
    exports = dict(setting.exports)
    if request.columns:
        columns = _asked_columns(request.columns)
        for channel in channels:
            configured = exports.get(channel, Export())
            names = {name: (configured.columns or {}).get(name, name) for name in columns}
            exports[channel] = replace(configured, columns=names)
    chosen = {name: setting.channels[name] for name in channels}
    return replace(setting, channels=chosen, exports=exports)


def _asked_columns(columns: tuple[str, ...]) -> tuple[str, ...]:
    known = list_column_names()
    unknown = [name for name in columns if name not in known]
    if unknown:
        raise UsageError(
            describe(
                "--columns",
                f"{len(unknown)} unknown",
                examples=unknown,
                expected="columns of docs/recall-list.md",
                fix=f"{nearest_name(unknown[0], known)}correct --columns",
            )
        )
    lacking = missing_keys(dict.fromkeys(columns, ""))
    if lacking:
        raise UsageError(
            describe(
                "--columns",
                f"{len(lacking)} missing",
                examples=lacking,
                expected="list_row_id and customer_id, by which contacts are reported back",
                fix="add them to --columns",
            )
        )
    return tuple(dict.fromkeys(columns))


def _render(sent: pa.Table, setting: ListSetting, form: Format) -> list[bytes]:
    if form == "xlsx":
        if sent.num_rows > MAX_SHEET_ROWS:
            raise UsageError(
                describe(
                    "--format xlsx",
                    f"{sent.num_rows} rows",
                    expected=f"at most {MAX_SHEET_ROWS}, so that a sheet can hold them",
                    fix="export CSV or Parquet, or fewer channels at a time",
                )
            )
        title = f"{setting.business} {setting.day.isoformat()}"
        return [render_workbook(channel_sheets(sent, setting, max_rows=sent.num_rows), title=title)]
    if form == "csv":
        return [render_channel_csv(sent, setting, channel=name) for name in setting.channels]
    return [_channel_parquet(sent, setting, name) for name in setting.channels]


def _channel_parquet(sent: pa.Table, setting: ListSetting, channel: str) -> bytes:
    columns = channel_columns(
        channel,
        setting.exports.get(channel, Export()),
        seats_per_hour=setting.channels[channel].seats_per_hour,
    )
    rows = sending_order(rows_to_send(sent, channel))
    values = [column_or_null(rows, name) for name in columns]
    return render_parquet(pa.table(values, names=list(columns.values())))


def _all_void(written: WrittenList, *, n_expired: int, n_late: int) -> ArtifactError:
    told = f"{n_expired} rows are void" + (f", the window of {n_late} is over" if n_late else "")
    return ArtifactError(
        describe(
            str(written.folder),
            f"nothing may be sent any more: {told}",
            expected="rows that are not void yet",
            fix="run `winback nightly` for today; --force exports them all the same",
        )
    )
