"""How often a customer was contacted lately, and which channels are closed."""

from dataclasses import dataclass, replace

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
    unsubscribed_us : shape (n,), when the customer last left a channel, configured or not;
        `NEVER` if none was left.
    control_until_us : shape (n,), until when the customer is a control of an earlier list,
        to be left alone; `NEVER` if of none.
    """

    sent: Int32Array
    sent_by_channel: Int32Array
    last_sent_us: Int64Array
    unsubscribed: BoolArray
    unsubscribed_us: Int64Array
    control_until_us: Int64Array


@dataclass(frozen=True, slots=True)
class EarlierRows:
    """What earlier lists still ask for: rows that nobody has reported on, and controls.

    Attributes
    ----------
    sent_to : shape (k,), positions of the customers of rows to be sent whose contact has
        not been reported.
    channel : shape (k,), code of the configured channel; -1 for one no longer configured.
    sent_at_us : shape (k,), when the row was to be sent.
    ghost : shape (m,), positions of customers who were listed as ghosts.
    until_us : shape (m,), end of the window in which a ghost is left alone.
    """

    sent_to: Int64Array
    channel: Int64Array
    sent_at_us: Int64Array
    ghost: Int64Array
    until_us: Int64Array


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
    left = contacts.unsubscribed_at[last] < as_of_us
    unsubscribed_us = np.full(n_customers, NEVER, dtype=np.int64)
    np.maximum.at(unsubscribed_us, who[left], contacts.unsubscribed_at[last][left])
    left &= configured
    unsubscribed[who[left], channel[left]] = True
    return ContactPressure(
        sent=sent,
        sent_by_channel=by_channel,
        last_sent_us=last_sent,
        unsubscribed=unsubscribed,
        unsubscribed_us=unsubscribed_us,
        control_until_us=np.full(n_customers, NEVER, dtype=np.int64),
    )


def add_earlier_rows(
    pressure: ContactPressure, earlier: EarlierRows, *, as_of_us: int
) -> ContactPressure:
    """Count unreported rows of earlier lists as contacts, and mark their ghosts.

    Feedback comes a day or more after the list: without this a customer is listed every
    night until it comes, whatever the caps and pauses.
    """
    sent, by_channel = pressure.sent.copy(), pressure.sent_by_channel.copy()
    configured = earlier.channel >= 0
    for place, days in enumerate(WINDOW_DAYS):
        recent = earlier.sent_at_us >= as_of_us - days * DAY_US
        np.add.at(sent[:, place], earlier.sent_to[recent], 1)
        known = recent & configured
        np.add.at(by_channel[:, :, place], (earlier.sent_to[known], earlier.channel[known]), 1)
    last_sent, control_until = pressure.last_sent_us.copy(), pressure.control_until_us.copy()
    np.maximum.at(last_sent, earlier.sent_to, earlier.sent_at_us)
    np.maximum.at(control_until, earlier.ghost, earlier.until_us)
    return replace(
        pressure,
        sent=sent,
        sent_by_channel=by_channel,
        last_sent_us=last_sent,
        control_until_us=control_until,
    )
