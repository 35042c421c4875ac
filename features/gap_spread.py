"""Sums over customers from which the spread of the gaps between their events is worked out."""

from dataclasses import dataclass, fields

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

MAX_GAPS_TOLD = 400
"""Customers with more gaps than this count as if they had this many when means are pooled."""

GAPS, GAPS_SQUARED, CUSTOMERS, SUMS, BETWEEN, WITHIN = range(6)
"""Columns of `Rhythm.sums`: what the two variances of log gaps are computed from."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Sums over customers from which the spread of their log gaps is computed, per stage.

    Attributes
    ----------
    sums : float64, shape (n_stages, 6): over customers with gaps, their gaps n, n squared,
        how many they are, the sum of log gaps, (sum of a customer's log gaps) squared ÷ n,
        and the squared deviations from the customer's own mean.
    tally : float64, shape (n_stages, MAX_GAPS_TOLD + 1, 2): number of customers with n
        gaps, and the sum of their mean log gaps.
    """

    sums: Float64Array
    tally: Float64Array

    @classmethod
    def empty(cls, n_stages: int) -> "Rhythm":
        """Sums over nobody."""
        return cls(np.zeros((n_stages, WITHIN + 1)), np.zeros((n_stages, MAX_GAPS_TOLD + 1, 2)))

    def __add__(self, other: "Rhythm") -> "Rhythm":
        return Rhythm(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@njit(nogil=True, cache=True, error_model="numpy")
def add_rhythm(gaps: Float64Array, rhythm: tuple[Float64Array, Float64Array]) -> None:
    """Add one customer to the sums and the tally of a `Rhythm`.

    `gaps` has shape (n_stages, 3): how many gaps, the sum of their logs, the sum of squares.
    """
    sums, tally = rhythm
    for stage in range(len(gaps)):
        n, total, squares = gaps[stage]
        if n == 0.0:
            continue
        sums[stage, GAPS] += n
        sums[stage, GAPS_SQUARED] += n * n
        sums[stage, CUSTOMERS] += 1.0
        sums[stage, SUMS] += total
        sums[stage, BETWEEN] += total * total / n
        sums[stage, WITHIN] += max(squares - total * total / n, 0.0)
        told = int(min(n, MAX_GAPS_TOLD))
        tally[stage, told, 0] += 1.0
        tally[stage, told, 1] += total / n
