"""`winback define` on the public data: against pandas on the raw file, and sane windows."""

import os
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.config import load_config
from pipelines.define import DefinitionReport, run_define
from pipelines.ingest import run_ingest
from training.definition import StageDefinition
from training.definition_meaning import Meaning

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("WINBACK_DATA", ROOT / ".." / "shared" / "data"))
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

pytestmark = pytest.mark.real_data


def defined(example: str, raw: str, home: Path, as_of: date | None = None) -> DefinitionReport:
    source = DATA / raw
    if not source.is_file():
        pytest.skip(f"no {raw} in the folder WINBACK_DATA ({DATA})")
    shutil.copy(ROOT / "examples" / example / "winback.toml", home)
    config = load_config(home)
    run_ingest(config, "events", [str(source)], now=NOW)
    return run_define(config, as_of=as_of, now=NOW)


def windows(stage: StageDefinition) -> list[float]:
    return [one.window_days or 0.0 for one in stage.opinions]


def meanings(stage: StageDefinition) -> list[Meaning]:
    return [one for one in stage.meanings if one is not None]


def test_cdnow_equals_pandas_on_the_raw_file(tmp_path: Path) -> None:
    report = defined("cdnow", "cdnow/CDNOW_master.txt", tmp_path)
    stage = report.definition.stages[0]
    raw = pd.read_csv(
        DATA / "cdnow/CDNOW_master.txt",
        sep=r"\s+",
        header=None,
        skiprows=1,
        names=["customer", "day", "quantity", "amount"],
    )
    raw["day"] = pd.to_datetime(raw["day"].astype(str), format="%Y%m%d")
    bought = raw[["customer", "day"]].drop_duplicates().sort_values(["customer", "day"])
    gap = bought.groupby("customer")["day"].diff().dt.days.dropna()
    last = bought.groupby("customer")["day"].max()
    still_open = (raw["day"].max() - last).dt.days
    curve = stage.curves[0]
    assert (curve.returns, curve.silences) == (len(gap), len(gap) + len(still_open))
    survivors, left = [1.0], 1.0
    for day in range(1, 400):
        at_risk = (gap >= day).sum() + (still_open >= day).sum()
        left *= 1 - (gap == day).sum() / at_risk
        survivors.append(left)
    assert curve.survival[:400] == pytest.approx(np.array(survivors), abs=1e-12)
    # Customers who bought once and never again; a number of the literature's.
    first = next(one for one in stage.curves if one.name == "no earlier gap")
    assert first.silences - first.returns == int((bought.groupby("customer").size() == 1).sum())


def test_cdnow_gives_sane_windows(tmp_path: Path) -> None:
    stage = defined("cdnow", "cdnow/CDNOW_master.txt", tmp_path).definition.stages[0]
    assert windows(stage) == [220.0, 85.0, 120.0]
    rule, cost, configured = meanings(stage)
    assert (rule.dormant, cost.dormant, configured.dormant) == (17_432, 20_413, 19_320)
    assert (rule.dormant_then, rule.returned_since) == (16_897, 858)
    assert sum(stage.states.values()) == 23_570


def test_online_retail_gives_sane_windows(tmp_path: Path) -> None:
    file = "online_retail_II/online_retail_II.parquet"
    report = defined("online_retail_II", file, tmp_path, date(2011, 9, 1))
    stage = report.definition.stages[0]
    assert windows(stage) == [361.0, 166.0, 90.0]
    assert [one.dormant for one in meanings(stage)] == [941, 2_580, 3_326]
    # Christmas 2009 is the longest stretch without an invoice.
    assert report.empty_days.longest_from == date(2009, 12, 24)
    assert report.empty_days.longest == 11
