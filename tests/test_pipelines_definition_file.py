"""`winback define --write`: the window goes into winback.toml and nothing else moves."""

import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from small_shop import BUSINESS, TOML, events_table, make_home, shop_events
from typer.testing import CliRunner

from features.errors import DataError, UsageError
from pipelines.cli import app
from pipelines.config import Config, load_config
from pipelines.define import DefinitionReport, run_define
from pipelines.definition_file import write_windows

NOW = datetime(2025, 11, 27, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, DefinitionReport]:
    config = make_home(tmp_path_factory.mktemp("shop"), shop_events(500))
    return config, run_define(config, horizon_days=30, now=NOW)


def write(
    home: Path, text: str, report: DefinitionReport, *, raw: bytes | None = None
) -> tuple[str, float]:
    """Put `text` into winback.toml, let it be written, and return the file and the window."""
    file = home / "winback.toml"
    file.write_bytes(text.encode() if raw is None else raw)
    written = write_windows(home, load_config(home), report)
    assert [one.stage for one in written] == ["buyer"]
    return file.read_bytes().decode("utf-8-sig"), written[0].new_days


def changed_lines(before: str, after: str) -> list[str]:
    old, new = before.splitlines(), after.splitlines()
    assert len(old) == len(new)
    return [two for one, two in zip(old, new, strict=True) if one != two]


def test_only_the_one_line_changes(tmp_path: Path, found: tuple[Config, DefinitionReport]) -> None:
    text = TOML.replace("silence_days = 25", "silence_days = 25.0   # our guess;  of 2024")
    after, days = write(tmp_path, f"# Head\n{text}\n\n# Tail", found[1])
    assert changed_lines(f"# Head\n{text}\n\n# Tail", after) == [
        f"silence_days = {days:g}     # our guess;  of 2024; winback define 2025-11-27: "
        "return rule, at most 10 % within 30 days"
    ]
    assert load_config(tmp_path).stages[0].silence_days == days


def test_a_second_time_replaces_its_own_words_only(
    tmp_path: Path, found: tuple[Config, DefinitionReport]
) -> None:
    text = TOML.replace("silence_days = 25", "silence_days = 25 # guess")
    once, _ = write(tmp_path, text, found[1])
    twice, _ = write(tmp_path, once, found[1])
    assert once == twice
    assert once.count("winback define") == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("silence_days = 25", "  silence_days=25.0").encode(),
    ],
    ids=["CRLF", "byte order mark", "indented"],
)
def test_line_ends_marks_and_blanks_stay(
    tmp_path: Path, found: tuple[Config, DefinitionReport], change: Callable[[str], bytes]
) -> None:
    raw = change(TOML)
    write(tmp_path, "", found[1], raw=raw)
    after = (tmp_path / "winback.toml").read_bytes()
    assert after.count(b"\r\n") == raw.count(b"\r\n")
    assert after.startswith(b"\xef\xbb\xbf") == raw.startswith(b"\xef\xbb\xbf")
    assert (b"\n  silence_days=" in after) == (b"\n  silence_days=" in raw)


def test_stages_written_in_one_line_keep_their_form(
    tmp_path: Path, found: tuple[Config, DefinitionReport]
) -> None:
    head, _, _ = BUSINESS.partition("[[stages]]")
    stage = (
        'stages = [{ name = "buyer", label = "has bought", entered_by = ["purchase"], '
        'active_on = ["purchase"], returns_by = ["purchase"], silence_days = 25 }]\n'
    )
    text = head.replace("schema_version = 1\n", f"schema_version = 1\n{stage}")
    after, days = write(tmp_path, text, found[1])
    assert changed_lines(text, after) == [
        stage.replace("silence_days = 25", f"silence_days = {days:g}").strip()
    ]


def test_the_files_mode_stays_and_nothing_is_left_beside_it(
    tmp_path: Path, found: tuple[Config, DefinitionReport]
) -> None:
    file = tmp_path / "winback.toml"
    file.write_text(TOML)
    file.chmod(0o640)
    write_windows(file, load_config(file), found[1])
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["winback.toml"]


def test_a_link_is_followed_not_replaced(
    tmp_path: Path, found: tuple[Config, DefinitionReport]
) -> None:
    real = tmp_path / "real.toml"
    real.write_text(TOML)
    (tmp_path / "home").mkdir()
    link = tmp_path / "home" / "winback.toml"
    link.symlink_to(real)
    write_windows(tmp_path / "home", load_config(link), found[1])
    assert link.is_symlink()
    assert "winback define" in real.read_text()


def test_a_file_changed_meanwhile_is_left_alone(
    tmp_path: Path, found: tuple[Config, DefinitionReport]
) -> None:
    file = tmp_path / "winback.toml"
    file.write_text(TOML)
    config = load_config(tmp_path)
    file.write_text(TOML + "\n# somebody was here\n")
    with pytest.raises(UsageError, match="changed while"):
        write_windows(tmp_path, config, found[1])
    assert "somebody was here" in file.read_text()
    assert "winback define" not in file.read_text()


def test_without_a_proposal_nothing_is_written(tmp_path: Path) -> None:
    config = make_home(tmp_path, shop_events(120, seed=5))
    before = (tmp_path / "winback.toml").read_bytes()
    report = run_define(config, horizon_days=900, now=NOW)
    with pytest.raises(DataError, match="proposes no window for any of 1 stages"):
        write_windows(tmp_path, config, report)
    assert (tmp_path / "winback.toml").read_bytes() == before


def test_the_command_tells_old_and_new_and_to_train_again(tmp_path: Path) -> None:
    make_home(tmp_path, shop_events(300))
    result = CliRunner().invoke(
        app, ["define", "-c", str(tmp_path), "--horizon", "30", "--opinion", "d-curve", "--write"]
    )
    assert result.exit_code == 0, result.output
    assert "silence_days 25 -> " in result.output
    assert "winback train" in result.output
    assert "D-curve, late cost 1" in (tmp_path / "winback.toml").read_text()


def test_the_command_ends_with_3_where_nothing_is_proposed(tmp_path: Path) -> None:
    rows = [("c1", 1_740_000_000_000_000, "purchase", 1.0)]
    make_home(tmp_path, events_table(rows))
    result = CliRunner().invoke(app, ["define", "-c", str(tmp_path), "--write"])
    assert isinstance(result.exception, DataError)
    assert "none of 1 silences ended" in str(result.exception)
