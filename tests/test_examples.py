"""The examples run on the raw public files, with no other preparation."""

import os
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.config import Config, load_config
from pipelines.ingest import run_ingest
from pipelines.nightly import run_nightly
from pipelines.train import TrainReport, run_train

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("WINBACK_DATA", ROOT / ".." / "shared" / "data"))
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

pytestmark = [pytest.mark.real_data, pytest.mark.slow]


def raw_file(name: str) -> str:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"no {name} in the folder WINBACK_DATA ({DATA})")
    return str(path)


def example(name: str, home: Path) -> Config:
    shutil.copy(ROOT / "examples" / name / "winback.toml", home)
    return load_config(home)


def judged_auc(report: TrainReport, kind: str) -> float:
    model = next(model for model in report.models if model.kind == kind)
    return model.test.ladder[-1].metrics["auc"].value


def test_cdnow_from_the_raw_file_to_the_list(tmp_path: Path) -> None:
    source = raw_file("cdnow/CDNOW_master.txt")
    config = example("cdnow", tmp_path)
    summary = run_ingest(config, "events", [source], now=NOW)
    assert (summary.rows_in, summary.accepted, summary.rejected) == (69_659, 69_659, 0)
    report = run_train(config, now=NOW)
    assert judged_auc(report, "dormancy_risk") > 0.70
    assert judged_auc(report, "natural_return") > 0.70
    night = run_nightly(config, as_of=date(1998, 7, 1), now=NOW)
    assert night.summary.scored == 23_570
    table = pq.read_table(night.folder / "recall_list.parquet")
    assert table.num_rows == night.summary.listed > 0


def test_online_retail_from_the_raw_file_to_the_list(tmp_path: Path) -> None:
    source = raw_file("online_retail_II/online_retail_II.parquet")
    config = example("online_retail_II", tmp_path)
    summary = run_ingest(config, "events", [source], now=NOW)
    assert summary.rows_in == 1_044_847
    assert summary.rejected == 0
    # 235,287 lines have no customer; 16 more are test products.
    assert summary.filtered == 235_303
    report = run_train(config, now=NOW)
    assert report.as_of == date(2011, 9, 1)
    assert judged_auc(report, "dormancy_risk") > 0.75
    assert judged_auc(report, "natural_return") > 0.65
    night = run_nightly(config, as_of=date(2011, 9, 1), now=NOW)
    assert night.summary.listed > 0
    assert not any("after this as-of" in note for note in night.summary.notes)
    again = run_nightly(config, as_of=date(2011, 9, 1), now=NOW)
    assert again.status == "unchanged"
