"""A mixture of Dirichlet-multinomial habits of the hour, fitted without chance."""

from dataclasses import dataclass
from math import lgamma
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import gammaln

from features.history import frozen

Float64Array = NDArray[np.float64]

MAX_HABITS: Final = 5
ROUNDS: Final = 24
KAPPA_EVERY: Final = 8
KAPPA_RANGE: Final = (8.0, 100.0)
"""However unlike customers are, one late order is no habit; however alike they are, one who
shows another hour a hundred times is believed."""

STRENGTHS: Final = tuple(np.geomspace(10.0, 100.0, 8).tolist())
"""Occasions that a habit may stand for beside a customer's own ones."""

LEAST_GAIN: Final = 0.003
"""Nats per occasion that a further habit must add on customers it was not fitted to."""

_GOLDEN: Final = (5.0**0.5 - 1.0) / 2.0
_KAPPA_STEPS: Final = 5

UNIFORM: Final = 5.0
"""Occasions, even over the hours, that every habit starts with: no hour is impossible."""

SMOOTHED: Final = 50.0
"""Occasions at which a habit's own hours weigh as much as their smoothed ones."""


@dataclass(frozen=True, slots=True)
class HabitFit:
    """Habits of the hour.

    Attributes
    ----------
    habits : shape (k, 24); rows sum to 1.
    shares : shape (k,), how common each is.
    kappa : how alike customers of one habit are, of the largest marginal likelihood.
    """

    habits: Float64Array
    shares: Float64Array
    kappa: float


def fit_habits(counts: Float64Array, *, smoothing: Float64Array) -> HabitFit:
    """The habits of some customers.

    One more is taken as long as it adds `LEAST_GAIN` to the likelihood of occasions left
    out, of every second customer, when it is fitted to the others; see `left_out_scores`.

    Parameters
    ----------
    counts : shape (n, 24), decayed occasions by local hour; n may be 0.
    smoothing : shape (24, 24), doubly stochastic.
    """
    chosen, best = 1, -np.inf
    for k in range(1, MAX_HABITS + 1):
        fit = _fit(counts[::2], k, smoothing)
        score = float(left_out_scores(counts[1::2], fit, smoothing=smoothing).max())
        if not score > best + LEAST_GAIN:
            break
        chosen, best = k, score
    return _fit(counts, chosen, smoothing)


def best_strength(counts: Float64Array, fit: HabitFit, *, smoothing: Float64Array) -> float:
    """Occasions that a habit best stands for beside a customer's own, smoothed ones."""
    best = int(left_out_scores(counts, fit, smoothing=smoothing).argmax())
    return float(STRENGTHS[best])


def left_out_scores(
    counts: Float64Array, fit: HabitFit, *, smoothing: Float64Array
) -> Float64Array:
    """Mean log-likelihood of an occasion by the customer's others, for each of `STRENGTHS`.

    The marginal likelihood is a product of such forecasts, each from the occasions before
    it; of smoothed occasions it would depend on their order, so each is forecast from all
    others. Without them nearby hours would count as signs of having no habit.

    Returns
    -------
    Shape (len(STRENGTHS),), nats; 0 where there are no occasions.
    """
    size = counts.sum(axis=1)
    row, hour = np.nonzero(counts)
    count = counts[row, hour]
    if not len(row):
        return np.zeros(len(STRENGTHS))
    left = np.minimum(count, 1.0)
    own = fit.habits[:, hour].T
    # What remains of a habit's likelihood when the occasion is taken out.
    odds = (log_likelihoods(counts, fit.habits, fit.kappa) + np.log(fit.shares))[row]
    odds -= gammaln(count[:, None] + own * fit.kappa)
    odds += gammaln((count - left)[:, None] + own * fit.kappa)
    by_habit = (soften(odds) * own).sum(axis=1)
    others = (counts @ smoothing)[row, hour] - left * smoothing[hour, hour]
    rest = size[row] - left
    strength = np.array(STRENGTHS)[:, None]
    chance = (others + strength * by_habit) / (rest + strength)
    scores: Float64Array = (count * np.log(chance)).sum(axis=1) / count.sum()
    return scores


def log_likelihoods(counts: Float64Array, habits: Float64Array, kappa: float) -> Float64Array:
    """Dirichlet-multinomial log-likelihood of each customer under each habit; shape (n, k).

    ln G(kappa) - ln G(n + kappa) + sum_h ln G(c_h + kappa theta_h) - ln G(kappa theta_h),
    without the coefficient that no habit changes.
    """
    out = np.empty((len(counts), len(habits)), dtype=np.float64)
    _log_likelihoods(frozen(np.ascontiguousarray(counts)), frozen(habits * kappa), kappa, out)
    return out


def soften(log_odds: Float64Array) -> Float64Array:
    """Probabilities in proportion to exp(log_odds), row by row."""
    odds = np.exp(log_odds - log_odds.max(axis=1, keepdims=True))
    shares: Float64Array = odds / odds.sum(axis=1, keepdims=True)
    return shares


def _fit(counts: Float64Array, k: int, smoothing: Float64Array) -> HabitFit:
    likely = np.eye(k)[_first_guess(counts, k)]
    kappa = 10.0
    habits = _habits(counts, likely, kappa, smoothing)
    # Of fewer customers than habits nobody may be left for one of them.
    shares = (likely.sum(axis=0) + 1.0) / (len(counts) + k)
    if len(counts) == 0:
        return HabitFit(habits, np.full(k, 1.0 / k), kappa)
    for number in range(ROUNDS):
        likely = soften(log_likelihoods(counts, habits, kappa) + np.log(shares))
        shares = (likely.sum(axis=0) + 1.0) / (len(counts) + k)
        habits = _habits(counts, likely, kappa, smoothing)
        if number % KAPPA_EVERY == KAPPA_EVERY - 1:
            kappa = _best_kappa(counts, habits, shares)
    return HabitFit(habits, shares, kappa)


def _first_guess(counts: Float64Array, k: int) -> NDArray[np.int64]:
    """Parts of equal size by the phase of each customer's mean hour."""
    turn = np.exp(2j * np.pi * np.arange(counts.shape[1]) / counts.shape[1])
    phase = np.angle(counts @ turn)
    rank = np.empty(len(counts), dtype=np.int64)
    rank[np.argsort(phase, kind="stable")] = np.arange(len(counts))
    return rank * k // max(len(counts), 1)


def _habits(
    counts: Float64Array, likely: Float64Array, kappa: float, smoothing: Float64Array
) -> Float64Array:
    """Mean hours of each habit; nobody counts for more than kappa occasions."""
    # One customer's many occasions are alike: beyond kappa they tell of them alone.
    weight = kappa / (counts.sum(axis=1) + kappa)
    total = (likely * weight[:, None]).T @ counts
    # Where there are many occasions their own shape holds, where few the smoothed one.
    amount = total.sum(axis=1, keepdims=True)
    share = amount / (amount + SMOOTHED)
    shape = share * total + (1 - share) * (total @ smoothing)
    raised = shape + UNIFORM / counts.shape[1]
    habits: Float64Array = raised / raised.sum(axis=1, keepdims=True)
    return habits


def _best_kappa(counts: Float64Array, habits: Float64Array, shares: Float64Array) -> float:
    """The kappa of the largest marginal likelihood, by golden section over its logarithm."""
    low, high = np.log(KAPPA_RANGE[0]), np.log(KAPPA_RANGE[1])
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left = _evidence(counts, habits, shares, float(np.exp(left)))
    at_right = _evidence(counts, habits, shares, float(np.exp(right)))
    for _ in range(_KAPPA_STEPS):
        if at_left >= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = _evidence(counts, habits, shares, float(np.exp(left)))
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = _evidence(counts, habits, shares, float(np.exp(right)))
    return float(np.exp((low + high) / 2))


def _evidence(
    counts: Float64Array, habits: Float64Array, shares: Float64Array, kappa: float
) -> float:
    odds = log_likelihoods(counts, habits, kappa) + np.log(shares)
    top = odds.max(axis=1)
    return float((top + np.log(np.exp(odds - top[:, None]).sum(axis=1))).sum())


@njit(nogil=True, cache=True, error_model="numpy")
def _log_likelihoods(
    counts: Float64Array, strength: Float64Array, kappa: float, out: Float64Array
) -> None:
    n_habits, n_hours = strength.shape
    base = np.empty((n_habits, n_hours), dtype=np.float64)
    for k in range(n_habits):
        for hour in range(n_hours):
            base[k, hour] = lgamma(strength[k, hour])
    for row in range(len(counts)):
        total = 0.0
        for hour in range(n_hours):
            total += counts[row, hour]
        start = lgamma(kappa) - lgamma(total + kappa)
        for k in range(n_habits):
            out[row, k] = start
        for hour in range(n_hours):
            count = counts[row, hour]
            if count > 0.0:
                for k in range(n_habits):
                    out[row, k] += lgamma(count + strength[k, hour]) - base[k, hour]
