"""How good probabilities are, with intervals from resampling whole customers."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import expit, logit

from models.calibration import fit_logistic_line

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]
Int8Array = NDArray[np.int8]
CountArray = NDArray[np.uint8]

TOP_SHARES = (0.01, 0.05, 0.1, 0.2)
CALIBRATION_BINS = 15

METRICS: tuple[str, ...] = (
    "auc",
    "average_precision",
    "log_loss",
    "brier",
    "ece",
    "calibration_slope",
    "calibration_intercept",
    *(f"captured_top_{round(share * 100)}pct" for share in TOP_SHARES),
    *(f"lift_top_{round(share * 100)}pct" for share in TOP_SHARES),
)
"""Names of what `judge` measures, in its column order.

auc, average_precision : ranking; ties count half (auc) or as one step (average_precision).
log_loss, brier : both at once, per row; log loss in nats.
ece : expected calibration error over 15 bins of equal mass.
calibration_slope, calibration_intercept : of a logistic regression of the label on the
    log-odds; 1 and 0 are ideal.
captured_top_k : share of all positives among the k % highest probabilities; rows tied at the
    border count in proportion. lift_top_k is that divided by k %.
"""

LOWER_IS_BETTER = frozenset({"log_loss", "brier", "ece"})

WITHOUT_INTERVAL = frozenset({"ece"})
"""A sum of absolute differences grows when customers are drawn anew: of calibrated
probabilities up to a third of such intervals lie wholly above the figure itself."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval; `low` and `high` are None where none was drawn."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """All metrics of one set of probabilities.

    Attributes
    ----------
    point : shape (n_metrics,), on the rows as they are.
    draws : shape (n_draws, n_metrics), on resampled customers; the draws of two
        judgements over the same weights belong together.
    """

    point: Float64Array
    draws: Float64Array

    def estimate(self, metric: str) -> Estimate:
        """One metric with its percentile interval, which metrics of `WITHOUT_INTERVAL` lack."""
        column = METRICS.index(metric)
        if metric in WITHOUT_INTERVAL:
            return Estimate(float(self.point[column]), None, None)
        return _estimate(float(self.point[column]), self.draws[:, column])

    def minus(self, other: "Judgement", metric: str) -> Estimate:
        """The paired difference to another judgement of the same rows and weights."""
        column = METRICS.index(metric)
        return _estimate(
            float(self.point[column] - other.point[column]),
            self.draws[:, column] - other.draws[:, column],
        )


def draw_customers(clusters: Int64Array, *, draws: int, rng: np.random.Generator) -> CountArray:
    """How often each row counts when its customers are drawn anew, with replacement.

    Parameters
    ----------
    clusters : number of the row's customer, 0 … n_customers - 1, shape (n,).
    draws : number of draws.
    rng : source of chance.

    Returns
    -------
    Shape (draws, n).

    References
    ----------
    METHODS.md section 1: rows of one customer are not independent, so customers are drawn.
    """
    n_customers = int(clusters.max()) + 1 if len(clusters) else 0
    counts = np.empty((draws, len(clusters)), dtype=np.uint8)
    for draw in range(draws):
        drawn = np.bincount(
            rng.integers(0, n_customers, size=n_customers), minlength=n_customers
        ).astype(np.uint8)
        counts[draw] = drawn[clusters]
    return counts


def judge(probability: Float64Array, labels: Int8Array, *, counts: CountArray) -> Judgement:
    """Measure probabilities against what happened.

    Parameters
    ----------
    probability : probability of label 1, strictly between 0 and 1, shape (n,).
    labels : 0 or 1, shape (n,); both must occur.
    counts : resampling weights of `draw_customers`, shape (draws, n); draws may be 0.

    Returns
    -------
    Judgement over `METRICS`. Slope and intercept of a draw are one Newton step from those
    of all rows, which differs from a full fit by less than the interval's own noise.
    """
    order = np.argsort(-probability, kind="stable")
    p = probability[order]
    y = labels[order].astype(np.float64)
    score = logit(p)
    slope, intercept = _recalibrate(score, labels[order])
    group = np.concatenate(([0], np.cumsum(p[1:] != p[:-1]))).astype(np.int64)
    columns = _row_columns(p, y, score, expit(slope * score + intercept))
    line = np.array([slope, intercept])
    shares = np.array(TOP_SHARES)
    ones = np.ones((1, len(p)), dtype=np.uint8)
    args = (order.astype(np.int64), y, p, group, _mass_bins(group), columns, line, shares)
    point = _measure(ones, *args)[0]
    return Judgement(point, _measure(counts, *args))


def equal_mass_bins(probability: Float64Array, n_bins: int = CALIBRATION_BINS) -> Int64Array:
    """The bin of each row when rows are cut into parts of equal mass; ties stay together."""
    _, group = np.unique(probability, return_inverse=True)
    return _mass_bins_of(np.asarray(group, dtype=np.int64), n_bins)


def _estimate(value: float, draws: Float64Array) -> Estimate:
    finite = draws[np.isfinite(draws)]
    if len(finite) == 0:
        return Estimate(value, None, None)
    low, high = np.quantile(finite, (0.025, 0.975))
    return Estimate(value, float(low), float(high))


def _recalibrate(score: Float64Array, labels: Int8Array) -> tuple[float, float]:
    if np.ptp(score) == 0:
        # A constant has no slope; it stays as it is.
        return 1.0, 0.0
    return fit_logistic_line(score, labels)


def _mass_bins(group: Int64Array) -> Int64Array:
    return _mass_bins_of(group, CALIBRATION_BINS)


def _mass_bins_of(group: Int64Array, n_bins: int) -> Int64Array:
    size = np.bincount(group)
    middle = np.cumsum(size) - size / 2.0
    bin_of_group = np.minimum((middle / len(group) * n_bins).astype(np.int64), n_bins - 1)
    return np.asarray(bin_of_group[group])


def _row_columns(
    p: Float64Array, y: Float64Array, score: Float64Array, fitted: Float64Array
) -> Float64Array:
    """What each row adds to log loss, Brier score, and the slope's Newton step; (n, 7)."""
    loss = -(y * np.log(p) + (1.0 - y) * np.log1p(-p))
    spread = fitted * (1.0 - fitted)
    return np.ascontiguousarray(
        np.stack(
            [
                loss,
                (p - y) ** 2,
                (y - fitted) * score,
                y - fitted,
                spread * score * score,
                spread * score,
                spread,
            ],
            axis=1,
        )
    )


@njit(cache=True, nogil=True)
def _measure(  # noqa: PLR0913, PLR0917
    counts: CountArray,
    order: Int64Array,
    y: Float64Array,
    p: Float64Array,
    group: Int64Array,
    bins: Int64Array,
    columns: Float64Array,
    line: Float64Array,
    shares: Float64Array,
) -> Float64Array:
    """All metrics of every draw in one pass per draw over rows sorted by falling score."""
    n, n_columns, n_shares = len(order), columns.shape[1], len(shares)
    n_bins = bins.max() + 1
    measured = np.empty((len(counts), 7 + 2 * n_shares))
    weight = np.empty(n)
    for draw in range(len(counts)):
        sums = np.zeros(n_columns)
        bin_gap = np.zeros(n_bins)
        total, positives = 0.0, 0.0
        for row in range(n):
            w = float(counts[draw, order[row]])
            weight[row] = w
            if w == 0.0:
                continue
            total += w
            positives += w * y[row]
            bin_gap[bins[row]] += w * (y[row] - p[row])
            for column in range(n_columns):
                sums[column] += w * columns[row, column]
        auc, precision, captured = _rank(weight, y, group, shares * total, total, positives)
        out = measured[draw]
        out[0], out[1] = auc, precision
        out[2], out[3] = sums[0] / total, sums[1] / total
        out[4] = np.abs(bin_gap).sum() / total
        determinant = sums[4] * sums[6] - sums[5] * sums[5]
        if determinant > 1e-12 * total * total:
            out[5] = line[0] + (sums[6] * sums[2] - sums[5] * sums[3]) / determinant
            out[6] = line[1] + (sums[4] * sums[3] - sums[5] * sums[2]) / determinant
        else:
            out[5], out[6] = line[0], line[1]
        for i in range(n_shares):
            out[7 + i] = captured[i]
            out[7 + n_shares + i] = captured[i] / shares[i]
    return measured


@njit(cache=True, nogil=True)
def _rank(
    weight: Float64Array,
    y: Float64Array,
    group: Int64Array,
    borders: Float64Array,
    total: float,
    positives: float,
) -> tuple[float, float, Float64Array]:
    """AUC, average precision and captured shares from weights in order of falling score."""
    captured = np.zeros(len(borders))
    negatives = total - positives
    if positives == 0.0 or negatives == 0.0:
        return np.nan, np.nan, np.full(len(borders), np.nan)
    auc, precision, seen, seen_positive = 0.0, 0.0, 0.0, 0.0
    row, n = 0, len(weight)
    while row < n:
        here, mass, positive = group[row], 0.0, 0.0
        while row < n and group[row] == here:
            mass += weight[row]
            positive += weight[row] * y[row]
            row += 1
        if mass == 0.0:
            continue
        negative = mass - positive
        below = negatives - (seen - seen_positive) - negative
        auc += positive * (below + 0.5 * negative)
        for i in range(len(borders)):
            inside = min(max((borders[i] - seen) / mass, 0.0), 1.0)
            captured[i] += inside * positive / positives
        seen += mass
        seen_positive += positive
        precision += positive / positives * seen_positive / seen
    return auc / (positives * negatives), precision, captured
