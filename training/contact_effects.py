"""Doubly robust effects of contact from logs that nobody randomised."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit

from models.forest import ForestSettings, Sample, fit_forest
from training.linear_start import fit_linear_start
from training.overlap import Comparison
from training.propensity_forests import GROWN, customer_parts

Float64Array = NDArray[np.float64]
Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]
Int8Array = NDArray[np.int8]
UInt64Array = NDArray[np.uint64]
BoolArray = NDArray[np.bool_]

NORMAL_95 = 1.959963984540054

_INSIDE = 1e-5
_FEWEST_POSITIVES = 20
_WIDEST = 30.0
_SHIFT_PRIOR = 1.0
"""Precision with which a shift inside the outcome model is drawn to 0: sd 1."""


@dataclass(frozen=True, slots=True)
class ShiftEstimate:
    """By how much an action shifted the log-odds of an outcome.

    Attributes
    ----------
    shift : estimate; None where the weighted mean of one group is not inside (0, 1).
    sd : its standard error, rows of one customer counted as dependent; None likewise.
    naive : difference of the log-odds of the plain means of both groups; None likewise.
    p_contact, p_none : outcome's probability under the action and under no contact; None where
        nobody was compared.
    positives_treated, positives_control : rows with the outcome in each group.
    """

    shift: float | None
    sd: float | None
    naive: float | None
    p_contact: float | None
    p_none: float | None
    positives_treated: int
    positives_control: int

    @property
    def low(self) -> float | None:
        """Lower end of the 95 % interval."""
        return None if self.shift is None or self.sd is None else self.shift - NORMAL_95 * self.sd

    @property
    def high(self) -> float | None:
        """Upper end of the 95 % interval."""
        return None if self.shift is None or self.sd is None else self.shift + NORMAL_95 * self.sd

    def covers_zero(self, errors: float = NORMAL_95) -> bool:
        """Whether 0 lies within so many standard errors; an estimate that is none covers it."""
        if self.shift is None or self.sd is None:
            return True
        return abs(self.shift) <= errors * self.sd

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "shift": self.shift,
            "sd": self.sd,
            "low": self.low,
            "high": self.high,
            "naive": self.naive,
            "p_contact": self.p_contact,
            "p_none": self.p_none,
            "positives_treated": self.positives_treated,
            "positives_control": self.positives_control,
        }


def predict_uncontacted(
    x: Float32Array,
    outcome: Int8Array,
    *,
    control: BoolArray,
    cluster: UInt64Array,
    folds: int,
    settings: ForestSettings,
) -> Float64Array:
    """Log-odds of the outcome without contact, learnt on other customers' rows, shape (n,).

    Parameters
    ----------
    x : features, shape (n, F).
    outcome : 0 or 1, shape (n,).
    control : rows without contact, shape (n,).
    cluster : hash of each row's customer, shape (n,).
    folds : parts of the customers.
    settings : of the forest.
    """
    part = customer_parts(cluster, folds)
    tried = np.zeros((len(GROWN), len(x)))
    for fold in range(folds):
        learnt = control & (part != fold)
        out = np.flatnonzero(part == fold)
        tried[:, out] = _predict_part(x[learnt], outcome[learnt], x[out], settings)
    tried = np.clip(tried, logit(_INSIDE), -logit(_INSIDE))
    signed = np.where(outcome[control] == 1, -tried[:, control], tried[:, control])
    return np.asarray(tried[int(np.argmin(np.logaddexp(0.0, signed).sum(axis=1)))])


def _predict_part(
    x: Float32Array, labels: Int8Array, wanted: Float32Array, settings: ForestSettings
) -> Float64Array:
    """Log-odds of other rows by regression and each share of the trees, shape (shares, n)."""
    positives = int(np.count_nonzero(labels))
    if min(positives, len(labels) - positives) < _FEWEST_POSITIVES:
        return np.full((len(GROWN), len(wanted)), logit((positives + 0.5) / (len(labels) + 1.0)))
    names = tuple(f"x{at}" for at in range(x.shape[1]))
    start = fit_linear_start(x, labels.astype(np.int64))
    sample = Sample(x, labels, offset=start.scores(x)[:, 0])
    forest = fit_forest(sample, names=names, settings=settings)
    scores = np.tile(start.scores(wanted)[:, 0], (len(GROWN), 1))
    for at, grown in enumerate(GROWN):
        rounds = round(grown * forest.rounds)
        if rounds and len(wanted):
            scores[at] += forest.booster.predict(
                wanted, raw_score=True, num_iteration=rounds, num_threads=settings.threads
            )
    return scores


def estimate_shift(
    comparison: Comparison, outcome: Int8Array, log_odds0: Float64Array, *, cluster: UInt64Array
) -> ShiftEstimate:
    """The action's effect as a shift of log-odds, doubly robust.

    psi_a = mean[mu_a(x) + w_a (Y - mu_a(x))] estimates the outcome's rate were all rows given
    the action, with mu_a = sigmoid(logit mu_0 + shift learnt on the other customers) and
    weights of mean 1. The shift reported is the one that, added to every row's log-odds
    without contact, moves the mean rate from psi_0 to psi_a: what a model that shifts
    log-odds needs. Its error follows from the rows' influences, summed by customer.

    Parameters
    ----------
    comparison : rows and weights.
    outcome : 0 or 1, of all rows, shape (n,).
    log_odds0 : of the outcome without contact, cross-fitted, of all rows, shape (n,).
    cluster : hash of the customer, of all rows, shape (n,).

    References
    ----------
    Robins, Rotnitzky and Zhao 1994. METHODS.md section 2, point 5.
    """
    y = outcome[comparison.rows].astype(np.float64)
    base = log_odds0[comparison.rows]
    who = cluster[comparison.rows]
    treated, control = comparison.treated, comparison.control
    counts = (int(y[treated].sum()), int(y[control].sum()))
    naive = _log_odds_difference(y[treated], y[control])
    if not treated.any() or not control.any():
        return ShiftEstimate(None, None, naive, None, None, *counts)
    psi, influence = [], []
    for weight, shifted in (
        (comparison.weight_treated, _learnt_shift(y, base, treated, who)),
        (comparison.weight_control, np.zeros(len(y))),
    ):
        value, rows = _augmented_mean(y, expit(base + shifted), weight)
        psi.append(value)
        influence.append(rows)
    estimate = ShiftEstimate(None, None, naive, psi[0], psi[1], *counts)
    if not all(1e-9 < value < 1.0 - 1e-9 for value in psi):
        return estimate
    centres, slopes = zip(*(_centred(base, value) for value in psi), strict=True)
    total = influence[0] / slopes[0] - influence[1] / slopes[1]
    _, customer = np.unique(who, return_inverse=True)
    sums = np.bincount(customer, weights=total)
    n = len(sums)
    sd = float(np.sqrt(np.sum(sums**2) * n / max(n - 1, 1))) / len(y)
    return ShiftEstimate(
        float(centres[0] - centres[1]), sd, naive, psi[0], psi[1], counts[0], counts[1]
    )


def _augmented_mean(
    y: Float64Array, expected: Float64Array, weight: Float64Array
) -> tuple[float, Float64Array]:
    """The doubly robust mean and each row's influence on it; weights have mean 1."""
    residual = weight * (y - expected)
    bias = float(residual.mean())
    value = float(expected.mean()) + bias
    # The weights are scaled by their own sum, which moves with every row.
    influence = expected - expected.mean() + residual - weight * bias
    return value, influence


def _learnt_shift(
    y: Float64Array, base: Float64Array, treated: BoolArray, cluster: UInt64Array
) -> Float64Array:
    """Each row's shift, fitted on the treated of the other half of the customers; (m,)."""
    half = customer_parts(cluster, 2)
    shift = np.zeros(len(y))
    for part in range(2):
        learnt = treated & (half != part)
        shift[half == part] = _offset_fit(y[learnt], base[learnt])
    return shift


def _offset_fit(y: Float64Array, base: Float64Array) -> float:
    def slope(shift: float) -> float:
        return float(np.sum(y - expit(base + shift)) - _SHIFT_PRIOR * shift)

    if not len(y):
        return 0.0
    return float(brentq(slope, -_WIDEST, _WIDEST))


def _centred(base: Float64Array, rate: float) -> tuple[float, float]:
    """The shift that gives the rows this mean rate, and how fast the rate moves with it."""

    def gap(shift: float) -> float:
        return float(expit(base + shift).mean()) - rate

    centre = float(brentq(gap, -_WIDEST, _WIDEST))
    p = expit(base + centre)
    return centre, float(np.mean(p * (1.0 - p)))


def _log_odds_difference(treated: Float64Array, control: Float64Array) -> float | None:
    if not len(treated) or not len(control):
        return None
    rates = np.array([treated.mean(), control.mean()])
    if np.any((rates <= 0) | (rates >= 1)):
        return None
    return float(logit(rates[0]) - logit(rates[1]))
