"""From a simulated experiment to a list whose effects are measured."""

import io
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from night_home import read_list
from rich.console import Console

from features.contract import Kind
from models.bundle import CONTACT_EFFECT
from pipelines.champions import champion
from pipelines.config import CONFIG_NAME, Config, load_config
from pipelines.ingest import run_ingest
from pipelines.init import preset_config, preset_text
from pipelines.nightly import NightlyReport, run_nightly
from pipelines.render import render_training
from pipelines.simulate import SimulationPlan, WorldPlan, run_simulation
from pipelines.simulate.business import SHOP
from pipelines.tracking import connect
from pipelines.train import TrainReport, run_train

pytestmark = pytest.mark.slow

END = date(2026, 11, 1)
NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)
PLAN = SimulationPlan(
    preset="retail",
    customers=1500,
    days=300,
    end=END,
    seed=3,
    world=WorldPlan(world="additive", policy="randomised"),
)

QUICK = (
    ("min_positives = 50", "min_positives = 10"),
    ("max_rounds = 1000", "max_rounds = 20"),
    ("bootstrap_draws = 200", "bootstrap_draws = 50"),
    ("observational_weight = 0.2", "observational_weight = 0.0"),
)


@dataclass(frozen=True)
class Shop:
    """What a training and a night on an imported experiment left."""

    config: Config
    report: TrainReport
    night: NightlyReport


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    home = tmp_path_factory.mktemp("shop")
    made = run_simulation(PLAN, out=home / "raw", config=preset_config("retail"), business=SHOP)
    text = preset_text("retail")
    for present, quick in QUICK:
        assert present in text
        text = text.replace(present, quick)
    (home / CONFIG_NAME).write_text(text)
    config = load_config(home)
    assert made.assignments_file is not None
    files: dict[Kind, list[Path]] = {
        "customers": [made.customers_file],
        "events": list(made.events_files),
        "contacts": [made.contacts_file],
        "assignments": [made.assignments_file],
    }
    for kind, paths in files.items():
        summary = run_ingest(config, kind, [str(path) for path in paths], backfill=True, now=NOW)
        assert summary.rejected == 0, kind
    report = run_train(config, as_of=END, audit=False, now=NOW)
    return Shop(config, report, run_nightly(config, as_of=END, now=NOW))


def test_training_measures_effects_of_the_experiment(shop: Shop) -> None:
    assert shop.report.effects is not None
    found = shop.report.effects.effect
    assert found is not None
    assert found.rung in ("arm_means", "ridge", "stack")
    assert found.controls > 500
    assert "uplift" in {one.evidence for one in found.actions}
    assert shop.report.effects.assignments.used == found.rows
    document = json.loads(json.dumps(shop.report.to_json(), allow_nan=False))
    assert document["effects"]["effect"]["rung"] == found.rung
    with connect(shop.config) as client:
        logged = client.get_run(shop.report.registrations[-1].run_id).data
    assert logged.metrics["contact_effect/assignments/used"] == found.rows


def test_the_model_is_registered_with_its_run_and_says_what_it_is(shop: Shop) -> None:
    assert [one.kind for one in shop.report.registrations][-1] == CONTACT_EFFECT
    bundle, version, source = champion(shop.config, CONTACT_EFFECT)
    assert (version, source) == ("1", "registry")
    assert shop.report.effects is not None
    assert bundle.metrics["verdicts"] == list(shop.report.effects.verdicts)


def test_the_terminal_shows_every_action_with_its_evidence(shop: Shop) -> None:
    out = io.StringIO()
    render_training(shop.report, Console(file=out, width=200))
    shown = out.getvalue()
    assert shop.report.effects is not None
    assert shop.report.effects.effect is not None
    for one in shop.report.effects.effect.actions:
        assert one.action in shown
    assert "for the average assigned customer" in shown
    assert shop.report.effects.verdicts[0] in shown


def test_the_list_shows_measured_effects_with_intervals(shop: Shop) -> None:
    table: pa.Table = read_list(shop.night)
    rows = table.to_pylist()
    assert rows
    measured = [row for row in rows if row["evidence"] == "uplift"]
    assert measured
    for row in rows:
        assert row["uplift_low"] <= row["uplift"] + 1e-6 <= row["uplift_high"] + 2e-6
        assert row["list_row_id"] == f"{row['list_id']}/{row['rank']}"
    assert {row["uplift_high"] - row["uplift_low"] > 0 for row in measured} == {True}
    assert "contact-effect/1" in rows[0]["model_version"]
    assert any("Effects of contact are measured for" in one for one in shop.night.summary.notes)
