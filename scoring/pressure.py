"""How often a customer was contacted lately, and which channels are closed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.history import Contacts

BoolArray = NDArray[np.bool_]
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]

DAY_US = 86_400_000_000
WINDOW_DAYS = (1, 7, 30)
NEVER = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class ContactPressure:
    """Contacts of n customers before the as-of.

    Attributes
    ----------
    sent : shape (n, 3), contacts over all channels in the last 1, 7 and 30 days.
    sent_by_channel : shape (n, n_channels, 3), the same per configured channel.
    last_sent_us : shape (n,), time of the last contact; `NEVER` if there was none.
    unsubscribed : shape (n, n_channels), a contact of the channel ended with the
        customer leaving it.
    """

    sent: Int32Array
    sent_by_channel: Int32Array
    last_sent_us: Int64Array
    unsubscribed: BoolArray


def count_contacts(contacts: Contacts, *, n_channels: int, as_of_us: int) -> ContactPressure:
    """Count each customer's contacts in the windows [as_of - w, as_of).

    A contact version counts when it was sent and had arrived before the as-of; the
    latest-arrived of a contact's versions decides. Contacts of channels no longer
    configured count in `sent` only.

    Returns
    -------
    Rows in the order of the history's customers.
    """
    n_customers = len(contacts.offsets) - 1
    owner = np.repeat(np.arange(n_customers), np.diff(contacts.offsets))
    seen = np.flatnonzero((contacts.arrived_at < as_of_us) & (contacts.sent_at < as_of_us))
    contact = contacts.contact[seen]
    same_next = (
        (contact[1:] == contact[:-1]) & (owner[seen][1:] == owner[seen][:-1])
        if len(seen)
        else np.zeros(0, dtype=np.bool_)
    )
    last = seen[~np.append(same_next, False)] if len(seen) else seen
    who, sent_at, channel = owner[last], contacts.sent_at[last], contacts.channel[last]
    configured = (channel >= 0) & (channel < n_channels)
    sent = np.zeros((n_customers, len(WINDOW_DAYS)), dtype=np.int32)
    by_channel = np.zeros((n_customers, n_channels, len(WINDOW_DAYS)), dtype=np.int32)
    for place, days in enumerate(WINDOW_DAYS):
        recent = sent_at >= as_of_us - days * DAY_US
        np.add.at(sent[:, place], who[recent], 1)
        known = recent & configured
        np.add.at(by_channel[:, :, place], (who[known], channel[known]), 1)
    last_sent = np.full(n_customers, NEVER, dtype=np.int64)
    np.maximum.at(last_sent, who, sent_at)
    unsubscribed = np.zeros((n_customers, n_channels), dtype=np.bool_)
    left = configured & (contacts.unsubscribed_at[last] < as_of_us)
    unsubscribed[who[left], channel[left]] = True
    return ContactPressure(
        sent=sent, sent_by_channel=by_channel, last_sent_us=last_sent, unsubscribed=unsubscribed
    )
