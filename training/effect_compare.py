"""Whether one estimator of the contact effect may take over from another."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.action_value import ActionTerms, expected_gains
from models.contact_effect import Rung
from training.effect_sample import NO_CONTACT, EffectSample

Float64Array = NDArray[np.float64]
Actions = NDArray[np.integer[Any]]

SLOPES = tuple(np.linspace(0.0, 1.0, 11).tolist())
"""Shares of the differences between customers that are tried."""

NORMAL_95 = 1.96
ONE_SIDED_95, ONE_SIDED_99 = 1.645, 2.326


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean difference between two estimators with its 95 % interval, by customer."""

    value: float
    low: float
    high: float

    def upper(self, errors: float) -> float:
        """So many standard errors above the value."""
        return self.value + errors * (self.high - self.value) / NORMAL_95


@dataclass(frozen=True, slots=True)
class Candidate:
    """What an estimator says of customers it has not seen.

    Attributes
    ----------
    natural : log-odds of the natural return as it corrects them, shape (n,).
    shifts : of the log-odds by each action, shape (n, A).
    slope : share of the differences between customers that is believed, in [0, 1].
    tree_weight : share of the trees; 0 without any.
    """

    rung: Rung
    natural: Float64Array
    shifts: Float64Array
    slope: float = 1.0
    tree_weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Log loss and doubly robust profit of one candidate less those of another."""

    log_loss: Difference
    value: Difference

    @property
    def earns_less(self) -> bool:
        """Significantly: at 99 %, because profits are skewed and few rows carry much."""
        return self.value.upper(ONE_SIDED_99) < 0.0


def compare(
    sample: EffectSample, tried: Candidate, present: Candidate, *, terms: ActionTerms
) -> Comparison:
    """Both differences over the same rows, by customer."""
    return Comparison(
        clustered_difference(losses(sample, tried) - losses(sample, present), sample.cluster),
        clustered_difference(
            _scores(sample, tried.shifts, tried, terms)
            - _scores(sample, present.shifts, tried, terms),
            sample.cluster,
        ),
    )


def believe(sample: EffectSample, tried: Candidate, below: Candidate) -> Candidate:
    """Draw the differences between customers to the means, as far as they are not confirmed.

    Of differences that lower the log loss significantly nothing is taken away: the estimator
    has shrunk them already.
    """

    def mixed(slope: float) -> Candidate:
        return replace(
            tried,
            natural=below.natural + slope * (tried.natural - below.natural),
            shifts=below.shifts + slope * (tried.shifts - below.shifts),
            slope=slope,
        )

    best = best_candidate(sample, [mixed(slope) for slope in SLOPES])
    change = losses(sample, best) - losses(sample, below)
    is_proven = clustered_difference(change, sample.cluster).upper(ONE_SIDED_95) < 0.0
    return tried if is_proven else best


def best_candidate(sample: EffectSample, candidates: list[Candidate]) -> Candidate:
    """The one of lowest log loss."""
    return min(candidates, key=lambda one: float(losses(sample, one).mean()))


def losses(sample: EffectSample, candidate: Candidate) -> Float64Array:
    """Log loss of each row under its own action, shape (n,)."""
    own = candidate.shifts[np.arange(len(sample)), sample.action]
    logits = candidate.natural + np.where(sample.treated, own, 0.0)
    return np.asarray(np.logaddexp(0.0, logits) - sample.returned * logits)


def clustered_difference(values: Float64Array, cluster: NDArray[np.uint64]) -> Difference:
    """Mean of row differences with an interval that takes a customer's rows together."""
    mean = float(values.mean())
    _, owner = np.unique(cluster, return_inverse=True)
    sums = np.bincount(owner.reshape(-1), values - mean)
    error = float(np.sqrt((sums**2).sum())) / len(values)
    return Difference(mean, mean - NORMAL_95 * error, mean + NORMAL_95 * error)


def _scores(
    sample: EffectSample, shifts: Float64Array, outcome: Candidate, terms: ActionTerms
) -> Float64Array:
    """Doubly robust profit of each row had it been given the action that gains most.

    Parameters
    ----------
    shifts : on which the choice is based, shape (n, A).
    outcome : the outcome model, the same for both choices that are compared.
    """
    rows = np.arange(len(sample))
    chosen = _choose(sample, shifts, terms)
    logged = sample.action.astype(np.int64)
    contacted = expit(outcome.natural[:, None] + outcome.shifts)

    def expected(action: Actions) -> Float64Array:
        chance = np.where(action == NO_CONTACT, expit(outcome.natural), contacted[rows, action])
        return earned(sample, terms)(action, chance)

    reward = earned(sample, terms)(logged, sample.returned.astype(np.float64))
    followed = np.where(chosen == logged, 1.0 / sample.propensity, 0.0)
    return np.asarray(expected(chosen) + followed * (reward - expected(logged)))


def _choose(sample: EffectSample, shifts: Float64Array, terms: ActionTerms) -> Actions:
    """The action that gains most, no contact where none gains; shape (n,)."""
    gains = expected_gains(
        expit(sample.log_odds0),
        expit(sample.log_odds0[:, None] + shifts),
        order_value=sample.order_value,
        attrition_cost=np.zeros(len(sample.actions)),
        terms=terms,
    )
    best = gains.argmax(axis=1)
    return np.where(gains[np.arange(len(best)), best] > 0.0, best, NO_CONTACT)


def earned(
    sample: EffectSample, terms: ActionTerms
) -> Callable[[Actions, Float64Array], Float64Array]:
    """Profit of the rows under actions and (probabilities of) returns, at expected values."""

    def profit(action: Actions, returned: Float64Array) -> Float64Array:
        contact = action != NO_CONTACT
        given = terms.discount[action] * sample.order_value + terms.cost_on_return[action]
        kept = terms.gross_margin * sample.order_value - np.where(contact, given, 0.0)
        paid = np.where(contact, terms.contact_cost[action], 0.0)
        return np.asarray(returned * kept - paid)

    return profit
