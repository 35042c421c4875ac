"""`winback list` at the command line: options reach their places, JSON and tables come out."""

import json
from pathlib import Path

import pytest
from list_folders import NEXT_DAY, make_home, record_decisions, write_list
from test_scoring_recall_list import control, row
from typer.testing import CliRunner

from features.errors import ArtifactError, UsageError
from pipelines.cli import app


@pytest.fixture
def home(tmp_path: Path) -> Path:
    config = make_home(tmp_path / "home")
    write_list(config, row(1, customer_id="a"), control(2, customer_id="b"))
    write_list(config, row(1, customer_id="c", channel="sms"), day=NEXT_DAY)
    record_decisions(config, {"a": {"exclusion": None}, "b": {}, "c": {"exclusion": "cap_7d"}})
    record_decisions(config, {"a": {"exclusion": "min_pause"}, "c": {}}, day=NEXT_DAY)
    return config.home


def run(home: Path, *arguments: str) -> str:
    """Output of a command that works; its fault is raised as it is."""
    result = CliRunner().invoke(app, ["list", *arguments, "--config", str(home)])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_show(home: Path) -> None:
    options = ["--as-of", "2025-11-20", "--arm", "ghost", "--min-gain", "1", "--top", "5"]
    document = json.loads(run(home, "show", *options, "--json"))
    assert [item["customer_id"] for item in document["rows"]] == ["b"]
    assert document["filters"] == {"arm": "ghost", "min_gain": 1.0}
    assert "1 of 2 rows" in run(home, "show", *options)
    assert "1 rows" not in run(home, "show")


def test_diff(home: Path) -> None:
    document = json.loads(run(home, "diff", "--since", "2025-11-20", "--json"))
    assert [item["code"] for item in document["came"]] == ["cap_7d"]
    assert "min_pause" in run(home, "diff", "--top", "1")


def test_export(home: Path, tmp_path: Path) -> None:
    to = str(tmp_path / "go.csv")
    options = ["--to", to, "--channel", "sms", "--columns", "list_row_id, customer_id"]
    # These lists are void long since.
    with pytest.raises(ArtifactError, match="--force"):
        run(home, "export", *options)
    document = json.loads(run(home, "export", *options, "--force", "--dry-run", "--json"))
    assert (document["status"], document["rows"], document["forced"]) == (
        "dry run",
        {"sms": 1},
        True,
    )
    assert "Written to" in run(home, "export", *options, "--force")
    assert Path(to).read_text() == '"list_row_id","customer_id"\n"2025-11-21-abc/1","c"\n'


def test_faults_reach_the_user(home: Path) -> None:
    with pytest.raises(UsageError, match="--as-of"):
        run(home, "show", "--as-of", "yesterday")
    with pytest.raises(ArtifactError, match="2 of other days are there"):
        run(home, "show", "--as-of", "2025-11-01")
