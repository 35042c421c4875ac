"""Adding up a staged ingestion."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb

from features.contract import TABLES
from features.ingestion_commit import IngestionRecord
from features.ingestion_duplicates import DROPPED, DuplicateCounts
from features.ingestion_files import SourceFile
from features.ingestion_request import IngestRequest
from features.ingestion_stage import IGNORED, STAGED, StagePlan
from features.ingestion_summary import IngestSummary, RejectCount
from features.ingestion_time import instant_us
from features.source import CustomerSource
from features.warehouse import Warehouse


def summarise(
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
        notes=tuple(_repeats(duplicates)),
    )


def _repeats(duplicates: DuplicateCounts) -> Iterator[str]:
    dropped, kept = duplicates.repeats_dropped, duplicates.repeats_kept
    if dropped:
        yield (
            f"{_equal_rows(dropped)} dropped; if repeats are real, "
            'set events.repeated_rows = "keep".'
        )
    if kept:
        yield f"{_equal_rows(kept)} kept (events.repeated_rows)."


def _equal_rows(rows: int) -> str:
    return (
        "1 row equals another row and was"
        if rows == 1
        else (f"{rows:,} rows equal another row and were")
    )


def _arrival_rule(plan: StagePlan, accepted: int, given: int) -> str:
    default = "time of ingestion"
    if plan.arrived_us != str(plan.terms.now_us):
        default = f"{TABLES[plan.kind].time} (back-fill)"
    if given == accepted and given:
        return "as mapped"
    return f"as mapped for {given:,} rows, else {default}" if given else default


def make_record(
    request: IngestRequest, summary: IngestSummary, digests: tuple[str, ...]
) -> IngestionRecord:
    """The row of the table `ingestions` that says what was done; digests in file order."""
    return IngestionRecord(
        ingestion=summary.ingestion or "",
        kind=request.kind,
        ingested_at_us=instant_us(request.now),
        files=summary.files,
        digests=digests,
        mapping_digest=request.mapping_digest(),
        rows_in=summary.rows_in,
        accepted=summary.accepted,
        duplicate=summary.duplicate,
        filtered=summary.filtered,
        ignored=summary.ignored,
        rejected=summary.rejected,
        arrival_rule=summary.arrival_rule,
    )


def nothing_new(
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


def hints(
    summary: IngestSummary, request: IngestRequest, *, at_event_time: bool, no_customers: bool
) -> list[str]:
    """What the operator should know about rows that are all sound.

    Parameters
    ----------
    at_event_time : rows without arrived_at count as known when they happened.
    no_customers : the table is filled for the first time, and there are no customer records.
    """
    hints = []
    source = request.source
    has_undated_attributes = (
        isinstance(source, CustomerSource) and source.attributes and source.changed_at is None
    )
    if has_undated_attributes and at_event_time:
        hints.append(
            "changed_at is not mapped, so today's attributes count as known since signup: leave "
            "out of sources.customers.attributes what changes, such as a loyalty tier."
        )
    if summary.accepted == 0 and summary.filtered == summary.rows_in:
        hints.append("`where` left out every row.")
    if request.kind == "events" and no_customers:
        hints.append(
            "No customer records yet: channels that require consent reach nobody until "
            "`winback ingest customers`."
        )
    return hints


def _moment(us: Any) -> datetime | None:
    if us is None:
        return None
    return datetime.fromtimestamp(us // 1_000_000, tz=UTC).replace(microsecond=us % 1_000_000)
