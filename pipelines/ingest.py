"""`winback ingest`: raw files into the warehouse."""

from collections.abc import Sequence
from datetime import UTC, datetime

from features.contract import KINDS, Kind
from features.errors import UsageError, describe
from features.ingestion import ingest
from features.ingestion_request import IngestRequest
from features.ingestion_summary import IngestSummary
from features.progress import Progress, silent
from pipelines.config import Config


def run_ingest(
    config: Config,
    kind: Kind,
    paths: Sequence[str],
    *,
    dry_run: bool = False,
    max_reject_share: float = 0.01,
    backfill: bool = False,
    now: datetime | None = None,
    progress: Progress = silent,
) -> IngestSummary:
    """Ingest files of one kind under a configuration.

    Parameters
    ----------
    config : says how files are mapped and where the warehouse is.
    kind : "events", "customers", "contacts" or "assignments".
    paths : files and glob patterns; relative ones start at the working directory.
    dry_run : read, check and count; write nothing.
    max_reject_share : largest share of rows in that may be rejected, in [0, 1].
    backfill : date the arrival of rows without arrived_at by the event, not by now.
    now : time of ingestion; null means the clock.
    progress : called with step, done, total.

    Raises
    ------
    UsageError : unknown kind, a share outside [0, 1], or a path that matches no file.
    DataError, ArtifactError : as features.ingestion.ingest.
    """
    if kind not in KINDS:
        raise UsageError(
            describe(
                "ingest", f"{kind!r} is no kind of data", expected=", ".join(KINDS), fix="name one"
            )
        )
    if not 0 <= max_reject_share <= 1:
        raise UsageError(
            describe(
                "--max-reject-share",
                f"is {max_reject_share:g}",
                expected="a share between 0 and 1, such as 0.01",
                fix="correct the option",
            )
        )
    request = IngestRequest(
        kind=kind,
        paths=tuple(paths),
        source=getattr(config.sources, kind),
        rules=config.events,
        time_zone=config.business.timezone,
        channels=tuple(config.channels),
        offers=tuple(config.offers),
        root=config.warehouse_path,
        n_buckets=config.storage.buckets,
        now=now if now is not None else datetime.now(UTC),
        dry_run=dry_run,
        max_reject_share=max_reject_share,
        backfill=backfill,
    )
    return ingest(request, progress=progress)
