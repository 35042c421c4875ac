"""Logistic regression with an offset whose penalties are learnt from the data themselves.

Coefficients stand in groups; those of a group share one prior variance, which is chosen by
the evidence (marginal likelihood under a Laplace approximation). A group that explains
nothing is shrunk to nothing, one that explains much is left alone, without any
cross-validation. What is left is a Gaussian posterior, hence intervals and draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.special import expit

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]

_PASSES = 20
_UPDATES = 5
_SETTLED = 0.02
_LEAST_USED = 1e-3
_TINY = 1e-12


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
class Part:
    """Rows that read the coefficients in the same way.

    A row's log-odds are offset + columns (mixing b). Rows of one action use few of all
    coefficients, so that sums over them are taken in few columns.

    Attributes
    ----------
    columns : shape (n, l).
    mixing : shape (l, d).
    labels : 0 or 1, shape (n,).
    offset : log-odds before the coefficients' part, shape (n,).
    """

    columns: Float64Array
    mixing: Float64Array
    labels: Float64Array
    offset: Float64Array


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is known of d coefficients: mean (d,), covariance (d, d), precision per group."""

    mean: Float64Array
    covariance: Float64Array
    precision: Float64Array


def fit_evidence_ridge(parts: Sequence[Part], *, groups: Groups) -> Posterior:
    """Coefficients b of P(label) = sigmoid(offset + columns mixing b), b ~ N(0, 1 / precision).

    Newton steps on the penalised log-likelihood alternate with MacKay's fixed point
    precision = (used + behind) / (|b|^2 + behind / guess), where used = count - precision *
    trace of the posterior covariance over the group. Inside one pass over the rows the
    quadratic approximation stands for them, so that penalties settle at once.

    Parameters
    ----------
    parts : all rows.
    groups : see `Groups`.

    References
    ----------
    MacKay 1992, Bayesian Interpolation; METHODS.md section 2.2, stage B.
    """
    mean = np.zeros(len(groups.of))
    precision = groups.precision
    covariance = np.diag(1.0 / precision[groups.of])
    for step in range(_PASSES):
        slope, curvature = _look(parts, mean)
        before, former = mean, precision
        # The first pass stands far from the optimum: penalties settle from the second on.
        mean, covariance, precision = _settle(
            (slope, curvature, before), groups, precision, updates=_UPDATES if step else 1
        )
        moved = np.abs(mean - before) / np.sqrt(np.diag(covariance))
        if step > 1 and moved.max(initial=0.0) < _SETTLED and _is_close(former, precision):
            break
    return Posterior(mean, covariance, precision)


def _look(parts: Sequence[Part], at: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Gradient and curvature of the negative log-likelihood."""
    slope = np.zeros(len(at))
    curvature = np.zeros((len(at), len(at)))
    for part in parts:
        chance = expit(part.offset + part.columns @ (part.mixing @ at))
        slope += part.mixing.T @ (part.columns.T @ (chance - part.labels))
        weighted = part.columns * np.sqrt(chance * (1.0 - chance))[:, None]
        curvature += part.mixing.T @ (weighted.T @ weighted) @ part.mixing
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
        covariance = _invert(curvature + np.diag(precision[groups.of]))
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


def _invert(matrix: Float64Array) -> Float64Array:
    """Inverse of a positive definite matrix, by its Cholesky factor."""
    factor, fault = lapack.dpotrf(matrix, lower=1)
    # The triangle of a failed factorisation can be inverted too, into nonsense.
    if not fault:
        lower, fault = lapack.dpotri(factor, lower=1)
    if fault or not np.isfinite(np.diag(lower)).all():
        raise np.linalg.LinAlgError("the curvature is not positive definite")
    lower = np.tril(lower)
    return np.asarray(lower + np.tril(lower, -1).T)
