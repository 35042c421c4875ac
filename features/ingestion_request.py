"""What is to be ingested, and the plan that follows from it."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from zoneinfo import available_timezones

from features.contract import TABLES, Kind
from features.ingestion_rules import ContractTerms, Rule, contract_rules
from features.ingestion_stage import Source, StagePlan, staged_columns
from features.ingestion_time import instant_us
from features.source import CustomerSource, EventRules

CONTRADICTION = Rule(
    "customer_contradiction",
    "customer_id",
    "false",
    "two rows say different things about one customer at one changed_at",
)
"""Applied after staging, as it takes two rows to break it; always the last rule of a plan."""

ASSIGNMENT_CONTRADICTION = Rule(
    "assignment_contradiction",
    "assignment_id",
    "false",
    "another row of the source or of the warehouse says something else under this assignment_id",
)
"""As above, for assignments."""


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
    channels, offers : known contact channels and offers.
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
    offers: tuple[str, ...] = ("none",)

    def mapping_digest(self) -> str:
        """Hex SHA-256 of everything in the configuration that decides how a file is read."""
        rules = replace(self.rules, activity=("",))
        parts = [self.kind, asdict(self.source), asdict(rules), self.time_zone]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def make_plan(request: IngestRequest, *, at_event_time: bool) -> StagePlan:
    """The rules, columns and defaults of one ingestion.

    `at_event_time` dates the arrival of rows without arrived_at by the event instead of
    by the time of ingestion.
    """
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
        offers=request.offers,
    )
    last = ASSIGNMENT_CONTRADICTION if request.kind == "assignments" else CONTRADICTION
    time = TABLES[request.kind].time
    arrived, changed = str(now_us), str(now_us)
    if at_event_time:
        changed = "coalesce(signup_at_us, 0)"
        arrived = f"coalesce(changed_at_us, {changed})" if time == "changed_at" else f"{time}_us"
    return StagePlan(
        kind=request.kind,
        source=request.source,
        terms=terms,
        rules=(*contract_rules(request.kind, terms), last),
        n_buckets=request.n_buckets,
        columns=staged_columns(request.kind, terms),
        arrived_us=arrived,
        changed_us=changed,
    )
