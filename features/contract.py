"""The tables of the warehouse: their columns, partitions and sort orders."""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

Kind = Literal["events", "customers", "contacts", "assignments"]
KINDS: tuple[Kind, ...] = ("events", "customers", "contacts", "assignments")

TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class TableContract:
    """One table: its Arrow schema, its partition columns, and the row order inside a file.

    `plain` names the string columns that are not dictionary-encoded because their values
    hardly repeat. `time` is the column whose span `winback status` shows. `required` are
    columns that ingestion never leaves null: files say so, which lets readers decode them
    in two thirds of the time. `added_later` tables may be missing from a warehouse that an
    earlier version made: they then read as empty, and the first append makes them.
    """

    name: str
    schema: pa.Schema
    partition_by: tuple[str, ...] = ()
    sort_key: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()
    time: str | None = None
    required: tuple[str, ...] = ()
    added_later: bool = False

    @property
    def file_schema(self) -> pa.Schema:
        """The columns inside a data file: partition columns live in the folder name."""
        return pa.schema(
            [
                field.with_nullable(field.name not in self.required)
                for field in self.schema
                if field.name not in self.partition_by
            ]
        )


def _table(
    name: str,
    columns: dict[str, pa.DataType],
    *,
    sort_key: tuple[str, ...],
    time: str,
    plain: tuple[str, ...] = (),
    required: tuple[str, ...] = (),
    bucketed: bool = True,
    added_later: bool = False,
) -> TableContract:
    fields = {"bucket": pa.int32(), **columns} if bucketed else columns
    return TableContract(
        name=name,
        schema=pa.schema(list(fields.items())),
        partition_by=("bucket",) if bucketed else (),
        sort_key=("bucket", *sort_key) if bucketed else sort_key,
        plain=plain,
        time=time,
        required=required,
        added_later=added_later,
    )


EVENTS = _table(
    "events",
    {
        "customer_id": pa.string(),
        "occurred_at": TIME,
        "arrived_at": TIME,
        "event_type": pa.string(),
        "amount": pa.float64(),
        "discount": pa.float64(),
        "event_id": pa.string(),
        "order_id": pa.string(),
        "category": pa.string(),
        "device": pa.string(),
    },
    sort_key=(
        "customer_id",
        "occurred_at",
        "event_type",
        "order_id",
        "amount",
        "discount",
        "category",
        "device",
        "event_id",
        "arrived_at",
    ),
    plain=("event_id",),
    required=("customer_id", "occurred_at", "arrived_at", "event_type"),
    time="occurred_at",
)
CUSTOMERS = _table(
    "customers",
    {
        "customer_id": pa.string(),
        "changed_at": TIME,
        "arrived_at": TIME,
        "signup_at": TIME,
        "timezone": pa.string(),
        "do_not_contact": pa.bool_(),
        "flags": pa.map_(pa.string(), pa.bool_()),
        "attributes": pa.map_(pa.string(), pa.string()),
    },
    sort_key=("customer_id", "changed_at", "arrived_at"),
    required=("customer_id", "changed_at", "arrived_at"),
    time="changed_at",
)
CONTACTS = _table(
    "contacts",
    {
        "contact_id": pa.string(),
        "customer_id": pa.string(),
        "sent_at": TIME,
        "arrived_at": TIME,
        "channel": pa.string(),
        "offer": pa.string(),
        "list_row_id": pa.string(),
        "delivered_at": TIME,
        "opened_at": TIME,
        "clicked_at": TIME,
        "outcome": pa.string(),
        "unsubscribed_at": TIME,
        "cost": pa.float64(),
    },
    sort_key=("customer_id", "sent_at", "contact_id", "arrived_at"),
    plain=("contact_id", "list_row_id"),
    required=("contact_id", "customer_id", "sent_at", "arrived_at"),
    time="sent_at",
)
ASSIGNMENTS = _table(
    "assignments",
    {
        "assignment_id": pa.string(),
        "customer_id": pa.string(),
        "assigned_at": TIME,
        "arrived_at": TIME,
        "experiment": pa.string(),
        "channel": pa.string(),
        "offer": pa.string(),
        "propensity": pa.float64(),
        "propensities": pa.map_(pa.string(), pa.float64()),
    },
    sort_key=("customer_id", "assigned_at", "assignment_id"),
    plain=("assignment_id",),
    required=("assignment_id", "customer_id", "assigned_at", "arrived_at", "experiment"),
    time="assigned_at",
    added_later=True,
)
REJECTS = _table(
    "rejects",
    {
        "ingestion": pa.string(),
        "kind": pa.string(),
        "file": pa.string(),
        "row": pa.int64(),
        "rule": pa.string(),
        "column": pa.string(),
        "ingested_at": TIME,
    },
    sort_key=("file", "row"),
    time="ingested_at",
    bucketed=False,
)
INGESTIONS = _table(
    "ingestions",
    {
        "ingestion": pa.string(),
        "kind": pa.string(),
        "ingested_at": TIME,
        "files": pa.list_(pa.string()),
        "digests": pa.list_(pa.string()),
        "mapping_digest": pa.string(),
        "rows_in": pa.int64(),
        "accepted": pa.int64(),
        "duplicate": pa.int64(),
        "filtered": pa.int64(),
        "ignored": pa.int64(),
        "rejected": pa.int64(),
        "table_version": pa.int64(),
        "arrival_rule": pa.string(),
    },
    sort_key=("ingested_at",),
    time="ingested_at",
    bucketed=False,
)
HOLDOUT_LEDGER = _table(
    "holdout_ledger",
    {
        "customer_id": pa.string(),
        "bucket": pa.int32(),
        "salt": pa.string(),
        "holdout_share": pa.float64(),
        "entered_on": pa.date32(),
        "entered_at": TIME,
        "left_on": pa.date32(),
    },
    sort_key=("customer_id", "left_on"),
    plain=("customer_id",),
    required=("customer_id", "bucket", "salt", "entered_on", "entered_at"),
    time="entered_at",
    bucketed=False,
    added_later=True,
)
_ALL = (EVENTS, CUSTOMERS, CONTACTS, ASSIGNMENTS, REJECTS, INGESTIONS, HOLDOUT_LEDGER)
TABLES = {table.name: table for table in _ALL}
