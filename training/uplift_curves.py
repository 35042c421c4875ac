"""Does a score rank customers by what contact does to them? RATE, Qini curve, uplift by tenth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.clustered_mean import NORMAL_95, Mean, clustered_mean
from training.effect_sample import EffectSample
from training.metrics import equal_mass_bins
from training.policy_outcome import Outcome
from training.policy_support import (
    Policy,
    Refused,
    no_contact,
    refuse_policy,
    refuse_sample,
    weights_of,
)
from training.policy_value import open_ledger

Float64Array = NDArray[np.float64]

HALF_SAMPLES = 200
TENTHS = 10
GRID = np.arange(0, 21) / 20.0
"""Shares of the customers, best score first, at which the Qini curve is drawn."""


@dataclass(frozen=True, slots=True)
class Tenth:
    """Customers of similar score: fewer or more than a tenth where scores are tied.

    Attributes
    ----------
    rows : how many.
    lowest, highest : their scores.
    effect : mean effect of contact on them.
    """

    rows: int
    lowest: float
    highest: float
    effect: Mean


@dataclass(frozen=True, slots=True)
class UpliftCurves:
    """How well a score finds those whom contact changes.

    Attributes
    ----------
    name : the score.
    rows : rows judged.
    effect : mean effect of contact on all of them.
    autoc, qini : RATE, the area under TOC(q) = effect on the top share q minus effect on
        all, with weight 1 and weight q; above 0 when the score ranks effects.
    shares : of the customers, best first; a grid from 0 to 1.
    gained, gained_low, gained_high : outcome gained per row of all rows when only that
        share is contacted (Qini curve), with its 95 % band.
    tenths : effect by score, best first.
    """

    name: str
    outcome: Outcome
    rows: int
    effect: Mean
    autoc: Mean
    qini: Mean
    shares: tuple[float, ...]
    gained: tuple[float, ...]
    gained_low: tuple[float, ...]
    gained_high: tuple[float, ...]
    tenths: tuple[Tenth, ...]


def measure_uplift(
    sample: EffectSample,
    contact: Policy,
    score: Float64Array,
    *,
    outcome: Outcome = "profit",
    rng: np.random.Generator,
) -> UpliftCurves | Refused:
    """Judge a score on doubly robust effects of contact, row by row.

    Parameters
    ----------
    sample : matured assignments whose score was not learnt from them.
    contact : what each row would be contacted with: one action for all, or the best one.
    score : shape (n,); the higher, the sooner contacted. Tied rows count as one.
    outcome : money or returns.
    rng : source of chance for the half samples.

    Returns
    -------
    The curves, or why the log cannot carry them.

    References
    ----------
    Yadlowsky et al. 2021, "Evaluating treatment prioritization rules via rank-weighted
    average treatment effects"; its half-sample bootstrap, here over customers. METHODS.md
    section 2.
    """
    nobody = no_contact(len(sample))
    refused = refuse_sample(sample) or _refuse_either(sample, (contact, nobody))
    if refused is not None:
        return refused
    ledger = open_ledger(sample, outcome)
    effects = ledger.scores(contact) - ledger.scores(nobody)
    order = np.argsort(-score, kind="stable")
    ranked, tie = effects[order], _tie_groups(score[order])
    point = _measure(ranked, tie)
    _, customer = np.unique(sample.cluster[order], return_inverse=True)
    spread = _half_sample_spread(ranked, tie, customer, rng=rng)
    autoc, qini = (_normal(point[at], spread[at]) for at in (0, 1))
    gained, margin = point[2:], NORMAL_95 * spread[2:]
    return UpliftCurves(
        name=contact.name,
        outcome=outcome,
        rows=len(sample),
        effect=clustered_mean(effects, sample.cluster),
        autoc=autoc,
        qini=qini,
        shares=tuple(GRID.tolist()),
        gained=tuple(gained.tolist()),
        gained_low=tuple((gained - margin).tolist()),
        gained_high=tuple((gained + margin).tolist()),
        tenths=_tenths(sample, effects, score),
    )


def _refuse_either(sample: EffectSample, policies: tuple[Policy, Policy]) -> Refused | None:
    ranking = f"for the ranking of {policies[0].name}"
    refusals = (
        refuse_policy(policy, sample, weights_of(policy, sample), label=f"{side} {ranking}")
        for policy, side in zip(policies, ("contact", "no contact"), strict=True)
    )
    return next((refusal for refusal in refusals if refusal is not None), None)


def _tie_groups(falling: Float64Array) -> NDArray[np.int64]:
    """Number of each row's group of equal scores, rows in order of falling score."""
    return np.concatenate(([0], np.cumsum(falling[1:] != falling[:-1]))).astype(np.int64)


def _measure(ranked: Float64Array, tie: NDArray[np.int64]) -> Float64Array:
    """AUTOC, Qini and the Qini curve over `GRID`, of effects in order of falling score."""
    n = len(ranked)
    first = np.flatnonzero(np.diff(tie, prepend=tie[0] - 1))
    size = np.diff(first, append=n)
    even = np.repeat(np.add.reduceat(ranked, first) / size, size)
    rank = np.arange(1, n + 1)
    reached = np.cumsum(even)
    over_all = reached[-1] / n
    autoc = float(np.mean(reached / rank - over_all))
    qini = float(np.mean(reached / n - rank / n * over_all))
    curve = np.interp(GRID * n, np.arange(n + 1), np.concatenate(([0.0], reached))) / n
    return np.concatenate(([autoc, qini], curve))


def _half_sample_spread(
    ranked: Float64Array,
    tie: NDArray[np.int64],
    customer: NDArray[np.int64],
    *,
    rng: np.random.Generator,
) -> Float64Array:
    """Standard errors of what `_measure` gives: its spread over halves of the customers."""
    n_customers = int(customer.max()) + 1
    draws = []
    for _ in range(HALF_SAMPLES):
        inside = np.zeros(n_customers, dtype=np.bool_)
        inside[rng.permutation(n_customers)[: n_customers // 2]] = True
        rows = inside[customer]
        draws.append(_measure(ranked[rows], tie[rows]))
    return np.asarray(np.std(draws, axis=0, ddof=1))


def _normal(value: float, se: float) -> Mean:
    return Mean(
        float(value), float(se), float(value - NORMAL_95 * se), float(value + NORMAL_95 * se)
    )


def _tenths(sample: EffectSample, effects: Float64Array, score: Float64Array) -> tuple[Tenth, ...]:
    # Best first; bins of equal mass are numbered from the lowest value up.
    bins = equal_mass_bins(-score, TENTHS)
    tenths = []
    for number in np.unique(bins):
        rows = bins == number
        tenths.append(
            Tenth(
                rows=int(rows.sum()),
                lowest=float(score[rows].min()),
                highest=float(score[rows].max()),
                effect=clustered_mean(effects[rows], sample.cluster[rows]),
            )
        )
    return tuple(tenths)
