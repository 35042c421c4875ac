"""The training benchmark at a tiny size: a warehouse that can be learnt from, and its report."""

import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import training as benchmark
from benchmarks.training_data import DAYS, FIRST_DAY, fill_warehouse
from features.history_reader import HistoryReader, read_columns
from features.warehouse import Warehouse
from pipelines.config import load_config

OPTIONS = Namespace(customers=900, cutoffs=2, max_rows=5000)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    benchmark.generate(OPTIONS, folder)
    return folder


def test_the_settings_reach_the_configuration(home: Path) -> None:
    config = load_config(home)
    assert (config.training.max_cutoffs, config.training.max_rows) == (2, 5000)
    assert config.storage.buckets == 1
    assert benchmark.last_day().isoformat() == "2026-10-23"


def test_a_warehouse_is_written_once(home: Path) -> None:
    again = benchmark.generate(OPTIONS, home)
    assert again["generation_seconds"] is None
    assert again["rows"]["customers"] == 900
    assert 20 < again["rows"]["events"] / 900 < 60


def test_customers_are_fit_to_be_learnt_from(home: Path) -> None:
    config = load_config(home)
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=1)
    spec = config.feature_spec()
    history = HistoryReader(warehouse, spec=spec).read(0)
    events = history.events
    purchase = spec.event_types.index("purchase")
    owner = np.repeat(np.arange(history.n_customers), np.diff(events.offsets))
    orders = np.bincount(owner[events.event_type == purchase], minlength=history.n_customers)
    late = events.occurred_at > (FIRST_DAY.timestamp() + (DAYS - 60) * 86_400) * 1e6
    still = np.bincount(owner[late & (events.event_type == purchase)], minlength=len(orders))
    # Rates differ: many order never or once, a few very often, and most have dropped out.
    assert 0.15 < (orders <= 1).mean() < 0.6
    assert np.quantile(orders, 0.95) > 4 * np.median(orders[orders > 0])
    assert 0.05 < (still > 0).mean() < 0.4
    assert (np.diff(events.occurred_at)[np.diff(owner) == 0] >= 0).all()
    assert (events.arrived_at >= events.occurred_at).all()


def test_equal_seeds_give_equal_events(tmp_path: Path) -> None:
    tables = []
    for name in ("a", "b"):
        warehouse = Warehouse.open(str(tmp_path / name), n_buckets=2, create=True)
        fill_warehouse(warehouse, customers=40, seed=5)
        files = warehouse.files("events")
        tables.append(read_columns("events", files, columns=("customer_id", "occurred_at")))
    assert tables[0].equals(tables[1])


def test_a_run_reports_time_rows_and_memory(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = {"seconds": 12.0, "panel_rows": 700, "peak_gb": 0.5}
    monkeypatch.setattr(
        "subprocess.run", lambda *_args, **_kwargs: Namespace(stdout=json.dumps(measured))
    )
    code = benchmark.run(Namespace(**vars(OPTIONS), json=True), home)
    report = json.loads(capsys.readouterr().out)
    assert code == 5
    assert [bar["holds"] for bar in report["bars"]] == [True, False, True]
    assert report["figures"]["rows"]["customers"] == 900
