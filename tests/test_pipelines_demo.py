"""The demo: end to end in small, safe to run again, and never in somebody's own folder."""

import json
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from features.errors import UsageError
from pipelines.config import CONFIG_NAME
from pipelines.demo import DemoReport, check_demo_size, choose_home, run_demo
from pipelines.init import preset_text, write_config
from pipelines.simulate import SimulationPlan

NOW = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)  # 00:30 on 1 April in Berlin
PLAN = SimulationPlan(preset="retail", customers=700, days=250, end=date(2026, 4, 1), seed=3)


def remember(folder: Path, plan: SimulationPlan) -> None:
    """Make a folder look as if a demo of this plan had begun there."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = {**asdict(plan), "end": plan.end.isoformat()}
    (folder / "demo.json").write_text(json.dumps(plain))


def run_small(folder: Path) -> DemoReport:
    return run_demo(
        "retail", folder=folder, customers=PLAN.customers, days=PLAN.days, seed=PLAN.seed, now=NOW
    )


@pytest.mark.slow
def test_demo_writes_a_list_and_running_it_again_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    remember(folder, PLAN)
    small = preset_text("retail").replace("min_positives = 50", "min_positives = 10")
    (folder / CONFIG_NAME).write_text(small.replace("max_rounds = 1000", "max_rounds = 20"))
    first = run_small(folder)
    assert first.end == date(2026, 4, 1)
    assert first.list_file.is_file()
    assert first.report_file.is_file()
    assert first.night.summary.listed > 0
    assert [ingest.kind for ingest in first.ingests] == ["customers", "events", "contacts"]
    assert first.seconds[0][0] == "simulate"
    assert first.simulation is not None
    assert sum(ingest.rejected for ingest in first.ingests) == 0
    listed = first.list_file.read_bytes()
    again = run_small(folder)
    assert again.simulation is None
    assert all(ingest.no_op for ingest in again.ingests)
    assert again.night.status == "unchanged"
    assert again.list_file.read_bytes() == listed
    document = again.to_json()
    assert document["schema_version"] == 1
    assert document["simulation"] is None
    assert len(document["notes"]) == 3
    json.dumps(document, default=str)


def test_new_folder_is_used_as_it_is(tmp_path: Path) -> None:
    assert choose_home(tmp_path / "new", PLAN) == (tmp_path / "new", [])


def test_same_demo_uses_its_folder_again(tmp_path: Path) -> None:
    remember(tmp_path, PLAN)
    home, notes = choose_home(tmp_path, PLAN)
    assert home == tmp_path
    assert "used again" in notes[0]


def test_demo_of_another_day_gets_a_folder_inside(tmp_path: Path) -> None:
    remember(tmp_path, PLAN)
    tomorrow = SimulationPlan(
        preset="retail", customers=700, days=250, end=date(2026, 4, 2), seed=3
    )
    home, notes = choose_home(tmp_path, tomorrow)
    assert home == tmp_path / "retail-2026-04-02-700x250-seed3"
    assert str(home) in notes[0]
    remember(home, tomorrow)
    assert choose_home(tmp_path, tomorrow)[0] == home


def test_a_demo_in_another_language_gets_a_folder_inside(tmp_path: Path) -> None:
    remember(tmp_path, PLAN)
    home, _ = choose_home(tmp_path, PLAN, language="zh")
    assert home == tmp_path / "retail-2026-04-01-700x250-seed3-zh"


def test_folder_with_a_configuration_of_its_own_is_refused(tmp_path: Path) -> None:
    write_config("retail", tmp_path)
    with pytest.raises(UsageError, match="no demo wrote"):
        run_small(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [CONFIG_NAME]


def test_too_small_a_business_is_refused_before_it_is_simulated() -> None:
    check_demo_size("retail", 2_000)
    check_demo_size("lending", 5_000)
    with pytest.raises(UsageError, match="too few to train on with the preset lending"):
        check_demo_size("lending", 2_000)


def test_unknown_preset_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such preset"):
        run_demo("bank", folder=tmp_path / "x", customers=700, days=250, seed=3, now=NOW)
    assert not (tmp_path / "x").exists()
