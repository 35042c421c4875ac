"""The stack: non-negative weights of forest and purchase process, and which rung serves."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from models.calibration import Calibration, Method, choose_method, fit_calibration
from models.ladder import FOREST, RUNGS, STACK, Shift, stacked
from models.purchase_rung import PURCHASE_PROCESS

Float64Array = NDArray[np.float64]
Int8Array = NDArray[np.int8]
Int64Array = NDArray[np.int64]
UInt64Array = NDArray[np.uint64]
BoolArray = NDArray[np.bool_]

PRIOR_ROWS = 10.0
"""Weight of the belief that forest and process count for a half each, in rows."""

EQUAL_WEIGHTS = (0.5, 0.5)
"""Of forest and purchase process, where too little is known to fit any."""

SCALE_PRECISION = 25.0
"""Of the belief that a level moves every rung alike: standard deviation a fifth."""

_FLATTEST = 0.05


def fit_weights(
    log_odds: Mapping[str, Float64Array], labels: Int8Array, cutoff: Int64Array
) -> tuple[float, float]:
    """Weights of forest and purchase process, neither below 0, by penalised maximum likelihood.

    Every cutoff has an intercept of its own, so that no season passes for a difference
    between customers.

    Parameters
    ----------
    log_odds : by rung, of rows later than those the rungs were fitted on, each (n,).
    labels : 0 or 1, shape (n,).
    cutoff : number of each row's cutoff, 0 …, shape (n,).

    References
    ----------
    Wolpert 1992; Breiman 1996 for the non-negative weights. METHODS.md section 1.7.
    """
    members = np.stack([log_odds[FOREST], log_odds[PURCHASE_PROCESS]], axis=1)
    beta = _fit_by_cutoff(members, labels, cutoff, prior=np.full(2, 0.5))
    return float(beta[0]), float(beta[1])


def _fit_by_cutoff(
    members: Float64Array, labels: Int8Array, cutoff: Int64Array, *, prior: Float64Array
) -> Float64Array:
    """Slopes, none below 0 and drawn to `prior`, then an intercept for each cutoff."""
    rows, n_members = members.shape
    n_cutoffs = int(cutoff.max()) + 1

    def loss(beta: Float64Array) -> tuple[float, Float64Array]:
        margin = members @ beta[:n_members] + beta[n_members + cutoff]
        surplus = expit(margin) - labels
        away = beta[:n_members] - prior
        # A thousandth of a row keeps the intercept of a cutoff with one label finite.
        inner = 1e-3 * beta[n_members:]
        value = np.logaddexp(0.0, margin).sum() - labels @ margin
        value += PRIOR_ROWS * away @ away + 0.5 * inner @ beta[n_members:]
        slopes = members.T @ surplus + 2 * PRIOR_ROWS * away
        levels = np.bincount(cutoff, weights=surplus, minlength=n_cutoffs) + inner
        return float(value) / rows, np.concatenate([slopes, levels]) / rows

    start = np.concatenate([prior, np.zeros(n_cutoffs)])
    bounds = [(0.0, None)] * n_members + [(None, None)] * n_cutoffs
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(found.x, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class RungMap:
    """A rung's calibration, its slope by cutoff, and the offsets of the cutoffs behind it."""

    calibration: Calibration
    slope: float
    offsets: Float64Array


def calibrate_rung(
    raw: Float64Array, labels: Int8Array, cutoff: Int64Array, *, method: Method
) -> RungMap:
    """Calibrate one rung's log-odds after each cutoff's own level was taken out.

    Parameters
    ----------
    raw : log-odds, shape (n,).
    labels : 0 or 1, shape (n,).
    cutoff : number of each row's cutoff, 0 …, shape (n,).
    method : "isotonic" or "platt".
    """
    beta = _fit_by_cutoff(raw[:, None], labels, cutoff, prior=np.ones(1))
    slope = max(float(beta[0]), _FLATTEST)
    offsets = beta[1:] / slope
    if method == "platt":
        return RungMap(Calibration("platt", slope=slope), slope, offsets)
    return RungMap(fit_calibration(raw + offsets[cutoff], labels, method=method), slope, offsets)


def choose_calibration(
    raw: Float64Array, labels: Int8Array, cutoff: Int64Array, *, customers: UInt64Array
) -> Method:
    """Isotonic where it forecasts later customers clearly better than Platt does, else Platt.

    With 2,000 rows of either label both are fitted on one half of the customers at all
    cutoffs but the last, and judged on the other half at the last one. Clearly: by more
    than one standard error, customers resampled.

    Parameters
    ----------
    raw, labels, cutoff : as in `calibrate_rung`.
    customers : hash of the row's customer, shape (n,).
    """
    if choose_method(labels, "auto") == "platt":
        return "platt"
    half = _first_half(customers)
    last = cutoff == cutoff.max()
    fit, judge = half & ~(last & bool(cutoff.max())), ~half & last
    losses = []
    methods: tuple[Method, ...] = ("platt", "isotonic")
    offset = calibrate_rung(raw, labels, cutoff, method="platt").offsets[cutoff]
    for method in methods:
        one = calibrate_rung(raw[fit], labels[fit], cutoff[fit], method=method)
        p = one.calibration.apply(raw[judge] + offset[judge])
        losses.append(_row_losses(p, labels[judge]))
    gap = losses[0] - losses[1]
    clearly = gap.mean() > _standard_error(gap, customers[judge])
    return "isotonic" if clearly else "platt"


Judged = tuple[Float64Array, Int8Array, Float64Array]
"""A rung's log-odds, labels, and the level of each row's cutoff; each of shape (n,)."""


def fit_shift(later: Judged, earlier: Judged, *, slope: float) -> Shift:
    """How levels move a rung: labels ~ slope * (log-odds + scale * level + constant).

    The later rows, forecast before they were learnt from, say how the rung carries over to
    a later time; but few cutoffs are few seasons, so all the earlier ones count as much.

    Parameters
    ----------
    later : validation rows, forecast by what the training rows taught.
    earlier : rows the rung has learnt from.
    slope : of `calibrate_rung`.
    """
    raw = np.concatenate([later[0], earlier[0]])
    labels = np.concatenate([later[1], earlier[1]])
    weight = np.repeat(
        [0.5 / len(later[0]), 0.5 / len(earlier[0])], [len(later[0]), len(earlier[0])]
    )
    weight *= len(raw)
    design = np.stack([np.concatenate([later[2], earlier[2]]), np.ones(len(raw))], axis=1)
    beta = np.array([1.0, 0.0])
    for _ in range(50):
        p = expit(slope * (raw + design @ beta))
        pull = np.array([SCALE_PRECISION * (beta[0] - 1.0), 0.0])
        gradient = slope * design.T @ (weight * (p - labels)) + pull
        curvature = slope**2 * (design * (weight * p * (1 - p))[:, None]).T @ design
        curvature += np.diag([SCALE_PRECISION, 1e-6])
        step = np.linalg.solve(curvature, gradient)
        beta -= np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-9:
            break
    return Shift(float(beta[0]), float(beta[1]))


def cross_fitted_losses(
    log_odds: Mapping[str, Float64Array],
    labels: Int8Array,
    cutoff: Int64Array,
    *,
    customers: UInt64Array,
    method: Method,
) -> dict[str, Float64Array]:
    """Each rung's log loss on each row, weights and calibration from the other half of customers.

    Parameters
    ----------
    cutoff : number of each row's cutoff, 0 …, shape (n,).
    customers : hash of the row's customer, shape (n,).

    Returns
    -------
    By rung, shape (n,), nats.
    """
    first = _first_half(customers)
    losses = {name: np.empty(len(labels)) for name in RUNGS}
    for fit, judge in ((first, ~first), (~first, first)):
        if len(np.unique(labels[fit])) < 2:
            fit = np.ones(len(labels), dtype=np.bool_)  # noqa: PLW2901  too few to be split
        inside = {name: raw[fit] for name, raw in log_odds.items()}
        seen = np.unique(cutoff[fit])
        weights = fit_weights(inside, labels[fit], cutoff[fit])
        for name in RUNGS:
            raw = stacked(log_odds, weights) if name == STACK else log_odds[name]
            given = calibrate_rung(raw[fit], labels[fit], cutoff[fit], method=method)
            offsets = np.full(int(cutoff.max()) + 1, given.offsets[seen].mean())
            # A cutoff may have customers in one half only; it then takes the others' mean.
            offsets[seen] = given.offsets[seen]
            p = given.calibration.apply(raw[judge] + offsets[cutoff[judge]])
            losses[name][judge] = _row_losses(p, labels[judge])
    return losses


def is_enough(
    calibrated: Float64Array, plain: Float64Array, labels: Int8Array, customers: UInt64Array
) -> bool:
    """Whether fitted weights and calibrations are worth it: a small shop's are mostly noise.

    They are if their log loss lies more than one standard error below that of forest and
    MBG/NBD at face value, half and half, customers resampled.

    Parameters
    ----------
    calibrated : log loss of the stack on each row, from `cross_fitted_losses`.
    plain : log-odds of the plain half-and-half stack, shape (n,).
    labels : 0 or 1, shape (n,).
    customers : hash of the row's customer, shape (n,).
    """
    loss = np.logaddexp(0.0, plain) - labels * plain
    gap = loss - calibrated
    return bool(gap.mean() > _standard_error(gap, customers))


def _first_half(customers: UInt64Array) -> BoolArray:
    """Half of the customers, by other bits of the hash than those that sample."""
    return np.asarray((customers >> np.uint64(8)) % np.uint64(2) == 0)


def _row_losses(probability: Float64Array, labels: Int8Array) -> Float64Array:
    """Log loss of each row, nats."""
    return np.asarray(-np.log(np.where(labels == 1, probability, 1.0 - probability)))


def _standard_error(gap: Float64Array, customers: UInt64Array) -> float:
    """Of the mean over rows, where the rows of a customer belong together."""
    _, number = np.unique(customers, return_inverse=True)
    by_customer = np.bincount(number, weights=gap - gap.mean())
    return float(np.sqrt((by_customer**2).sum())) / len(gap)


def choose_rung(losses: Mapping[str, Float64Array], customers: UInt64Array) -> str:
    """The rung that serves: the stack, unless another one's log loss is clearly lower.

    Clearly: by more than one standard error of the paired difference, customers resampled.
    Of several such rungs the best serves.
    """
    best, least = STACK, float(losses[STACK].mean())
    for name in RUNGS:
        gap = losses[STACK] - losses[name]
        clearly = gap.mean() > _standard_error(gap, customers)
        if clearly and losses[name].mean() < least:
            best, least = name, float(losses[name].mean())
    return best
