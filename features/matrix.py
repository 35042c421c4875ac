"""The feature matrix: one row per customer and as-of, one float32 column per feature."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from features.errors import UsageError, describe
from features.history import History
from features.kernels import (
    breadth,
    decay,
    engagement,
    frequency,
    recency,
    rhythm,
    static,
    tenure,
    trend,
    value,
)
from features.kernels.feature import DAY_US, WINDOW_DAYS
from features.kernels.series import (
    DetailColumns,
    EventColumns,
    Series,
    empty_series,
    gather_days,
    gather_details,
    type_kinds,
)
from features.kernels.visibility import first_visible, number_rows
from features.kernels.windows import N_MEASURES, sum_windows
from features.manifest import block_columns, feature_manifest
from features.spec import FeatureSpec

CHUNK_CUSTOMERS = 2048
"""Customers per round of the blocks: few enough that their series stay in the cache."""


@dataclass(frozen=True, slots=True)
class FeatureMatrix:
    """Features of customers at as-ofs.

    Rows exist for a customer and as-of with at least one visible event, ordered by
    bucket, customer id (byte order), as-of.

    Attributes
    ----------
    customers : Arrow string array of the ids `customer` points into.
    customer : int32, shape (n_rows,): position in `customers`; of a single bucket's matrix
        also the position in its history.
    as_of : int64, shape (n_rows,): microseconds since 1970-01-01 UTC.
    values : float32, shape (n_rows, n_features), C order; NaN where undefined.
    names : the columns' names.
    """

    customers: Any
    customer: NDArray[np.int32]
    as_of: NDArray[np.int64]
    values: NDArray[np.float32]
    names: tuple[str, ...]

    @property
    def customer_id(self) -> NDArray[np.object_]:
        """Each row's customer id as a Python string, built anew at each call."""
        ids = np.array(self.customers.to_pylist(), dtype=np.object_)
        return ids[self.customer]

    def column(self, name: str) -> NDArray[np.float32]:
        """One feature's values; shape (n_rows,)."""
        return self.values[:, self.names.index(name)]

    def to_frame(self) -> pd.DataFrame:
        """A table indexed by customer_id and as_of (UTC), one column per feature."""
        as_of = pd.to_datetime(self.as_of, unit="us", utc=True)
        index = pd.MultiIndex.from_arrays([self.customer_id, as_of], names=["customer_id", "as_of"])
        return pd.DataFrame(self.values, index=index, columns=list(self.names))


def build_matrix(
    history: History, *, spec: FeatureSpec, as_ofs: NDArray[np.int64] | Sequence[int]
) -> FeatureMatrix:
    """Compute all features of one bucket at one or several as-ofs.

    Parameters
    ----------
    history : the bucket's histories, codes as in `spec`.
    spec : event types, channels and attributes, with the vocabulary learnt at training.
    as_ofs : strictly ascending UTC instants in microseconds; shape (n_as_ofs,).

    Returns
    -------
    FeatureMatrix : rows by customer id, then as-of; only what had occurred and arrived
        before its as-of enters a row.

    Raises
    ------
    UsageError : `as_ofs` is empty or not strictly ascending.
    """
    instants = np.asarray(as_ofs, dtype=np.int64)
    if len(instants) == 0 or np.any(np.diff(instants) <= 0):
        raise UsageError(
            describe(
                "feature matrix",
                f"{len(instants)} as-ofs that do not ascend",
                expected="at least one as-of, each later than the one before",
                fix="sort the as-ofs and drop repeated ones",
            )
        )
    events = EventColumns.of(history.events)
    seen_from = first_visible(events.offsets, events.occurred_at, events.arrived_at)
    rows, customer, as_of = number_rows(seen_from, instants)
    names = tuple(feature.name for feature in feature_manifest(spec))
    values = np.empty((len(customer), len(names)), dtype=np.float32)
    walk = _Walk(history, spec, instants, values)
    for first, last in _chunks(history.events.offsets):
        for k in range(len(instants)):
            walk.fill(first, last, int(instants[k]), np.ascontiguousarray(rows[first:last, k]))
    return FeatureMatrix(history.names, customer, as_of, values, names)


def concat_matrices(matrices: Sequence[FeatureMatrix]) -> FeatureMatrix:
    """Join matrices of different buckets in the order given.

    Raises
    ------
    UsageError : there is nothing to join, or the columns differ.
    """
    if len({matrix.names for matrix in matrices}) != 1:
        raise UsageError(
            describe(
                "feature matrix",
                f"cannot join {len(matrices)} matrices of different columns",
                expected="one or more matrices of one feature manifest",
                fix="build all of them with the same specification",
            )
        )
    starts = np.cumsum([0] + [len(matrix.customers) for matrix in matrices])
    return FeatureMatrix(
        customers=pa.concat_arrays([matrix.customers for matrix in matrices]),
        customer=np.concatenate(
            [
                matrix.customer + np.int32(start)
                for matrix, start in zip(matrices, starts[:-1], strict=True)
            ]
        ),
        as_of=np.concatenate([matrix.as_of for matrix in matrices]),
        values=np.concatenate([matrix.values for matrix in matrices]),
        names=matrices[0].names,
    )


def _chunks(offsets: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    n_customers = len(offsets) - 1
    for first in range(0, n_customers, CHUNK_CUSTOMERS):
        yield first, min(first + CHUNK_CUSTOMERS, n_customers)


class _Walk:
    """Fills rows of the matrix; holds the scratch arrays that chunks and as-ofs share."""

    def __init__(
        self,
        history: History,
        spec: FeatureSpec,
        as_ofs: NDArray[np.int64],
        values: NDArray[np.float32],
    ) -> None:
        self._events = EventColumns.of(history.events)
        self._details = DetailColumns.of(history.details)
        self._contacts = engagement.ContactColumns.of(history.contacts)
        self._profiles = static.ProfileColumns.of(history.profiles)
        self._kinds = type_kinds(spec)
        self._groups = np.stack([spec.flags(spec.activity), spec.flags(spec.orders)])
        self._window_days = np.array(WINDOW_DAYS, dtype=np.int64)
        self._blocks = {name: values[:, cut] for name, cut in block_columns(spec).items()}
        occurred_at = history.events.occurred_at
        oldest = int(occurred_at.min()) if len(occurred_at) else int(as_ofs[-1])
        self._weights = decay.day_weights(max(int(as_ofs[-1]) - oldest, 0) // DAY_US + 1)
        self._series = self._room(spec)
        self._totals = np.empty((CHUNK_CUSTOMERS, N_MEASURES, len(WINDOW_DAYS) + 1))
        self._signup_at = np.empty(CHUNK_CUSTOMERS, dtype=np.int64)
        n_categories = int(history.details.category.max(initial=-1)) + 1
        self._category_counts = np.zeros(n_categories, dtype=np.int64)

    def _room(self, spec: FeatureSpec) -> Series:
        n_events, n_details = (
            max((int(offsets[b] - offsets[a]) for a, b in _chunks(offsets)), default=0)
            for offsets in (self._events.offsets, self._details.offsets)
        )
        return empty_series(CHUNK_CUSTOMERS, len(spec.event_types), n_events, n_details)

    def fill(self, first: int, last: int, as_of: int, rows: NDArray[np.int64]) -> None:
        """Fill the rows of customers first:last at one as-of; `rows` names them, -1 is none."""
        series, totals, out = self._series, self._totals, self._blocks
        gather_days((first, last), as_of, self._events, self._kinds, series)
        gather_details((first, last), as_of, self._details, self._kinds, series)
        sum_windows(series, self._window_days, rows, totals)
        recency.fill_recency(as_of, series, self._groups, rows, out[recency.BLOCK])
        static.fill_static(first, as_of, self._profiles, rows, self._signup_at, out[static.BLOCK])
        tenure.fill_tenure(as_of, series, self._signup_at, rows, out[tenure.BLOCK])
        frequency.fill_frequency(totals, frequency.MEASURES, rows, out[frequency.BLOCK])
        value.fill_value(series, totals, rows, out[value.BLOCK])
        rhythm.fill_rhythm(series, rows, out[rhythm.BLOCK])
        decay.fill_decay(series, self._weights, rows, out[decay.BLOCK])
        trend.fill_trend(totals, trend.PAIRS, self._window_days, rows, out[trend.BLOCK])
        breadth.fill_breadth(as_of, series, self._category_counts, rows, out[breadth.BLOCK])
        engagement.fill_engagement(first, as_of, self._contacts, rows, out[engagement.BLOCK])
