"""Checks: a forest ranks later rows about as well as mixed ones, and not too well."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.forest import Forest, ForestSettings, Sample, fit_forest
from training.leak_audit import (
    MIN_LABELS,
    AuditCutoffs,
    AuditRows,
    BoolArray,
    Check,
    Float64Array,
    scatter,
)
from training.leak_audit_ranking import ranked_auc

NAME = "random_minus_time_split"
WHOLE_NAME = "whole_model_auc"
WHOLE_WARNING, WHOLE_FAILURE = 0.95, 0.98
"""People are not that predictable: features together know what each of them alone hides."""
LEFT_SHARE = 0.4
"""Above the warning, features together that leave less than this share of what the best one alone
leaves to an AUC of 1 fail too; without a leak they left .67 or more."""
MAX_NAMED = 3
WARNING_GAP = 0.05
"""A gap above this asks for a look, if its interval excludes 0. Measured without any leak:
docs/audit.md."""
FAILURE_GAP = 0.15
"""A gap whose whole interval lies above this is no drift that we have seen."""
MAX_ROWS = 25_000
N_FOLDS = 2
_Z = 1.959964


def check_splits(
    rows: AuditRows,
    *,
    subject: str,
    names: tuple[str, ...],
    categorical: BoolArray,
    cutoffs: AuditCutoffs,
    settings: ForestSettings,
    best_alone: float = 0.5,
) -> tuple[Check, Check]:
    """Compare the AUC on rows split at random with that at the latest cutoff; judge the latter.

    The random split mixes cutoffs and customers: each half of the rows is ranked, within
    each cutoff, by a forest fitted on the other half. The time split fits the same forest
    on cutoffs whose label windows end before the latest one. Where rows or features of the
    past know their own outcome, only the random split profits.

    Parameters
    ----------
    rows : all rows of one model.
    subject : the model.
    names, categorical : of the features, shape (F,).
    cutoffs : of the rows.
    settings : of the small forest.
    best_alone : AUC of the best single feature.

    References
    ----------
    METHODS.md section 1, pitfalls: random folds over panel rows leak.
    """
    rows = rows.sampled(MAX_ROWS)
    last = len(cutoffs.as_ofs) - 1
    earlier = cutoffs.as_ofs + cutoffs.reach_us <= cutoffs.as_ofs[last]
    before, judged = rows.take(earlier[rows.cutoff]), rows.take(rows.cutoff == last)
    figures: dict[str, float | int | str] = {
        "rows": len(rows),
        "rows_judged": len(judged),
        "warning_above": WARNING_GAP,
        "failure_above": FAILURE_GAP,
    }
    if not (before.has_both_labels and judged.has_both_labels):
        why = f"Fewer than {MIN_LABELS} rows of either label at the latest cutoff or before it."
        return (
            Check(NAME, subject, "not checked", why, figures=figures),
            Check(WHOLE_NAME, subject, "not checked", why, figures=figures),
        )
    columns = (names, tuple(np.array(names)[categorical].tolist()))
    mixed = rows.take(earlier[rows.cutoff] | (rows.cutoff == last))
    random_scores = cross_fitted_scores(mixed, _row_parts(mixed), columns, settings)
    forest = _fit(before, columns, settings)
    time_scores = forest.raw_scores(judged.values, threads=settings.threads)
    latest = mixed.cutoff == last
    everywhere = _overall_gap(mixed, random_scores, judged, time_scores)
    there = _paired_gap(judged.labels == 1, random_scores[latest], time_scores)
    figures |= {**everywhere.figures("gap"), **there.figures("gap_latest")}
    figures |= {"auc_time": round(there.time_auc, 4)}
    return (
        _verdict(subject, (everywhere, there), figures),
        _whole_verdict(subject, (there.time_auc, best_alone), len(judged), forest, names),
    )


def _whole_verdict(
    subject: str, aucs: tuple[float, float], n_rows: int, forest: Forest, names: tuple[str, ...]
) -> Check:
    auc, best_alone = aucs
    left = (1.0 - auc) / max(1.0 - best_alone, 1e-9)
    gains = forest.gains()
    best = tuple(names[column] for column in np.argsort(-gains, kind="stable")[:MAX_NAMED])
    figures: dict[str, float | int | str] = {
        "auc_time": round(auc, 4),
        "best_alone": round(best_alone, 4),
        "left_share": round(left, 4),
        "rows_judged": n_rows,
        "warning_above": WHOLE_WARNING,
        "failure_above": WHOLE_FAILURE,
    }
    about = f"All features together rank later rows with an AUC of {auc:.3f}"
    if auc <= WHOLE_WARNING:
        return Check(WHOLE_NAME, subject, "passed", f"{about}.", figures=figures)
    return Check(
        WHOLE_NAME,
        subject,
        "failed" if auc > WHOLE_FAILURE or left < LEFT_SHARE else "warning",
        f"{about} (the best alone {best_alone:.3f}), better than behaviour can be foretold; they "
        f"rely on {', '.join(best)}.",
        fix="find out when the columns behind these features are written: what is corrected or "
        "filled in after the outcome must be left out, or ingested with its true arrived_at",
        named=best,
        figures=figures,
    )


@dataclass(frozen=True, slots=True)
class _Gap:
    """A random-split AUC minus the time-split AUC."""

    random_auc: float
    time_auc: float
    error: float
    where: str

    @property
    def value(self) -> float:
        return self.random_auc - self.time_auc

    @property
    def low(self) -> float:
        return self.value - _Z * self.error

    @property
    def text(self) -> str:
        high = self.value + _Z * self.error
        return f"{self.value:+.3f} [{self.low:+.3f}, {high:+.3f}] {self.where}"

    def figures(self, name: str) -> dict[str, float]:
        return {
            f"{name}.auc_random": round(self.random_auc, 4),
            name: round(self.value, 4),
            f"{name}.low": round(self.low, 4),
            f"{name}.high": round(self.value + _Z * self.error, 4),
        }


def _overall_gap(
    mixed: AuditRows, random_scores: Float64Array, judged: AuditRows, time_scores: Float64Array
) -> _Gap:
    random_auc, random_error = _auc_within_cutoffs(mixed, random_scores)
    time_auc, time_error = _auc_within_cutoffs(judged, time_scores)
    error = float(np.hypot(random_error, time_error))
    return _Gap(random_auc, time_auc, error, "over all cutoffs")


def _paired_gap(
    positive: BoolArray, random_scores: Float64Array, time_scores: Float64Array
) -> _Gap:
    """Both forests on the very same rows, with DeLong's error of the difference."""
    random_auc, random_parts = _placements(positive, random_scores)
    time_auc, time_parts = _placements(positive, time_scores)
    variance = sum(
        float(np.var(one - other, ddof=1)) / len(one)
        for one, other in zip(random_parts, time_parts, strict=True)
    )
    return _Gap(random_auc, time_auc, float(np.sqrt(variance)), "on the same latest rows")


def _placements(
    positive: BoolArray, scores: Float64Array
) -> tuple[float, tuple[Float64Array, Float64Array]]:
    """The AUC and what each positive and each negative row adds to it (DeLong et al. 1988)."""
    above, below = np.sort(scores[positive]), np.sort(scores[~positive])

    def share_under(values: Float64Array, others: Float64Array) -> Float64Array:
        left = np.searchsorted(others, values, side="left")
        right = np.searchsorted(others, values, side="right")
        return np.asarray((left + right) / (2.0 * len(others)))

    of_positives = share_under(scores[positive], below)
    of_negatives = 1.0 - share_under(scores[~positive], above)
    return float(of_positives.mean()), (of_positives, of_negatives)


def _verdict(subject: str, gaps: tuple[_Gap, _Gap], figures: dict[str, float | int | str]) -> Check:
    about = (
        f"AUC {gaps[0].random_auc:.3f} on rows split at random, {gaps[0].time_auc:.3f} on later "
        f"ones; random minus time {gaps[0].text}, {gaps[1].text}"
    )
    if any(gap.low > FAILURE_GAP for gap in gaps):
        return Check(
            NAME,
            subject,
            "failed",
            f"{about}: more than drift explains (limit {FAILURE_GAP}); old rows know their "
            "outcome.",
            fix="look for events, amounts or attributes that were filled in afterwards for old "
            "rows but not yet for those of the latest cutoff, and leave them out",
            figures=figures,
        )
    if any(gap.value > WARNING_GAP and gap.low > 0 for gap in gaps):
        return Check(
            NAME,
            subject,
            "warning",
            f"{about}: behaviour has changed, or old rows know something of their outcome.",
            fix="compare the latest months with those before: a new season, source or mapping is "
            "drift, a column filled in afterwards is a leak",
            figures=figures,
        )
    return Check(NAME, subject, "passed", f"{about}.", figures=figures)


def cross_fitted_scores(
    rows: AuditRows,
    part: NDArray[np.int64],
    columns: tuple[tuple[str, ...], tuple[str, ...]],
    settings: ForestSettings,
) -> Float64Array:
    """Log-odds of each row from a forest that has not seen the row's part; shape (n,).

    Parameters
    ----------
    rows : rows to fit on and to score.
    part : part of each row, 0 … n_parts - 1, shape (n,).
    columns : names of the features, and those of them that hold codes.
    settings : of the forest.
    """
    scores = np.empty(len(rows))
    for number in range(int(part.max()) + 1):
        inside = part == number
        forest = _fit(rows.take(~inside), columns, settings)
        scores[inside] = forest.raw_scores(rows.values[inside], threads=settings.threads)
    return scores


def _row_parts(rows: AuditRows) -> NDArray[np.int64]:
    """Parts that split the rows of a customer too."""
    mixed = scatter(rows.customer ^ scatter(rows.cutoff.astype(np.uint64)))
    return (mixed % np.uint64(N_FOLDS)).astype(np.int64)


def _fit(
    training: AuditRows,
    columns: tuple[tuple[str, ...], tuple[str, ...]],
    settings: ForestSettings,
) -> Forest:
    # A tenth of the customers tells how many of the few trees are worth keeping.
    stopping = scatter(training.customer) % np.uint64(10) == 0
    fitting = ~stopping
    if not training.take(stopping).has_both_labels:
        stopping = fitting = np.ones(len(training), dtype=np.bool_)
    return fit_forest(
        Sample(training.values[fitting], training.labels[fitting]),
        validation=Sample(training.values[stopping], training.labels[stopping]),
        names=columns[0],
        categorical=columns[1],
        settings=settings,
    )


def _auc_within_cutoffs(rows: AuditRows, scores: Float64Array) -> tuple[float, float]:
    """The AUC among rows of one cutoff, averaged by information, and its standard error.

    Rows of one customer at several cutoffs count as one in the error.
    """
    total = weights = 0.0
    for cutoff in np.unique(rows.cutoff):
        inside = rows.cutoff == cutoff
        positive = rows.labels[inside].astype(np.float64)
        auc = ranked_auc(positive, 1.0 - positive, scores[inside])
        if auc is not None:
            n_positive = positive.sum()
            weight = n_positive * (len(positive) - n_positive) / len(positive)
            total += weight * auc
            weights += weight
    auc = float(total / weights)
    positive_customers = len(np.unique(rows.customer[rows.labels == 1]))
    negative_customers = len(np.unique(rows.customer[rows.labels == 0]))
    return auc, auc_error(auc, positive_customers, negative_customers)


def auc_error(auc: float, positives: int, negatives: int) -> float:
    """Standard error of an AUC (Hanley and McNeil 1982)."""
    first = auc / (2.0 - auc) - auc**2
    second = 2.0 * auc**2 / (1.0 + auc) - auc**2
    variance = auc * (1.0 - auc) + (positives - 1) * first + (negatives - 1) * second
    return float(np.sqrt(max(variance, 0.0) / (positives * negatives)))
