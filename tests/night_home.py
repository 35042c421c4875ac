"""A small shop with channels, consent, contacts and two tiny models, ready for a night."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import small_shop
from small_ladder import ladder_of

from features.bucket import bucket_of
from features.contract import TABLES
from features.errors import ArtifactError
from features.history_reader import learn_vocabulary, read_history
from features.local_day import local_midnight_us
from features.manifest import feature_manifest
from features.matrix import FeatureMatrix, build_matrix, concat_matrices
from features.spec import FeatureSpec
from features.stage import Stage
from features.warehouse import Warehouse
from models.bundle import Bundle, Kind, ReturnTimeBundle, stages_digest
from models.calibration import Calibration
from models.forest import ForestSettings, Sample, fit_forest
from models.hazard_forest import cut_spells, fit_hazard_forest, log_spaced_days
from models.return_time import ReturnTimeModel
from pipelines.config import Config, load_config
from pipelines.nightly import NightlyReport, run_nightly

DAY_US = small_shop.DAY_US
DAY = date(2025, 11, 20)
NOW = datetime(2025, 11, 26, 4, 0, tzinfo=UTC)
AS_OF_US = local_midnight_us(DAY, ZoneInfo("Europe/Berlin"))
N_BUCKETS = 3

CHANNELS = """
[channels.push]
label = "push message"
cost = 0.01
capacity = 40
requires = ["app_installed"]
max_per_7d = 1
effect_prior = 0.3
[channels.email]
label = "e-mail"
cost = 0.002
requires = ["email_consent"]
effect_prior = 0.15
effect_prior_sd = 0.1
[channels.phone]
label = "phone call"
cost = 1.5
capacity = 5
effect_prior = 1.2
windows = ["14:00-16:00"]
[offers.none]
label = "no offer"
[offers.coupon]
label = "5 % coupon"
discount = 0.05
effect_prior = 0.4
[experiment]
holdout_share = 0.1
ghost_share = 0.2
explore_share = 0.2
salt = "test-salt"
[sources.customers.flags]
app_installed = "app_installed"
email_consent = "email_consent"
[sources.customers.attributes]
city = "city"
"""

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", None)


def table_of(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    """Rows of a contract table; missing columns are null, the bucket is filled in."""
    schema = TABLES[name].schema
    whole = [{"bucket": bucket_of(row["customer_id"], n_buckets=N_BUCKETS), **row} for row in rows]
    return pa.Table.from_pylist(whole, schema=schema)


def customer_rows(customers: int = 500) -> list[dict[str, Any]]:
    """One record each: consent, zone and city by number; some unknown."""
    rows = []
    for number in range(0, customers):
        if number % 17 == 0:
            continue
        rows.append(
            {
                "customer_id": f"c{number:05d}",
                "changed_at": small_shop.START_US,
                "arrived_at": small_shop.START_US,
                "timezone": ZONES[number % len(ZONES)],
                "do_not_contact": number % 23 == 0,
                "flags": {
                    "app_installed": number % 3 == 0,
                    "email_consent": number % 4 != 0,
                },
                "attributes": {"city": "Ulm" if number % 2 else "Berlin"},
            }
        )
    return rows


def contact_rows(customers: int = 500) -> list[dict[str, Any]]:
    """Some contacts of the last weeks; a few ended in unsubscribing."""
    rows = []
    for number in range(0, customers, 5):
        sent = AS_OF_US - (number % 40 + 1) * DAY_US
        rows.append(
            {
                "contact_id": f"k{number}",
                "customer_id": f"c{number:05d}",
                "sent_at": sent,
                "arrived_at": sent,
                "channel": "email" if number % 2 else "push",
                "opened_at": sent + 3_600_000_000 if number % 3 else None,
                "unsubscribed_at": sent + 7_200_000_000 if number % 25 == 0 else None,
            }
        )
    return rows


def make_night_home(
    home: Path,
    *,
    channels: str = CHANNELS,
    events: pa.Table | None = None,
    customers: list[dict[str, Any]] | None = None,
    contacts: list[dict[str, Any]] | None = None,
) -> Config:
    """A folder with winback.toml and a filled warehouse."""
    home.mkdir(parents=True)
    (home / "winback.toml").write_text(small_shop.BUSINESS + channels)
    config = load_config(home)
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=N_BUCKETS, create=True)
    warehouse.append("events", small_shop.shop_events() if events is None else events)
    warehouse.append(
        "customers", table_of("customers", customer_rows() if customers is None else customers)
    )
    contacts = contact_rows() if contacts is None else contacts
    if contacts:
        warehouse.append("contacts", table_of("contacts", contacts))
    return config


@cache
def _bundles(
    home: Path, spec: FeatureSpec, stages: tuple[Stage, ...], config_digest: str
) -> dict[str, Bundle | ReturnTimeBundle]:
    warehouse = Warehouse.open(str(home / "warehouse"), n_buckets=N_BUCKETS)
    learnt = learn_vocabulary(warehouse, spec, AS_OF_US)
    matrix = concat_matrices(
        [
            build_matrix(
                read_history(warehouse, bucket, spec=learnt), spec=learnt, as_ofs=[AS_OF_US]
            )
            for bucket in range(N_BUCKETS)
        ]
    )
    manifest = feature_manifest(learnt)
    recency = np.nan_to_num(matrix.column("recency_days_order"), nan=300.0)
    spend = np.nan_to_num(matrix.column("spend_365d"))
    bundles: dict[str, Bundle | ReturnTimeBundle] = {}
    kinds: tuple[Kind, ...] = ("dormancy_risk", "natural_return")
    for kind in kinds:
        silent = kind == "dormancy_risk"
        signal = recency / 30 - spend / 200 if silent else spend / 200 - recency / 90
        rows = Sample(matrix.values, (signal > np.median(signal)).astype(np.int8))
        forest = fit_forest(
            rows,
            validation=rows,
            names=tuple(feature.name for feature in manifest),
            categorical=tuple(f.name for f in manifest if f.kind == "categorical"),
            settings=ForestSettings(max_rounds=8, min_data_in_leaf=20, threads=1),
        )
        bundles[kind] = Bundle(
            kind=kind,
            spec=learnt,
            stages_digest=stages_digest(stages),
            gap_days=2.0,
            horizon_days=30.0,
            trained_until_us=AS_OF_US,
            ladder=ladder_of(forest, calibration=Calibration("platt", slope=0.8, intercept=-1.0)),
            metrics={},
            winback_version="0.1.0",
        )
    bundles["return_time"] = ReturnTimeBundle(
        spec=learnt,
        stages_digest=stages_digest(stages),
        gap_days=2.0,
        horizon_days=30.0,
        trained_until_us=AS_OF_US,
        metrics={},
        winback_version="0.1.0",
        model=_return_times(matrix, 2.0 + recency / 3),
    )
    return bundles


def _return_times(matrix: FeatureMatrix, mean_days: np.ndarray) -> ReturnTimeModel:
    """The longer ago the last order, the later the next one."""
    edges = log_spaced_days(120)
    days = np.random.default_rng(1).exponential(mean_days)
    spells = cut_spells(
        matrix.values, days=days, returned=np.ones(len(days), np.bool_), edges=edges
    )
    hazards = fit_hazard_forest(
        spells,
        n_bins=len(edges) - 1,
        names=matrix.names,
        settings=ForestSettings(max_rounds=8, min_data_in_leaf=20, threads=1),
    )
    assert hazards is not None
    return ReturnTimeModel(hazards, edges, Calibration("platt"))


def fit_champions(config: Config, **changes: Any) -> dict[str, Any]:
    """Three small models fitted on the home's own features, by kind."""
    bundles = _bundles(config.home, config.feature_spec(), config.stages, config.digest)
    return {kind: replace(bundle, **changes) for kind, bundle in bundles.items()}


def serving(
    bundles: dict[str, Any], *, version: str = "3", source: str = "registry"
) -> Callable[[Config, str], tuple[Any, str, str]]:
    """A stand-in for `pipelines.registry.champion`: these bundles serve, no other kind does."""

    def champion(_config: Config, kind: str) -> tuple[Any, str, str]:
        if kind not in bundles:
            raise ArtifactError(f"no champion of {kind}")
        return bundles[kind], version, source

    return champion


def copy_home(home: Config, to: Path, *, toml: str | None = None) -> Config:
    """A copy of a home, perhaps with another winback.toml."""
    shutil.copytree(home.home, to)
    if toml is not None:
        (to / "winback.toml").write_text(toml)
    return load_config(to)


def night(config: Config, **options: Any) -> NightlyReport:
    """Tonight's run."""
    return run_nightly(config, **{"as_of": DAY, "now": NOW, **options})


def read_list(report: NightlyReport) -> pa.Table:
    """The list as written."""
    return pq.read_table(report.folder / "recall_list.parquet")


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a folder."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }
