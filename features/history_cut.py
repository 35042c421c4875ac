"""What was known of some customers at an instant, and nothing that came later."""

from dataclasses import fields
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.history import NO_TIME, Contacts, Details, Events, History, Profiles
from features.kernels.visibility import first_visible

Int64Array = NDArray[np.int64]


def visible_customers(history: History, *, as_of_us: int) -> Int64Array:
    """Positions of the customers with an event visible at the as-of, ascending.

    These are the rows of a feature matrix of that as-of, in its order.
    """
    events = history.events
    seen_from = first_visible(events.offsets, events.occurred_at, events.arrived_at)
    return np.flatnonzero(seen_from < as_of_us)


def known_before(history: History, *, customers: Int64Array, as_of_us: int) -> History:
    """A history of these customers alone, as it was known at the as-of.

    Read at a later as-of it shows them as if nothing had happened in between: what happened
    or arrived at or after `as_of_us` is not in it, whatever was stored since.

    Parameters
    ----------
    customers : ascending positions in the history.
    as_of_us : UTC instant in microseconds.

    Returns
    -------
    History : customer `customers[i]` is at position i; codes stay as they are.
    """
    events, details = history.events, history.details
    contacts, profiles = history.contacts, history.profiles

    def kept(
        offsets: Int64Array, happened_at: Int64Array, arrived_at: Int64Array
    ) -> tuple[Int64Array, Int64Array]:
        places, owner = _rows_of(offsets, customers)
        visible = (happened_at[places] < as_of_us) & (arrived_at[places] < as_of_us)
        counts = np.bincount(owner[visible], minlength=len(customers))
        return places[visible], np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    def hidden(times: Int64Array) -> Int64Array:
        return np.where(times < as_of_us, times, NO_TIME)

    own_events, event_offsets = kept(events.offsets, events.occurred_at, events.arrived_at)
    own_details, detail_offsets = kept(details.offsets, details.occurred_at, details.arrived_at)
    own_contacts, contact_offsets = kept(contacts.offsets, contacts.sent_at, contacts.arrived_at)
    own_profiles, profile_offsets = kept(profiles.offsets, profiles.changed_at, profiles.arrived_at)
    told = _columns(contacts, own_contacts)
    for name in ("delivered_at", "opened_at", "clicked_at", "unsubscribed_at"):
        told[name] = hidden(told[name])
    records = _columns(profiles, own_profiles)
    records["signup_at"] = hidden(records["signup_at"])
    return History(
        bucket=history.bucket,
        names=history.names.take(pa.array(customers)),
        events=Events(offsets=event_offsets, **_columns(events, own_events)),
        details=Details(offsets=detail_offsets, **_columns(details, own_details)),
        contacts=Contacts(offsets=contact_offsets, **told),
        profiles=Profiles(offsets=profile_offsets, **records),
        foreign_events=history.foreign_events,
    )


def _rows_of(offsets: Int64Array, customers: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Rows of the customers one after the other, and whose each is (place in `customers`)."""
    counts = offsets[customers + 1] - offsets[customers]
    before = np.cumsum(counts) - counts
    owner = np.repeat(np.arange(len(customers)), counts)
    return np.arange(len(owner)) + (offsets[customers] - before)[owner], owner


def _columns(table: Any, rows: Int64Array) -> dict[str, NDArray[Any]]:
    names = (field.name for field in fields(table))
    return {name: getattr(table, name)[rows] for name in names if name != "offsets"}
