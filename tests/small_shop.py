"""A small shop for tests of training: buyers with own rates who stop one day."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.bucket import bucket_of
from features.contract import TABLES
from features.history import History
from features.history_reader import history_from_tables
from features.spec import FeatureSpec
from features.stage import Stage
from features.warehouse import Warehouse
from pipelines.config import Config, load_config

DAY_US = 86_400_000_000
START_US = 1_735_686_000_000_000
"""2025-01-01 00:00 in Berlin."""
DAYS = 330
"""Events end before 2025-11-27."""

SPEC = FeatureSpec(
    event_types=("visit", "purchase"), activity=("visit", "purchase"), orders=("purchase",)
)
STAGES = (
    Stage(
        name="buyer",
        label="has bought",
        entered_by=("purchase",),
        active_on=("purchase",),
        returns_by=("purchase",),
        silence_days=25.0,
    ),
)

BUSINESS = """
schema_version = 1
[business]
name = "Small Shop"
timezone = "Europe/Berlin"
currency = "EUR"
gross_margin = 0.4
acquisition_cost = 20.0
[storage]
buckets = 3
[events]
types = ["visit", "purchase"]
activity = ["visit", "purchase"]
orders = ["purchase"]
[windows]
gap_days = 2
horizon_days = 30
[[stages]]
name = "buyer"
label = "has bought"
entered_by = ["purchase"]
active_on = ["purchase"]
returns_by = ["purchase"]
silence_days = 25
"""

TOML = (
    BUSINESS
    + """
[training]
max_cutoffs = 4
min_positives = 20
bootstrap_draws = 50
[training.learner]
max_rounds = 25
threads = 1
min_data_in_leaf = 20
"""
)


def shop_events(customers: int = 500, *, days: int = DAYS, seed: int = 1) -> pa.Table:
    """Event rows of the shop: purchases at a customer's own rate until it stops, and visits.

    Rates and lifetimes differ, so recency and frequency both tell about returns.
    """
    rng = np.random.default_rng(seed)
    rows: list[tuple[str, int, str, float | None]] = []
    for number in range(customers):
        name = f"c{number:05d}"
        first = rng.uniform(0, 0.6 * days)
        stop = first + rng.exponential(150.0)
        gap = rng.gamma(2.0, 8.0) + 2.0
        at = first
        while at < min(stop, days):
            amount = float(np.round(rng.lognormal(3.0, 0.5), 2))
            rows.append((name, START_US + int(at * DAY_US), "purchase", amount))
            for _ in range(rng.poisson(1.0)):
                seen = at + rng.uniform(0, gap)
                if seen < days:
                    rows.append((name, START_US + int(seen * DAY_US), "visit", None))
            at += rng.exponential(gap)
    return events_table(rows)


def events_table(
    rows: list[tuple[str, int, str, float | None]], *, arrived: list[int] | None = None
) -> pa.Table:
    """Contract rows of (customer, occurred_at in us, type, amount), arrived at once or later."""
    names = [row[0] for row in rows]
    times = pa.array([row[1] for row in rows], pa.timestamp("us", tz="UTC"))
    columns = {
        "bucket": pa.array([bucket_of(name, n_buckets=3) for name in names], pa.int32()),
        "customer_id": pa.array(names, pa.string()),
        "occurred_at": times,
        "arrived_at": times if arrived is None else pa.array(arrived, times.type),
        "event_type": pa.array([row[2] for row in rows], pa.string()),
        "amount": pa.array([row[3] for row in rows], pa.float64()),
    }
    schema = TABLES["events"].schema
    missing = [field for field in schema if field.name not in columns]
    columns |= {field.name: pa.nulls(len(rows), field.type) for field in missing}
    return pa.table({field.name: columns[field.name] for field in schema}, schema=schema)


def history_of(table: pa.Table, *, spec: FeatureSpec = SPEC) -> History:
    """All rows as the history of one bucket."""
    return history_from_tables(0, spec=spec, events=table)


def make_home(home: Path, table: pa.Table, *, store: Path | None = None) -> Config:
    """A folder with winback.toml and a warehouse that holds the events.

    `store` is an empty MLflow database to start from: making one takes seconds.
    """
    home.mkdir(parents=True, exist_ok=True)
    (home / "winback.toml").write_text(TOML)
    if store is not None:
        shutil.copy(store, home / "mlflow.db")
    config = load_config(home)
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=3, create=True)
    warehouse.append("events", table)
    return config
