"""Check: attributes whose history is unknown do not tell what happened later."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.forest import ForestSettings
from training.leak_audit import (
    AuditCutoffs,
    AuditRows,
    BoolArray,
    Check,
    Float64Array,
    Int64Array,
    scatter,
)
from training.leak_audit_ranking import PRIOR_ROWS, cross_fitted_auc, ranked_auc
from training.leak_audit_records import RecordVersions
from training.leak_audit_split import auc_error, cross_fitted_scores

NAME = "customer_records"
FAILURE_AUC, FAILURE_LOW = 0.62, 0.55
"""An attribute of today that ranks later returns better than this, among customers whose past
looks the same, was written with knowledge of them: the AUC and the lower end of its interval.
Measured on traits and on planted states: docs/audit.md."""
WARNING_AUC, WARNING_LOW = 0.57, 0.52
MAX_ROWS = 15_000
N_STRATA = 10
LATEST, LEARNT = 2, 4
"""Cutoffs that are looked at, and that the forest learns from: today's values know most of the
latest label windows."""
_Z = 1.959964
_FIX = (
    "leave these attributes out of sources.customers.attributes, or map changed_at and ingest the "
    "dated versions of the records"
)


@dataclass(frozen=True, slots=True)
class AttributeColumns:
    """Which columns of the matrix hold the attributes.

    Attributes
    ----------
    attributes : names in the configuration, shape (n_attributes,).
    columns : their columns, shape (n_attributes,).
    names : of all columns, shape (F,).
    """

    attributes: tuple[str, ...]
    columns: tuple[int, ...]
    names: tuple[str, ...]


def check_attributes(
    rows: AuditRows,
    versions: RecordVersions,
    *,
    subject: str,
    columns: AttributeColumns,
    cutoffs: AuditCutoffs,
    settings: ForestSettings,
) -> Check:
    """Look for outcomes in attributes that are read at dates at which they have no history.

    Undated records hold today's values for all of the past, and so may an attribute that
    never changes in dated ones. A lasting trait (a region) does no harm; a state (a tier, a
    status) tells of later events. They are told apart by what the attribute adds where the
    past looks the same: customers are grouped by what a forest without attributes expects
    of them, and the attribute ranks the label within the groups, by the rates among other
    customers.

    Parameters
    ----------
    rows : all rows of one model.
    versions : what is known of the records.
    subject : the model.
    columns : where the attributes are.
    cutoffs : of the rows.
    settings : of the small forest.
    """
    figures: dict[str, float | int | str] = {
        "cutoffs": len(cutoffs.as_ofs),
        "warning_above": WARNING_AUC,
        "failure_above": FAILURE_AUC,
    }

    def unchecked(why: str) -> Check:
        return Check(NAME, subject, "not checked", why, figures=figures)

    if not columns.attributes or versions.records == 0:
        return unchecked("No customer attribute is a feature.")
    unknown = _without_history(versions, cutoffs)
    for name, cutoffs_of_one in zip(columns.attributes, unknown, strict=True):
        figures[f"cutoffs_without_history.{name}"] = int(cutoffs_of_one.sum())
    if not unknown.any():
        return Check(
            NAME,
            subject,
            "passed",
            f"Attributes have a history: {len(versions.dated_us):,} versions say since when they "
            "hold, from before the first cutoff on.",
            figures=figures,
        )
    learnt_at = np.asarray(np.any(_latest(unknown, LEARNT), axis=0))
    rows = rows.take(learnt_at[rows.cutoff]).sampled(MAX_ROWS)
    if not rows.has_both_labels:
        return unchecked("Too few rows of either label where attributes have no history.")
    expected = _expected_without(rows, columns, settings)
    findings = _findings(rows, expected, columns, unknown)
    if not findings:
        return unchecked("Too few rows of either label where attributes have no history.")
    for one in findings:
        figures |= {
            f"alone.{one.name}": round(one.alone, 4),
            f"given_past.{one.name}": round(one.given_past, 4),
            f"given_past_low.{one.name}": round(one.low, 4),
        }
    return _verdict(subject, findings, figures)


def _without_history(versions: RecordVersions, cutoffs: AuditCutoffs) -> BoolArray:
    """At which cutoffs each attribute may hold a later value; shape (n_attributes, n_cutoffs)."""
    since = versions.dated_since_us
    undated = np.ones(len(cutoffs.as_ofs), dtype=np.bool_)
    if since is not None:
        undated = cutoffs.as_ofs <= since
    return np.asarray((versions.changed == 0)[:, None] | undated[None, :])


def _latest(unknown: BoolArray, number: int) -> BoolArray:
    """The latest few of each attribute's cutoffs, in the same shape."""
    later = np.cumsum(unknown[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(unknown & (later <= number))


@dataclass(frozen=True, slots=True)
class _Finding:
    """How well one attribute ranks the label: alone, and among customers of the same past."""

    name: str
    alone: float
    given_past: float
    low: float

    @property
    def leaks(self) -> bool:
        return self.given_past > FAILURE_AUC and self.low > FAILURE_LOW

    @property
    def is_odd(self) -> bool:
        return self.given_past > WARNING_AUC and self.low > WARNING_LOW


def _verdict(
    subject: str, findings: Sequence[_Finding], figures: dict[str, float | int | str]
) -> Check:
    n = len(findings)
    unknown = f"{n} attributes have" if n > 1 else "1 attribute has"
    unknown += " no history, only current values. Among customers with the same past"
    top = max(findings, key=lambda one: one.given_past)
    named = tuple(one.name for one in findings if one.leaks)
    if named:
        return Check(
            NAME,
            subject,
            "failed",
            f"{unknown}, later returns are ranked by {_ranks(findings, named)}: written with "
            "knowledge of the outcome.",
            fix=_FIX,
            named=named,
            figures=figures,
        )
    odd = tuple(one.name for one in findings if one.is_odd)
    if odd:
        return Check(
            NAME,
            subject,
            "warning",
            f"{unknown}, later returns are ranked by {_ranks(findings, odd)}: perhaps written "
            "with knowledge of the outcome.",
            fix=f"if their values change over time, {_FIX}",
            named=odd,
            figures=figures,
        )
    return Check(
        NAME,
        subject,
        "passed",
        f"{unknown}, later returns are ranked best by {_ranks(findings, (top.name,))}: no more "
        "than a lasting trait does.",
        figures=figures,
    )


def _ranks(findings: Sequence[_Finding], names: tuple[str, ...]) -> str:
    return ", ".join(
        f"{one.name} (AUC {one.given_past:.3f})" for one in findings if one.name in names
    )


def _expected_without(
    rows: AuditRows, columns: AttributeColumns, settings: ForestSettings
) -> Float64Array:
    """What a forest that sees no attribute expects of customers it has not seen; shape (n,)."""
    kept = np.setdiff1d(np.arange(len(columns.names)), columns.columns)
    names = tuple(columns.names[column] for column in kept)
    without = AuditRows(
        np.ascontiguousarray(rows.values[:, kept]), rows.labels, rows.cutoff, rows.customer
    )
    part = (scatter(rows.customer) >> np.uint64(9)) % np.uint64(2)
    return cross_fitted_scores(without, part.astype(np.int64), (names, ()), settings)


def _findings(
    rows: AuditRows, expected: Float64Array, columns: AttributeColumns, unknown: BoolArray
) -> tuple[_Finding, ...]:
    findings = []
    judged_at = _latest(unknown, LATEST)
    for name, column, cutoffs in zip(columns.attributes, columns.columns, judged_at, strict=True):
        inside = cutoffs[rows.cutoff]
        judged = rows.take(inside)
        if not judged.has_both_labels:
            continue
        half = scatter(judged.customer) & np.uint64(1) == 0
        positive = judged.labels == 1
        values = judged.values[:, column]
        codes = np.where(np.isnan(values), -1.0, values).astype(np.int64) + 1
        alone = cross_fitted_auc(codes, positive, half)
        strata = _strata(judged, expected[inside])
        given_past, error = _auc_given_strata(codes, positive, half, strata)
        # Rows of one customer say the same twice.
        error *= float(np.sqrt(len(judged) / len(np.unique(judged.customer))))
        findings.append(_Finding(name, alone, given_past, given_past - _Z * error))
    return tuple(findings)


def _strata(rows: AuditRows, expected: Float64Array) -> Int64Array:
    """Groups of about equal mass of the expectation, within each cutoff."""
    strata = np.zeros(len(rows), dtype=np.int64)
    for number, cutoff in enumerate(np.unique(rows.cutoff)):
        inside = np.flatnonzero(rows.cutoff == cutoff)
        borders = np.quantile(expected[inside], np.arange(1, N_STRATA) / N_STRATA)
        group = np.searchsorted(borders, expected[inside], side="right")
        strata[inside] = number * N_STRATA + group
    return strata


def _auc_given_strata(
    codes: Int64Array, positive: BoolArray, half: BoolArray, strata: Int64Array
) -> tuple[float, float]:
    """AUC over pairs of one stratum, codes ranked by other customers' surprises, and its error."""
    # Each half has its own rates: with common ones, a surprise here is a lack there.
    cells = 2 * strata + half
    rate = np.bincount(cells, weights=positive) / np.maximum(np.bincount(cells), 1)
    surprise = positive - rate[cells]
    n_codes = int(codes.max()) + 1
    scores = np.empty(len(codes))
    for side in (half, ~half):
        summed = np.bincount(codes[~side], weights=surprise[~side], minlength=n_codes)
        rows = np.bincount(codes[~side], minlength=n_codes)
        scores[side] = (summed / (rows + PRIOR_ROWS))[codes[side]]
    concordant = pairs = variance = 0.0
    for stratum in np.unique(strata):
        for side in (half, ~half):
            inside = (strata == stratum) & side
            hits = positive[inside].astype(np.float64)
            auc = ranked_auc(hits, 1.0 - hits, scores[inside])
            if auc is None:
                continue
            n_positive, n_negative = int(hits.sum()), int(len(hits) - hits.sum())
            weight = float(n_positive * n_negative)
            concordant += weight * auc
            pairs += weight
            variance += (weight * auc_error(auc, n_positive, n_negative)) ** 2
    if pairs == 0.0:
        return 0.5, 0.5
    return concordant / pairs, float(np.sqrt(variance)) / pairs
