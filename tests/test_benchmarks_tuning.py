"""The tuning benchmark: what counts as a fault, and data that are not there."""

import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.tuning import main, worse


def model(used: bool, verdict: str) -> dict[str, Any]:
    return {"tuning": {"used": used}, "test": {"shipped": {"verdict": verdict}}}


def test_only_settings_that_are_used_and_proven_worse_count() -> None:
    models = {
        "a": model(True, "worse"),
        "b": model(False, "worse"),
        "c": model(True, "not proven yet"),
    }
    assert worse(models) == 1


def test_missing_data_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WINBACK_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["tuning", "--dataset", "cdnow"])
    assert main() == 2
    assert "cdnow not found" in capsys.readouterr().err
