"""The one order of a customer's events, on which no sum may depend on row order.

Events are ordered by customer, time and type name; orders and refunds further by order,
amount and discount, missing values last. Rows equal in these are interchangeable for
every feature.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

SORTED = 0
UNSORTED = 1
TIED = 2
"""In order as far as the key goes, but orders or refunds tie and the key ends too early."""


class SortColumns(NamedTuple):
    """The sort key, most significant first; each of shape (n_rows,).

    Event types sort by `type_rank` of their code, orders by their code; beyond the type
    only the `valued` ones (orders, refunds) have an order. Order, amount and discount may
    be empty for a check that stops at the type.
    """

    customer: NDArray[np.int32]
    occurred_at: NDArray[np.int64]
    event_type: NDArray[np.int16]
    order: NDArray[np.int32]
    amount: NDArray[np.float64]
    discount: NDArray[np.float64]
    type_rank: NDArray[np.int32]
    valued: NDArray[np.bool_]


@njit(nogil=True, cache=True, error_model="numpy")
def _money_order(left: float, right: float) -> int:
    """-1, 0 or 1; NaN is last and equal to itself."""
    if left < right:
        return -1
    if left > right:
        return 1
    return int(np.isnan(left)) - int(np.isnan(right))


@njit(nogil=True, cache=True, error_model="numpy")
def _tie_order(key: SortColumns, a: int, b: int) -> int:
    """Order of rows of one customer, time and type."""
    if not key.valued[key.event_type[a]]:
        return 0
    if key.order[a] != key.order[b]:
        # As unsigned numbers, so that -1 (no order) comes last.
        return -1 if np.uint32(key.order[a]) < np.uint32(key.order[b]) else 1
    order: int = _money_order(key.amount[a], key.amount[b])
    if order == 0:
        order = _money_order(key.discount[a], key.discount[b])
    return order


@njit(nogil=True, cache=True, error_model="numpy")
def check_order(key: SortColumns) -> int:
    """SORTED, UNSORTED or TIED."""
    verdict = SORTED
    for row in range(1, len(key.customer)):
        if key.customer[row] != key.customer[row - 1]:
            if key.customer[row] < key.customer[row - 1]:
                return UNSORTED
            continue
        if key.occurred_at[row] > key.occurred_at[row - 1]:
            continue
        if key.occurred_at[row] < key.occurred_at[row - 1]:
            return UNSORTED
        before, after = key.event_type[row - 1], key.event_type[row]
        if before != after:
            if key.type_rank[before] > key.type_rank[after]:
                return UNSORTED
        elif not key.valued[after]:
            continue
        elif len(key.order) == 0:
            verdict = TIED
        elif _tie_order(key, row - 1, row) > 0:
            return UNSORTED
    return verdict


@njit(nogil=True, cache=True, error_model="numpy")
def sort_rows(key: SortColumns, n_customers: int) -> NDArray[np.int64]:
    """Row numbers in the order of the key; cheap when the rows are sorted runs.

    Rows are dealt to their customers in one pass, then each customer's rows are merged
    from short runs.
    """
    n_rows = len(key.customer)
    end = np.zeros(n_customers + 1, dtype=np.int64)
    for row in range(n_rows):
        end[key.customer[row] + 1] += 1
    for i in range(n_customers):
        end[i + 1] += end[i]
    start = end.copy()
    rows = np.empty(n_rows, dtype=np.int64)
    for row in range(n_rows):
        rows[start[key.customer[row]]] = row
        start[key.customer[row]] += 1
    spare = np.empty(n_rows, dtype=np.int64)
    for i in range(n_customers):
        _merge_sort(key, rows[end[i] : end[i + 1]], spare[end[i] : end[i + 1]])
    return rows


@njit(nogil=True, cache=True, error_model="numpy")
def _before(key: SortColumns, a: int, b: int) -> bool:
    if key.occurred_at[a] != key.occurred_at[b]:
        return bool(key.occurred_at[a] < key.occurred_at[b])
    if key.event_type[a] != key.event_type[b]:
        return bool(key.type_rank[key.event_type[a]] < key.type_rank[key.event_type[b]])
    return bool(_tie_order(key, a, b) < 0)


@njit(nogil=True, cache=True, error_model="numpy")
def _merge_sort(key: SortColumns, rows: NDArray[np.int64], spare: NDArray[np.int64]) -> None:
    """Sort one customer's row numbers in place, keeping equal rows in their order."""
    n_rows = len(rows)
    width = 1
    while width < n_rows:
        for low in range(0, n_rows - width, 2 * width):
            middle = low + width
            high = min(middle + width, n_rows)
            if not _before(key, rows[middle], rows[middle - 1]):
                continue
            spare[low:middle] = rows[low:middle]
            left, right, at = low, middle, low
            while left < middle:
                if right < high and _before(key, rows[right], spare[left]):
                    rows[at] = rows[right]
                    right += 1
                else:
                    rows[at] = spare[left]
                    left += 1
                at += 1
        width *= 2


@njit(nogil=True, cache=True, error_model="numpy")
def customer_offsets(customer: NDArray[np.int32], n_customers: int) -> NDArray[np.int64]:
    """Where each customer's rows start; `customer` ascends; shape (n_customers + 1,)."""
    offsets = np.empty(n_customers + 1, dtype=np.int64)
    started = 0
    for row in range(len(customer)):
        while started <= customer[row]:
            offsets[started] = row
            started += 1
    offsets[started:] = len(customer)
    return offsets
