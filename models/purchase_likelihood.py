"""Log-likelihood of BG/NBD and MBG/NBD and its gradient, over collapsed counts.

Both processes are one formula once k = repeats + 1 (MBG/NBD) or repeats (BG/NBD) counts
the chances a customer had to leave. With n = r + repeats the likelihood of a record is

    Γ(n) / Γ(r) · α^r · (α + T)^-n · B(a, b + k) / B(a, b) · (1 + e^s),
    s = ln a - ln(b + k - 1) + n · (ln(α + T) - ln(α + t)),

and e^s are the odds that the customer has left (0 for BG/NBD without repeats).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import betaln, digamma, gammaln

from models.purchase_counts import PurchaseCounts

Float64Array = NDArray[np.float64]
Process = Literal["mbg_nbd", "bg_nbd"]


@dataclass(frozen=True, slots=True)
class Likelihood:
    """The log-likelihood of counts as a function of (r, α, a, b).

    Attributes
    ----------
    counts : the records.
    modified : MBG/NBD, where a customer may leave right after the first order too.
    repeats, weight : distinct repeats and the customers with them; gamma functions are
        computed once for each.
    """

    counts: PurchaseCounts
    modified: bool
    repeats: Float64Array
    weight: Float64Array

    @classmethod
    def of(cls, counts: PurchaseCounts, *, process: Process) -> "Likelihood":
        """The likelihood of a process on these records."""
        repeats, code = np.unique(counts.repeats, return_inverse=True)
        weight = np.asarray(np.bincount(code, weights=counts.weight), dtype=np.float64)
        return cls(counts, process == "mbg_nbd", repeats, weight)

    def evaluate(self, parameters: Float64Array) -> tuple[float, Float64Array]:
        """Log-likelihood of all customers and its gradient, shape (4,).

        Parameters
        ----------
        parameters : (r, α, a, b), all above 0.
        """
        r, alpha, a, b = (float(value) for value in parameters)
        counts = self.counts
        timed, by_rate, by_alpha, left, left_share = _sum_records(
            (counts.repeats, counts.last, counts.age, counts.weight),
            (r, alpha, a, b),
            self.modified,
        )
        n, chances = r + self.repeats, self.repeats + self.modified
        gammas = gammaln(n) - gammaln(r) + betaln(a, b + chances) - betaln(a, b)
        lost = digamma(a + b) - digamma(a + b + chances)
        kept = digamma(b + chances) - digamma(b)
        gradient = [
            by_rate + self.weight @ (digamma(n) - digamma(r)),
            by_alpha,
            left / a + self.weight @ lost,
            self.weight @ (lost + kept) - left_share,
        ]
        return timed + float(self.weight @ gammas), np.array(gradient)


@njit(nogil=True, cache=True, error_model="numpy")
def _sum_records(
    counts: tuple[Float64Array, Float64Array, Float64Array, Float64Array],
    parameters: tuple[float, float, float, float],
    modified: bool,
) -> tuple[float, float, float, float, float]:
    """Sums over records of all terms that need more than the repeats.

    Returns
    -------
    The log-likelihood's terms, their slopes in r and α, the expected number who left,
    and the same with each record divided by b + k - 1.
    """
    repeats, last, age, weight = counts
    r, alpha, a, b = parameters
    log_alpha, log_a = np.log(alpha), np.log(a)
    timed = by_rate = by_alpha = left_total = left_share = 0.0
    for i in range(len(repeats)):
        x, w = repeats[i], weight[i]
        n = r + x
        log_age = np.log(alpha + age[i])
        timed += w * (r * log_alpha - n * log_age)
        by_rate += w * (log_alpha - log_age)
        by_alpha += w * (r / alpha - n / (alpha + age[i]))
        if not modified and x == 0:
            continue
        chances = b + x - (0.0 if modified else 1.0)
        silence = log_age - np.log(alpha + last[i])
        odds = log_a - np.log(chances) + n * silence
        smaller = np.exp(-abs(odds))
        left = 1.0 / (1.0 + smaller)
        if odds < 0:
            left = smaller * left
        timed += w * (max(odds, 0.0) + np.log1p(smaller))
        by_rate += w * left * silence
        by_alpha += w * left * n * (1.0 / (alpha + age[i]) - 1.0 / (alpha + last[i]))
        left_total += w * left
        left_share += w * left / chances
    return timed, by_rate, by_alpha, left_total, left_share
