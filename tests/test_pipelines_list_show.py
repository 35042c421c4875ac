"""`winback list show`: filters, the latest list by default, damaged and older lists."""

import hashlib
import json
import shutil
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from list_folders import DAY, NEXT_DAY, make_home, write_list
from rich.console import Console
from test_scoring_recall_list import control, row

from features.errors import ArtifactError, UsageError
from pipelines.config import Config
from pipelines.list_folder import list_days, read_written_list
from pipelines.list_show import RowFilter, show_list
from pipelines.render_list import render_show
from scoring.recall_list import SCHEMA

NOON = datetime(2025, 11, 20, 12, 0, tzinfo=UTC)
ROWS = (
    row(1, customer_id="a", value_tier="high value, high frequency", life_cycle="lost"),
    row(2, customer_id="b", channel="sms", offer="coupon"),
    control(3, customer_id="[c]", offer="coupon"),
    row(4, customer_id="d" * 60, value_tier="high value, low frequency", life_cycle="dormant"),
)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    home = make_home(tmp_path / "home")
    write_list(home, *ROWS)
    return home


def shown(config: Config, *, top: int = 20, **wanted: Any) -> list[int]:
    """Ranks of the rows that pass."""
    view = show_list(config, RowFilter(**wanted), top=top, now=NOON)
    return [item["rank"] for item in view.rows]


def text_of(config: Config, *, width: int = 160, now: datetime = NOON, **wanted: Any) -> str:
    stream = StringIO()
    console = Console(file=stream, width=width, highlight=False, markup=False)
    render_show(show_list(config, RowFilter(**wanted), now=now), console)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("wanted", "ranks"),
    [
        ({}, [1, 2, 3, 4]),
        ({"channel": "sms"}, [2]),
        ({"channel": "phone"}, []),
        ({"arm": "ghost"}, [3]),
        ({"stage": "buyer"}, [1, 2, 3, 4]),
        ({"tier": "high value"}, [1, 4]),
        ({"tier": "high value, low frequency"}, [4]),
        ({"life_cycle": "lost"}, [1]),
        ({"offer": "coupon"}, [2, 3]),
        ({"offer": "coupon", "channel": "email"}, [3]),
        ({"customer": "[c]"}, [3]),
        ({"customer": "nobody"}, []),
        ({"min_gain": 8.0}, [1, 2]),
    ],
)
def test_rows_that_pass_are_shown_by_rank(
    config: Config, wanted: dict[str, Any], ranks: list[int]
) -> None:
    assert shown(config, **wanted) == ranks


def test_the_top_is_shown_and_all_are_counted(config: Config) -> None:
    view = show_list(config, RowFilter(tier="high value"), top=1, now=NOON)
    assert [item["rank"] for item in view.rows] == [1]
    assert (view.listed, view.matching) == (4, 2)


def test_the_latest_list_is_shown_unless_a_day_is_named(config: Config) -> None:
    write_list(config, *ROWS[:1], day=NEXT_DAY)
    (config.lists_path / "notes").mkdir()
    (config.lists_path / ".2025-11-22.partial").mkdir()
    assert list_days(config.lists_path) == [DAY, NEXT_DAY]
    assert show_list(config, RowFilter(), now=NOON).day == NEXT_DAY
    assert show_list(config, RowFilter(), as_of=DAY, now=NOON).day == DAY


def test_json_is_plain_and_versioned(config: Config) -> None:
    document = json.loads(json.dumps(show_list(config, RowFilter(arm="ghost"), now=NOON).to_json()))
    assert document["schema_version"] == 1
    assert document["day"] == "2025-11-20"
    assert document["filters"] == {"arm": "ghost"}
    assert document["expires_at"] == "2025-11-20T23:00:00+00:00"
    [only] = document["rows"]
    assert list(only) == SCHEMA.names
    assert only["customer_id"] == "[c]"
    assert only["send_at_utc"] is None


@pytest.mark.parametrize("width", [80, 160])
def test_the_terminal_shows_whole_ids_and_who_is_a_control(config: Config, width: int) -> None:
    told = text_of(config, width=width)
    assert "[c]" in told
    assert "ghost" in told
    assert told.replace("\n", "").replace(" ", "").count("d") >= 60
    assert "Good until 2025-11-20 23:00 UTC" in told


def test_one_row_is_called_the_first(config: Config) -> None:
    assert "The first by rank, gain in EUR" in text_of(config, customer="[c]")
    assert "The first 1 " not in text_of(config, customer="[c]")


def test_a_void_list_is_shown_as_such(config: Config) -> None:
    assert "Void since 2025-11-20 23:00 UTC" in text_of(config, now=NOON + timedelta(days=1))
    assert show_list(config, RowFilter(), now=NOON + timedelta(days=1)).is_expired


def test_who_is_not_listed_is_sent_to_explain(config: Config) -> None:
    assert "winback explain" in text_of(config, customer="nobody")


def test_a_list_of_nobody_has_no_rows(tmp_path: Path) -> None:
    config = make_home(tmp_path / "empty")
    write_list(config)
    assert shown(config) == []
    view = show_list(config, RowFilter(), now=NOON)
    assert (view.list_id, view.expires_at, view.is_expired) == (None, None, False)
    assert "0 rows" in text_of(config)


@pytest.mark.parametrize(
    ("wanted", "fix"),
    [
        ({"channel": "smss"}, 'pass --channel "sms"'),
        ({"min_gain": float("nan")}, "correct --min-gain"),
        ({"arm": "control"}, "pass one of these"),
        ({"stage": "buyers"}, 'pass --stage "buyer"'),
        ({"offer": "cupon"}, 'pass --offer "coupon"'),
        ({"tier": "rich"}, "pass one of these"),
        ({"tier": "very"}, 'one of: "low value, low frequency", "low value, high frequency", '),
        ({"life_cycle": "dead"}, "one of: new, active"),
    ],
)
def test_unknown_names_are_refused(config: Config, wanted: dict[str, Any], fix: str) -> None:
    with pytest.raises(UsageError, match=fix):
        show_list(config, RowFilter(**wanted), now=NOON)


def test_names_that_only_the_list_knows_may_be_asked_for(config: Config, tmp_path: Path) -> None:
    write_list(config, row(1, channel="fax"), day=NEXT_DAY)
    assert shown(config, channel="fax") == [1]


def test_missing_lists_name_the_days_there_are(config: Config, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"no list of 2026-01-01; 1 of other days.*2025-11-20"):
        show_list(config, RowFilter(), as_of=date(2026, 1, 1), now=NOON)
    empty = make_home(tmp_path / "empty")
    with pytest.raises(ArtifactError, match="run `winback nightly` first"):
        show_list(empty, RowFilter(), now=NOON)


def test_lists_of_version_3_are_read_without_their_later_columns(config: Config) -> None:
    write_list(config, *ROWS, day=NEXT_DAY, version=3)
    assert shown(config, arm="ghost") == [3]
    written = read_written_list(config.lists_path, NEXT_DAY)
    assert written.schema_version == 3
    assert "life_cycle" in written.lacking
    assert written.table.schema.names == SCHEMA.names
    with pytest.raises(UsageError, match="schema version 3, which knows no life cycle"):
        show_list(config, RowFilter(life_cycle="lost"), now=NOON)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "manifest is missing"),
        ("{", "not JSON"),
        ("[]", "does not name recall_list.parquet"),
        ('{"schema_version": 4, "files": {"recall_list.parquet": 1}}', "does not name"),
        ('{"schema_version": 2, "files": {"recall_list.parquet": {}}}', "schema version 2"),
        ('{"schema_version": 99, "files": {"recall_list.parquet": {}}}', "from 3 to"),
        ('{"schema_version": 4, "files": {"recall_list.parquet": {}}}', "not what was written"),
    ],
)
def test_broken_manifests_are_refused(config: Config, content: str | None, fault: str) -> None:
    place = config.lists_path / DAY.isoformat() / "manifest.json"
    place.unlink() if content is None else place.write_text(content)
    with pytest.raises(ArtifactError, match=fault):
        show_list(config, RowFilter(), now=NOON)


def test_a_changed_or_missing_list_is_refused(config: Config) -> None:
    place = config.lists_path / DAY.isoformat() / "recall_list.parquet"
    whole = place.read_bytes()
    place.write_bytes(whole[:-1] + b"x")
    with pytest.raises(ArtifactError, match="1 file is not what was written"):
        show_list(config, RowFilter(), now=NOON)
    place.unlink()
    with pytest.raises(ArtifactError, match="half a list"):
        show_list(config, RowFilter(), now=NOON)
    shutil.rmtree(place.parent)
    with pytest.raises(ArtifactError, match="no list"):
        show_list(config, RowFilter(), now=NOON)


def test_a_list_that_is_no_parquet_file_is_refused(config: Config) -> None:
    folder = config.lists_path / DAY.isoformat()
    (folder / "recall_list.parquet").write_bytes(b"no")
    manifest = json.loads((folder / "manifest.json").read_text())
    digest = hashlib.sha256(b"no").hexdigest()
    manifest["files"]["recall_list.parquet"]["sha256"] = digest
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match="not a Parquet file"):
        show_list(config, RowFilter(), now=NOON)


def test_a_folder_that_cannot_be_read_is_told(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(ArtifactError, match="cannot be read: permission denied"):
        show_list(config, RowFilter(), now=NOON)
