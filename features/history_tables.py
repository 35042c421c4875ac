"""From Arrow tables to a bucket's history: codes instead of names, rows in the one order."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.arrow_columns import (
    ascends,
    codes_of,
    encoded,
    money_values,
    positions_in,
    ranks,
    time_values,
    translated,
    words_of,
)
from features.history import (
    NO_CODE,
    NO_TIME,
    Contacts,
    Events,
    History,
    Profiles,
    frozen,
    no_contacts,
    no_profiles,
)
from features.kernels.order import (
    SORTED,
    UNSORTED,
    SortColumns,
    check_order,
    customer_offsets,
    sort_rows,
)
from features.spec import FeatureSpec

EVENT_COLUMNS = (
    "customer_id",
    "occurred_at",
    "arrived_at",
    "event_type",
    "amount",
    "discount",
    "order_id",
    "category",
)
_CONTACT_TIMES = ("sent_at", "delivered_at", "opened_at", "clicked_at", "unsubscribed_at")
CONTACT_COLUMNS = ("customer_id", "contact_id", "channel", "arrived_at", *_CONTACT_TIMES)
PROFILE_COLUMNS = ("customer_id", "changed_at", "arrived_at", "signup_at", "attributes")


def history_from_tables(
    bucket: int,
    *,
    spec: FeatureSpec,
    events: Any,
    contacts: Any = None,
    profiles: Any = None,
) -> History:
    """Turn a bucket's Arrow tables into its history.

    Rows may come in any order and strings plain or dictionary-encoded. Events of a type
    outside `spec` are left out and counted; so are contacts and records of customers
    without a stored event (not counted: they cannot have a matrix row).

    Parameters
    ----------
    bucket : the bucket's number.
    spec : gives event types, channels and attribute values their codes.
    events : table with `EVENT_COLUMNS`; all but the first four may be missing.
    contacts : table of contact versions, or null.
    profiles : table of customer record versions, or null.
    """
    who = encoded(events.column("customer_id"))
    names = words_of(who)
    if ascends(names):
        customer = codes_of(who)
    else:
        customer = translated(who, ranks(names))
        names = names.take(pc.sort_indices(names))
    rows, foreign = _event_rows(events, customer, spec)
    return History(
        bucket=bucket,
        names=names,
        events=_ordered(rows, spec, len(names)),
        contacts=_contacts(contacts, names, spec),
        profiles=_profiles(profiles, names, spec),
        foreign_events=foreign,
    )


@dataclass(slots=True)
class _EventRows:
    """Events in the order of the file; `order_words` names the codes of `order`."""

    customer: NDArray[np.int32]
    occurred_at: NDArray[np.int64]
    arrived_at: NDArray[np.int64]
    event_type: NDArray[np.int16]
    amount: NDArray[np.float64]
    discount: NDArray[np.float64]
    order: NDArray[np.int32]
    category: NDArray[np.int32]
    order_words: Any

    def take(self, rows: NDArray[Any]) -> None:
        """Keep or rearrange rows."""
        for name in self.__slots__:
            if name != "order_words":
                setattr(self, name, getattr(self, name)[rows])


def _event_rows(
    events: Any, customer: NDArray[np.int32], spec: FeatureSpec
) -> tuple[_EventRows, int]:
    n_rows = len(customer)

    def money(name: str) -> NDArray[np.float64]:
        if name not in events.column_names:
            return np.full(n_rows, np.nan)
        return money_values(events.column(name))

    def codes(name: str) -> tuple[NDArray[np.int32], Any]:
        if name not in events.column_names:
            return np.full(n_rows, NO_CODE, dtype=np.int32), pa.array([], pa.string())
        column = encoded(events.column(name))
        return codes_of(column), words_of(column)

    types = encoded(events.column("event_type"))
    order, order_words = codes("order_id")
    rows = _EventRows(
        customer=customer,
        occurred_at=time_values(events.column("occurred_at")),
        arrived_at=time_values(events.column("arrived_at")),
        event_type=translated(types, positions_in(words_of(types), spec.event_types), np.int16),
        amount=money("amount"),
        discount=money("discount"),
        order=order,
        category=codes("category")[0],
        order_words=order_words,
    )
    known = rows.event_type != NO_CODE
    foreign = n_rows - int(np.count_nonzero(known))
    if foreign:
        rows.take(known)
    return rows, foreign


def _ordered(rows: _EventRows, spec: FeatureSpec, n_customers: int) -> Events:
    """Check that rows are in the one order, and put them there if not."""
    if _verdict(rows, spec) != SORTED:
        # Codes follow the file, ranks only the ids: ties then break the same everywhere.
        rank = np.append(ranks(rows.order_words), np.int32(NO_CODE))
        rows.order = rank[rows.order]
        if _verdict(rows, spec) == UNSORTED:
            rows.take(sort_rows(_sort_columns(rows, spec), n_customers))
    return Events(
        offsets=customer_offsets(frozen(rows.customer), n_customers),
        occurred_at=rows.occurred_at,
        arrived_at=rows.arrived_at,
        event_type=rows.event_type,
        amount=rows.amount,
        discount=rows.discount,
        order=rows.order,
        category=rows.category,
    )


def _verdict(rows: _EventRows, spec: FeatureSpec) -> int:
    return int(check_order(_sort_columns(rows, spec)))


def _sort_columns(rows: _EventRows, spec: FeatureSpec) -> SortColumns:
    columns = SortColumns(
        customer=rows.customer,
        occurred_at=rows.occurred_at,
        event_type=rows.event_type,
        order=rows.order,
        amount=rows.amount,
        discount=rows.discount,
        type_rank=ranks(pa.array(spec.event_types, pa.string())),
    )
    return SortColumns(*(frozen(column) for column in columns))


def _owners(table: Any, names: Any) -> NDArray[np.int32]:
    """Each row's customer as a position in `names`, NO_CODE for one that is not there."""
    who = encoded(table.column("customer_id"))
    return translated(who, positions_in(words_of(who), names))


def _contacts(table: Any, names: Any, spec: FeatureSpec) -> Contacts:
    if table is None or len(table) == 0:
        return no_contacts(len(names))
    customer = _owners(table, names)
    contact = codes_of(encoded(table.column("contact_id")))
    channel = encoded(table.column("channel"))
    none = np.full(len(customer), NO_TIME)
    times = {
        name: time_values(table.column(name)) if name in table.column_names else none
        for name in ("arrived_at", *_CONTACT_TIMES)
    }
    code = translated(channel, positions_in(words_of(channel), spec.channels), np.int16)
    keys = [times["arrived_at"], contact, customer]
    order = np.lexsort(keys)
    if _has_ties(keys, order):
        rest = [times[name] for name in reversed(_CONTACT_TIMES)]
        order = np.lexsort([*rest, code, *keys])
    order = order[customer[order] != NO_CODE]
    return Contacts(
        offsets=customer_offsets(frozen(customer[order]), len(names)),
        contact=contact[order].astype(np.int64),
        channel=code[order],
        **{name: values[order] for name, values in times.items()},
    )


def _has_ties(keys: list[NDArray[Any]], order: NDArray[np.int64]) -> bool:
    """Whether two neighbours in `order` are equal in all keys."""
    equal = np.ones(max(len(order) - 1, 0), dtype=np.bool_)
    for key in keys:
        values = key[order]
        equal &= values[1:] == values[:-1]
    return bool(equal.any())


def _profiles(table: Any, names: Any, spec: FeatureSpec) -> Profiles:
    if table is None or len(table) == 0:
        return no_profiles(len(names), len(spec.attributes))
    customer = _owners(table, names)
    changed_at = time_values(table.column("changed_at"))
    arrived_at = time_values(table.column("arrived_at"))
    if "signup_at" in table.column_names:
        signup_at = time_values(table.column("signup_at"))
    else:
        signup_at = np.full(len(customer), NO_TIME)
    attribute = np.full((len(customer), len(spec.attributes)), NO_CODE, dtype=np.int32)
    for a, (name, known) in enumerate(zip(spec.attributes, spec.vocabulary, strict=True)):
        column = encoded(attribute_column(table, name))
        attribute[:, a] = translated(column, positions_in(words_of(column), known))
    keys: list[NDArray[Any]] = [arrived_at, changed_at, customer]
    order = np.lexsort(keys)
    if _has_ties(keys, order):
        order = np.lexsort([*attribute.T[::-1], signup_at, *keys])
    order = order[customer[order] != NO_CODE]
    return Profiles(
        offsets=customer_offsets(frozen(customer[order]), len(names)),
        changed_at=changed_at[order],
        arrived_at=arrived_at[order],
        signup_at=signup_at[order],
        attribute=attribute[order],
    )


def attribute_column(table: Any, name: str) -> Any:
    """One attribute out of the map column `attributes`; null where it is not set."""
    return pc.map_lookup(table.column("attributes"), pa.scalar(name), "last")
