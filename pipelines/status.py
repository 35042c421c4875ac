"""`winback status`: what the warehouse holds."""

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

import duckdb

from features.contract import HOLDOUT_LEDGER, INGESTIONS, REJECTS, TABLES
from features.warehouse import TableStats, Warehouse
from pipelines.config import Config
from pipelines.contamination import Contamination, find_contamination
from pipelines.earlier_lists import decided_days, read_ghosts
from pipelines.holdout_ledger import salt_periods
from pipelines.nightly_inputs import night_policy

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class LastIngestion:
    """The latest ingestion of one kind."""

    kind: str
    ingested_at: datetime
    files: tuple[str, ...]
    rows_in: int
    accepted: int
    rejected: int


@dataclass(frozen=True, slots=True)
class RejectTotal:
    """Rejected rows of one rule over all ingestions."""

    kind: str
    rule: str
    rows: int


@dataclass(frozen=True, slots=True)
class HoldoutTotal:
    """Members of one rotation of the holdout; `until` is null while it is in force."""

    since: date
    until: date | None
    members: int


@dataclass(frozen=True, slots=True)
class WarehouseStatus:
    """The whole warehouse; `tables` in the order of the contract, derived tables last.

    `holdout` has a total per rotation, `contamination` the contacts to controls in the 30
    days up to the end of the last list's day.
    """

    root: str
    n_buckets: int
    tables: tuple[TableStats, ...]
    ingestions: int
    last_ingestions: tuple[LastIngestion, ...]
    rejects: tuple[RejectTotal, ...]
    holdout: tuple[HoldoutTotal, ...] = ()
    contamination: tuple[Contamination, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--json`; times as ISO 8601 in UTC."""
        document = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        for table in document["tables"]:
            for name in ("first", "last"):
                table[name] = table[name].isoformat() if table[name] is not None else None
        for last in document["last_ingestions"]:
            last["ingested_at"] = last["ingested_at"].isoformat()
        for total in document["holdout"]:
            for name in ("since", "until"):
                total[name] = total[name] and total[name].isoformat()
        return document


def warehouse_status(config: Config) -> WarehouseStatus:
    """Read versions, rows, spans, files and past ingestions of the configured warehouse.

    Raises
    ------
    ArtifactError : there is no warehouse yet.
    DataError : it was made with another number of buckets.
    """
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=config.storage.buckets)
    names = [*TABLES, *(name for name in ("decisions",) if warehouse.has_table(name))]
    count, last = _ingestions(warehouse)
    return WarehouseStatus(
        root=warehouse.root,
        n_buckets=warehouse.n_buckets,
        tables=tuple(warehouse.table_stats(name) for name in names),
        ingestions=count,
        last_ingestions=last,
        rejects=_rejects(warehouse),
        holdout=_holdout(warehouse),
        contamination=_contamination(config, warehouse),
    )


def _holdout(warehouse: Warehouse) -> tuple[HoldoutTotal, ...]:
    ledger = warehouse.dataset(HOLDOUT_LEDGER.name).to_table()
    members = ledger.group_by("salt").aggregate([("customer_id", "count_distinct")])
    counts = dict(zip(*(members[name].to_pylist() for name in members.column_names), strict=True))
    return tuple(
        HoldoutTotal(period.since, period.until, counts[period.salt])
        for period in salt_periods(ledger)
    )


def _contamination(config: Config, warehouse: Warehouse) -> tuple[Contamination, ...]:
    days = decided_days(warehouse)
    if not days:
        return ()
    policy = night_policy(config, days[-1] + timedelta(days=1))
    ghosts = read_ghosts(warehouse, policy, control_days=config.control_days)
    return find_contamination(warehouse, policy, ghosts=ghosts)


def _ingestions(warehouse: Warehouse) -> tuple[int, tuple[LastIngestion, ...]]:
    rows = warehouse.dataset(INGESTIONS.name).to_table().to_pylist()
    latest: dict[str, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (row["ingested_at"], row["table_version"])):
        latest[row["kind"]] = row
    return len(rows), tuple(
        LastIngestion(
            kind=kind,
            ingested_at=row["ingested_at"],
            files=tuple(row["files"]),
            rows_in=row["rows_in"],
            accepted=row["accepted"],
            rejected=row["rejected"],
        )
        for kind, row in sorted(latest.items())
    )


def _rejects(warehouse: Warehouse) -> tuple[RejectTotal, ...]:
    """Count rejects of recorded ingestions; those of an attempt that failed do not count."""
    with duckdb.connect() as connection:
        connection.register("rejects", warehouse.dataset(REJECTS.name))
        connection.register("ingestions", warehouse.dataset(INGESTIONS.name))
        found = connection.execute(
            "SELECT kind, rule, count(*) AS n FROM rejects "
            "WHERE ingestion IN (SELECT ingestion FROM ingestions) "
            "GROUP BY kind, rule ORDER BY n DESC, kind, rule"
        ).fetchall()
    return tuple(RejectTotal(kind, rule, rows) for kind, rule, rows in found)
