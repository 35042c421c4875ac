"""A configured shop in a folder, for tests of ingestion."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from features.contract import Kind
from features.ingestion_summary import IngestSummary
from features.source import (
    AssignmentSource,
    ContactSource,
    CustomerSource,
    EventRules,
    EventSource,
)
from features.stage import Stage
from features.warehouse import Warehouse
from pipelines.config import Business, Config, Sources, Storage, Windows
from pipelines.ingest import run_ingest
from scoring.policy import (
    Caps,
    Channel,
    Experiment,
    FollowUp,
    ListRules,
    NightLimits,
    Offer,
    Waiting,
)
from training.effect_plan import EffectPlan
from training.plan import TrainingPlan

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
RULES = EventRules(
    types=("visit", "order", "refund"), activity=("visit",), orders=("order",), refunds=("refund",)
)
EVENTS = EventSource(amount="amount")
N_BUCKETS = 4


def shop(
    home: Path,
    *,
    events: EventSource = EVENTS,
    customers: CustomerSource | None = None,
    contacts: ContactSource | None = None,
    assignments: AssignmentSource | None = None,
    rules: EventRules = RULES,
    time_zone: str = "Europe/Berlin",
) -> Config:
    """A valid configuration whose warehouse is `home`/warehouse."""
    return Config(
        home=home,
        digest="",
        business=Business("shop", time_zone, "EUR", 0.3, 10.0),
        storage=Storage(buckets=N_BUCKETS),
        events=rules,
        windows=Windows(),
        stages=(Stage("buyer", "buyer", ("order",), ("visit",), ("order",), 30.0),),
        sources=Sources(
            events=events,
            customers=customers or CustomerSource(),
            contacts=contacts or ContactSource(),
            assignments=assignments or AssignmentSource(),
        ),
        channels={"email": Channel("e-mail", 0.01), "sms": Channel("text message", 0.1)},
        offers={"none": Offer("no offer")},
        caps=Caps(),
        limits=NightLimits(),
        follow_up=FollowUp(),
        waiting=Waiting(),
        experiment=Experiment(),
        list=ListRules(),
        exports={},
        training=TrainingPlan(),
        effects=EffectPlan(),
    )


def write(path: Path, text: str | bytes) -> str:
    """Write a file; returns its path as the user would give it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def ingest_text(
    home: Path, text: str | bytes, *, kind: Kind = "events", name: str = "in.csv", **options: Any
) -> IngestSummary:
    """Write `text` to a file and ingest it; options of `shop` and of `run_ingest`."""
    shop_names = ("events", "customers", "contacts", "assignments", "rules", "time_zone")
    config = shop(home, **{key: options.pop(key) for key in shop_names if key in options})
    settings = {"now": NOW, "max_reject_share": 1.0, **options}
    return run_ingest(config, kind, [write(home / name, text)], **settings)


def stored(home: Path, table: str = "events") -> list[dict[str, Any]]:
    """All rows of a table, in a fixed order."""
    warehouse = Warehouse.open(str(home / "warehouse"), n_buckets=N_BUCKETS)
    return sorted(warehouse.dataset(table).to_table().to_pylist(), key=repr)


def rules_of(summary: IngestSummary) -> dict[str, int]:
    """Rejected rows by rule."""
    counts: dict[str, int] = {}
    for reject in summary.rejects:
        counts[reject.rule] = counts.get(reject.rule, 0) + reject.rows
    return counts


def balanced(summary: IngestSummary) -> bool:
    """Whether every row in is counted exactly once."""
    return summary.rows_in == (
        summary.accepted + summary.duplicate + summary.filtered + summary.ignored + summary.rejected
    )


def with_rules(**changes: Any) -> EventRules:
    """The shop's event rules with changes."""
    return replace(RULES, **changes)
