"""Two real nights looked at, compared and handed on."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest
from night_home import DAY, copy_home, fit_champions, make_night_home, night, read_list, serving

from pipelines import nightly_inputs
from pipelines.config import Config
from pipelines.list_diff import diff_lists
from pipelines.list_export import ExportRequest, export_list
from pipelines.list_folder import read_written_list
from pipelines.list_show import RowFilter, show_list
from scoring.arms import SENT_ARMS
from scoring.column_words import COLUMN_WORDS

MIDNIGHT = datetime(2025, 11, 19, 23, 0, tzinfo=UTC)
NEXT_DAY = DAY + timedelta(days=1)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    """A shop with the lists of two days."""
    config = make_night_home(tmp_path_factory.mktemp("nights") / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nightly_inputs, "champion", serving(dict(fit_champions(config))))
        night(config)
        night(config, as_of=NEXT_DAY)
        yield config


def test_written_lists_pass_their_own_check(home: Config) -> None:
    written = read_written_list(home.lists_path, DAY, check_all=True)
    stored = pq.read_table(written.folder / "recall_list.parquet")
    assert written.table.equals(stored.cast(written.table.schema))
    assert written.lacking == ()
    assert {"recall_list.xlsx", "early_warnings.csv", "report.html"} <= {*written.files}


def test_show_agrees_with_the_list(home: Config) -> None:
    table = read_written_list(home.lists_path, DAY).table.to_pylist()
    view = show_list(home, RowFilter(channel="email", arm="contact"), as_of=DAY, now=MIDNIGHT)
    wanted = [r for r in table if (r["channel"], r["arm"]) == ("email", "contact")]
    assert view.matching == len(wanted) > 0
    assert list(view.rows) == wanted[:20]


def test_everyone_who_came_or_left_has_a_reason_of_the_log(home: Config) -> None:
    diff = diff_lists(home)
    came, left, changed = (
        sum(item.customers for item in part) for part in (diff.came, diff.left, diff.changed)
    )
    assert diff.listed == came + changed + diff.same
    assert diff.listed_before == left + changed + diff.same
    reasons = {item.code for item in (*diff.came, *diff.left, *diff.changed)}
    assert not reasons & {"other_list", "not_recorded", "not_scored"}
    # Who was to be contacted yesterday is left alone today, and ghosts stay apart.
    assert {"cap_1d", "control_window"} <= {item.code for item in diff.left}
    assert diff.made_with == {}


def test_an_export_at_midnight_is_what_lies_in_the_folder(home: Config, tmp_path: Path) -> None:
    report = export_list(home, ExportRequest(tmp_path / "inbox"), as_of=DAY, now=MIDNIGHT)
    table = read_written_list(home.lists_path, DAY).table.to_pylist()
    sent = [row for row in table if row["arm"] in SENT_ARMS]
    assert sum(report.rows.values()) == len(sent) > 0
    assert report.controls == len(table) - len(sent) > 0
    for path in report.files:
        assert path.read_bytes() == (home.lists_path / DAY.isoformat() / path.name).read_bytes()


def test_the_workbook_speaks_the_configured_language(home: Config, tmp_path: Path) -> None:
    text = (home.home / "winback.toml").read_text()
    toml = text.replace("[business]", '[business]\nlanguage = "zh"')
    config = copy_home(home, tmp_path / "home", toml=toml)
    report = night(config, force=True)
    book = openpyxl.load_workbook(report.folder / "recall_list.xlsx")
    assert book.active is not None
    header = [cell.value for cell in book.active[1]]
    assert {words.header.zh for words in COLUMN_WORDS.values()} < {*header}
    assert read_list(report).column_names == list(COLUMN_WORDS)
