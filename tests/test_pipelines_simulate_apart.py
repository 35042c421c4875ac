"""The truth stays apart: no module of the product reads it, and no raw file tells it."""

import ast
import json
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from features.errors import UsageError
from pipelines.config import CONFIG_NAME
from pipelines.demo import run_demo
from pipelines.init import preset_text
from pipelines.simulate import SimulationPlan, WorldPlan, simulate_plan
from pipelines.simulate.truth import ASSIGNMENTS, CONTACTS, FACTS_NAME, LATENTS

ROOT = Path(__file__).parent.parent
PRODUCT = ("features", "models", "training", "scoring", "pipelines")
MAY_SIMULATE = {"pipelines/cli_simulate.py", "pipelines/demo.py", "pipelines/render.py"}
OF_THE_TRUTH = {"effects", "lives", "mood", "nights", "one_step", "scene", "truth"}
NOW = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)
PLAN = SimulationPlan(preset="retail", customers=700, days=250, end=date(2026, 4, 1), seed=3)


def product_modules() -> dict[str, str]:
    files = [file for package in PRODUCT for file in sorted((ROOT / package).rglob("*.py"))]
    names = {file.relative_to(ROOT).as_posix(): file for file in files}
    return {
        name: file.read_text()
        for name, file in names.items()
        if not name.startswith("pipelines/simulate/")
    }


def imported(source: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_only_the_demo_and_the_command_know_the_simulator() -> None:
    for name, source in product_modules().items():
        simulator = {one for one in imported(source) if one.startswith("pipelines.simulate")}
        assert not simulator or name in MAY_SIMULATE, name
        parts = {part for one in simulator for part in one.split(".")[2:]}
        assert not parts & OF_THE_TRUTH, name


def test_no_module_of_the_product_names_a_file_of_the_truth() -> None:
    for name, source in product_modules().items():
        for secret in (CONTACTS, ASSIGNMENTS, FACTS_NAME, f"{LATENTS}-"):
            assert secret not in source, (name, secret)


@pytest.mark.slow
def test_product_runs_beside_a_truth_that_cannot_be_read(tmp_path: Path) -> None:
    home, truth = tmp_path / "demo", tmp_path / "demo" / "truth"
    home.mkdir()
    small = preset_text("retail").replace("min_positives = 50", "min_positives = 10")
    (home / CONFIG_NAME).write_text(small.replace("max_rounds = 1000", "max_rounds = 20"))
    simulate_plan(PLAN, out=home / "raw", truth=truth)
    hidden = sorted(truth.iterdir())
    assert len(hidden) == 4
    for file in hidden:
        file.unlink()
        file.symlink_to(tmp_path / "nowhere")  # native readers fail on it as well
    # As an earlier demo would have left it: the raw files are used again.
    (home / "demo.json").write_text(json.dumps(PLAN.facts()))
    opened: list[str] = []
    watching = [True]

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching[0] and event in ("open", "os.listdir", "os.scandir"):
            opened.append(str(arguments[0]))

    sys.addaudithook(watch)
    try:
        report = run_demo(
            "retail",
            folder=home,
            customers=PLAN.customers,
            days=PLAN.days,
            seed=PLAN.seed,
            now=NOW,
        )
    finally:
        watching[0] = False
    assert report.simulation is None
    assert report.night.summary.listed > 0
    assert opened
    assert not [path for path in opened if str(truth) in path]


def test_raw_files_hold_no_latent(tmp_path: Path) -> None:
    plan = SimulationPlan(
        preset="retail",
        customers=300,
        days=200,
        end=date(2026, 4, 1),
        seed=3,
        world=WorldPlan(world="additive", policy="randomised"),
    )
    simulate_plan(plan, out=tmp_path / "raw", truth=tmp_path / "truth")
    latents = pd.read_parquet(next((tmp_path / "truth").glob(f"{LATENTS}-*")))
    hidden = set(latents.columns) - {"customer_id"}
    assert {"temper", "interest", "rate", "sleep", "wake", "regularity"} <= hidden
    assert latents.customer_id.is_unique
    raw = tmp_path / "raw"
    columns = {
        *pd.read_parquet(raw / "events-00000.parquet").columns,
        *pd.read_csv(raw / "customers.csv").columns,
        *pd.read_csv(raw / "contacts.csv.gz").columns,
        *pd.read_csv(raw / "assignments.csv.gz").columns,
    }
    assert not columns & hidden
    assert not columns & {"effect", "state"}


def test_truth_among_the_raw_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the folder is the one of the raw files"):
        simulate_plan(PLAN, out=tmp_path, truth=tmp_path)
    assert not list(tmp_path.iterdir())


def test_new_truth_replaces_an_earlier_one_and_nothing_else(tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    truth.mkdir()
    (truth / "notes.txt").write_text("mine")
    (truth / f"{LATENTS}-00007.parquet").write_bytes(b"stale")
    simulate_plan(replace(PLAN, customers=50), out=tmp_path / "raw", truth=truth)
    names = {file.name for file in truth.iterdir()}
    parts = {f"{name}-00000.parquet" for name in (LATENTS, CONTACTS, ASSIGNMENTS)}
    assert names == {"notes.txt", FACTS_NAME, *parts}
