"""Personal limits: what silence is long for this customer, drawn towards what is usual."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from features.gap_spread import (
    BETWEEN,
    CUSTOMERS,
    GAPS,
    GAPS_SQUARED,
    SUMS,
    WITHIN,
    Rhythm,
)

Float64Array = NDArray[np.float64]
Int32Array = NDArray[np.int32]

COOLING, AT_RISK, DORMANT = 0.80, 0.90, 0.95
"""Quantiles of a customer's own gaps beyond which they are cooling, at risk, dormant."""

CLIP = 3.0
"""Personal windows stay between a third of the stage's window and three times it."""

_MIN_WITHIN = 30
"""Fewest second and later gaps from which the spread within customers is estimated."""


@dataclass(frozen=True, slots=True)
class RhythmFit:
    """How customers' log gaps vary on one stage.

    Attributes
    ----------
    customers, gaps : customers with a completed gap, and their gaps.
    mean_log : mean over customers, each weighted by how well their own mean is known.
    sigma : spread of a customer's gaps around their own mean; natural log of days.
    kappa : sigma^2 / variance between customers: so many gaps weigh as much as the mean of
        all. Null means infinitely many: customers cannot be told apart.
    """

    customers: int
    gaps: int
    mean_log: float
    sigma: float
    kappa: float | None


def fit_rhythm(rhythm: Rhythm, stage: int) -> RhythmFit | None:
    """Variance within and between customers by the method of moments; null without gaps.

    References
    ----------
    METHODS.md section 1, "Shrunken gap"; one-way random effects, unequal groups.
    """
    sums = rhythm.sums[stage]
    gaps, customers = sums[GAPS], sums[CUSTOMERS]
    if not gaps:
        return None
    mean = sums[SUMS] / gaps
    between = max(sums[BETWEEN] - sums[SUMS] * mean, 0.0)
    spare = gaps - customers
    if spare < _MIN_WITHIN or customers < 2:
        sigma = np.sqrt((sums[WITHIN] + between) / max(gaps - 1.0, 1.0))
        return RhythmFit(int(customers), int(gaps), float(mean), float(sigma), None)
    within = sums[WITHIN] / spare
    size = (gaps - sums[GAPS_SQUARED] / gaps) / (customers - 1.0)
    variance = (between / (customers - 1.0) - within) / size
    kappa = float(within / variance) if variance > 0.0 else None
    if kappa is not None:
        number, log_means = rhythm.tally[stage].T
        weight = np.arange(len(number)) / np.maximum(np.arange(len(number)) + kappa, 1e-12)
        mean = (weight * log_means).sum() / (weight * number).sum()
    return RhythmFit(int(customers), int(gaps), float(mean), float(np.sqrt(within)), kappa)


def personal_limits(
    fit: RhythmFit, gaps: Int32Array, log_mean: Float64Array, *, window_days: float
) -> Float64Array:
    """Days of silence beyond which each customer is cooling, at risk and dormant.

    m_i = (n_i * own mean + kappa * mean) / (n_i + kappa), and the limit of quantile p is
    exp(m_i + z_p sigma). The last limit is the personal window, clipped to [W / 3, 3 W];
    the other two keep their ratio to it.

    Parameters
    ----------
    fit : of the customers' stage.
    gaps, log_mean : completed gaps of each customer and the mean of their logs, NaN without
        any; shape (n,).
    window_days : W.

    Returns
    -------
    Shape (3, n), ascending along the first axis.
    """
    own = np.where(gaps > 0, np.nan_to_num(log_mean), fit.mean_log)
    if fit.kappa is None:
        centre = np.full(len(gaps), fit.mean_log)
    else:
        trust = gaps / np.maximum(gaps + fit.kappa, 1e-12)
        centre = trust * own + (1.0 - trust) * fit.mean_log
    scores = np.array([NormalDist().inv_cdf(p) for p in (COOLING, AT_RISK, DORMANT)])
    limits = np.exp(centre + scores[:, None] * fit.sigma)
    clipped = np.clip(limits[2], window_days / CLIP, window_days * CLIP)
    return np.asarray(limits * (clipped / limits[2]))
