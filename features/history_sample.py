"""Some of a bucket's customers, chosen so that the choice says nothing about their future."""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.history import Contacts, Details, Events, History, Profiles

UInt64Array = NDArray[np.uint64]
Int64Array = NDArray[np.int64]


def customer_hash(customer_id: str) -> int:
    """64 bits of the id's MD5, other bits than those that choose its bucket."""
    return int.from_bytes(hashlib.md5(customer_id.encode(), usedforsecurity=False).digest()[4:12])


def customer_hashes(history: History) -> UInt64Array:
    """`customer_hash` of each customer, shape (n_customers,)."""
    return np.array([customer_hash(name) for name in history.customer_id], dtype=np.uint64)


def lowest_hashes(hashes: UInt64Array, at_most: int) -> Int64Array:
    """Positions of the customers with the lowest hashes, ascending; all if there are fewer."""
    if len(hashes) <= at_most:
        return np.arange(len(hashes), dtype=np.int64)
    return np.sort(np.argpartition(hashes, at_most)[:at_most]).astype(np.int64)


def select_customers(history: History, customers: Int64Array) -> History:
    """The history of some customers only.

    Parameters
    ----------
    history : one bucket.
    customers : ascending positions of the customers to keep, shape (n,).
    """
    if len(customers) == history.n_customers:
        return history
    return replace(
        history,
        names=history.names.take(pa.array(customers)),
        events=_rows_of(history.events, customers),
        details=_rows_of(history.details, customers),
        contacts=_rows_of(history.contacts, customers),
        profiles=_rows_of(history.profiles, customers),
    )


def _rows_of(table: Events | Details | Contacts | Profiles, customers: Int64Array) -> Any:
    offsets = table.offsets
    sizes = np.diff(offsets)[customers]
    kept = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    rows = np.repeat(offsets[customers] - kept[:-1], sizes) + np.arange(kept[-1])
    columns = [name for name in table.__slots__ if name != "offsets"]
    return replace(table, offsets=kept, **{name: getattr(table, name)[rows] for name in columns})
