"""Logistic regression with an offset whose penalties are learnt from the data themselves.

Coefficients stand in groups; those of a group share one prior variance, which is chosen by
the evidence (marginal likelihood under a Laplace approximation). A group that explains
nothing is shrunk to nothing, one that explains much is left alone, without any
cross-validation. What is left is a Gaussian posterior, hence intervals and draws.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]

_PASSES = 12
_UPDATES = 30
_SETTLED = 0.02
_LEAST_USED = 1e-3
_TINY = 1e-12
_BLOCK_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Groups:
    """Which coefficients share a prior variance, and between which bounds it may lie.

    Attributes
    ----------
    of : group of each coefficient, shape (d,).
    precision : first guess of each group's prior precision (1 / variance), shape (g,).
    least, most : bounds of the precision; equal bounds fix it, shape (g,).
    behind : coefficients of the first guess's size that the guess counts for; without any,
        a group in which little is seen is shrunk to nothing too readily; shape (g,).
    """

    of: Int64Array
    precision: Float64Array
    least: Float64Array
    most: Float64Array
    behind: Float64Array


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is known of d coefficients: mean (d,), covariance (d, d), precision per group."""

    mean: Float64Array
    covariance: Float64Array
    precision: Float64Array


def fit_evidence_ridge(
    design: Float64Array, labels: NDArray[np.generic], *, offset: Float64Array, groups: Groups
) -> Posterior:
    """Coefficients b of P(label) = sigmoid(offset + design b), b ~ N(0, 1 / precision).

    Newton steps on the penalised log-likelihood alternate with MacKay's fixed point
    precision = (used + behind) / (|b|^2 + behind / guess), where used = count - precision *
    trace of the posterior covariance over the group. Inside one pass over the rows the
    quadratic approximation stands for them, so that penalties settle at once.

    Parameters
    ----------
    design : shape (n, d).
    labels : 0 or 1, shape (n,).
    offset : log-odds before the design's part, shape (n,).
    groups : see `Groups`.

    References
    ----------
    MacKay 1992, Bayesian Interpolation; METHODS.md section 2.2, stage B.
    """
    target = np.asarray(labels, dtype=np.float64)
    mean = np.zeros(design.shape[1])
    precision = groups.precision
    covariance = np.diag(1.0 / precision[groups.of])
    for step in range(_PASSES):
        slope, curvature = _look(design, target, offset, mean)
        before, former = mean, precision
        # The first pass stands far from the optimum: penalties settle from the second on.
        mean, covariance, precision = _settle(
            (slope, curvature, before), groups, precision, updates=_UPDATES if step else 1
        )
        moved = np.abs(mean - before) / np.sqrt(np.diag(covariance))
        if step > 1 and moved.max(initial=0.0) < _SETTLED and _is_close(former, precision):
            break
    return Posterior(mean, covariance, precision)


def _look(
    design: Float64Array, target: Float64Array, offset: Float64Array, at: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """Gradient and curvature of the negative log-likelihood, block by block of rows."""
    slope = np.zeros(design.shape[1])
    curvature = np.zeros((design.shape[1], design.shape[1]))
    for start in range(0, len(target), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        part = design[rows]
        chance = expit(offset[rows] + part @ at)
        slope += part.T @ (chance - target[rows])
        weighted = part * np.sqrt(chance * (1.0 - chance))[:, None]
        curvature += weighted.T @ weighted
    return slope, curvature


def _settle(
    local: tuple[Float64Array, Float64Array, Float64Array],
    groups: Groups,
    precision: Float64Array,
    *,
    updates: int,
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Mode, covariance and penalties under the quadratic approximation at a point."""
    slope, curvature, at = local
    pull = curvature @ at - slope
    count = np.bincount(groups.of, minlength=len(precision)).astype(np.float64)
    mean, covariance = at, np.empty_like(curvature)
    for _ in range(updates):
        factor = cho_factor(curvature + np.diag(precision[groups.of]), lower=True)
        covariance = cho_solve(factor, np.eye(len(at)))
        mean = covariance @ pull
        spread = np.bincount(groups.of, np.diag(covariance), minlength=len(precision))
        size = np.bincount(groups.of, mean**2, minlength=len(precision))
        used = np.maximum(count - precision * spread, _LEAST_USED)
        former = precision
        precision = (used + groups.behind) / np.maximum(
            size + groups.behind / groups.precision, _TINY
        )
        precision = np.clip(precision, groups.least, groups.most)
        if _is_close(former, precision):
            break
    return mean, covariance, precision


def _is_close(one: Float64Array, other: Float64Array) -> bool:
    return bool(np.abs(np.log(one / other)).max(initial=0.0) < _SETTLED)
