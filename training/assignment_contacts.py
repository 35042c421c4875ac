"""Which contact, if any, an assignment led to: by list row, else by customer and time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.arrow_columns import codes_of, encoded, time_values
from features.history import NO_TIME
from training.assignment_log import NIGHTLY, AssignedRows
from training.effect_sample import NO_CONTACT

BoolArray = NDArray[np.bool_]
Int64Array = NDArray[np.int64]

CONTACT_COLUMNS = (
    "contact_id",
    "customer_id",
    "sent_at",
    "arrived_at",
    "channel",
    "list_row_id",
    "unsubscribed_at",
)
"""What is read of the table contacts."""

_NONE = -1
_NO_CHANNEL = ""


@dataclass(frozen=True, slots=True)
class ContactRecords:
    """The latest known version of each contact of some customers; n contacts.

    Attributes
    ----------
    customer_id, channel, row_id : Arrow string arrays.
    sent_us, unsubscribed_us : us, UTC; NO_TIME where nobody unsubscribed; shape (n,).
    """

    customer_id: Any
    channel: Any
    row_id: Any
    sent_us: Int64Array
    unsubscribed_us: Int64Array


@dataclass(frozen=True, slots=True)
class JoinedContacts:
    """What is known of each assignment's own contact; of shape (n,).

    Attributes
    ----------
    found : whether there is a contact record.
    sent_us, unsubscribed_us : us, UTC; NO_TIME where there is none.
    """

    found: BoolArray
    sent_us: Int64Array
    unsubscribed_us: Int64Array

    def take(self, rows: NDArray[Any]) -> "JoinedContacts":
        """The chosen rows, by mask or position."""
        return JoinedContacts(self.found[rows], self.sent_us[rows], self.unsubscribed_us[rows])


def concat_joined(pieces: Sequence[JoinedContacts]) -> JoinedContacts:
    """Rows of several pieces, one after the other."""
    return JoinedContacts(
        found=np.concatenate([piece.found for piece in pieces]),
        sent_us=np.concatenate([piece.sent_us for piece in pieces]),
        unsubscribed_us=np.concatenate([piece.unsubscribed_us for piece in pieces]),
    )


def on_sent_lists(assigned: AssignedRows, joined: JoinedContacts) -> BoolArray:
    """Whether each row was really assigned, as far as records can tell; shape (n,).

    A nightly list of which not a single contact is recorded, though contacts of other lists
    are, was made and never sent: a trial, or a list made anew for a past day. Where no
    list's contacts are recorded at all, nothing can be told, and all rows stay.

    Parameters
    ----------
    assigned : n assignments.
    joined : their contacts.
    """
    nightly = np.array([name == NIGHTLY for name in assigned.experiments], dtype=np.bool_)
    of_list = nightly[assigned.experiment]
    contacted = of_list & joined.found & (assigned.action != NO_CONTACT)
    if not contacted.any():
        return np.ones(len(assigned), dtype=np.bool_)
    sent = np.isin(assigned.assigned_us, assigned.assigned_us[contacted])
    return np.asarray(sent | ~of_list, dtype=np.bool_)


def contact_records(table: Any, *, known_before_us: int) -> ContactRecords:
    """The contacts sent and known before an instant.

    Of several versions of a contact the one that arrived last before it counts, as for
    features; an unsubscribing at or after it has not happened yet.

    Parameters
    ----------
    table : Arrow table of `CONTACT_COLUMNS`.
    known_before_us : instant, us, UTC.
    """
    arrived_us, sent_us = time_values(table["arrived_at"]), time_values(table["sent_at"])
    seen = np.flatnonzero((arrived_us < known_before_us) & (sent_us < known_before_us))
    identity = codes_of(encoded(table["contact_id"]))[seen]
    customer = codes_of(encoded(table["customer_id"]))[seen]
    order = np.lexsort((sent_us[seen], arrived_us[seen], identity, customer))
    changes = (np.diff(identity[order]) != 0) | (np.diff(customer[order]) != 0)
    last = seen[order[np.concatenate((changes, np.ones(min(len(order), 1), dtype=np.bool_)))]]
    kept = table.take(pa.array(last))
    left_us = time_values(kept["unsubscribed_at"])
    return ContactRecords(
        customer_id=_texts(kept["customer_id"]),
        channel=_texts(kept["channel"]),
        row_id=_texts(kept["list_row_id"]),
        sent_us=sent_us[last],
        unsubscribed_us=np.where(left_us < known_before_us, left_us, NO_TIME),
    )


def join_contacts(
    assigned: AssignedRows, contacts: ContactRecords, *, actions: tuple[str, ...]
) -> JoinedContacts:
    """Find each assignment's contact.

    A contact that names an assignment of its customer belongs to it: imported ones may have
    one id for many customers. The others belong to a customer's
    assignment if they were sent from its instant until it expired: to a contacted one by the
    channel assigned, to a control by any, for then the control was contacted after all.

    Parameters
    ----------
    assigned : n assignments.
    contacts : of the same customers, and perhaps of others.
    actions : names such as "sms/none".
    """
    own = _names(assigned.customer_id, assigned.row_id)
    told = _names(contacts.customer_id, contacts.row_id)
    named = pc.index_in(own, value_set=told, skip_nulls=True)
    place = pc.fill_null(named, _NONE).to_numpy(zero_copy_only=False).astype(np.int64)
    taken = pc.is_in(told, value_set=own, skip_nulls=True)
    free = ~np.asarray(pc.fill_null(taken, False).to_numpy(zero_copy_only=False), dtype=np.bool_)
    open_rows = np.flatnonzero(place == _NONE)
    if len(open_rows) and free.any():
        place[open_rows] = _in_time(assigned.take(open_rows), contacts, free, actions)
    found = place != _NONE

    def picked(times: Int64Array) -> Int64Array:
        return np.where(found, np.append(times, NO_TIME)[place], NO_TIME)

    return JoinedContacts(found, picked(contacts.sent_us), picked(contacts.unsubscribed_us))


def _in_time(
    assigned: AssignedRows, contacts: ContactRecords, free: BoolArray, actions: tuple[str, ...]
) -> Int64Array:
    """Place of the first fitting contact of each assignment, `_NONE` without one."""
    channels = np.array([*(name.split("/")[0] for name in actions), _NO_CHANNEL], dtype=np.object_)
    rows = pd.DataFrame(
        {
            "row": np.arange(len(assigned)),
            "customer": assigned.customer_id.to_numpy(zero_copy_only=False),
            "channel": channels[np.where(assigned.action == NO_CONTACT, -1, assigned.action)],
            "at": assigned.assigned_us,
            "until": assigned.expires_us,
        }
    ).sort_values("at", kind="stable")
    places = np.flatnonzero(free)
    sent = pd.DataFrame(
        {
            "place": places,
            "customer": contacts.customer_id.to_numpy(zero_copy_only=False)[places],
            "channel": contacts.channel.to_numpy(zero_copy_only=False)[places],
            "at": contacts.sent_us[places],
        }
    )
    # Once under its channel, and once under none, where controls look.
    sent = pd.concat([sent, sent.assign(channel=_NO_CHANNEL)]).sort_values("at", kind="stable")
    sent["sent_us"] = sent["at"]
    met = pd.merge_asof(rows, sent, on="at", by=["customer", "channel"], direction="forward")
    fits = met["sent_us"].le(met["until"])
    result = np.full(len(assigned), _NONE, dtype=np.int64)
    result[met.loc[fits, "row"].to_numpy()] = met.loc[fits, "place"].to_numpy().astype(np.int64)
    return result


def _names(customer_id: Any, row_id: Any) -> Any:
    """What tells assignments apart, null without a row id."""
    return pc.binary_join_element_wise(customer_id, row_id, "\x1f")


def _texts(column: Any) -> Any:
    plain = column.cast(pa.string())
    return plain.combine_chunks() if isinstance(plain, pa.ChunkedArray) else plain
