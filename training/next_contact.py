"""When a customer was contacted next, as far as anybody knew at some instant."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.history import NO_TIME, History

Int64Array = NDArray[np.int64]


def next_contact_us(
    history: History, *, rows: tuple[Int64Array, Int64Array], known_before_us: Int64Array
) -> Int64Array:
    """When each row's customer was contacted first at or after the as-of, by any channel.

    A contact version counts as it does for features: it was sent and had arrived before
    `known_before_us`, and of several versions of a contact the last to arrive is the one.

    Parameters
    ----------
    history : one bucket.
    rows : position of the customer in `history` and as-of (us, UTC) of each row; each of
        shape (n,).
    known_before_us : what had not arrived before it does not count (us, UTC), shape (n,).

    Returns
    -------
    Instants (us, UTC) in the order of the rows, shape (n,); NO_TIME where no contact is known.
    """
    customer, as_of = rows
    contacts = history.contacts
    if not len(contacts.sent_at):
        return np.full(len(customer), NO_TIME)
    return np.asarray(
        _next_contact(
            (contacts.offsets, contacts.contact, contacts.arrived_at, contacts.sent_at),
            customer.astype(np.int64),
            as_of.astype(np.int64),
            known_before_us.astype(np.int64),
        )
    )


@njit(cache=True, nogil=True)
def _next_contact(
    contacts: tuple[Int64Array, Int64Array, Int64Array, Int64Array],
    customer: Int64Array,
    as_of: Int64Array,
    known_before: Int64Array,
) -> Int64Array:
    offsets, contact, arrived_at, sent_at = contacts
    found = np.full(len(customer), NO_TIME)
    for row in range(len(customer)):
        end = offsets[customer[row] + 1]
        known = known_before[row]
        sent = NO_TIME
        for version in range(offsets[customer[row]], end):
            if arrived_at[version] < known and sent_at[version] < known:
                sent = sent_at[version]
            if version + 1 == end or contact[version + 1] != contact[version]:
                if as_of[row] <= sent < found[row]:
                    found[row] = sent
                sent = NO_TIME
    return found
