"""Committing an ingestion: rejects, then data, then the record that it happened."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa

from features.contract import INGESTIONS, REJECTS, TABLES, TIME, Kind, TableContract
from features.errors import ArtifactError, describe
from features.ingestion_duplicates import DROPPED
from features.ingestion_files import display_name
from features.ingestion_stage import STAGED, StagePlan, order_columns
from features.ingestion_time import quote
from features.progress import Progress
from features.warehouse import METADATA_KEY, Warehouse

_BATCH_ROWS = 500_000
_REPAIR_DEPTH = 20


@dataclass(frozen=True, slots=True)
class IngestionRecord:
    """One row of the table `ingestions`."""

    ingestion: str
    kind: str
    ingested_at_us: int
    files: tuple[str, ...]
    digests: tuple[str, ...]
    mapping_digest: str
    rows_in: int
    accepted: int
    duplicate: int
    filtered: int
    ignored: int
    rejected: int
    arrival_rule: str


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """Where a rejected row is and which rule it broke."""

    file: str
    row: int
    rule: str
    column: str


def commit_ingestion(
    warehouse: Warehouse,
    connection: duckdb.DuckDBPyConnection,
    plan: StagePlan,
    record: IngestionRecord,
    rejected: list[RejectedRow],
    *,
    progress: Progress,
) -> None:
    """Write the three tables so that a crash between two commits is repaired by a rerun.

    Rejects come first and are replaced by a rerun; the data commit carries the digests of
    its files, so it cannot happen twice, and the record, from which `repair_records` writes
    the last table if the process dies before it does.
    """
    _commit_rejects(warehouse, record, rejected)
    warehouse.append(
        record.kind,
        _accepted(connection, plan, total=record.accepted, progress=progress),
        source_digest=record.ingestion,
        transactions=record.digests,
        metadata=json.dumps(asdict(record)),
    )
    repair_records(warehouse, plan.kind)


def check_still_empty(warehouse: Warehouse, kind: Kind) -> None:
    """Make sure that nobody filled the table while its first rows were being staged.

    Raises
    ------
    ArtifactError : somebody did; duplicates have not been looked for among those rows.
    """
    if warehouse.table_stats(kind).rows:
        raise ArtifactError(
            describe(
                f"{warehouse.root}, table {kind}",
                "another ingestion has filled it in the meantime",
                expected="one ingestion at a time",
                fix="run the command again",
            )
        )


def repair_records(warehouse: Warehouse, kind: Kind) -> int:
    """Record ingestions whose data are committed and whose record is not; returns how many."""
    repaired = 0
    for commit in reversed(warehouse.commits(kind, limit=_REPAIR_DEPTH)):
        text = commit.get(METADATA_KEY)
        if text is None:
            continue
        values = json.loads(text)
        if warehouse.has_transaction(INGESTIONS.name, values["ingestion"]):
            continue
        # Also names of commits from before names were made safe where they are taken.
        values["files"] = [display_name(name) for name in values["files"]]
        values["table_version"] = int(commit["version"])
        values["ingested_at"] = _moment(values.pop("ingested_at_us"))
        row = {name: [values[name]] for name in INGESTIONS.schema.names}
        warehouse.append(
            INGESTIONS.name,
            pa.table(row, schema=INGESTIONS.schema),
            source_digest=values["ingestion"],
        )
        repaired += 1
    return repaired


def _commit_rejects(
    warehouse: Warehouse, record: IngestionRecord, rejected: list[RejectedRow]
) -> None:
    if warehouse.has_transaction(REJECTS.name, record.ingestion):
        # An earlier attempt got this far; what it rejected may depend on its clock.
        warehouse.delete_rows(REJECTS.name, f"ingestion = '{record.ingestion}'")
    if not rejected:
        return
    at = _moment(record.ingested_at_us)
    table = pa.table(
        {
            "ingestion": [record.ingestion] * len(rejected),
            "kind": [record.kind] * len(rejected),
            "file": [row.file for row in rejected],
            "row": [row.row for row in rejected],
            "rule": [row.rule for row in rejected],
            "column": [row.column for row in rejected],
            "ingested_at": pa.array([at] * len(rejected), TIME),
        },
        schema=REJECTS.schema,
    )
    warehouse.append(REJECTS.name, table, transactions=[record.ingestion])


def _accepted(
    connection: duckdb.DuckDBPyConnection, plan: StagePlan, *, total: int, progress: Progress
) -> Iterator[Any]:
    contract = TABLES[plan.kind]
    columns = ", ".join(f"{_column_sql(name, contract, plan)} AS {name}" for name in _names(plan))
    order = order_columns([_staged_name(name, contract) for name in contract.sort_key])
    relation = connection.sql(
        f"SELECT {columns} FROM (SELECT * FROM {STAGED} WHERE rule = 0 "
        f"AND rowid NOT IN (SELECT staged FROM {DROPPED}) ORDER BY {order})"
    )
    if total:
        progress("writing rows", 0, total)
    done = 0
    for batch in relation.to_arrow_reader(_BATCH_ROWS):
        yield batch
        done += batch.num_rows
        progress("writing rows", done, total)


def _names(plan: StagePlan) -> list[str]:
    return list(TABLES[plan.kind].schema.names)


def _column_sql(name: str, contract: TableContract, plan: StagePlan) -> str:
    if contract.schema.field(name).type == TIME:
        return f"make_timestamp({name}_us)::TIMESTAMPTZ"
    if plan.kind == "customers" and name == "flags":
        return _map_sql(plan.terms.flags, "BOOLEAN")
    if plan.kind == "customers" and name == "attributes":
        return _map_sql(plan.terms.attributes, "VARCHAR")
    return name


def _map_sql(columns: dict[str, str], value_type: str) -> str:
    # Sorted, so that the order of keys in the configuration makes no new version.
    names = sorted(columns)
    keys = ", ".join(quote(name) for name in names)
    values = ", ".join(columns[name] for name in names)
    return f"MAP([{keys}]::VARCHAR[], [{values}]::{value_type}[])"


def _staged_name(name: str, contract: TableContract) -> str:
    return f"{name}_us" if contract.schema.field(name).type == TIME else name


def _moment(us: int) -> datetime:
    return datetime.fromtimestamp(us // 1_000_000, tz=UTC).replace(microsecond=us % 1_000_000)
