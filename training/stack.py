"""The stack: non-negative weights of forest and purchase process, and which rung serves."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from models.calibration import Calibration, Method, fit_calibration
from models.ladder import FOREST, RUNGS, STACK, stacked
from models.purchase_rung import PURCHASE_PROCESS

Float64Array = NDArray[np.float64]
Int8Array = NDArray[np.int8]
UInt64Array = NDArray[np.uint64]
BoolArray = NDArray[np.bool_]

PRIOR_ROWS = 10.0
"""Weight of the belief that forest and process count for a half each, in rows."""


def fit_weights(
    log_odds: Mapping[str, Float64Array], labels: Int8Array, offset: Float64Array
) -> tuple[float, float]:
    """Weights of forest and purchase process, neither below 0, by penalised maximum likelihood.

    Parameters
    ----------
    log_odds : by rung, of rows later than those the rungs were fitted on, each (n,).
    labels : 0 or 1, shape (n,).
    offset : level of each row's cutoff, shape (n,).

    References
    ----------
    Wolpert 1992; Breiman 1996 for the non-negative weights. METHODS.md section 1.7.
    """
    members = np.stack([log_odds[FOREST], log_odds[PURCHASE_PROCESS]], axis=1)
    rows = len(labels)

    def loss(beta: Float64Array) -> tuple[float, Float64Array]:
        margin = members @ beta[:2] + beta[2] + offset
        surplus = expit(margin) - labels
        away = beta[:2] - 0.5
        value = np.logaddexp(0.0, margin).sum() - labels @ margin + PRIOR_ROWS * away @ away
        slope = np.append(members.T @ surplus + 2 * PRIOR_ROWS * away, surplus.sum())
        return float(value) / rows, slope / rows

    bounds = [(0.0, None), (0.0, None), (None, None)]
    found = minimize(loss, np.array([0.5, 0.5, 0.0]), jac=True, method="L-BFGS-B", bounds=bounds)
    return float(found.x[0]), float(found.x[1])


def calibrate_rungs(
    log_odds: Mapping[str, Float64Array],
    labels: Int8Array,
    offset: Float64Array,
    *,
    method: Method,
) -> dict[str, Calibration]:
    """One calibration for each rung, all on the same rows and levels."""
    return {name: fit_calibration(log_odds[name] + offset, labels, method=method) for name in RUNGS}


def cross_fitted_losses(
    log_odds: Mapping[str, Float64Array],
    labels: Int8Array,
    offset: Float64Array,
    *,
    customers: UInt64Array,
    method: Method,
) -> dict[str, Float64Array]:
    """Each rung's log loss on each row, weights and calibration from the other half of customers.

    Parameters
    ----------
    customers : hash of the row's customer, shape (n,).

    Returns
    -------
    By rung, shape (n,), nats.
    """
    first = (customers >> np.uint64(8)) % np.uint64(2) == 0
    losses = {name: np.empty(len(labels)) for name in RUNGS}
    for fit, judge in ((first, ~first), (~first, first)):
        if len(np.unique(labels[fit])) < 2:
            fit = np.ones(len(labels), dtype=np.bool_)  # noqa: PLW2901  too few to be split
        inside = {name: raw[fit] for name, raw in log_odds.items()}
        weights = fit_weights(inside, labels[fit], offset[fit])
        inside[STACK] = stacked(inside, weights)
        maps = calibrate_rungs(inside, labels[fit], offset[fit], method=method)
        outside = {name: raw[judge] for name, raw in log_odds.items()}
        outside[STACK] = stacked(outside, weights)
        for name in RUNGS:
            p = maps[name].apply(outside[name] + offset[judge])
            losses[name][judge] = -np.log(np.where(labels[judge] == 1, p, 1.0 - p))
    return losses


def choose_rung(losses: Mapping[str, Float64Array], customers: UInt64Array) -> str:
    """The rung that serves: the stack, unless another one's log loss is clearly lower.

    Clearly: by more than one standard error of the paired difference, customers resampled.
    Of several such rungs the best serves.
    """
    _, number = np.unique(customers, return_inverse=True)
    best, least = STACK, float(losses[STACK].mean())
    for name in RUNGS:
        gap = losses[STACK] - losses[name]
        by_customer = np.bincount(number, weights=gap - gap.mean())
        error = float(np.sqrt((by_customer**2).sum())) / len(gap)
        if gap.mean() > error and losses[name].mean() < least:
            best, least = name, float(losses[name].mean())
    return best
