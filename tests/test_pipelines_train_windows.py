"""Which windows a training run learns natural return from, and that it says so."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from night_home import NOW, make_night_home
from small_shop import DAY_US, START_US

from features.warehouse import Warehouse
from pipelines.backtest import run_backtest
from pipelines.backtest_origins import BacktestPlan
from pipelines.config import Config
from pipelines.observation import plan_run
from pipelines.train import collect_material
from training.material import Material


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A shop that has sent many messages to its customers."""
    rng = np.random.default_rng(3)
    contacts: list[dict[str, Any]] = []
    for number in range(1500):
        sent = START_US + int(rng.uniform(60, 325) * DAY_US)
        contacts.append(
            {
                "contact_id": f"k{number}",
                "customer_id": f"c{rng.integers(0, 500):05d}",
                "sent_at": sent,
                "arrived_at": sent,
                "channel": "push",
            }
        )
    made = make_night_home(tmp_path_factory.mktemp("windows") / "home", contacts=contacts)
    learner = replace(made.training.learner, threads=1, max_rounds=20, min_data_in_leaf=20)
    return replace(made, training=replace(made.training, max_cutoffs=3, learner=learner))


def material_of(
    config: Config, *, windows: Literal["uncontacted", "all"], min_positives: int
) -> Material:
    config = replace(
        config,
        training=replace(
            config.training, natural_return_windows=windows, min_positives=min_positives
        ),
    )
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=config.storage.buckets)
    inputs = warehouse.versions()
    dates = plan_run(config, None, now=NOW, version=inputs["events"])
    return collect_material(
        config,
        warehouse,
        inputs,
        folds=dates.folds,
        first_us=dates.first_us,
        end_us=dates.until_us,
    )


def test_uncontacted_windows_are_learnt_from_and_the_rest_is_counted(config: Config) -> None:
    material = material_of(config, windows="uncontacted", min_positives=10)
    whole = material_of(config, windows="all", min_positives=10)
    assert whole.windows is None
    assert material.windows is not None and not material.windows.lacking
    excluded = material.panel.excluded
    assert excluded.contacted == material.windows.contacted > 50
    assert excluded.thinned == material.windows.thinned > 0
    rows, before = (one.panel.rows["natural_return"].labels for one in (material, whole))
    assert len(before) == len(rows) + excluded.contacted + excluded.thinned
    risk = [one.panel.rows["dormancy_risk"].values.tobytes() for one in (material, whole)]
    assert risk[0] == risk[1]


def test_too_few_of_them_leave_all_windows(config: Config) -> None:
    few = material_of(config, windows="uncontacted", min_positives=15)
    whole = material_of(config, windows="all", min_positives=15)
    assert few.windows is not None and few.windows.lacking
    assert "all windows" in few.windows.note
    one, other = (part.panel.rows["natural_return"] for part in (few, whole))
    assert one.values.tobytes() == other.values.tobytes()
    assert one.customer.tobytes() == other.customer.tobytes()
    assert few.panel.excluded == whole.panel.excluded


def test_a_backtest_says_of_which_origin_it_took_all_windows(config: Config) -> None:
    config = replace(config, training=replace(config.training, min_positives=15))
    report = run_backtest(config, BacktestPlan(origins=1), now=NOW, track=False)
    assert any(note.startswith("Origin 2025") and "all windows" in note for note in report.notes)
