"""The histories of one bucket's customers as flat arrays, the input of every kernel."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Int64Array = NDArray[np.int64]
Int32Array = NDArray[np.int32]
Int16Array = NDArray[np.int16]
Float64Array = NDArray[np.float64]

NO_TIME = np.iinfo(np.int64).max
"""Stands for "has not happened" in time arrays: later than every as-of."""

NO_CODE = -1
"""Stands for a missing category, attribute, order, channel or offer."""

OTHER_OFFER = -2
"""Stands for an offer that is not one of those the history was read with."""


@dataclass(frozen=True, slots=True)
class Events:
    """Events of all customers, sorted by customer, then time, then what `Details` holds.

    `offsets` has shape (n_customers + 1,): customer i owns rows offsets[i]:offsets[i + 1].
    Times are microseconds since 1970-01-01 UTC.
    """

    offsets: Int64Array
    occurred_at: Int64Array
    arrived_at: Int64Array
    event_type: Int16Array


@dataclass(frozen=True, slots=True)
class Details:
    """The few events with more to say: orders, refunds and events with a category.

    Sorted as `Events`, whose times and types are repeated; customer i owns rows
    offsets[i]:offsets[i + 1]. Money is NaN where missing. `order` and `category` are
    codes within the bucket, NO_CODE where missing.
    """

    offsets: Int64Array
    occurred_at: Int64Array
    arrived_at: Int64Array
    event_type: Int16Array
    amount: Float64Array
    discount: Float64Array
    order: Int32Array
    category: Int32Array


@dataclass(frozen=True, slots=True)
class Contacts:
    """Contacts of all customers, sorted by customer, contact, then arrival.

    One contact can have several rows, one per version that arrived; `contact` is the
    contact's number within the bucket and groups them. Times as in `Events`, NO_TIME
    where nothing happened. `offer` is a place among the offers that the history was read
    with, OTHER_OFFER for any other name, NO_CODE where none is named; NO_CODE throughout
    in a history read without offers.
    """

    offsets: Int64Array
    contact: Int64Array
    arrived_at: Int64Array
    channel: Int16Array
    offer: Int16Array
    sent_at: Int64Array
    delivered_at: Int64Array
    opened_at: Int64Array
    clicked_at: Int64Array
    unsubscribed_at: Int64Array


@dataclass(frozen=True, slots=True)
class Profiles:
    """Versions of customer records, sorted by customer, change time, then arrival.

    `attribute` has shape (n_rows, n_attributes): codes in the spec's vocabulary.
    `signup_at` is NO_TIME where unknown.
    """

    offsets: Int64Array
    changed_at: Int64Array
    arrived_at: Int64Array
    signup_at: Int64Array
    attribute: Int32Array


def no_contacts(n_customers: int) -> Contacts:
    """The contacts of customers whom nobody has contacted."""
    none = np.empty(0, dtype=np.int64)
    return Contacts(
        offsets=np.zeros(n_customers + 1, dtype=np.int64),
        contact=none,
        arrived_at=none,
        channel=np.empty(0, dtype=np.int16),
        offer=np.empty(0, dtype=np.int16),
        sent_at=none,
        delivered_at=none,
        opened_at=none,
        clicked_at=none,
        unsubscribed_at=none,
    )


def no_profiles(n_customers: int, n_attributes: int) -> Profiles:
    """The records of customers of whom only events are known."""
    none = np.empty(0, dtype=np.int64)
    return Profiles(
        offsets=np.zeros(n_customers + 1, dtype=np.int64),
        changed_at=none,
        arrived_at=none,
        signup_at=none,
        attribute=np.empty((0, n_attributes), dtype=np.int32),
    )


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """A read-only view, so that a kernel is compiled for one type of array only."""
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, slots=True)
class History:
    """One bucket of customers: who they are and all that is stored about them.

    Customers are those with at least one stored event.

    Attributes
    ----------
    bucket : the bucket's number.
    names : Arrow string array of customer ids, shape (n_customers,), in ascending byte order.
    events, details, contacts, profiles : what is stored about them.
    foreign_events : events left out because their type is not in the specification.
    """

    bucket: int
    names: Any
    events: Events
    details: Details
    contacts: Contacts
    profiles: Profiles
    foreign_events: int = 0

    @property
    def n_customers(self) -> int:
        """How many customers the bucket holds."""
        return len(self.names)

    @property
    def customer_id(self) -> NDArray[np.object_]:
        """Customer ids as Python strings, built anew at each call; shape (n_customers,)."""
        return np.array(self.names.to_pylist(), dtype=np.object_)
