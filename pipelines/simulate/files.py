"""The files of a simulated business, as its own systems would have exported them.

Times are UTC and say so. Real life's dirt is added here: a few events arrive late, a few
arrive twice. Whatever arrives at or after the end is not in the files yet.
"""

import gzip
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipelines.simulate.draws import row_uniforms
from pipelines.simulate.log import NEVER, ChangeColumns, ContactColumns, EventColumns
from pipelines.simulate.messages import DO_NOT_CONTACT, OUTCOMES
from pipelines.simulate.population import ACQUISITION, AGE_BANDS, CITY_TIERS, DEVICES, People

Ints = NDArray[np.int64]

EVENTS_PATTERN = "events-*.parquet"
CUSTOMERS_NAME = "customers.csv"
CONTACTS_NAME = "contacts.csv.gz"
_STREAMS = (900, 901, 902, 903)


@dataclass(frozen=True, slots=True)
class Dirt:
    """How untidy deliveries are.

    Attributes
    ----------
    twice_share : events delivered a second time, up to six hours later.
    late_share : events that arrive hours to days late instead of within minutes.
    late_hours : mean delay of the late ones.
    """

    twice_share: float = 0.002
    late_share: float = 0.015
    late_hours: float = 16.0


@dataclass(frozen=True, slots=True)
class Naming:
    """Names behind the codes in the kernels' columns."""

    event_types: tuple[str, ...]
    categories: tuple[str, ...]
    channels: tuple[str, ...]
    offers: tuple[str, ...]
    zones: tuple[str, ...]
    flags: tuple[str, ...]
    costs: tuple[float, ...]


def customer_ids(first: int, count: int) -> Any:
    """String ids of customers first .. first + count - 1, as an Arrow array."""
    return pa.array([f"c{number:08d}" for number in range(first, first + count)])


def _names(codes: Ints, names: Sequence[str]) -> Any:
    """Dictionary-coded names; code -1 is null."""
    index = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(index, pa.array(list(names)))


def _ids_of(customer: Ints, people: People) -> Any:
    index = pa.array((customer - people.first).astype(np.int32))
    return pa.DictionaryArray.from_arrays(index, customer_ids(people.first, len(people)))


def _numbered(prefix: str, customer: Ints, number: Ints) -> Any:
    """Ids such as o00000012-3; null where the number is negative."""
    owner = pc.utf8_lpad(pc.cast(pa.array(customer), pa.string()), width=8, padding="0")
    text = pc.cast(pa.array(number), pa.string())
    return pc.if_else(
        pa.array(number >= 0),
        pc.binary_join_element_wise(prefix, owner, "-", text, ""),
        pa.scalar(None, pa.string()),
    )


def _seconds(times: Ints, end: int) -> Any:
    """UTC timestamps; null for what has not happened before the end."""
    missing = (times == NEVER) | (times >= end)
    return pa.array(times, mask=missing).cast(pa.timestamp("s", tz="UTC"))


def _money(values: NDArray[np.float64]) -> Any:
    return pa.array(values, mask=np.isnan(values))


def deliver_events(
    events: EventColumns, people: People, naming: Naming, *, seed: int, end: int, dirt: Dirt
) -> Any:
    """The event table in order of arrival, duplicates included."""
    drawn = [row_uniforms(seed, events.customer, events.number, s) for s in _STREAMS]
    late = drawn[0] < dirt.late_share
    delay = np.where(late, -np.log(drawn[1]) * dirt.late_hours * 3600, 1 + drawn[1] * 240)
    arrived = events.at + delay.astype(np.int64) + 1
    twice = np.flatnonzero(drawn[2] < dirt.twice_share)
    rows = np.concatenate([np.arange(len(arrived)), twice])
    again = arrived[twice] + 60 + (drawn[3][twice] * 21_540).astype(np.int64)
    arrived = np.concatenate([arrived, again])
    kept = arrived < end
    rows, arrived = rows[kept], arrived[kept]
    order = np.argsort(arrived, kind="stable")
    rows, arrived = rows[order], arrived[order]
    customer = events.customer[rows]
    return pa.table(
        {
            "event_id": _numbered("e", customer, events.number[rows]),
            "customer_id": _ids_of(customer, people),
            "occurred_at": _seconds(events.at[rows], end),
            "arrived_at": _seconds(arrived, end),
            "event_type": _names(events.kind[rows], naming.event_types),
            "amount": _money(events.amount[rows]),
            "discount": _money(events.discount[rows]),
            "order_id": _numbered("o", customer, events.order[rows]),
            "category": _names(events.category[rows], naming.categories),
            "device": _names(events.device[rows], DEVICES),
        }
    )


def list_contacts(contacts: ContactColumns, people: People, naming: Naming, *, end: int) -> Any:
    """The contact table in order of sending; what became of a contact is filled in."""
    rows = np.flatnonzero(contacts.sent < end)
    rows = rows[np.argsort(contacts.sent[rows], kind="stable")]
    customer, channel = contacts.customer[rows], contacts.channel[rows]
    return pa.table(
        {
            "contact_id": _numbered("k", customer, contacts.number[rows]),
            "customer_id": _ids_of(customer, people),
            "sent_at": _seconds(contacts.sent[rows], end),
            "channel": _names(channel, naming.channels),
            "offer": _names(contacts.offer[rows], naming.offers),
            "list_row_id": pa.nulls(len(rows), pa.string()),
            "delivered_at": _seconds(contacts.delivered[rows], end),
            "opened_at": _seconds(contacts.opened[rows], end),
            "clicked_at": _seconds(contacts.clicked[rows], end),
            "outcome": _names(contacts.outcome[rows] - 1, OUTCOMES[1:]),
            "unsubscribed_at": _seconds(contacts.unsubscribed[rows], end),
            "cost": pa.array(np.array(naming.costs)[channel]),
        }
    )


def list_customers(changes: ChangeColumns, people: People, naming: Naming, *, end: int) -> Any:
    """Versions of customer records, by customer and time of change."""
    rows = np.flatnonzero(changes.at < end)
    rows = rows[np.lexsort((changes.at[rows], changes.customer[rows]))]
    customer, flags = changes.customer[rows], changes.flags[rows]
    who = customer - people.first
    _, first_row = np.unique(customer, return_index=True)
    signup = changes.at[rows][first_row][np.cumsum(np.diff(customer, prepend=-1) != 0) - 1]
    columns = {
        "customer_id": _ids_of(customer, people),
        "changed_at": _seconds(changes.at[rows], end),
        "signup_at": _seconds(signup, end),
        "timezone": _names(np.where(people.zone_known[who], people.zone[who], -1), naming.zones),
        "do_not_contact": pa.array((flags & DO_NOT_CONTACT) != 0),
    }
    for bit, name in enumerate(naming.flags, start=1):
        columns[name] = pa.array((flags >> bit) & 1 == 1)
    columns["city_tier"] = _names(people.city[who], CITY_TIERS)
    columns["age_band"] = _names(people.age[who], AGE_BANDS)
    columns["acquisition_channel"] = _names(people.acquisition[who], ACQUISITION)
    return pa.table(columns)


def write_events(table: Any, file: Path) -> None:
    """One Parquet file; equal tables give equal bytes."""
    pq.write_table(table, file, compression="zstd", row_group_size=1_000_000)


def append_csv(table: Any, sink: BinaryIO | gzip.GzipFile, *, header: bool) -> None:
    """Append a table as CSV lines; null is an empty field."""
    decoded = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    options = pa.csv.WriteOptions(include_header=header, quoting_style="needed")
    buffer = io.BytesIO()
    pa.csv.write_csv(pa.table(decoded, names=table.column_names), buffer, options)
    sink.write(buffer.getvalue())


def open_gzip(sink: BinaryIO) -> gzip.GzipFile:
    """A gzip stream without name and time in its header, so that bytes repeat."""
    return gzip.GzipFile(filename="", mode="wb", fileobj=sink, compresslevel=4, mtime=0)
