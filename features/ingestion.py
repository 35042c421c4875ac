"""Ingestion: raw files become rows of the warehouse, or rejects with a reason."""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import duckdb

from features.contract import INGESTIONS, TABLES, Kind
from features.ingestion_commit import IngestionRecord, commit_ingestion, repair_records
from features.ingestion_duplicates import DROPPED, DuplicateCounts, find_duplicates
from features.ingestion_files import SourceFile, find_files, inspect_files
from features.ingestion_mapping import bind_fields
from features.ingestion_read import open_file, read_rows
from features.ingestion_rejects import ReadFile, check_share, count_rejects, list_rejects
from features.ingestion_rules import ContractTerms, Rule, contract_rules
from features.ingestion_stage import (
    IGNORED,
    STAGED,
    Source,
    StagePlan,
    create_staged,
    source_fields,
    stage_rows,
    staged_columns,
)
from features.ingestion_summary import IngestSummary, RejectCount
from features.ingestion_time import OFFSETS_TABLE, instant_us, offset_table
from features.progress import Progress, silent
from features.source import CustomerSource, EventRules
from features.warehouse import Warehouse, check_new_place

_CONFLICT = Rule(
    "customer_contradiction",
    "customer_id",
    "false",
    "two rows say different things about one customer at one changed_at",
)
_GLOB_SIGNS = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class IngestRequest:
    """What to ingest, how to read it, and into which warehouse.

    Attributes
    ----------
    kind : the contract.
    paths : files and glob patterns.
    source : SQL expressions over the raw columns.
    rules : event vocabulary and policies.
    time_zone : IANA zone of times that state none.
    channels : known contact channels.
    root, n_buckets : the warehouse.
    now : time of ingestion, UTC.
    dry_run : read, check and count; write nothing.
    max_reject_share : largest share of rows in that may be rejected.
    backfill : rows without arrived_at arrived when they occurred, also if the table is
        not empty.
    """

    kind: Kind
    paths: tuple[str, ...]
    source: Source
    rules: EventRules
    time_zone: str
    channels: tuple[str, ...]
    root: str
    n_buckets: int
    now: datetime
    dry_run: bool = False
    max_reject_share: float = 0.01
    backfill: bool = False

    def mapping_digest(self) -> str:
        """Hex SHA-256 of everything in the configuration that decides how a file is read."""
        rules = replace(self.rules, activity=("",))
        parts = [self.kind, asdict(self.source), asdict(rules), self.time_zone]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def ingest(request: IngestRequest, *, progress: Progress = silent) -> IngestSummary:
    """Read files, check every row against the contract, and store what is new.

    Files whose bytes were ingested before are skipped. The rest is staged in DuckDB beside
    the warehouse, and committed only if few enough rows are rejected. A crash at any point
    leaves the warehouse as it was, or is repaired by the next ingestion.

    Raises
    ------
    UsageError : a path matches no file.
    DataError : a fault of a whole file or of the mapping, or too many rejects.
    ArtifactError : something that is not a warehouse is in its place.
    """
    found = find_files(request.paths)
    files = inspect_files(found, kind=request.kind, progress=progress)
    warehouse = _open_warehouse(request)
    if warehouse is not None and not request.dry_run:
        repair_records(warehouse, request.kind)
    new, skipped, notes = _sort_out(files, warehouse, request)
    if not new:
        return _nothing_new(request, skipped, notes, warehouse)
    with _staging_folder(request) as folder, _connect(Path(folder)) as connection:
        return _ingest_new(
            request, connection, warehouse, new, skipped, notes, Path(folder), progress
        )


def _ingest_new(
    request: IngestRequest,
    connection: duckdb.DuckDBPyConnection,
    warehouse: Warehouse | None,
    new: Sequence[SourceFile],
    skipped: Sequence[SourceFile],
    notes: Sequence[str],
    folder: Path,
    progress: Progress,
) -> IngestSummary:
    first_fill = warehouse is None or warehouse.table_stats(request.kind).rows == 0
    plan = _plan(request, at_event_time=first_fill or request.backfill)
    read = _stage_files(request, connection, plan, new, folder, progress)
    rows_in = sum(file.rows.rows + len(file.rows.unreadable) for file in read)
    rejects = count_rejects(connection, plan.rules, read)
    check_share(rejects, rows_in=rows_in, max_share=request.max_reject_share, kind=request.kind)
    progress("finding duplicates", 0, 1)
    stored = None if first_fill or warehouse is None else warehouse.dataset(request.kind)
    duplicates = find_duplicates(connection, plan, stored, conflict=len(plan.rules))
    rejects = count_rejects(connection, plan.rules, read)
    check_share(rejects, rows_in=rows_in, max_share=request.max_reject_share, kind=request.kind)
    progress("finding duplicates", 1, 1)
    digests = sorted(file.digest for file in new)
    ingestion = hashlib.sha256("\n".join([request.kind, *digests]).encode()).hexdigest()
    summary = _summarise(request, connection, plan, duplicates, rejects, rows_in)
    summary = replace(
        summary,
        ingestion=ingestion,
        files=tuple(file.path for file in new),
        skipped_files=tuple(file.path for file in skipped),
        notes=(*notes, *_hints(summary)),
    )
    if request.dry_run:
        return summary
    warehouse = Warehouse.open(request.root, n_buckets=request.n_buckets, create=True)
    record = IngestionRecord(
        ingestion=ingestion,
        kind=request.kind,
        ingested_at_us=instant_us(request.now),
        files=summary.files,
        digests=tuple(file.digest for file in new),
        mapping_digest=request.mapping_digest(),
        rows_in=rows_in,
        accepted=summary.accepted,
        duplicate=summary.duplicate,
        filtered=summary.filtered,
        ignored=summary.ignored,
        rejected=summary.rejected,
        arrival_rule=summary.arrival_rule,
    )
    rejected = list_rejects(connection, plan.rules, read)
    commit_ingestion(warehouse, connection, plan, record, rejected, progress=progress)
    return replace(summary, versions=warehouse.versions())


def _open_warehouse(request: IngestRequest) -> Warehouse | None:
    if Warehouse.exists(request.root):
        return Warehouse.open(request.root, n_buckets=request.n_buckets, create=not request.dry_run)
    check_new_place(request.root)
    return None


def _sort_out(
    files: Sequence[SourceFile], warehouse: Warehouse | None, request: IngestRequest
) -> tuple[list[SourceFile], list[SourceFile], list[str]]:
    """Split files into new and known ones, with notes on the known."""
    new: dict[str, SourceFile] = {}
    skipped: list[SourceFile] = []
    notes: list[str] = []
    mappings = _known_mappings(warehouse, request.kind)
    mapping = request.mapping_digest()
    for file in files:
        if warehouse is not None and warehouse.has_transaction(request.kind, file.digest):
            skipped.append(file)
            if mappings.get(file.digest, mapping) != mapping:
                notes.append(
                    f"{file.path} was ingested before under another mapping or other event "
                    "rules; its stored rows were left as they are. To read it anew, ingest "
                    "into a new warehouse folder."
                )
        elif file.digest in new:
            skipped.append(file)
            notes.append(f"{file.path} holds the same bytes as {new[file.digest].path}.")
        else:
            new[file.digest] = file
    return list(new.values()), skipped, notes


def _known_mappings(warehouse: Warehouse | None, kind: Kind) -> dict[str, str]:
    if warehouse is None:
        return {}
    table = warehouse.dataset(INGESTIONS.name).to_table(
        columns=["kind", "digests", "mapping_digest"]
    )
    return {
        digest: row["mapping_digest"]
        for row in table.to_pylist()
        if row["kind"] == kind
        for digest in row["digests"]
    }


def _staging_folder(request: IngestRequest) -> tempfile.TemporaryDirectory[str]:
    parent = Path(request.root).parent
    usable = "://" not in request.root and parent.is_dir() and not _GLOB_SIGNS & set(str(parent))
    # A dry run must leave no trace beside the warehouse, not even for a moment.
    if request.dry_run or not usable:
        return tempfile.TemporaryDirectory(prefix="winback-ingest-")
    return tempfile.TemporaryDirectory(prefix=".winback-ingest-", dir=parent)


def _connect(folder: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(
        str(folder / "staging.duckdb"),
        config={"temp_directory": str(folder / "spill"), "memory_limit": "60%"},
    )
    connection.execute("SET TimeZone = 'UTC'")
    # This optimizer moves an expression that occurs inside and outside of TRY out of it.
    connection.execute("SET disabled_optimizers = 'common_subexpressions'")
    connection.execute("SET enable_progress_bar = false")
    return connection


def _plan(request: IngestRequest, *, at_event_time: bool) -> StagePlan:
    now_us = instant_us(request.now)
    flags, attributes = {}, {}
    if isinstance(request.source, CustomerSource):
        flags = {name: f"flag_{n}" for n, name in enumerate(sorted(request.source.flags))}
        attributes = {
            name: f"attribute_{n}" for n, name in enumerate(sorted(request.source.attributes))
        }
    terms = ContractTerms(
        now_us=now_us,
        events=request.rules,
        channels=request.channels,
        time_zones=tuple(sorted(available_timezones())),
        flags=flags,
        attributes=attributes,
    )
    time = TABLES[request.kind].time
    arrived, changed = str(now_us), str(now_us)
    if at_event_time:
        changed = "coalesce(signup_at_us, 0)"
        arrived = f"coalesce(changed_at_us, {changed})" if time == "changed_at" else f"{time}_us"
    return StagePlan(
        kind=request.kind,
        source=request.source,
        terms=terms,
        rules=(*contract_rules(request.kind, terms), _CONFLICT),
        n_buckets=request.n_buckets,
        columns=staged_columns(request.kind, terms),
        arrived_us=arrived,
        changed_us=changed,
    )


def _stage_files(
    request: IngestRequest,
    connection: duckdb.DuckDBPyConnection,
    plan: StagePlan,
    files: Sequence[SourceFile],
    folder: Path,
    progress: Progress,
) -> list[ReadFile]:
    offsets = offset_table(request.time_zone, until_year=request.now.year + 1)
    connection.register("winback_offsets_arrow", offsets)
    connection.execute(f"CREATE TEMP TABLE {OFFSETS_TABLE} AS FROM winback_offsets_arrow")
    connection.unregister("winback_offsets_arrow")
    create_staged(connection, plan)
    place = f"sources.{request.kind}"
    fields = source_fields(request.source, plan.terms)
    whole_row = request.kind == "events" and "event_id" not in fields
    read: list[ReadFile] = []
    for number, file in enumerate(files):
        progress("reading files", number, len(files))
        stage = folder / f"source-{number}"
        opened = open_file(connection, file, request.source, place=place, stage=stage)
        bound = bind_fields(connection, list(fields.values()), opened.raw, place=place)
        needed = frozenset().union(*(field.columns for field in bound))
        rows = read_rows(
            connection,
            opened,
            needed=needed,
            whole_row=whole_row,
            encoding=request.source.encoding,
        )
        by_column = dict(zip(fields, bound, strict=True))
        stage_rows(connection, rows.relation, by_column, plan, file=number)
        read.append(ReadFile(file.path, rows))
    progress("reading files", len(files), len(files))
    return read


def _summarise(
    request: IngestRequest,
    connection: duckdb.DuckDBPyConnection,
    plan: StagePlan,
    duplicates: DuplicateCounts,
    rejects: tuple[RejectCount, ...],
    rows_in: int,
) -> IngestSummary:
    time = f"{TABLES[request.kind].time}_us"
    stored = f"rule = 0 AND rowid NOT IN (SELECT staged FROM {DROPPED})"
    ignored, remapped, gap, overlap, valid, given, first, last = connection.execute(
        f"SELECT count(*) FILTER (rule = {IGNORED}), count(*) FILTER ({stored} AND remapped), "
        "count(*) FILTER (rule = 0 AND gap), count(*) FILTER (rule = 0 AND overlap), "
        f"count(*) FILTER (rule = 0), count(*) FILTER ({stored} AND arrival_given), "
        f"min({time}) FILTER ({stored}), max({time}) FILTER ({stored}) FROM {STAGED}"
    ).fetchall()[0]
    rejected = sum(count.rows for count in rejects)
    duplicate = duplicates.within_source + duplicates.in_warehouse
    accepted = valid - duplicate
    return IngestSummary(
        kind=request.kind,
        ingestion=None,
        files=(),
        skipped_files=(),
        rows_in=rows_in,
        accepted=accepted,
        duplicate=duplicate,
        duplicate_in_warehouse=duplicates.in_warehouse,
        filtered=rows_in - valid - ignored - rejected,
        ignored=ignored,
        remapped=remapped,
        repeats_kept=duplicates.repeats_kept,
        rejected=rejected,
        rejects=rejects,
        clock_gap=gap,
        clock_overlap=overlap,
        first=_moment(first),
        last=_moment(last),
        arrival_rule=_arrival_rule(plan, accepted, given),
        versions={},
        dry_run=request.dry_run,
        no_op=False,
        notes=(),
    )


def _arrival_rule(plan: StagePlan, accepted: int, given: int) -> str:
    default = "time of ingestion"
    if plan.arrived_us != str(plan.terms.now_us):
        default = f"{TABLES[plan.kind].time} (first back-fill)"
    if given == accepted and given:
        return "as mapped"
    return f"as mapped for {given:,} rows, else {default}" if given else default


def _nothing_new(
    request: IngestRequest,
    skipped: Sequence[SourceFile],
    notes: Sequence[str],
    warehouse: Warehouse | None,
) -> IngestSummary:
    return IngestSummary(
        kind=request.kind,
        ingestion=None,
        files=(),
        skipped_files=tuple(file.path for file in skipped),
        rows_in=0,
        accepted=0,
        duplicate=0,
        duplicate_in_warehouse=0,
        filtered=0,
        ignored=0,
        remapped=0,
        repeats_kept=0,
        rejected=0,
        rejects=(),
        clock_gap=0,
        clock_overlap=0,
        first=None,
        last=None,
        arrival_rule="",
        versions=warehouse.versions() if warehouse is not None else {},
        dry_run=request.dry_run,
        no_op=True,
        notes=("Every file was ingested before; nothing was changed.", *notes),
    )


def _hints(summary: IngestSummary) -> list[str]:
    hints = []
    if summary.accepted == 0 and summary.filtered == summary.rows_in:
        hints.append("`where` left out every row.")
    return hints


def _moment(us: Any) -> datetime | None:
    if us is None:
        return None
    return datetime.fromtimestamp(us // 1_000_000, tz=UTC).replace(microsecond=us % 1_000_000)
