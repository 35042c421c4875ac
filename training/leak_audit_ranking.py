"""Check: no feature alone tells the label almost surely."""

import numpy as np
from numpy.typing import NDArray

from training.leak_audit import AuditRows, BoolArray, Check, Float64Array, Int64Array, scatter

NAME = "single_feature_auc"
ALARM_AUC = 0.95
"""A feature that ranks better than this alone says what happened, not what will."""
MAX_ROWS = 100_000
N_BINS = 64
PRIOR_ROWS = 20.0
"""Rows of the base rate that each bin or category starts with: one that few customers share
must not rank first by chance."""
MAX_SHOWN = 5

Float32Array = NDArray[np.float32]
Int8Array = NDArray[np.int8]


def check_ranking(
    rows: AuditRows, *, subject: str, names: tuple[str, ...], categorical: BoolArray
) -> Check:
    """Rank the label by each feature alone and name those above `ALARM_AUC`.

    Parameters
    ----------
    rows : training rows of one model.
    subject : the model.
    names : of the features, shape (F,).
    categorical : marks columns of codes, shape (F,).
    """
    rows = rows.sampled(MAX_ROWS)
    figures: dict[str, float | int | str] = {
        "rows": len(rows),
        "positives": int(np.count_nonzero(rows.labels)),
        "features": len(names),
        "limit": ALARM_AUC,
    }
    if not rows.has_both_labels:
        return Check(
            NAME,
            subject,
            "not checked",
            f"Only {figures['positives']} of {len(rows)} training rows carry the label.",
            figures=figures,
        )
    auc = single_feature_aucs(rows, categorical=categorical)
    best = np.argsort(-auc, kind="stable")[:MAX_SHOWN]
    figures["best"] = round(float(auc[best[0]]), 4)
    figures |= {f"auc.{names[column]}": round(float(auc[column]), 4) for column in best}
    caught = [int(column) for column in np.argsort(-auc, kind="stable") if auc[column] > ALARM_AUC]
    if not caught:
        top = int(best[0])
        return Check(
            NAME,
            subject,
            "passed",
            f"The best of {len(names)} features alone, {names[top]}, ranks the label with an AUC "
            f"of {auc[top]:.3f} (limit {ALARM_AUC}).",
            figures=figures,
        )
    listed = ", ".join(f"{names[column]} {auc[column]:.3f}" for column in caught[:MAX_SHOWN])
    more = f" and {len(caught) - MAX_SHOWN} more" if len(caught) > MAX_SHOWN else ""
    return Check(
        NAME,
        subject,
        "failed",
        f"{len(caught)} of {len(names)} features alone nearly tell the label (AUC: "
        f"{listed}{more}; limit {ALARM_AUC}).",
        fix="find out when the events or attributes behind these features are written: what is "
        "written because of the outcome, or dated back, must not be ingested, or with its true "
        "arrived_at or changed_at",
        named=tuple(names[column] for column in caught),
        figures=figures,
    )


def single_feature_aucs(rows: AuditRows, *, categorical: BoolArray) -> Float64Array:
    """How well each column alone ranks the label, in the better direction; shape (F,).

    The larger of two figures: the rank AUC with missing values at either end (not for
    codes), and the AUC of bins of equal mass (or codes) ranked by the label's rate among
    other customers, missing being a bin of its own.
    """
    half = scatter(rows.customer) & np.uint64(1) == 0
    positive = rows.labels == 1
    found = np.full(rows.values.shape[1], 0.5)
    for column in range(rows.values.shape[1]):
        values = np.ascontiguousarray(rows.values[:, column])
        if categorical[column]:
            bins = _codes(values)
        else:
            order = np.argsort(values)
            found[column] = _rank_auc(values[order], positive[order])
            bins = _mass_bins(values, order)
        found[column] = max(found[column], cross_fitted_auc(bins, positive, half))
    return found


def _rank_auc(values: Float32Array, positive: BoolArray) -> float:
    """The best AUC of sorted values (missing last) over direction and place of the missing."""
    known = len(values) - int(np.count_nonzero(np.isnan(values)))
    if known == 0:
        return 0.5
    changes = values[1:known] != values[: known - 1]
    starts = np.flatnonzero(np.concatenate([[True], changes]))
    size = np.diff(np.append(starts, known))
    p = np.add.reduceat(positive[:known].astype(np.int64), starts)
    n = size - p
    below = np.cumsum(n) - n
    concordant = float(np.sum(p * (below + 0.5 * n)))
    all_p, all_n = int(p.sum()), int(n.sum())
    missing_p = int(np.count_nonzero(positive[known:]))
    missing_n = len(values) - known - missing_p
    ties = 0.5 * missing_p * missing_n
    pairs = float(all_p + missing_p) * float(all_n + missing_n)
    high = (concordant + missing_p * all_n + ties) / pairs
    low = (concordant + all_p * missing_n + ties) / pairs
    return max(high, 1.0 - high, low, 1.0 - low)


def _mass_bins(values: Float32Array, order: Int64Array) -> Int64Array:
    """Bins of about equal mass; equal values share one, missing values have the last."""
    known = len(values) - int(np.count_nonzero(np.isnan(values)))
    bins = np.full(len(values), N_BINS, dtype=np.int64)
    if known:
        borders = values[order[np.arange(1, N_BINS) * known // N_BINS]]
        inside = order[:known]
        bins[inside] = np.searchsorted(borders, values[inside], side="right")
    return bins


def _codes(values: Float32Array) -> Int64Array:
    """Category codes, the missing one above them."""
    missing = np.isnan(values)
    codes = np.where(missing, 0.0, values).astype(np.int64)
    codes[missing] = int(codes.max(initial=0)) + 1
    return codes


def cross_fitted_auc(bins: Int64Array, positive: BoolArray, half: BoolArray) -> float:
    """AUC of bins ranked by the positives' rate in them among the other half of customers.

    Parameters
    ----------
    bins : small non-negative numbers, shape (n,).
    positive : shape (n,).
    half : splits the customers, shape (n,).
    """
    n_bins = int(bins.max(initial=0)) + 1
    base = float(positive.mean())
    halves = []
    for side in (half, ~half):
        size = np.bincount(bins[side], minlength=n_bins).astype(np.float64)
        hits = np.bincount(bins[side & positive], minlength=n_bins).astype(np.float64)
        halves.append((size, hits, (hits + PRIOR_ROWS * base) / (size + PRIOR_ROWS)))
    parts = []
    for (size, hits, _), (_, _, rate) in (halves, halves[::-1]):
        auc = ranked_auc(hits, size - hits, rate)
        if auc is not None:
            parts.append(auc)
    return float(np.mean(parts)) if parts else 0.5


def ranked_auc(
    positives: Float64Array, negatives: Float64Array, score: Float64Array
) -> float | None:
    """AUC of groups with so many positives and negatives; None without both."""
    pairs = float(positives.sum()) * float(negatives.sum())
    if pairs == 0.0:
        return None
    _, group = np.unique(score, return_inverse=True)
    p = np.bincount(group, weights=positives)
    n = np.bincount(group, weights=negatives)
    below = np.cumsum(n) - n
    return float(np.sum(p * (below + 0.5 * n)) / pairs)
