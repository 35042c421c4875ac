"""From Arrow tables to a bucket's history: codes instead of names, rows in the one order."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.arrow_columns import (
    ascends,
    codes_of,
    encoded,
    positions_in,
    ranks,
    time_values,
    translated,
    words_of,
)
from features.event_rows import event_rows
from features.history import (
    NO_CODE,
    NO_TIME,
    OTHER_OFFER,
    Contacts,
    History,
    Profiles,
    frozen,
    no_contacts,
    no_profiles,
)
from features.kernels.order import (
    customer_offsets,
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
    offers: tuple[str, ...] = (),
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
    offers : names that offers of contacts get their codes by; empty reads none.
    """
    who = encoded(events.column("customer_id"))
    names = words_of(who)
    if ascends(names):
        customer = codes_of(who)
    else:
        customer = translated(who, ranks(names))
        names = names.take(pc.sort_indices(names))
    rows, foreign = event_rows(events, customer, spec)
    rows.put_in_order(spec, len(names))
    return History(
        bucket=bucket,
        names=names,
        events=rows.events(len(names)),
        details=rows.details(len(names)),
        contacts=_contacts(contacts, names, spec, offers),
        profiles=_profiles(profiles, names, spec),
        foreign_events=foreign,
    )


def _owners(table: Any, names: Any) -> NDArray[np.int32]:
    """Each row's customer as a position in `names`, NO_CODE for one that is not there."""
    who = encoded(table.column("customer_id"))
    return translated(who, positions_in(words_of(who), names))


def _contacts(table: Any, names: Any, spec: FeatureSpec, offers: tuple[str, ...]) -> Contacts:
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
    offer = _offers(table, offers)
    keys = [times["arrived_at"], contact, customer]
    order = np.lexsort(keys)
    if _has_ties(keys, order):
        rest = [times[name] for name in reversed(_CONTACT_TIMES)]
        # The offer decides last: reading it must not change which version is the latest.
        order = np.lexsort([offer, *rest, code, *keys])
    order = order[customer[order] != NO_CODE]
    return Contacts(
        offsets=customer_offsets(frozen(customer[order]), len(names)),
        contact=contact[order].astype(np.int64),
        channel=code[order],
        offer=offer[order],
        **{name: values[order] for name, values in times.items()},
    )


def _offers(table: Any, offers: tuple[str, ...]) -> NDArray[np.int16]:
    if not offers or "offer" not in table.column_names:
        return np.full(len(table), NO_CODE, dtype=np.int16)
    named = encoded(table.column("offer"))
    places = positions_in(words_of(named), offers)
    return translated(named, np.where(places == NO_CODE, np.int32(OTHER_OFFER), places), np.int16)


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
