"""Homes with written lists and recorded decisions, made without scoring anybody."""

import hashlib
import json
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from test_scoring_recall_list import AS_OF, table_of

from features.bucket import bucket_of
from features.warehouse import Warehouse
from pipelines.config import Config, load_config
from pipelines.list_setting import list_setting
from scoring.decisions import PARTITION, SCHEMA, TABLE_NAME
from scoring.list_files import render_list_files
from scoring.recall_list import SCHEMA_VERSION

DAY = date(2025, 11, 20)
DAY_US = 86_400_000_000
N_BUCKETS = 2
TIMES = ("as_of", "send_at_utc", "send_window_end_utc", "expires_at")

TOML = """
schema_version = 1
[business]
name = "Shop"
timezone = "Europe/Berlin"
currency = "EUR"
gross_margin = 0.4
acquisition_cost = 20
[storage]
buckets = 2
[events]
types = ["visit", "order"]
activity = ["visit"]
orders = ["order"]
[[stages]]
name = "buyer"
label = "has bought"
entered_by = ["order"]
active_on = ["order"]
returns_by = ["order"]
silence_days = 60
[channels.email]
label = "e-mail"
cost = 0.01
[channels.sms]
label = "text message"
cost = 0.06
[channels.phone]
label = "phone call"
cost = 1.5
[offers.none]
label = "no offer"
[offers.coupon]
label = "5 % coupon"
discount = 0.05
"""


def make_home(home: Path, *, extra: str = "") -> Config:
    """A configuration with three channels, without any list."""
    home.mkdir(parents=True)
    (home / "winback.toml").write_text(TOML + extra)
    return load_config(home)


def write_list(
    config: Config, *rows: dict[str, Any], day: date = DAY, version: int = SCHEMA_VERSION
) -> Path:
    """A list folder of these rows, which are those of `DAY` moved to another day.

    Parameters
    ----------
    version : 3 leaves out the columns that came with version 4.
    """
    shift = (day - DAY).days * DAY_US
    moved = [
        {
            **item,
            "list_id": f"{day}-abc",
            "list_row_id": f"{day}-abc/{item['rank']}",
            **{name: item[name] + shift for name in TIMES if item[name] is not None},
        }
        for item in rows
    ]
    table = table_of(*moved)
    if version == 3:
        new = ("life_cycle", "promotion", "send_basis", "expected_cost", "follow_up_of")
        table = table.drop_columns(list(new))
    files = {
        file.name: file.content for file in render_list_files(table, list_setting(config, day))
    }
    folder = config.lists_path / day.isoformat()
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    manifest = {
        "schema_version": version,
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in files.items()
        },
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def record_decisions(
    config: Config, decided: Mapping[str, Mapping[str, Any]], *, day: date = DAY
) -> None:
    """Decisions of a day; each customer with their exclusion, closed channels and so on."""
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=N_BUCKETS, create=True)
    rows = [
        {
            "as_of": day.isoformat(),
            "customer_id": name,
            "bucket": bucket_of(name, n_buckets=N_BUCKETS),
            **columns,
        }
        for name, columns in decided.items()
    ]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    warehouse.replace_partition(TABLE_NAME, table, column=PARTITION, value=day.isoformat())


NEXT_DAY = DAY + timedelta(days=1)
EXPIRY_US = AS_OF + DAY_US
"""When rows of `DAY` are void, if nothing else is said."""
