"""Synthetic events in a real warehouse, for the features benchmark."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.bucket import bucket_sql
from features.contract import EVENTS
from features.kernels.feature import DAY_US
from features.spec import FeatureSpec
from features.warehouse import Warehouse

FIRST_DAY = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = 500
AS_OF_DAY = 485
"""Some events lie after the as-of, as in a backtest, so the time filter has work to do."""

SPEC = FeatureSpec(
    event_types=("view", "search", "login", "add_to_cart", "purchase", "refund"),
    activity=("view", "search", "login", "add_to_cart", "purchase"),
    orders=("purchase",),
    refunds=("refund",),
    channels=("push", "email"),
)


def as_ofs(count: int) -> NDArray[np.int64]:
    """`count` as-ofs 28 days apart, the last on `AS_OF_DAY`."""
    start = int(FIRST_DAY.timestamp()) * 1_000_000
    days = AS_OF_DAY - 28 * np.arange(count)[::-1]
    return np.asarray(start + days * DAY_US, dtype=np.int64)


def generate_warehouse(
    folder: Path, *, customers: int, events: int, buckets: int, seed: int = 1
) -> Warehouse:
    """Write `events` random events of about `customers` customers into a new warehouse.

    Activity is skewed over customers, one event in twenty is a purchase with amount,
    discount and category, and 2 % of the rows arrive up to three days late.
    """
    warehouse = Warehouse.open(str(folder / "warehouse"), n_buckets=buckets, create=True)
    store = folder / "generate.duckdb"
    with duckdb.connect(str(store)) as connection:
        connection.execute("SET threads = 1; SET preserve_insertion_order = false")
        connection.execute(f"SELECT setseed({1 / (1 + seed)})")
        connection.execute(_raw_events(customers, events, buckets))
        connection.execute("SET threads = 2; SET preserve_insertion_order = true")
        warehouse.append("events", _sorted_batches(connection, buckets, events))
    store.unlink()
    return warehouse


def _raw_events(customers: int, events: int, buckets: int) -> str:
    return f"""
    CREATE TABLE raw AS
    SELECT {bucket_sql("customer_id", buckets)} AS bucket, *
    FROM (
        SELECT
            'customer-' || lpad((pow(random(), 1.7) * {customers})::BIGINT::VARCHAR, 8, '0')
                AS customer_id,
            epoch_us(TIMESTAMP '{FIRST_DAY:%Y-%m-%d}')
                + (random() * {DAYS * DAY_US})::BIGINT AS occurred_us,
            CASE WHEN random() < 0.02 THEN (random() * {3 * DAY_US})::BIGINT ELSE 0 END
                AS delay_us,
            (random() * 1000)::INTEGER AS kind,
            round(exp(random() * 4), 2) AS price,
            random() AS discounted,
            (pow(random(), 2) * 60)::INTEGER AS shelf
        FROM range({events})
    )
    """


def _sorted_batches(
    connection: duckdb.DuckDBPyConnection, buckets: int, events: int
) -> Iterator[Any]:
    keys = ", ".join(EVENTS.sort_key)
    step = max(1, buckets * 4_000_000 // max(events, 1))
    for first in range(0, buckets, step):
        result = connection.sql(
            f"""
            SELECT bucket, customer_id,
                make_timestamp(occurred_us) AS occurred_at,
                make_timestamp(occurred_us + delay_us) AS arrived_at,
                CASE WHEN kind < 50 THEN 'purchase' WHEN kind < 53 THEN 'refund'
                    WHEN kind < 80 THEN 'add_to_cart' WHEN kind < 200 THEN 'search'
                    WHEN kind < 250 THEN 'login' ELSE 'view' END AS event_type,
                CASE WHEN kind < 50 THEN price WHEN kind < 53 THEN -price END AS amount,
                CASE WHEN kind < 50 AND discounted < 0.3 THEN round(price / 10, 2) END
                    AS discount,
                NULL::VARCHAR AS event_id, NULL::VARCHAR AS order_id,
                CASE WHEN kind < 50 THEN 'category-' || shelf END AS category,
                NULL::VARCHAR AS device
            FROM raw WHERE bucket >= {first} AND bucket < {first + step}
            ORDER BY {keys}
            """
        )
        for batch in result.to_arrow_reader(500_000):
            table = pa.Table.from_batches([batch])
            for name in ("occurred_at", "arrived_at"):
                at = table.schema.get_field_index(name)
                field = pa.field(name, pa.timestamp("us", tz="UTC"))
                table = table.set_column(at, field, table[name].cast(field.type))
            yield table
