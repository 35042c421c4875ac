"""The command line: help, exit codes, JSON, and nothing heavy before it is needed."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from click import Group
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.cli_exit import end_with_bug
from pipelines.terminal import result_console, text_table

WINBACK = Path(sys.executable).with_name("winback")


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [WINBACK, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )


def command_lines() -> list[list[str]]:
    lines: list[list[str]] = []

    def walk(command: object, path: list[str]) -> None:
        children = getattr(command, "commands", None)
        if children is None:
            lines.append(path)
            return
        for name, child in children.items():
            walk(child, [*path, name])

    walk(typer.main.get_command(app), [])
    return lines


def test_every_command_is_found() -> None:
    assert ["ingest", "events"] in command_lines()
    assert len(command_lines()) >= 11


@pytest.mark.parametrize("path", command_lines(), ids=" ".join)
def test_every_command_has_help_with_an_example_and_json(path: list[str]) -> None:
    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0
    assert f"Example: winback {' '.join(path)}" in " ".join(result.output.split())
    assert "--json" in result.output


def test_help_takes_less_than_half_a_second(tmp_path: Path) -> None:
    """Processor time, which a busy machine does not stretch as it does the clock's."""

    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    seconds = []
    for _ in range(3):
        start = spent()
        assert run("--help", cwd=tmp_path).returncode == 0
        seconds.append(spent() - start)
    assert min(seconds) < 0.5


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, pipelines.cli; "
        "heavy = ('numba', 'duckdb', 'mlflow', 'pandas', 'lightgbm'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "exit_code", "text"),
    [
        (["nonsense"], 2, "No such command"),
        (["train"], 2, "no configuration file"),
        (["init", "--preset", "bank"], 2, "retail"),
        (["nightly", "--as-of", "soon"], 2, "no configuration file"),
    ],
)
def test_wrong_use_exits_with_2(
    arguments: list[str], exit_code: int, text: str, tmp_path: Path
) -> None:
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == exit_code
    assert text in result.stderr


def test_a_faulty_configuration_exits_with_3_and_speaks_json(tmp_path: Path) -> None:
    (tmp_path / "winback.toml").write_text("schema_version = 1\nnonsense = 2\n", encoding="utf-8")
    result = run("status", "--json", cwd=tmp_path)
    assert result.returncode == 3
    document = json.loads(result.stdout)
    assert document["schema_version"] == 1
    assert document["error"]["exit_code"] == 3
    assert "nonsense" in document["error"]["message"]


def test_a_missing_warehouse_exits_with_4(tmp_path: Path) -> None:
    assert run("init", cwd=tmp_path).returncode == 0
    result = run("nightly", cwd=tmp_path)
    assert result.returncode == 4
    assert "Traceback" not in result.stderr


def test_a_wrong_date_is_named(tmp_path: Path) -> None:
    assert run("init", cwd=tmp_path).returncode == 0
    result = run("nightly", "--as-of", "soon", cwd=tmp_path)
    assert result.returncode == 2
    assert "'soon' is not a date" in result.stderr


def test_init_does_not_overwrite(tmp_path: Path) -> None:
    assert run("init", "--preset", "lending", cwd=tmp_path).returncode == 0
    second = run("init", "--json", cwd=tmp_path)
    assert second.returncode == 2
    assert json.loads(second.stdout)["error"]["kind"] == "UsageError"


def test_groups_print_help_when_called_alone() -> None:
    command = typer.main.get_command(app)
    assert isinstance(command, Group) or hasattr(command, "commands")
    assert CliRunner().invoke(app, ["ingest"]).exit_code in (0, 2)


@pytest.mark.parametrize(
    "arguments",
    [
        ["ingest", "events", "--max-reject-share", "2", "x.csv"],
        ["explain"],
        ["status", "--nope"],
        ["nonsense"],
    ],
    ids=" ".join,
)
def test_wrong_options_speak_json_too(arguments: list[str], tmp_path: Path) -> None:
    result = run(*arguments, "--json", cwd=tmp_path)
    assert result.returncode == 2
    error = json.loads(result.stdout)["error"]
    assert (error["kind"], error["exit_code"]) == ("UsageError", 2)
    assert error["message"]


@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["table", "json"])
def test_a_reader_that_leaves_early_is_no_failure(flags: list[str], tmp_path: Path) -> None:
    """`winback ... | head` ended with exit code 1 once the reader had gone."""
    assert run("init", cwd=tmp_path).returncode == 0
    process = subprocess.Popen(
        [WINBACK, "features", "list", *flags],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    told = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=60), told) == (0, b"")


def test_what_the_file_system_refuses_is_no_bug(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    result = run("init", "--folder", "file/inside", "--json", cwd=tmp_path)
    assert result.returncode == 4
    assert "Traceback" not in result.stderr
    assert "not a directory" in json.loads(result.stdout)["error"]["message"]


def test_a_bug_speaks_json_without_its_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["winback", "status", "--json"])
    with pytest.raises(SystemExit) as stop:
        end_with_bug(ValueError("customer C1"))
    assert stop.value.code == 1
    printed = capsys.readouterr().out
    assert json.loads(printed)["error"]["kind"] == "Bug"
    assert "C1" not in printed


def test_square_brackets_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """A customer called "[/red]" stopped the table after the list was written."""
    console = result_console()
    console.print(text_table("files of [sources]", ["customer"], [["[/red]"], ["[bold]x"]]))
    printed = capsys.readouterr().out
    assert all(text in printed for text in ("[sources]", "[/red]", "[bold]x"))


def test_json_with_any_letters_goes_to_a_terminal_that_knows_only_ascii(tmp_path: Path) -> None:
    result = subprocess.run(
        [WINBACK, "init", "--folder", "caf\u00e9", "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0
    assert json.loads(result.stdout)["path"] == "caf\u00e9/winback.toml"
