"""Where an explanation finds what was decided, and what it says of those never scored."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.errors import ArtifactError, DataError, describe
from features.history_reader import read_columns
from features.warehouse import Warehouse
from pipelines.earlier_lists import decided_days, decision_files
from pipelines.explanation import Explanation
from scoring.decisions import TABLE_NAME
from scoring.scored import ScoredCustomers

_DECISION_COLUMNS = (
    "customer_id",
    "order_value",
    "exclusion",
    "rank",
    "arm",
    "channel",
    "offer",
    "send_at_utc",
    "send_basis",
    "uplift",
    "uplift_low",
    "uplift_high",
    "evidence",
    "expected_gain",
    "recommended_action",
    "follow_up_of",
    "follow_up_channel",
    "follow_up_at",
    "life_cycle",
    "value_tier",
    "promotion",
    "promotion_basis",
    "model_version",
    "config_hash",
)


def decided_day(warehouse: Warehouse, as_of: date | None) -> date:
    """The day asked for, or the latest one for which a list was written.

    Raises
    ------
    ArtifactError : no list of that day was written.
    """
    days = decided_days(warehouse)
    if not days or (as_of is not None and as_of not in days):
        wanted = f"no list of {as_of} was written" if as_of else "no list was written yet"
        written = f"; the last of {len(days)} written are shown" if days else ""
        raise ArtifactError(
            describe(
                f"table {TABLE_NAME}",
                f"{wanted}{written}",
                examples=days[-3:],
                expected="a day for which `winback nightly` has run",
                fix="run `winback nightly --as-of DATE` first, or pass another --as-of",
            )
        )
    return as_of or days[-1]


def read_decision(warehouse: Warehouse, day: date, customer_id: str) -> Mapping[str, Any] | None:
    """What was decided for a customer, by column; null for one who was not scored."""
    table = read_columns(TABLE_NAME, decision_files(warehouse, day), columns=_DECISION_COLUMNS)
    found = table.filter(pc.equal(table["customer_id"], customer_id)).to_pylist()
    return dict(found[0]) if found else None


def explain_unscored(warehouse: Warehouse, day: date, bucket: int, customer_id: str) -> Explanation:
    """What can be said of a customer who was not scored that day.

    Raises
    ------
    DataError : the customer is in no table.
    """
    stored = [
        name
        for name in ("events", "customers", "contacts")
        if _is_in(warehouse, name, bucket, customer_id)
    ]
    if not stored:
        raise DataError(
            describe(
                "explain",
                "this customer id is in none of the tables events, customers, contacts",
                expected="a customer_id exactly as it was ingested",
                fix="check its spelling, leading zeros included, or ingest the customer first",
            )
        )
    if "events" in stored:
        verdict = (
            f"Not scored: when the list of {day} was made, no event of this customer that had "
            "happened and arrived before that day was in the warehouse."
        )
    else:
        verdict = f"Not scored: this customer has no events, only {' and '.join(stored)}."
    return Explanation(customer_id=customer_id, day=day, verdict=verdict, is_scored=False)


def _is_in(warehouse: Warehouse, name: str, bucket: int, customer_id: str) -> bool:
    files = warehouse.files(name, bucket=bucket)
    ids = read_columns(name, files, columns=("customer_id",))["customer_id"]
    return bool(pc.any(pc.equal(ids, customer_id), min_count=0).as_py())


def row_of(scored: ScoredCustomers, customer_id: str) -> int:
    """The customer's position among the scored of their bucket.

    Raises
    ------
    ArtifactError : their events are gone since the list was made.
    """
    place = pc.index(scored.customer_id, pa.scalar(customer_id, pa.string())).as_py()
    if place < 0:
        raise ArtifactError(
            describe(
                f"table {TABLE_NAME}",
                "the customer was scored that night, but has no event in the warehouse now",
                expected="the events that the list was made from",
                fix="run `winback nightly` for that day again",
            )
        )
    return int(place)
