"""The features that effects of contact may depend on: few, fixed and always numbers.

Effects are learnt from far fewer rows than returns, by ridge penalties, so there are some
thirty columns instead of hundreds, on a scale on which a ridge is fair: days, counts and money
as log(1 + value), and a stated neutral value where a feature is undefined.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.kernels.feature import column_words
from features.manifest import feature_manifest
from features.spec import FeatureSpec

Float64Array = NDArray[np.float64]
Float32Array = NDArray[np.float32]

LONG_AGO_DAYS = 730.0
"""Stands for "has never happened" in days since something: two years."""

TYPICAL_GAP_DAYS = 30.0
"""Stands for the gap between orders of who never ordered; the rhythm block's own prior."""


@dataclass(frozen=True, slots=True)
class _Column:
    """One feature: its name, whether log(1 + value) is taken, what stands for NaN (before it)."""

    name: str
    log: bool = True
    missing: float = 0.0


_CUSTOMER = (
    _Column("recency_days_order", missing=LONG_AGO_DAYS),
    _Column("recency_days_activity", missing=LONG_AGO_DAYS),
    _Column("tenure_days"),
    _Column("orders_90d"),
    _Column("orders_365d"),
    _Column("orders_lifetime"),
    _Column("active_days_30d"),
    _Column("active_days_90d"),
    _Column("spend_365d"),
    _Column("order_amount_mean"),
    _Column("gap_days_shrunken", missing=TYPICAL_GAP_DAYS),
    _Column("overdue_shrunken_ratio", missing=1.0),
    _Column("discount_share_lifetime", log=False),
    _Column("refund_share_lifetime", log=False),
    _Column("categories_365d"),
    _Column("category_top_share", log=False, missing=1.0),
)
_CONTACTS = (
    _Column("contacts_any_sent_30d"),
    _Column("contacts_any_sent_90d"),
    _Column("contacts_any_opened_90d"),
    _Column("contacts_any_clicked_90d"),
    _Column("contacts_any_sent_recency_days", missing=LONG_AGO_DAYS),
)
_CHANNEL_STEPS = ("sent_30d", "opened_90d", "clicked_90d")


def effect_features(
    values: Float32Array, spec: FeatureSpec
) -> tuple[Float64Array, tuple[str, ...]]:
    """The effect features of rows of a feature matrix.

    Parameters
    ----------
    values : feature rows, shape (n, F), columns as in `feature_manifest(spec)`.
    spec : the specification that they were built with.

    Returns
    -------
    Shape (n, F') without any NaN, and the columns' names: those of the features they are made
    of, in a fixed order. Features that the specification does not have are left out.
    """
    places = {feature.name: place for place, feature in enumerate(feature_manifest(spec))}
    columns = [column for column in _columns(spec) if column.name in places]
    x = np.empty((len(values), len(columns)), dtype=np.float64)
    for at, column in enumerate(columns):
        raw = values[:, places[column.name]].astype(np.float64)
        x[:, at] = np.where(np.isfinite(raw), raw, column.missing)
        if column.log:
            x[:, at] = np.log1p(np.maximum(x[:, at], 0.0))
    return x, tuple(column.name for column in columns)


def plain_values(x: Float64Array, names: Sequence[str]) -> dict[str, Float64Array]:
    """The same features in days, counts, money and shares, by name; each of shape (n,)."""
    as_is = {column.name for column in (*_CUSTOMER, *_CONTACTS) if not column.log}
    return {
        name: x[:, at].copy() if name in as_is else np.expm1(x[:, at])
        for at, name in enumerate(names)
    }


def _columns(spec: FeatureSpec) -> tuple[_Column, ...]:
    if not spec.channels:
        return _CUSTOMER
    # The first word is that of all channels together, as in the engagement block.
    words = column_words(("any", *spec.channels))[1:]
    own = (_Column(f"contacts_{word}_{step}") for word in words for step in _CHANNEL_STEPS)
    return (*_CUSTOMER, *_CONTACTS, *own)
