"""The events of a table on their way into a history: picked out, checked, put in order."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.arrow_columns import (
    encoded,
    picked_codes,
    picked_money,
    positions_in,
    ranks,
    rows_with,
    time_values,
    translated,
    words_of,
)
from features.history import NO_CODE, Details, Events, frozen
from features.kernels.order import (
    SORTED,
    UNSORTED,
    SortColumns,
    check_order,
    customer_offsets,
    sort_rows,
)
from features.spec import FeatureSpec

_DENSE = ("customer", "occurred_at", "arrived_at", "event_type")
_SPARSE = ("detail_row", "amount", "discount", "order", "category")


@dataclass(slots=True)
class EventRows:
    """Events in the order of the file, and the details of those rows that have any.

    `detail_row` (n_details,) ascends and names the rows that the money and the codes
    belong to; `order_words` holds the ids that `order` numbers.
    """

    customer: NDArray[np.int32]
    occurred_at: NDArray[np.int64]
    arrived_at: NDArray[np.int64]
    event_type: NDArray[np.int16]
    detail_row: NDArray[np.int64]
    amount: NDArray[np.float64]
    discount: NDArray[np.float64]
    order: NDArray[np.int32]
    category: NDArray[np.int32]
    order_words: Any

    def events(self, n_customers: int) -> Events:
        """The rows as events; they must be in order."""
        return Events(
            offsets=customer_offsets(frozen(self.customer), n_customers),
            occurred_at=self.occurred_at,
            arrived_at=self.arrived_at,
            event_type=self.event_type,
        )

    def details(self, n_customers: int) -> Details:
        """The rows' details; they must be in order."""
        rows = self.detail_row
        return Details(
            offsets=customer_offsets(frozen(self.customer[rows]), n_customers),
            occurred_at=self.occurred_at[rows],
            arrived_at=self.arrived_at[rows],
            event_type=self.event_type[rows],
            amount=self.amount,
            discount=self.discount,
            order=self.order,
            category=self.category,
        )

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Drop the other rows; none of them may have details."""
        for name in _DENSE:
            setattr(self, name, getattr(self, name)[kept])
        self.detail_row = (np.cumsum(kept) - 1)[self.detail_row]

    def put_in_order(self, spec: FeatureSpec, n_customers: int) -> None:
        """Check that rows are in the one order, and put them there if not."""
        if check_order(self._key(spec, whole=False)) == SORTED:
            return
        # Codes follow the file, ranks only the ids: ties then break the same everywhere.
        rank = np.append(ranks(self.order_words), np.int32(NO_CODE))
        self.order = rank[self.order]
        key = self._key(spec, whole=True)
        if check_order(key) == UNSORTED:
            self._permute(sort_rows(key, n_customers))

    def _permute(self, rows: NDArray[np.int64]) -> None:
        place = np.empty(len(rows), dtype=np.int64)
        place[rows] = np.arange(len(rows))
        for name in _DENSE:
            setattr(self, name, getattr(self, name)[rows])
        self.detail_row = place[self.detail_row]
        details = np.argsort(self.detail_row)
        for name in _SPARSE:
            setattr(self, name, getattr(self, name)[details])

    def _key(self, spec: FeatureSpec, *, whole: bool) -> SortColumns:
        """The sort key of all rows; without the details if it is not `whole`."""
        n_rows = len(self.customer) if whole else 0
        order = np.full(n_rows, NO_CODE, dtype=np.int32)
        amount, discount = np.full(n_rows, np.nan), np.full(n_rows, np.nan)
        if whole:
            order[self.detail_row] = self.order
            amount[self.detail_row] = self.amount
            discount[self.detail_row] = self.discount
        columns = SortColumns(
            customer=self.customer,
            occurred_at=self.occurred_at,
            event_type=self.event_type,
            order=order,
            amount=amount,
            discount=discount,
            type_rank=ranks(pa.array(spec.event_types, pa.string())),
            valued=spec.flags(spec.orders + spec.refunds),
        )
        return SortColumns(*(frozen(column) for column in columns))


def event_rows(
    events: Any, customer: NDArray[np.int32], spec: FeatureSpec
) -> tuple[EventRows, int]:
    """Read a table of events; returns its rows and how many had a type outside `spec`.

    Parameters
    ----------
    events : Arrow table with customer_id, occurred_at, arrived_at, event_type and, where
        there are any, amount, discount, order_id and category.
    customer : each row's customer; shape (n_rows,).
    spec : gives event types their codes.
    """
    types = encoded(events.column("event_type"))
    type_codes = positions_in(words_of(types), spec.event_types)
    event_type = translated(types, type_codes, np.int16)
    category = _words(events, "category")
    detail_row = rows_with(category, event_type, spec.flags(spec.orders + spec.refunds))
    order = _words(events, "order_id")
    rows = EventRows(
        customer=customer,
        occurred_at=time_values(events.column("occurred_at")),
        arrived_at=time_values(events.column("arrived_at")),
        event_type=event_type,
        detail_row=detail_row,
        amount=_money(events, "amount", detail_row),
        discount=_money(events, "discount", detail_row),
        order=_codes(order, detail_row),
        category=_codes(category, detail_row),
        order_words=pa.array([], pa.string()) if order is None else words_of(order),
    )
    if types.null_count == 0 and np.all(type_codes != NO_CODE):
        return rows, 0
    known = event_type != NO_CODE
    rows.keep(known)
    return rows, len(known) - len(rows.customer)


def _words(events: Any, name: str) -> Any | None:
    return encoded(events.column(name)) if name in events.column_names else None


def _codes(column: Any | None, rows: NDArray[np.int64]) -> NDArray[np.int32]:
    if column is None:
        return np.full(len(rows), NO_CODE, dtype=np.int32)
    return picked_codes(column, rows)


def _money(events: Any, name: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    if name not in events.column_names:
        return np.full(len(rows), np.nan)
    return picked_money(events.column(name), rows)
