"""Where a forest begins: a ridge-penalised logistic regression on the same features.

Trees need many rounds to draw a slope. What decides about contacts is often one, more money
or longer silence, and a propensity that misses half of it leaves half the confounding in.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

Float64Array = NDArray[np.float64]
Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]

_INVERSE_RIDGE = 0.1
_FAR = 4.0
"""Standard deviations beyond which a feature says no more."""


@dataclass(frozen=True, slots=True)
class LinearLogOdds:
    """Log-odds as weighted sums of standardised features.

    Attributes
    ----------
    centre, scale : of the features, shape (F,).
    weights : shape (F, K); K is 1 for two kinds, else one column per kind.
    constant : shape (K,).
    """

    centre: Float64Array
    scale: Float64Array
    weights: Float64Array
    constant: Float64Array

    def scores(self, x: Float32Array) -> Float64Array:
        """Log-odds (K = 1), or scores whose softmax are the probabilities; shape (n, K)."""
        scores: Float64Array = _standard(x, self.centre, self.scale) @ self.weights + self.constant
        return scores


def fit_linear_start(x: Float32Array, kind: Int64Array) -> LinearLogOdds:
    """Fit the regression.

    Parameters
    ----------
    x : features without NaN, shape (n, F).
    kind : number of each row's kind, 0 to K - 1 with K >= 2, each of which occurs; shape (n,).
    """
    centre, spread = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    scale = np.where(spread > 1e-9, spread, np.inf)
    model = LogisticRegression(C=_INVERSE_RIDGE, tol=1e-3, max_iter=500)
    model.fit(_standard(x, centre, scale), kind)
    return LinearLogOdds(
        centre, scale, np.asarray(model.coef_).T.copy(), np.asarray(model.intercept_).copy()
    )


def _standard(x: Float32Array, centre: Float64Array, scale: Float64Array) -> Float64Array:
    standard: Float64Array = np.clip((x - centre) / scale, -_FAR, _FAR)
    return standard
