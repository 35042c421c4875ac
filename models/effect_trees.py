"""Trees that see interactions of features which the linear effect cannot: the X-learner."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.forest import Forest

Float64Array = NDArray[np.float64]

MOST_LIKELY = 0.999
LEAST_LIKELY = 1e-4


@dataclass(frozen=True, slots=True)
class EffectTrees:
    """Effects in probability by (features, log-odds of the natural return, action).

    Attributes
    ----------
    forest : predicts the difference a contact makes to the probability.
    weight : share of the trees in the mixture with the linear effect, in (0, 1].
    """

    forest: Forest
    weight: float

    def mix(
        self, log_odds0: Float64Array, x: Float64Array, shifts: Float64Array, *, n_offers: int
    ) -> Float64Array:
        """Log-odds shifts of the mixture (1 - weight) p_linear + weight (p_0 + trees).

        Parameters
        ----------
        log_odds0 : shape (n,).
        x : shape (n, F).
        shifts : of the linear effect, shape (n, A).
        """
        natural = expit(log_odds0)
        mixed = np.empty_like(shifts)
        rows = tree_rows(log_odds0, x, np.zeros(len(x), dtype=np.int64), n_offers=n_offers)
        for action in range(shifts.shape[1]):
            rows[:, -2:] = divmod(action, n_offers)
            effect = self.forest.raw_scores(rows, threads=1)
            linear = expit(log_odds0 + shifts[:, action])
            chance = linear + self.weight * (natural + effect - linear)
            chance = np.clip(chance, LEAST_LIKELY, MOST_LIKELY)
            mixed[:, action] = np.log(chance / (1.0 - chance)) - log_odds0
        return mixed


def tree_rows(
    log_odds0: Float64Array, x: Float64Array, action: NDArray[np.generic], *, n_offers: int
) -> Float64Array:
    """What the trees read: features, log-odds, channel and offer codes; shape (n, F + 3)."""
    codes = np.asarray(action, dtype=np.int64)
    return np.asarray(np.c_[x, log_odds0, codes // n_offers, codes % n_offers], dtype=np.float64)
