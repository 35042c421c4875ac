"""The list of features: names, units and meanings, and which block fills which columns."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict

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
from features.kernels.feature import Feature
from features.spec import FeatureSpec

__all__ = ["Feature", "block_columns", "feature_manifest", "manifest_digest"]

_DECLARATIONS: dict[str, Callable[[FeatureSpec], tuple[Feature, ...]]] = {
    module.BLOCK: module.declare
    for module in (
        recency,
        tenure,
        frequency,
        value,
        rhythm,
        decay,
        trend,
        breadth,
        engagement,
        static,
    )
}


def feature_manifest(spec: FeatureSpec) -> tuple[Feature, ...]:
    """All features of a specification, in the matrix's column order.

    Examples
    --------
    >>> spec = FeatureSpec(("purchase",), ("purchase",), ("purchase",))
    >>> feature_manifest(spec)[0].name
    'recency_days_activity'
    """
    return tuple(feature for declare in _DECLARATIONS.values() for feature in declare(spec))


def block_columns(spec: FeatureSpec) -> dict[str, slice]:
    """Columns of each block in the matrix, by the block's name."""
    columns: dict[str, slice] = {}
    start = 0
    for block, declare in _DECLARATIONS.items():
        end = start + len(declare(spec))
        columns[block] = slice(start, end)
        start = end
    return columns


def manifest_digest(spec: FeatureSpec) -> str:
    """Hex SHA-256 of the specification and of every feature's declaration.

    Two digests are equal exactly if the same columns mean the same, so a model can refuse
    a matrix of another manifest.
    """
    declarations = [asdict(feature) for feature in feature_manifest(spec)]
    document = json.dumps([spec.digest(), declarations], sort_keys=True)
    return hashlib.sha256(document.encode()).hexdigest()
