"""A shop's exports of any size, for the night benchmark: events, customers, contacts.

Customers order and visit at Gamma-distributed rates until they drop out, each at hours of
their own. The files have the columns that the retail preset maps, so that the warehouse is
filled by ingestion like any other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_Rows = tuple[Ints, Floats, Any, Ints]
"""Customer, day, type and number of the order (-1 for none) of some events."""

FIRST_DAY = datetime(2025, 5, 1, tzinfo=UTC)
DAYS = 540
"""The night is that of the last day: its local midnight comes before the last events."""

CHUNK = 20_000
"""Customers per file of events."""

_START_US = int(FIRST_DAY.timestamp()) * 1_000_000
_DAY_US = 86_400_000_000
_TIME = pa.timestamp("us", tz="UTC")
_TYPES = ("signup", "login", "visit", "search", "view", "cart", "purchase", "refund")
_SIGNUP, _LOGIN, _VISIT, _SEARCH, _VIEW, _CART, _PURCHASE, _REFUND = range(8)
_CHAIN = (_VISIT, _VIEW, _CART, _PURCHASE)
_EVENTS_PER_ORDER = len(_CHAIN) + 0.39
_EVENTS_PER_SESSION = 2.5
_CATEGORIES = tuple(f"shelf-{number}" for number in range(40))
_DEVICES = ("android", "ios", "web")
_ZONES = (
    None, "Europe/Berlin", "Europe/London", "Europe/Istanbul", "America/New_York", "Asia/Shanghai",
)  # fmt: skip
_ZONE_SHARES = (0.25, 0.55, 0.08, 0.05, 0.04, 0.03)
_TAGS = {
    "city_tier": ("large", "middle", "small", "rural"),
    "age_band": ("18-24", "25-34", "35-44", "45-54", "55+"),
    "acquisition_channel": ("organic", "search", "social", "referral", "affiliate"),
}
_FLAGS = {
    "app_installed": 0.6,
    "push_consent": 0.7,
    "phone_valid": 0.85,
    "sms_consent": 0.5,
    "email_valid": 0.9,
    "email_consent": 0.6,
    "phone_consent": 0.3,
}
_CHANNELS = ("push", "sms", "email", "phone")
_CHANNEL_SHARES = (0.4, 0.15, 0.4, 0.05)
_OFFERS = ("none", "free_shipping", "coupon_5", "voucher_10")
_OFFER_SHARES = (0.6, 0.2, 0.15, 0.05)


@dataclass(frozen=True, slots=True)
class Shoppers:
    """Customers in order of id; arrays have shape (n,), times are in days.

    Attributes
    ----------
    born, gone : when each came and dropped out.
    orders, sessions : expected numbers of orders and of visits without one.
    spend : typical price of one thing.
    hour : hour of the day they like best.
    """

    first: int
    born: Floats
    gone: Floats
    orders: Floats
    sessions: Floats
    spend: Floats
    hour: Floats

    def __len__(self) -> int:
        return len(self.born)

    @property
    def days(self) -> Floats:
        """Days each has been there."""
        return np.maximum(np.minimum(self.gone, DAYS) - self.born, 0.0)

    def chunks(self) -> Iterator["Shoppers"]:
        """The same customers, `CHUNK` at a time."""
        for start in range(0, len(self), CHUNK):
            cut = slice(start, start + CHUNK)
            yield Shoppers(
                start, self.born[cut], self.gone[cut], self.orders[cut], self.sessions[cut],
                self.spend[cut], self.hour[cut],
            )  # fmt: skip

    def ids(self, owner: Ints) -> Any:
        """Customer ids by place in this chunk."""
        texts = np.char.add("c", np.char.zfill((self.first + np.arange(len(self))).astype(str), 8))
        return pa.array(texts).take(pa.array(owner))


def draw_shoppers(customers: int, *, events: int, seed: int) -> Shoppers:
    """Customers who leave about `events` events between them."""
    rng = np.random.default_rng([seed, 1])
    born = DAYS * rng.random(customers) * np.where(rng.random(customers) < 0.4, 0.25, 0.97)
    gone = born + rng.exponential(1.0, customers) / rng.gamma(1.5, 1 / (1.5 * 120), customers)
    rate = rng.gamma(0.9, 1 / (0.9 * 38), customers) + 0.001
    days = np.maximum(np.minimum(gone, DAYS) - born, 0.0)
    orders = rate * days
    browsing = events - customers - _EVENTS_PER_ORDER * orders.sum()
    weight = orders + 0.01 * days + 0.1
    sessions = weight * max(browsing, 0.0) / _EVENTS_PER_SESSION / weight.sum()
    spend = np.exp(3.4 + 0.5 * rng.standard_normal(customers))
    hour = rng.choice([8.0, 12.5, 18.0, 20.5], customers, p=[0.15, 0.25, 0.25, 0.35])
    return Shoppers(0, born, gone, orders, sessions, spend, hour)


def write_exports(folder: Path, *, customers: int, events: int, seed: int) -> dict[str, int]:
    """Write events-*.parquet, customers.parquet and contacts.parquet; returns their rows."""
    rows = {"events": 0, "customers": 0, "contacts": 0}
    for place, chunk in enumerate(draw_shoppers(customers, events=events, seed=seed).chunks()):
        for salt, (name, rows_of) in enumerate(
            (("events", event_rows), ("customers", customer_rows), ("contacts", contact_rows))
        ):
            table = rows_of(chunk, np.random.default_rng([seed, 2 + salt, place]))
            pq.write_table(table, folder / f"{name}-{place:04d}.parquet", compression="snappy")
            rows[name] += table.num_rows
    return rows


def event_rows(shoppers: Shoppers, rng: np.random.Generator) -> pa.Table:
    """Everything the customers did, in order of time as an app's log is."""
    n = len(shoppers)
    order_of, order_at = _moments(rng, shoppers, shoppers.orders)
    visit_of, visit_at = _moments(rng, shoppers, shoppers.sessions)
    lines = rng.random(len(order_of)) < 0.35
    back = rng.random(len(order_of)) < 0.04
    number = np.arange(len(order_of))
    minute = 1 / 1440
    parts: list[_Rows] = [(np.arange(n), shoppers.born, _SIGNUP, np.full(n, -1))]
    for step, link in enumerate(_CHAIN):
        after = (step - len(_CHAIN) + 1) * 3 * minute
        mark = number if link == _PURCHASE else np.full(len(number), -1)
        parts.append((order_of, order_at + after, link, mark))
    parts.append((order_of[lines], order_at[lines], _PURCHASE, number[lines]))
    parts.append((order_of[back], order_at[back] + 9.0, _REFUND, number[back]))
    parts += _browsing(rng, visit_of, visit_at)
    owner = np.concatenate([part[0] for part in parts])
    day = np.maximum(np.concatenate([part[1] for part in parts]), shoppers.born[owner])
    kind = np.concatenate([np.broadcast_to(part[2], len(part[0])) for part in parts])
    order = np.concatenate([part[3] for part in parts])
    turn = np.argsort(day, kind="stable")
    turn = turn[day[turn] < DAYS]
    return _event_table(shoppers, rng, (owner[turn], day[turn], kind[turn], order[turn]))


def _browsing(rng: np.random.Generator, owner: Ints, moment: Floats) -> list[_Rows]:
    """One to four events in each session, the first a visit or a login."""
    parts: list[_Rows] = []
    for step in range(4):
        goes_on = np.flatnonzero(rng.random(len(owner)) < (1.0, 0.7, 0.7, 0.7)[step])
        owner, moment = owner[goes_on], moment[goes_on] + 2 / 1440
        kinds = [_VISIT, _LOGIN] if step == 0 else [_SEARCH, _VIEW, _VIEW, _CART]
        parts.append((owner, moment, rng.choice(kinds, len(owner)), np.full(len(owner), -1)))
    return parts


def _event_table(
    shoppers: Shoppers, rng: np.random.Generator, rows: tuple[Ints, Floats, Ints, Ints]
) -> pa.Table:
    owner, day, kind, order = rows
    n = len(owner)
    bought, returned = kind == _PURCHASE, kind == _REFUND
    price = np.round(shoppers.spend[owner] * np.exp(0.5 * rng.standard_normal(n)), 2) + 0.01
    discounted = bought & (rng.random(n) < 0.25)
    occurred = _START_US + (day * _DAY_US).astype(np.int64)
    delay = np.where(rng.random(n) < 0.015, 16 * 3600, 120) * rng.random(n)
    category = rng.integers(0, len(_CATEGORIES), n)
    return pa.table(
        {
            "customer_id": shoppers.ids(owner),
            "occurred_at": pa.array(occurred).cast(_TIME),
            "event_type": _named(kind, _TYPES),
            "amount": pa.array(np.where(returned, -price, price), mask=~(bought | returned)),
            "event_id": _numbered(f"e{shoppers.first}-", np.arange(n)),
            "arrived_at": pa.array(occurred + (delay * 1e6).astype(np.int64)).cast(_TIME),
            "order_id": _numbered(f"o{shoppers.first}-", order, missing=order < 0),
            "category": _named(category, _CATEGORIES, missing=kind < _VIEW),
            "device": _named((owner % 3).astype(np.int64), _DEVICES),
            "discount": pa.array(np.round(0.1 * price, 2), mask=~discounted),
        }
    )


def _moments(rng: np.random.Generator, shoppers: Shoppers, mean: Floats) -> tuple[Ints, Floats]:
    """Poisson-many moments per customer, even over the life, at their hours."""
    owner = np.repeat(np.arange(len(mean)), rng.poisson(mean))
    day = np.floor(shoppers.born[owner] + rng.random(len(owner)) * shoppers.days[owner])
    hour = (shoppers.hour[owner] + 2.5 * rng.standard_normal(len(owner))) % 24
    return owner, day + hour / 24


def customer_rows(shoppers: Shoppers, rng: np.random.Generator) -> pa.Table:
    """One record per customer, made at sign-up."""
    n = len(shoppers)
    signup = pa.array(_START_US + (shoppers.born * _DAY_US).astype(np.int64)).cast(_TIME)
    zone = rng.choice(len(_ZONES), n, p=_ZONE_SHARES)
    return pa.table(
        {
            "customer_id": shoppers.ids(np.arange(n)),
            "signup_at": signup,
            "timezone": pa.array(_ZONES, pa.string()).take(pa.array(zone)),
            "do_not_contact": pa.array(rng.random(n) < 0.01),
            "changed_at": signup,
            **{name: pa.array(rng.random(n) < share) for name, share in _FLAGS.items()},
            **{
                name: _named(rng.integers(0, len(values), n), values)
                for name, values in _TAGS.items()
            },
        }
    )


def contact_rows(shoppers: Shoppers, rng: np.random.Generator) -> pa.Table:
    """About three contacts per customer, spread over the time since sign-up."""
    mean = 4.0 * np.maximum(DAYS - shoppers.born, 0.0) / DAYS
    owner = np.repeat(np.arange(len(mean)), rng.poisson(mean))
    n = len(owner)
    day = shoppers.born[owner] + rng.random(n) * (DAYS - shoppers.born[owner])
    sent = _START_US + (day * _DAY_US).astype(np.int64)
    delivered = rng.random(n) < 0.95
    opened = delivered & (rng.random(n) < 0.25)
    clicked = opened & (rng.random(n) < 0.15)
    lost = opened & (rng.random(n) < 0.02)
    hours = rng.exponential(6.0, n)

    def later(plus: float, happened: NDArray[np.bool_]) -> Any:
        moment = sent + ((hours + plus) * 3.6e9).astype(np.int64)
        return pa.array(moment, mask=~happened).cast(_TIME)

    return pa.table(
        {
            "contact_id": _numbered(f"k{shoppers.first}-", np.arange(n)),
            "customer_id": shoppers.ids(owner),
            "sent_at": pa.array(sent).cast(_TIME),
            "channel": _named(rng.choice(4, n, p=_CHANNEL_SHARES), _CHANNELS),
            "offer": _named(rng.choice(4, n, p=_OFFER_SHARES), _OFFERS),
            "list_row_id": pa.nulls(n, pa.string()),
            "delivered_at": pa.array(sent + 5_000_000, mask=~delivered).cast(_TIME),
            "opened_at": later(0.0, opened),
            "clicked_at": later(0.02, clicked),
            "outcome": pa.nulls(n, pa.string()),
            "unsubscribed_at": later(0.05, lost),
            "cost": pa.array(np.full(n, 0.01)),
        }
    )


def _named(codes: Ints, names: tuple[str, ...], *, missing: Any = None) -> Any:
    index = pa.array(codes.astype(np.int32), mask=missing)
    return pa.DictionaryArray.from_arrays(index, pa.array(names)).cast(pa.string())


def _numbered(prefix: str, numbers: Ints, *, missing: Any = None) -> Any:
    return pa.array(np.char.add(prefix, numbers.astype(str)), mask=missing)
