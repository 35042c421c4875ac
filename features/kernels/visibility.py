"""From when on a customer is visible, and which matrix rows follow from that."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.history import NO_TIME


@njit(nogil=True, cache=True, error_model="numpy")
def first_visible(
    offsets: NDArray[np.int64], occurred_at: NDArray[np.int64], arrived_at: NDArray[np.int64]
) -> NDArray[np.int64]:
    """When each customer's first event had both occurred and arrived; shape (n_customers,).

    A customer is visible at every as-of later than that; NO_TIME for one without events.
    """
    n_customers = len(offsets) - 1
    seen_from = np.empty(n_customers, dtype=np.int64)
    for i in range(n_customers):
        first = NO_TIME
        for e in range(offsets[i], offsets[i + 1]):
            if occurred_at[e] >= first:
                break
            first = min(first, max(occurred_at[e], arrived_at[e]))
        seen_from[i] = first
    return seen_from


def number_rows(
    seen_from: NDArray[np.int64], as_ofs: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Number the matrix rows by customer, then as-of.

    Returns
    -------
    rows : shape (n_customers, n_as_ofs), -1 where the customer is not yet visible.
    customer : each row's customer; shape (n_rows,).
    as_of : each row's as-of; shape (n_rows,).
    """
    visible = seen_from[:, None] < as_ofs[None, :]
    rows = np.full(visible.shape, -1, dtype=np.int64)
    customer, position = np.nonzero(visible)
    rows[visible] = np.arange(len(customer))
    return rows, customer.astype(np.int32), as_ofs[position]
