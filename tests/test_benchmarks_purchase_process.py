"""The purchase process benchmark at a tiny size."""

import json
from pathlib import Path

import pytest

from benchmarks import purchase_process as benchmark

LINES = """\
 00004 0001 19970101  2   29.33
 00004 0001 19970118  2   29.73
 00004 0001 19970118  1   14.96
 00004 0001 19971212  1   14.96
 00021 0002 19970128  1    9.33
 00050 0003 19971001  1    9.33
"""


def sample(folder: Path) -> Path:
    file = folder / "cdnow" / "CDNOW_sample.txt"
    file.parent.mkdir()
    file.write_text(LINES, encoding="utf-8")
    return file


def test_the_sample_is_read_in_weeks_until_the_end_of_calibration(tmp_path: Path) -> None:
    counts = benchmark.read_sample(sample(tmp_path))

    assert counts.repeats.tolist() == [0.0, 1.0]
    assert counts.last.tolist() == [0.0, 17 / 7]
    assert counts.age.tolist() == [245 / 7, 272 / 7]


def test_other_data_misses_the_published_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sample(tmp_path)
    monkeypatch.setenv("WINBACK_DATA", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["purchase_process", "--customers", "3000", "--json"])

    assert benchmark.main() == 5

    report = json.loads(capsys.readouterr().out)
    assert [bar["holds"] for bar in report["bars"]] == [False] * 4 + [True] * 2
    for process in ("mbg_nbd", "bg_nbd"):
        assert report["figures"][process]["fitted"]["customers"] == 3_000


def test_a_folder_without_the_sample_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WINBACK_DATA", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["purchase_process"])

    assert benchmark.main() == 2

    assert str(tmp_path) in capsys.readouterr().err
