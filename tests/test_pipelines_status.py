import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from ingest_home import N_BUCKETS, NOW, ingest_text, shop

from features.errors import ArtifactError
from features.warehouse import Warehouse
from pipelines.status import warehouse_status
from scoring.decisions import SCHEMA

HEADER = "customer_id,occurred_at,event_type,amount\n"


def test_the_status_shows_tables_ingestions_and_rejects(tmp_path: Path) -> None:
    rows = "".join(f"{n},2026-01-{n + 1:02d} 10:00:00,visit,\n" for n in range(20))
    ingest_text(tmp_path, HEADER + rows + ",2026-01-01,visit,\n,2026-01-01,order,\n")
    ingest_text(tmp_path, HEADER + "1,2026-02-01 10:00:00,visit,\n", name="b.csv")
    status = warehouse_status(shop(tmp_path))
    tables = {table.name: table for table in status.tables}
    sources = ("events", "customers", "contacts", "assignments")
    assert tuple(tables) == (*sources, "rejects", "ingestions", "holdout_ledger")
    events = tables["events"]
    assert (events.version, events.rows, events.partitions) == (2, 21, N_BUCKETS)
    assert events.first == datetime(2026, 1, 1, 9, tzinfo=UTC)
    assert events.last == datetime(2026, 2, 1, 9, tzinfo=UTC)
    assert events.files == N_BUCKETS + 1
    assert events.bytes > 0
    assert status.ingestions == 2
    (last,) = status.last_ingestions
    assert (last.kind, last.ingested_at, last.accepted) == ("events", NOW, 1)
    assert [(reject.rule, reject.rows) for reject in status.rejects] == [("customer_id_missing", 2)]


def test_the_status_is_plain_json(tmp_path: Path) -> None:
    ingest_text(tmp_path, HEADER + "1,2026-01-01,visit,\n")
    document = json.loads(json.dumps(warehouse_status(shop(tmp_path)).to_json()))
    assert document["schema_version"] == 1
    assert document["n_buckets"] == N_BUCKETS
    assert document["tables"][0]["first"] == "2025-12-31T23:00:00+00:00"
    assert document["tables"][1]["first"] is None


def test_derived_tables_are_shown_when_they_exist(tmp_path: Path) -> None:
    ingest_text(tmp_path, HEADER + "1,2026-01-01,visit,\n")
    warehouse = Warehouse.open(str(tmp_path / "warehouse"), n_buckets=N_BUCKETS)
    row = {"as_of": "2026-01-02", "customer_id": "1", "exclusion": "not_dormant"}
    rows = pa.Table.from_pylist([row], schema=SCHEMA)
    warehouse.replace_partition("decisions", rows, column="as_of", value="2026-01-02")
    decisions = warehouse_status(shop(tmp_path)).tables[-1]
    assert (decisions.name, decisions.rows, decisions.first) == ("decisions", 1, None)


def test_no_warehouse_is_an_error_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="winback ingest events PATH"):
        warehouse_status(shop(tmp_path))
