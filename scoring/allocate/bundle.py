"""Minimising a convex function of a few prices from its values and slopes: a level bundle.

Every evaluation gives a plane below the function; their upper envelope is its model. The next
point is the nearest one to the best so far at which the model promises a part of what is left
to gain (Lemarechal, Nemirovskii and Nesterov 1995), nearest in the largest coordinate, which
keeps both steps linear programs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

Float64Array = NDArray[np.float64]

Oracle = Callable[[Float64Array], tuple[float, Float64Array]]
"""Value and slope of the function at a point."""

LEVEL = 0.3
"""Share of the distance between model and best value at which the next point is looked for."""


@dataclass(frozen=True, slots=True)
class Minimum:
    """The best point found.

    Attributes
    ----------
    point, value : of the smallest value seen.
    low : no point of the box has a smaller value than this.
    evaluations : of the function.
    """

    point: Float64Array
    value: float
    low: float
    evaluations: int


def minimise(
    oracle: Oracle,
    *,
    start: Float64Array,
    lower: Float64Array,
    upper: Float64Array,
    tolerance: float,
    most: int = 200,
) -> Minimum:
    """Minimise a convex function over a box.

    Parameters
    ----------
    start : where to begin, within the box.
    tolerance : stop when value - low is at most this.
    most : evaluations.
    """
    width = np.maximum(upper - lower, 1e-300)
    heights: list[float] = []
    slopes: list[Float64Array] = []
    at, best, value, low, unit = start, start, np.inf, -np.inf, 0.0
    for _ in range(most):
        here, slope = oracle(at)
        # In the box's own units, where all coordinates run from 0 to 1, and the value in
        # units in which the first is 100,000: tolerances of linear programs are absolute.
        unit = unit or 1e-5 * max(abs(here), tolerance, 1e-300)
        here /= unit
        slopes.append(slope * width / unit)
        heights.append(here - float(slopes[-1] @ ((at - lower) / width)))
        if here < value:
            best, value = at, here
        model = _lowest(np.array(heights), np.array(slopes))
        low = max(low, model[0])
        if value - low <= tolerance / unit:
            break
        level = low + LEVEL * (value - low)
        step = None
        if np.isfinite(low):
            step = _nearest(np.array(heights), np.array(slopes), (best - lower) / width, level)
        at = lower + width * np.clip(model[1] if step is None else step, 0.0, 1.0)
    return Minimum(best, value=value * unit, low=low * unit, evaluations=len(heights))


def _lowest(heights: Float64Array, slopes: Float64Array) -> tuple[float, Float64Array]:
    """The model's least value over the unit box, and where."""
    n_cuts, n = slopes.shape
    shift = float(heights.max())
    answer = linprog(
        np.append(np.zeros(n), 1.0),
        A_ub=np.column_stack([slopes, -np.ones(n_cuts)]),
        b_ub=shift - heights,
        bounds=[(0, 1)] * n + [(None, None)],
        method="highs-ds",
    )
    if answer.x is None:
        return -np.inf, np.full(n, 0.5)
    return float(answer.fun) + shift, answer.x[:n]


def _nearest(
    heights: Float64Array, slopes: Float64Array, best: Float64Array, level: float
) -> Float64Array | None:
    """The point nearest to the best one at which the model is at most the level."""
    n_cuts, n = slopes.shape
    far = np.ones((n, 1))
    answer = linprog(
        np.append(np.full(n, 1e-3), [*np.full(n, 1e-3), 1.0]),
        A_ub=np.block(
            [
                [slopes, np.zeros((n_cuts, n + 1))],
                [np.eye(n), -np.eye(n), np.zeros((n, 1))],
                [-np.eye(n), -np.eye(n), np.zeros((n, 1))],
                [np.zeros((n, n)), np.eye(n), -far],
            ]
        ),
        b_ub=np.concatenate([level - heights, best, -best, np.zeros(n)]),
        bounds=[(0, 1)] * n + [(0, None)] * (n + 1),
        method="highs-ds",
    )
    return None if answer.x is None else answer.x[:n]
