"""Means of rows that belong to customers, with intervals that stay valid when values are skewed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]
UInt64Array = NDArray[np.uint64]

NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over rows with its 95 % interval.

    Attributes
    ----------
    value : the mean.
    se : its standard error; rows of one customer count as dependent.
    low, high : ends of the 95 % interval; not symmetric about a mean of skewed values.
    """

    value: float
    se: float
    low: float
    high: float


def clustered_mean(values: Float64Array, clusters: UInt64Array) -> Mean:
    """The mean of rows, its interval from the customers' influences on it.

    A customer's influence is the sum of their rows' distances from the mean. Money is
    skewed, and a symmetric interval then misses too often on its long side, so the
    interval is that of Hall's cubic transformation, which takes the skewness out of the
    t-statistic. Without skewness it is the normal one.

    Parameters
    ----------
    values : shape (n,), n >= 1.
    clusters : hash of each row's customer, shape (n,).

    References
    ----------
    Hall 1992, "On the removal of skewness by transformation". METHODS.md section 2.
    """
    return mean_of_influences(float(values.mean()), values - values.mean(), clusters)


def mean_of_influences(value: float, influence: Float64Array, clusters: UInt64Array) -> Mean:
    """An estimate with the interval that its rows' influences give it.

    Parameters
    ----------
    value : the estimate.
    influence : each row's influence, mean zero, on the scale of the estimate, shape (n,).
    clusters : hash of each row's customer, shape (n,).
    """
    _, customer = np.unique(clusters, return_inverse=True)
    total = np.asarray(np.bincount(customer, weights=influence), dtype=np.float64)
    n_customers = len(total)
    if n_customers < 2:
        return Mean(value, np.inf, -np.inf, np.inf)
    total = total * (n_customers / len(influence))
    spread = float(np.sqrt(np.sum(total**2) / (n_customers - 1)))
    se = float(spread / np.sqrt(n_customers))
    if spread == 0.0:
        return Mean(value, 0.0, value, value)
    skewness = float(np.mean((total / spread) ** 3))
    below, above = (_untransformed(z, skewness, n_customers) for z in (NORMAL_95, -NORMAL_95))
    return Mean(value, se, value - below * se, value - above * se)


def _untransformed(z: float, skewness: float, n: int) -> float:
    """The t-statistic whose skewness-free transform is z."""
    third = skewness / 3.0 / np.sqrt(n)
    if abs(third) < 1e-9:
        return z
    inner = 1.0 + 3.0 * third * (z - skewness / 6.0 / np.sqrt(n))
    return float((np.cbrt(inner) - 1.0) / third)
