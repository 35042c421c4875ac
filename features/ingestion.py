"""Ingestion: raw files become rows of the warehouse, or rejects with a reason."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from features.contract import INGESTIONS, Kind
from features.errors import DataError
from features.ingestion_advice import advise
from features.ingestion_assignments import count_experiments, experiment_notes
from features.ingestion_commit import check_still_empty, commit_ingestion, repair_records
from features.ingestion_duplicates import find_duplicates
from features.ingestion_evaluation import evaluation_fault
from features.ingestion_files import SourceFile, find_files, inspect_files, join_faults
from features.ingestion_folder import DATABASE, staging_folder
from features.ingestion_mapping import bind_fields, check_time_format
from features.ingestion_read import open_file, read_rows
from features.ingestion_rejects import ReadFile, check_share, count_rejects, list_rejects
from features.ingestion_request import IngestRequest, make_plan
from features.ingestion_stage import StagePlan, create_staged, source_fields, stage_rows
from features.ingestion_summary import IngestSummary, RejectCount
from features.ingestion_time import OFFSETS_TABLE, offset_table
from features.ingestion_totals import hints, make_record, nothing_new, summarise
from features.progress import Progress, silent
from features.warehouse import Warehouse
from features.warehouse_faults import check_new_place


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
    if warehouse is None or request.dry_run:
        return _ingest(request, warehouse, files, progress)
    with warehouse.writing():
        repair_records(warehouse, request.kind)
        return _ingest(request, warehouse, files, progress)


def _ingest(
    request: IngestRequest,
    warehouse: Warehouse | None,
    files: Sequence[SourceFile],
    progress: Progress,
) -> IngestSummary:
    new, skipped, notes = _sort_out(files, warehouse, request)
    if not new:
        return nothing_new(request, skipped, notes, warehouse)
    first_fill = warehouse is None or warehouse.table_stats(request.kind).rows == 0
    at_event_time = first_fill or request.backfill
    plan = make_plan(request, at_event_time=at_event_time)
    stored = None if first_fill or warehouse is None else warehouse.dataset(request.kind)
    with (
        staging_folder(request.root, dry_run=request.dry_run) as folder,
        _connect(folder) as connection,
    ):
        read = _stage_files(request, connection, plan, new, folder, progress)
        summary = _judge(request, connection, plan, read, stored, progress)
        summary = replace(
            summary,
            ingestion=_ingestion_digest(request.kind, new),
            files=tuple(file.path for file in new),
            skipped_files=tuple(file.path for file in skipped),
            notes=(
                *notes,
                *summary.notes,
                *hints(
                    summary,
                    request,
                    at_event_time=at_event_time,
                    no_customers=first_fill and not _has_customers(warehouse),
                ),
            ),
        )
        if request.dry_run:
            return summary
        record = make_record(request, summary, tuple(file.digest for file in new))
        rejected = list_rejects(connection, plan.rules, read)
        if warehouse is not None:
            commit_ingestion(warehouse, connection, plan, record, rejected, progress=progress)
        else:
            # Made only now, so that a first ingestion that fails leaves nothing behind.
            warehouse = Warehouse.open(request.root, n_buckets=request.n_buckets, create=True)
            with warehouse.writing():
                check_still_empty(warehouse, request.kind)
                commit_ingestion(warehouse, connection, plan, record, rejected, progress=progress)
    return replace(summary, versions=warehouse.versions())


def _judge(
    request: IngestRequest,
    connection: duckdb.DuckDBPyConnection,
    plan: StagePlan,
    read: Sequence[ReadFile],
    stored: Any | None,
    progress: Progress,
) -> IngestSummary:
    """Count rejects and duplicates among the staged rows; too many rejects are an error."""
    rows_in = sum(file.rows.rows + len(file.rows.unreadable) for file in read)

    def count() -> tuple[RejectCount, ...]:
        rejects = count_rejects(connection, plan.rules, read)
        check_share(rejects, rows_in=rows_in, max_share=request.max_reject_share, kind=plan.kind)
        return rejects

    rejects = count()
    progress("finding duplicates", 0, 1)
    duplicates = find_duplicates(connection, plan, stored, conflict=len(plan.rules))
    if plan.kind in ("customers", "assignments"):
        rejects = count()  # rows that contradict each other have come to light
    progress("finding duplicates", 1, 1)
    summary = summarise(request, connection, plan, duplicates, rejects, rows_in)
    if plan.kind != "assignments":
        return summary
    counts = count_experiments(connection, stored)
    notes = (*summary.notes, *experiment_notes(counts))
    return replace(summary, experiments=counts, notes=notes)


def _ingestion_digest(kind: Kind, files: Sequence[SourceFile]) -> str:
    digests = sorted(file.digest for file in files)
    return hashlib.sha256("\n".join([kind, *digests]).encode()).hexdigest()


def _open_warehouse(request: IngestRequest) -> Warehouse | None:
    if Warehouse.exists(request.root):
        return Warehouse.open(request.root, n_buckets=request.n_buckets, create=not request.dry_run)
    check_new_place(request.root)
    return None


def _has_customers(warehouse: Warehouse | None) -> bool:
    return warehouse is not None and warehouse.table_stats("customers").rows > 0


def _sort_out(
    files: Sequence[SourceFile], warehouse: Warehouse | None, request: IngestRequest
) -> tuple[list[SourceFile], list[SourceFile], list[str]]:
    """Split files into new and known ones, with notes on the known."""
    new: dict[str, SourceFile] = {}
    skipped: list[SourceFile] = []
    notes: list[str] = []
    mappings = _known_mappings(warehouse, request.kind)
    mapping = request.mapping_digest()
    known: set[str] = set()
    if warehouse is not None:
        known = warehouse.known_transactions(request.kind, [file.digest for file in files])
    for file in files:
        if file.digest in known:
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


def _connect(folder: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(
        str(folder / DATABASE),
        config={
            "temp_directory": str(folder / "spill"),
            "memory_limit": "60%",
            # A function that a mapping misspells is not looked for on the internet.
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    # This optimizer moves an expression that occurs inside and outside of TRY out of it.
    connection.execute("SET disabled_optimizers = 'common_subexpressions'")
    connection.execute("SET enable_progress_bar = false")
    return connection


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
    check_time_format(connection, request.source.time_format, place=place)
    read: list[ReadFile] = []
    faults: list[tuple[str, DataError]] = []
    for number, file in enumerate(files):
        progress("reading files", number, len(files))
        try:
            read.append(_stage_file(request, connection, plan, file, folder, number))
        except DataError as error:  # the others may have the same fault
            faults.append((file.path, error))
    progress("reading files", len(files), len(files))
    if faults:
        raise join_faults(faults, total=len(files))
    return read


def _stage_file(
    request: IngestRequest,
    connection: duckdb.DuckDBPyConnection,
    plan: StagePlan,
    file: SourceFile,
    folder: Path,
    number: int,
) -> ReadFile:
    place = f"sources.{request.kind}"
    fields = source_fields(request.source, plan.terms)
    opened = open_file(
        connection, file, request.source, place=place, stage=folder / f"source-{number}"
    )
    bound = bind_fields(connection, list(fields.values()), opened.raw, place=place)
    rows = read_rows(
        connection,
        opened,
        needed=frozenset().union(*(field.columns for field in bound)),
        whole_row=request.kind == "events" and "event_id" not in fields,
        encoding=request.source.encoding,
    )
    by_column = dict(zip(fields, bound, strict=True))
    try:
        stage_rows(connection, rows.relation, by_column, plan, file=number)
        advice = advise(connection, rows.relation, by_column, plan, file=number)
    except duckdb.DatabaseError as error:
        if isinstance(error, duckdb.OperationalError) and file.format != "parquet":
            raise  # memory or disk
        fault = evaluation_fault(
            connection, rows.relation, by_column, plan.columns, opened=opened, place=place
        )
        if fault is None:
            raise
        raise fault from None
    return ReadFile(file.path, rows, advice)
