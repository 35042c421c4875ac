"""Kaplan-Meier by segment: what a careful analyst would say about return times."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.customer_value import CustomerValue

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

_SEGMENT_ROWS = 50
_SILENCE_FIFTHS = (0.2, 0.4, 0.6, 0.8)
_ORDER_TIERS = (1.5, 3.5, 7.5)


@dataclass(frozen=True, slots=True)
class SegmentCurves:
    """Kaplan-Meier curves by stage, fifth of silence and tier of orders.

    Attributes
    ----------
    silence_edges : fifths of the silence in days, shape (4,).
    segments : keys of the segments that have a curve of their own, ascending.
    days : days at which the curves are kept, shape (n_days,).
    survival : the pooled curve, then one per segment; shape (1 + n_segments, n_days).
    """

    silence_edges: Float64Array
    segments: Int64Array
    days: Float64Array
    survival: Float64Array

    def survival_of(self, value: CustomerValue) -> Float64Array:
        """Each row's curve; of segments too small to have one, the pooled; (n, n_days)."""
        keys = _segment_keys(value, self.silence_edges)
        place = np.minimum(np.searchsorted(self.segments, keys), max(len(self.segments) - 1, 0))
        known = (
            self.segments[place] == keys if len(self.segments) else np.zeros(len(keys), np.bool_)
        )
        return self.survival[np.where(known, place + 1, 0)]


def kaplan_meier(days: Float64Array, returned: BoolArray, *, at: Float64Array) -> Float64Array:
    """Share without a return at some days, silences that were not seen to end counted as such.

    Parameters
    ----------
    days, returned : outcomes, each of shape (n,).
    at : days, shape (n_days,); beyond the last return seen the curve stays as it is.

    References
    ----------
    Kaplan, Meier 1958.
    """
    moments, place = np.unique(days[returned], return_inverse=True)
    ordered = np.sort(days)
    at_risk = len(days) - np.searchsorted(ordered, moments, side="left")
    ended = np.bincount(place, minlength=len(moments))
    survival = np.concatenate(([1.0], np.cumprod(1.0 - ended / np.maximum(at_risk, 1))))
    return np.asarray(survival[np.searchsorted(moments, at, side="right")])


def fit_segment_curves(
    value: CustomerValue, outcomes: tuple[Float64Array, BoolArray], *, at: Float64Array
) -> SegmentCurves:
    """What a careful analyst would say without a model: one curve per kind of customer.

    Parameters
    ----------
    value : stage, silence and orders of the training rows.
    outcomes : days to the return, or followed without one, and whether one was seen; of the
        same rows.
    at : days at which the curves are wanted.
    """
    days, returned = outcomes
    edges = np.asarray(np.quantile(value.silence_days, _SILENCE_FIFTHS), dtype=np.float64)
    keys = _segment_keys(value, edges)
    segments, rows = np.unique(keys, return_counts=True)
    segments = segments[rows >= _SEGMENT_ROWS]
    curves = [kaplan_meier(days, returned, at=at)]
    for segment in segments:
        inside = keys == segment
        curves.append(kaplan_meier(days[inside], returned[inside], at=at))
    return SegmentCurves(edges, segments, at, np.stack(curves))


def _segment_keys(value: CustomerValue, silence_edges: Float64Array) -> Int64Array:
    fifth = np.searchsorted(silence_edges, value.silence_days)
    tier = np.searchsorted(_ORDER_TIERS, value.orders)
    return (value.stage.astype(np.int64) * 5 + fifth) * 4 + tier
