"""`winback list export`: what goes to senders, and what never does."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest
from list_folders import DAY, NEXT_DAY, make_home, write_list
from rich.console import Console
from test_scoring_recall_list import AS_OF, HOUR, control, row

from features.errors import ArtifactError, UsageError
from pipelines.config import Config
from pipelines.list_export import ExportReport, ExportRequest, export_list
from pipelines.render_list import render_export
from scoring.export_plan import SENDER_COLUMNS

MORNING = datetime(2025, 11, 20, 5, 0, tzinfo=UTC)
LATER = {"send_at_utc": AS_OF + 20 * HOUR, "send_window_end_utc": AS_OF + 21 * HOUR}
ROWS = (
    row(1, customer_id="=a"),
    row(2, customer_id="b", channel="sms", **LATER),
    control(3, customer_id="ghost"),
    row(4, customer_id="d", **LATER),
    row(5, customer_id="e", arm="explore", **LATER, expires_at=AS_OF + 48 * HOUR),
    control(6, customer_id="held", arm="holdout", channel="phone"),
)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    home = make_home(tmp_path / "home")
    write_list(home, *ROWS)
    return home


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return tmp_path / "inbox"


def export(config: Config, to: Path, *, now: datetime = MORNING, **asked: Any) -> ExportReport:
    return export_list(config, ExportRequest(to, **asked), now=now)


def ids(path: Path, **options: Any) -> list[str]:
    """Customers of an exported CSV file."""
    with path.open(newline="", encoding=options.pop("encoding", "utf-8")) as stream:
        return [item["customer_id"] for item in csv.DictReader(stream, **options)]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def text_of(report: ExportReport) -> str:
    stream = StringIO()
    render_export(report, Console(file=stream, width=100, highlight=False, markup=False))
    return stream.getvalue()


def test_every_channel_gets_its_rows_and_controls_none(config: Config, inbox: Path) -> None:
    report = export(config, inbox)
    assert names(inbox) == [f"recall_list_{name}.csv" for name in ("email", "phone", "sms")]
    assert ids(inbox / "recall_list_email.csv") == ["'=a", "d", "e"]
    assert ids(inbox / "recall_list_sms.csv") == ["b"]
    assert ids(inbox / "recall_list_phone.csv") == []
    assert (report.status, report.rows) == ("written", {"email": 3, "sms": 1, "phone": 0})
    assert (report.expired, report.late, report.controls, report.forced) == (0, 0, 2, False)


def test_the_files_are_those_of_the_list_folder(config: Config, inbox: Path) -> None:
    export(config, inbox)
    for path in inbox.iterdir():
        assert path.read_bytes() == (config.lists_path / DAY.isoformat() / path.name).read_bytes()


def test_an_earlier_file_never_stays(config: Config, inbox: Path) -> None:
    inbox.mkdir()
    (inbox / "recall_list_phone.csv").write_text("yesterday's")
    (inbox / "other.csv").write_text("not ours")
    export(config, inbox)
    assert ids(inbox / "recall_list_phone.csv") == []
    assert (inbox / "other.csv").read_text() == "not ours"


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_one_channel_may_go_into_a_file(config: Config, inbox: Path, form: str) -> None:
    inbox.mkdir()
    report = export(config, inbox / f"go.{form}", channels=("sms",))
    assert names(inbox) == [f"go.{form}"]
    assert report.rows == {"sms": 1}
    if form == "parquet":
        table = pq.read_table(inbox / "go.parquet")
        assert table.column_names == list(SENDER_COLUMNS)
        assert str(table.schema.field("send_at_utc").type) == "timestamp[us, tz=UTC]"


def test_parquet_is_raw(config: Config, inbox: Path) -> None:
    export(config, inbox, form="parquet")
    table = pq.read_table(inbox / "recall_list_email.parquet")
    assert table["customer_id"].to_pylist() == ["=a", "d", "e"]


def test_a_workbook_has_a_sheet_per_channel(config: Config, inbox: Path) -> None:
    inbox.mkdir()
    export(config, inbox / "go.xlsx", channels=("email", "sms"))
    book = openpyxl.load_workbook(inbox / "go.xlsx")
    assert book.sheetnames == ["e-mail", "text message"]
    assert [cell.value for cell in book["e-mail"]["A"]] == ["Rank", 1, 4, 5]
    export(config, inbox, form="xlsx")
    assert "recall_list_to_send.xlsx" in names(inbox)


def test_a_workbook_to_send_is_never_cut(
    config: Config, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scoring.list_sheets.MAX_WORKBOOK_ROWS", 1)
    export(config, inbox, form="xlsx")
    book = openpyxl.load_workbook(inbox / "recall_list_to_send.xlsx")
    assert book["e-mail"].max_row == 4


def test_more_rows_than_a_sheet_holds_are_refused(
    config: Config, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.list_export.MAX_SHEET_ROWS", 3)
    with pytest.raises(UsageError, match=r"4 rows.*at most 3"):
        export(config, inbox, form="xlsx")


def test_configured_columns_and_encodings_hold(tmp_path: Path, inbox: Path) -> None:
    extra = """
[exports.sms]
columns = {list_row_id = "ref", customer_id = "msisdn_key", send_at_utc = "when"}
delimiter = ";"
encoding = "gb18030"
"""
    config = make_home(tmp_path / "home", extra=extra)
    write_list(config, row(1, channel="sms", customer_id="张三"))
    export(config, inbox, channels=("sms",))
    content = (inbox / "recall_list_sms.csv").read_bytes().decode("gb18030")
    assert content.splitlines() == [
        '"ref";"msisdn_key";"when"',
        '"2025-11-20-abc/1";"张三";"2025-11-20T10:00:00Z"',
    ]
    export(config, inbox, channels=("sms",), columns=("customer_id", "rank", "list_row_id"))
    content = (inbox / "recall_list_sms.csv").read_bytes().decode("gb18030")
    assert content.splitlines() == ['"msisdn_key";"rank";"ref"', '"张三";1;"2025-11-20-abc/1"']


def test_rows_of_other_channels_are_counted(config: Config, inbox: Path) -> None:
    write_list(config, row(1), row(2, channel="fax"), day=NEXT_DAY)
    report = export(config, inbox, now=MORNING + timedelta(days=1))
    assert (report.rows["email"], report.not_exported, report.controls) == (1, {"fax": 1}, 0)
    assert "1 row is for the channel fax: not exported." in text_of(report)


def test_void_and_late_rows_are_left_out_and_counted(config: Config, inbox: Path) -> None:
    # The very minute in which the first e-mail's window ends.
    noon = datetime(2025, 11, 20, 11, 0, tzinfo=UTC)
    report = export(config, inbox, now=noon)
    assert (report.expired, report.late) == (0, 1)
    assert ids(inbox / "recall_list_email.csv") == ["d", "e"]
    assert "1 row is past its send window: left out" in text_of(report)


def test_rows_that_expired_are_left_out_while_others_go(config: Config, inbox: Path) -> None:
    rows = [row(1), row(2, **{**LATER, "send_window_end_utc": AS_OF + 47 * HOUR})]
    rows[1]["expires_at"] = AS_OF + 48 * HOUR
    write_list(config, *rows, day=NEXT_DAY)
    after = datetime(2025, 11, 22, 5, 0, tzinfo=UTC)
    report = export(config, inbox, now=after)
    assert (report.expired, report.late, report.rows["email"]) == (1, 0, 1)
    assert ids(inbox / "recall_list_email.csv") == ["c2"]


def test_void_lists_are_refused_unless_forced(config: Config, inbox: Path) -> None:
    after = datetime(2025, 11, 22, 5, 0, tzinfo=UTC)
    with pytest.raises(ArtifactError, match=r"4 rows are void.*--force") as caught:
        export(config, inbox, now=after)
    assert caught.value.exit_code == 4
    assert not inbox.exists()
    report = export(config, inbox, now=after, force=True)
    assert (report.expired, report.forced, report.rows["email"]) == (4, True, 3)
    assert ids(inbox / "recall_list_email.csv") == ["'=a", "d", "e"]
    assert "4 rows are void by now: written all the same" in text_of(report)


def test_force_writes_no_control(config: Config, inbox: Path) -> None:
    export(config, inbox, now=datetime(2026, 1, 1, tzinfo=UTC), force=True)
    written = b"".join(path.read_bytes() for path in inbox.iterdir())
    assert b"ghost" not in written
    assert b"held" not in written


def test_a_list_of_nobody_gives_headers(tmp_path: Path, inbox: Path) -> None:
    config = make_home(tmp_path / "home")
    write_list(config)
    report = export(config, inbox, now=datetime(2026, 1, 1, tzinfo=UTC))
    assert report.rows == {"email": 0, "sms": 0, "phone": 0}
    assert ids(inbox / "recall_list_email.csv") == []


def test_any_changed_file_of_the_list_is_refused(config: Config, inbox: Path) -> None:
    folder = config.lists_path / DAY.isoformat()
    (folder / "recall_list_sms.csv").write_text("other customers")
    with pytest.raises(ArtifactError, match=r"1 file is not what was written.*recall_list_sms"):
        export(config, inbox)
    (folder / "recall_list_sms.csv").unlink()
    with pytest.raises(ArtifactError, match=r"half a list: 1 file is missing"):
        export(config, inbox, force=True)
    assert not inbox.exists()


def test_a_dry_run_writes_nothing(config: Config, inbox: Path) -> None:
    report = export(config, inbox, dry_run=True)
    assert report.status == "dry run"
    assert report.rows["email"] == 3
    assert not inbox.exists()
    assert "Would be written to" in text_of(report)


def test_a_place_that_cannot_be_written_to_stays_as_it_was(
    config: Config, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox.mkdir()
    (inbox / "recall_list_sms.csv").write_text("yesterday's")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ArtifactError, match="cannot be written: no space left"):
        export(config, inbox)
    assert names(inbox) == ["recall_list_sms.csv"]
    assert (inbox / "recall_list_sms.csv").read_text() == "yesterday's"


def test_a_folder_two_levels_away_is_not_made(config: Config, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="cannot be written: no such file"):
        export(config, tmp_path / "no" / "such" / "place")


@pytest.mark.parametrize(
    ("to", "asked", "fault"),
    [
        ("x", {"channels": ("smss",)}, 'did you mean "sms"'),
        ("x", {"columns": ("customer_id", "list_row", "list_row_id")}, 'did you mean "list_row_id'),
        ("x", {"columns": ("customer_id",)}, r"1 missing \(list_row_id\)"),
        ("x", {"form": "pdf"}, '"pdf" is not a format'),
        ("x.csv", {"form": "xlsx"}, "does not fit"),
        ("x.csv", {}, "one file for 3 channels"),
        ("home/lists/2025-11-20", {}, "folder of lists"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    config: Config, tmp_path: Path, to: str, asked: dict[str, Any], fault: str
) -> None:
    with pytest.raises(UsageError, match=fault):
        export(config, tmp_path / to, **asked)


def test_json_is_plain_and_versioned(config: Config, inbox: Path) -> None:
    document = json.loads(json.dumps(export(config, inbox).to_json()))
    assert document["schema_version"] == 1
    assert document["day"] == "2025-11-20"
    assert document["rows"] == {"email": 3, "sms": 1, "phone": 0}
    assert document["files"][0] == str(inbox / "recall_list_email.csv")


def test_a_list_of_version_3_can_be_exported(config: Config, inbox: Path) -> None:
    write_list(config, *ROWS, day=NEXT_DAY, version=3)
    export(config, inbox, now=MORNING + timedelta(days=1))
    content = (inbox / "recall_list_phone.csv").read_text()
    assert "follow_up_of" in next(csv.reader(io.StringIO(content)))
