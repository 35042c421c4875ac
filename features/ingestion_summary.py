"""What an ingestion did, or would do, in numbers."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class RejectCount:
    """Rejected rows of one rule, with up to three places as "file:row".

    `meaning` says what the rule is, and what to write where many values have a usual form.
    """

    rule: str
    column: str
    rows: int
    meaning: str
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExperimentCount:
    """One experiment after an ingestion of assignments, stored rows included.

    `controls` were assigned no contact; `without_propensity` state no probability.
    """

    experiment: str
    rows: int
    controls: int
    without_propensity: int


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """The result of one ingestion.

    Every data row is counted once: rows_in = accepted + duplicate + filtered + ignored +
    rejected.

    Attributes
    ----------
    ingestion : identifier; null when nothing was new.
    files, skipped_files : files read, and files whose bytes had been ingested before.
    rows_in : data rows of the files read, unreadable ones included.
    accepted : rows stored (in a dry run: that would be stored).
    duplicate : rows that repeat another row of the source or of the warehouse.
    duplicate_in_warehouse : those of `duplicate` that the warehouse held already.
    filtered : rows that `where` leaves out.
    ignored : rows of an unknown event type under events.unknown = "ignore".
    remapped : accepted rows whose unknown event type was mapped.
    repeats_kept : accepted rows that repeat a row of the source and were kept by policy.
    rejected : rows that broke a rule; `rejects` says which.
    clock_gap, clock_overlap : accepted or duplicate rows with a local time that does not
        exist (shifted forward), or exists twice (the first was taken).
    first, last : span of the accepted rows' time; null if there are none.
    arrival_rule : where arrived_at came from.
    versions : table versions after the commit; empty in a dry run.
    no_op : nothing was new and nothing was written.
    notes : what the operator should know, as sentences.
    experiments : of assignments, the experiments that rows were added to.
    """

    kind: str
    ingestion: str | None
    files: tuple[str, ...]
    skipped_files: tuple[str, ...]
    rows_in: int
    accepted: int
    duplicate: int
    duplicate_in_warehouse: int
    filtered: int
    ignored: int
    remapped: int
    repeats_kept: int
    rejected: int
    rejects: tuple[RejectCount, ...]
    clock_gap: int
    clock_overlap: int
    first: datetime | None
    last: datetime | None
    arrival_rule: str
    versions: dict[str, int]
    dry_run: bool
    no_op: bool
    notes: tuple[str, ...]
    experiments: tuple[ExperimentCount, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--json`; times as ISO 8601 in UTC."""
        values = asdict(self)
        for name in ("first", "last"):
            moment = values[name]
            values[name] = moment.isoformat() if moment is not None else None
        return {"schema_version": SCHEMA_VERSION, **values}
