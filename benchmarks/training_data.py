"""A large synthetic shop in a real warehouse, for the training benchmark.

Customers order and visit at Gamma-distributed rates until they drop out, at another rate of
their own (the Pareto/NBD story), so that risk and natural return can be learnt. Written
straight into the tables: the benchmark is of training, not of ingestion.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.bucket import bucket_sql
from features.contract import CONTACTS, CUSTOMERS, EVENTS, TIME
from features.warehouse import Warehouse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FIRST_DAY = datetime(2025, 5, 1, tzinfo=UTC)
DAYS = 540
_START_US = int(FIRST_DAY.timestamp()) * 1_000_000
_DAY_US = 86_400_000_000
_TYPES = ("signup", "visit", "view", "cart", "purchase", "refund")
_SIGNUP, _VISIT, _VIEW, _CART, _PURCHASE, _REFUND = range(6)
_TIERS = ("large", "middle", "small", "rural")
_AGES = ("18-24", "25-34", "35-44", "45-54", "55+")
_WAYS = ("organic", "search", "social", "referral", "affiliate")
_CHANNELS = ("push", "sms", "email", "phone")
_CATEGORIES = tuple(f"shelf-{number}" for number in range(12))
_DEVICES = ("android", "ios", "web")


@dataclass(frozen=True, slots=True)
class Lives:
    """One bucket's customers in order of id; arrays have shape (n,), times are in days."""

    ids: Any
    born: Floats
    gone: Floats
    rate: Floats
    spend: Floats
    refund_share: float = 0.04

    @property
    def days(self) -> Floats:
        """Days each has been there."""
        return np.maximum(np.minimum(self.gone, DAYS) - self.born, 0.0)


def fill_warehouse(warehouse: Warehouse, *, customers: int, seed: int) -> None:
    """Write about 20 events and 2 contacts for each of `customers` customers."""
    lives = _split(warehouse.n_buckets, customers, seed)
    for name, rows_of in (("customers", _records), ("contacts", _contacts), ("events", _events)):
        rngs = [np.random.default_rng([seed, bucket, len(name)]) for bucket in range(len(lives))]
        warehouse.append(name, _tables(lives, rngs, rows_of))


def _tables(lives: list[Lives], rngs: list[np.random.Generator], rows_of: Any) -> Iterator[Any]:
    for bucket, (one, rng) in enumerate(zip(lives, rngs, strict=True)):
        table = rows_of(one, rng)
        number = pa.array(np.full(len(table), bucket, dtype=np.int32))
        yield table.add_column(0, pa.field("bucket", pa.int32()), number)


def _split(buckets: int, customers: int, seed: int) -> list[Lives]:
    """Draw all customers and lay them into their buckets."""
    query = f"""
        SELECT customer_id, {bucket_sql("customer_id", buckets)} AS bucket
        FROM (SELECT 'c' || lpad(i::VARCHAR, 8, '0') AS customer_id FROM range({customers}) r(i))
        ORDER BY customer_id
    """
    with duckdb.connect() as connection:
        table = connection.sql(query).to_arrow_table()
    rng = np.random.default_rng([seed, 1])
    born = DAYS * rng.random(customers) * np.where(rng.random(customers) < 0.4, 0.25, 0.97)
    drop_rate = rng.gamma(1.5, 1 / (1.5 * 120), customers)
    gone = born + rng.exponential(1.0, customers) / drop_rate
    rate = rng.gamma(0.9, 1 / (0.9 * 38), customers) + 0.001
    spend = np.exp(3.6 + 0.5 * rng.standard_normal(customers))
    bucket = table["bucket"].to_numpy()
    places = [np.flatnonzero(bucket == number) for number in range(buckets)]
    ids = table["customer_id"].combine_chunks()
    return [Lives(ids.take(pa.array(at)), born[at], gone[at], rate[at], spend[at]) for at in places]


def _scatter(rng: np.random.Generator, lives: Lives, mean: Floats) -> tuple[Ints, Floats]:
    """Poisson-many moments per customer, even over the life: customer and day of each."""
    owner = np.repeat(np.arange(len(mean)), rng.poisson(mean))
    return owner, lives.born[owner] + rng.random(len(owner)) * lives.days[owner]


def _events(lives: Lives, rng: np.random.Generator) -> Any:
    everyone = np.arange(len(lives.born))
    orders, order_days = _scatter(rng, lives, lives.rate * lives.days)
    visits, visit_days = _scatter(rng, lives, 2.5 * lives.rate * lives.days + 0.5)
    late, late_days = _scatter(rng, lives, np.full(len(everyone), 0.3))
    late_days += rng.random(len(late)) * 60
    back = rng.random(len(orders)) < lives.refund_share
    minute = 1 / 1440
    parts = [
        (everyone, lives.born, _SIGNUP),
        (orders, order_days - 9 * minute, _VISIT),
        (orders, order_days - 5 * minute, _VIEW),
        (orders, order_days - 2 * minute, _CART),
        (orders, order_days, _PURCHASE),
        (orders[back], order_days[back] + 9, _REFUND),
        (visits, visit_days, _VISIT),
        (visits, visit_days + minute, _VIEW),
        (late, late_days, _VISIT),
    ]
    owner = np.concatenate([part[0] for part in parts])
    day = np.maximum(np.concatenate([part[1] for part in parts]), lives.born[owner])
    kind = np.concatenate([np.full(len(part[0]), part[2]) for part in parts])
    inside = day < DAYS
    owner, day, kind = owner[inside], day[inside], kind[inside]
    order = np.lexsort((kind, day, owner))
    owner, day, kind = owner[order], day[order], kind[order]
    bought = kind == _PURCHASE
    price = np.round(lives.spend[owner] * np.exp(0.5 * rng.standard_normal(len(owner))), 2)
    amount = np.where(bought, price, -price)
    discounted = bought & (rng.random(len(owner)) < 0.25)
    occurred = _START_US + (day * _DAY_US).astype(np.int64)
    delay = np.where(rng.random(len(owner)) < 0.015, 16 * 3600, 120) * rng.random(len(owner))
    n = len(owner)
    return pa.table(
        {
            "customer_id": lives.ids.take(pa.array(owner)),
            "occurred_at": pa.array(occurred).cast(TIME),
            "arrived_at": pa.array(occurred + (delay * 1e6).astype(np.int64)).cast(TIME),
            "event_type": _named(kind, _TYPES),
            "amount": pa.array(amount, mask=~(bought | (kind == _REFUND))),
            "discount": pa.array(np.round(0.1 * price, 2), mask=~discounted),
            "event_id": pa.nulls(n, pa.string()),
            "order_id": pa.nulls(n, pa.string()),
            "category": _named(
                rng.integers(0, len(_CATEGORIES), n), _CATEGORIES, missing=kind < _VIEW
            ),
            "device": _named((owner % 3).astype(np.int64), _DEVICES),
        },
        schema=EVENTS.schema.remove(0),
    )


def _records(lives: Lives, rng: np.random.Generator) -> Any:
    n = len(lives.born)
    flags = [("app_installed", 0.6), ("push_consent", 0.4), ("email_valid", 0.9)]
    flags += [("email_consent", 0.6), ("phone_valid", 0.85), ("sms_consent", 0.5)]
    tags = [np.array(names)[rng.integers(0, len(names), n)] for names in (_TIERS, _AGES, _WAYS)]
    signup = pa.array(_START_US + (lives.born * _DAY_US).astype(np.int64)).cast(TIME)
    return pa.table(
        {
            "customer_id": lives.ids,
            "changed_at": signup,
            "arrived_at": signup,
            "signup_at": signup,
            "timezone": pa.nulls(n, pa.string()),
            "do_not_contact": pa.array(rng.random(n) < 0.01),
            "flags": _maps(
                [name for name, _ in flags],
                np.stack([rng.random(n) < share for _, share in flags], axis=1),
            ),
            "attributes": _maps(
                ["city_tier", "age_band", "acquisition_channel"],
                np.stack(tags, axis=1).astype(object),
            ),
        },
        schema=CUSTOMERS.schema.remove(0),
    )


def _contacts(lives: Lives, rng: np.random.Generator) -> Any:
    mean = 2.0 * np.maximum(DAYS - lives.born, 0.0) / DAYS
    owner = np.repeat(np.arange(len(mean)), rng.poisson(mean))
    day = lives.born[owner] + rng.random(len(owner)) * (DAYS - lives.born[owner])
    order = np.lexsort((day, owner))
    owner, day = owner[order], day[order]
    sent = _START_US + (day * _DAY_US).astype(np.int64)
    n = len(owner)
    delivered = rng.random(n) < 0.95
    opened = delivered & (rng.random(n) < 0.25)
    clicked = opened & (rng.random(n) < 0.15)
    never = pa.nulls(n, TIME)

    def later(seconds: int, happened: NDArray[np.bool_]) -> Any:
        return pa.array(sent + seconds * 1_000_000, mask=~happened).cast(TIME)

    return pa.table(
        {
            "contact_id": pa.array(np.char.add("k", np.arange(n).astype(str))),
            "customer_id": lives.ids.take(pa.array(owner)),
            "sent_at": pa.array(sent).cast(TIME),
            "arrived_at": pa.array(sent).cast(TIME),
            "channel": _named(rng.integers(0, 4, n), _CHANNELS),
            "offer": pa.array(np.full(n, "none")),
            "list_row_id": pa.nulls(n, pa.string()),
            "delivered_at": later(5, delivered),
            "opened_at": later(3600, opened),
            "clicked_at": later(3660, clicked),
            "outcome": pa.nulls(n, pa.string()),
            "unsubscribed_at": never,
            "cost": pa.array(np.full(n, 0.01)),
        },
        schema=CONTACTS.schema.remove(0),
    )


def _named(codes: Ints, names: tuple[str, ...], *, missing: Any = None) -> Any:
    index = pa.array(codes.astype(np.int32), mask=missing)
    return pa.DictionaryArray.from_arrays(index, pa.array(names)).cast(pa.string())


def _maps(names: list[str], values: NDArray[Any]) -> Any:
    """One map per row of `values`, shape (n, len(names))."""
    n = len(values)
    keys = pa.DictionaryArray.from_arrays(
        pa.array(np.tile(np.arange(len(names), dtype=np.int32), n)), pa.array(names)
    ).cast(pa.string())
    offsets = pa.array(np.arange(0, n * len(names) + 1, len(names), dtype=np.int32))
    return pa.MapArray.from_arrays(offsets, keys, pa.array(values.ravel()))
