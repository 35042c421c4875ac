"""How much better contacts of one hour are answered than those of another."""

from math import lgamma
from typing import Final

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

FEWEST_ANSWERS: Final = 20.0
"""Answers (decayed) from which a channel's hours are told apart."""

LARGEST_FACTOR: Final = 2.0
"""No hour is taken to be more than twice as good, or half as good, as the channel's mean."""

_KAPPAS: Final = np.geomspace(20.0, 20_000.0, 31)


def response_factors(
    sends: Float64Array, clicks: Float64Array, opens: Float64Array
) -> Float64Array:
    """Answer rate by hour over the channel's own rate, corrected for exposure and shrunken.

    rate_h = (answers_h + kappa * r) / (sends_h + kappa), with kappa of the largest
    beta-binomial marginal likelihood; METHODS section 3. Answers are clicks; opens only
    where a channel knows no clicks, for machines open messages too. Hours without sends,
    and channels with too few answers, get 1.

    Parameters
    ----------
    sends, clicks, opens : shape (n_channels, 24), contacts by local hour of sending.

    Returns
    -------
    Shape (n_channels, 24).
    """
    factors = np.ones(sends.shape, dtype=np.float64)
    for channel in range(len(sends)):
        known = clicks if clicks[channel].sum() > 0 else opens
        answers, sent = known[channel], sends[channel]
        if answers.sum() < FEWEST_ANSWERS or answers.sum() >= sent.sum():
            continue
        rate = float(answers.sum() / sent.sum())
        kappa = _best_kappa(answers, sent, rate)
        factors[channel] = (answers + kappa * rate) / (sent + kappa) / rate
    return np.clip(factors, 1 / LARGEST_FACTOR, LARGEST_FACTOR)


def _best_kappa(answers: Float64Array, sent: Float64Array, rate: float) -> float:
    evidence = [_evidence(answers, sent, kappa * rate, kappa * (1 - rate)) for kappa in _KAPPAS]
    # Of equal evidence the largest: nothing is said of hours that do not differ.
    last = len(_KAPPAS) - 1 - int(np.argmax(evidence[::-1]))
    return float(_KAPPAS[last])


def _evidence(answers: Float64Array, sent: Float64Array, a: float, b: float) -> float:
    total = 0.0
    for yes, all_sent in zip(answers.tolist(), sent.tolist(), strict=True):
        if all_sent > 0:
            total += lgamma(yes + a) + lgamma(max(all_sent - yes, 0.0) + b)
            total += lgamma(a + b) - lgamma(all_sent + a + b) - lgamma(a) - lgamma(b)
    return total
