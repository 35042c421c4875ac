"""What policies would have earned on logged assignments, by what happened to those who got it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.clustered_mean import Mean, clustered_mean, mean_of_influences
from training.effect_sample import EffectSample
from training.policy_outcome import CrossFitted, Outcome, fit_outcomes, outcome_of
from training.policy_support import (
    Policy,
    Refused,
    Support,
    measure_support,
    refuse_policy,
    refuse_sample,
    refuse_support,
    weights_of,
)

Float64Array = NDArray[np.float64]

MOST_SWITCHED = 0.2
"""Share of the weight beyond which switch-DR would be a model's word, and is not stated."""

_POWER_Z = 1.96 + 0.84


@dataclass(frozen=True, slots=True)
class Switch:
    """Switch-DR: rows heavier than a limit count by the outcome model alone.

    Attributes
    ----------
    limit : the largest weight left in, the square root of the number of rows.
    switched_share : share of the rows above it.
    switched_weight : share of the weight they carry.
    value : None if that is more than `MOST_SWITCHED`.

    References
    ----------
    Wang, Agarwal, Dudik 2017; the limit: Ionides 2008, truncated importance sampling.
    """

    limit: float
    switched_share: float
    switched_weight: float
    value: Mean | None


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """Outcome per row, had the policy decided.

    Attributes
    ----------
    name : the policy.
    shares : share of rows with no contact, then of each action.
    support : what carries the value.
    ips, snips, dr : inverse propensity, the same self-normalised, doubly robust (METHODS.md
        section 2); `dr` is the figure to quote.
    switch : doubly robust without the heaviest rows, a check.
    """

    name: str
    shares: tuple[float, ...]
    support: Support
    ips: Mean
    snips: Mean
    dr: Mean
    switch: Switch


@dataclass(frozen=True, slots=True)
class PolicyDifference:
    """Value of one policy minus another's, row by row on the same rows.

    Attributes
    ----------
    name, baseline : the two policies.
    differing : share of rows where they would act differently.
    support : what carries the difference; rows where they agree carry nothing.
    dr : the difference per row.
    rows_to_prove : rows at which a difference as large as this one is proven with 80 %
        power; None if it already is, or is 0.
    """

    name: str
    baseline: str
    differing: float
    support: Support
    dr: Mean
    rows_to_prove: int | None

    @property
    def verdict(self) -> str:
        """Better, worse, the same, or not proven yet."""
        if self.dr.low > 0.0:
            return "better"
        if self.dr.high < 0.0:
            return "worse"
        return "the same" if self.differing == 0.0 else "not proven yet"


@dataclass(frozen=True, slots=True)
class PolicyReport:
    """Several policies on one log; what the log cannot carry is refused, not guessed."""

    outcome: Outcome
    values: tuple[PolicyValue | Refused, ...]
    differences: tuple[PolicyDifference | Refused, ...]


def evaluate_policies(
    sample: EffectSample,
    policies: Sequence[Policy],
    *,
    pairs: Sequence[tuple[int, int]] | None = None,
    outcome: Outcome = "profit",
    matures_on: str | None = None,
) -> PolicyReport:
    """Value every policy, and differences between some of them.

    Doubly robust: the outcome model's expectation under the policy, corrected by weighted
    residuals of the rows that followed it. A model's expectation alone is never a value
    here: a policy that no row followed is refused.

    Parameters
    ----------
    sample : matured assignments, randomised with known propensities.
    policies : one at least, aligned with the rows of `sample`.
    pairs : places of two policies, the first minus the second; None for the first policy
        minus each of the others.
    outcome : money or returns.
    matures_on : local date when the first window is over, told if nothing has matured.

    References
    ----------
    Dudik, Langford, Li 2011; METHODS.md section 2.
    """
    if pairs is None:
        pairs = [(0, other) for other in range(1, len(policies))]
    refused = refuse_sample(sample, matures_on=matures_on)
    if refused is not None:
        return PolicyReport(outcome, (refused,) * len(policies), (refused,) * len(pairs))
    weights = [weights_of(policy, sample) for policy in policies]
    refusals = [
        refuse_policy(policy, sample, weight, label=f"policy {policy.name}")
        for policy, weight in zip(policies, weights, strict=True)
    ]
    lacking = tuple(refusal for refusal in refusals if refusal is not None)
    if len(lacking) == len(policies):
        return PolicyReport(outcome, lacking, tuple(lacking[one] for one, _ in pairs))
    ledger = open_ledger(sample, outcome)
    judged = [
        refusal or _judge(ledger, policy, weight)
        for policy, weight, refusal in zip(policies, weights, refusals, strict=True)
    ]
    differences = [_difference(sample, judged[one], judged[other]) for one, other in pairs]
    values = tuple(one if isinstance(one, Refused) else one.value for one in judged)
    return PolicyReport(outcome, values, tuple(differences))


@dataclass(frozen=True, slots=True)
class _Judged:
    """A policy's value beside its rows' weights and scores."""

    policy: Policy
    weights: Float64Array
    scores: Float64Array
    value: PolicyValue


@dataclass(frozen=True, slots=True)
class Ledger:
    """Outcomes of a log beside what the cross-fitted model expected of them.

    Attributes
    ----------
    outcome : what happened, shape (n,).
    model : expectations for other actions.
    residual : outcome minus the expectation under the assigned action, shape (n,).
    """

    sample: EffectSample
    outcome: Float64Array
    model: CrossFitted
    residual: Float64Array

    def _expect(self, policy: Policy) -> Float64Array:
        """Expected outcome of each row under a policy, shape (n,); part of a score, no value."""
        if policy.chances is None:
            return self.model.predict(policy.action)
        expected = np.zeros(len(self.sample))
        for column in np.flatnonzero(policy.chances.any(axis=0)):
            action = np.full(len(self.sample), column - 1, dtype=np.int16)
            expected += policy.chances[:, column] * self.model.predict(action)
        return expected

    def scores(self, policy: Policy) -> Float64Array:
        """Doubly robust score of each row, whose mean is the policy's value, shape (n,)."""
        return self._expect(policy) + weights_of(policy, self.sample) * self.residual


def open_ledger(sample: EffectSample, outcome: Outcome) -> Ledger:
    """Fit the outcome model and take its residuals."""
    model = fit_outcomes(sample, outcome)
    happened = outcome_of(sample, outcome)
    return Ledger(sample, happened, model, happened - model.predict(sample.action))


def _judge(ledger: Ledger, policy: Policy, weights: Float64Array) -> _Judged:
    sample, expected = ledger.sample, ledger._expect(policy)
    scores = expected + weights * ledger.residual
    ratio = float(np.sum(weights * ledger.outcome) / np.sum(weights))
    value = PolicyValue(
        name=policy.name,
        shares=tuple(policy.shares(len(sample.actions)).tolist()),
        support=measure_support(sample, weights),
        ips=clustered_mean(weights * ledger.outcome, sample.cluster),
        snips=mean_of_influences(
            ratio, weights * (ledger.outcome - ratio) / weights.mean(), sample.cluster
        ),
        dr=clustered_mean(scores, sample.cluster),
        switch=_switch(ledger, weights, expected),
    )
    return _Judged(policy, weights, scores, value)


def _switch(ledger: Ledger, weights: Float64Array, expected: Float64Array) -> Switch:
    limit = float(np.sqrt(len(weights)))
    heavy = weights > limit
    carried = float(weights[heavy].sum() / weights.sum())
    kept = np.where(heavy, 0.0, weights)
    value = None
    if carried <= MOST_SWITCHED:
        value = clustered_mean(expected + kept * ledger.residual, ledger.sample.cluster)
    return Switch(limit, float(heavy.mean()), carried, value)


def _difference(
    sample: EffectSample, first: _Judged | Refused, other: _Judged | Refused
) -> PolicyDifference | Refused:
    if isinstance(first, Refused):
        return first
    if isinstance(other, Refused):
        return other
    differing = _differing(first.policy, other.policy)
    support = measure_support(sample, first.weights - other.weights)
    names = first.policy.name, other.policy.name
    if differing > 0.0:
        refused = refuse_support(support, label=f"policy {names[0]} minus {names[1]}")
        if refused is not None:
            return refused
    mean = clustered_mean(first.scores - other.scores, sample.cluster)
    rows = None
    if mean.low <= 0.0 <= mean.high and mean.value != 0.0:
        rows = int(np.ceil(len(sample) * (_POWER_Z * mean.se / mean.value) ** 2))
    return PolicyDifference(*names, differing, support, mean, rows)


def _differing(first: Policy, other: Policy) -> float:
    if first.chances is None and other.chances is None:
        return float(np.mean(first.action != other.action))
    n_actions = max(
        policy.chances.shape[1] - 1 if policy.chances is not None else int(policy.action.max()) + 1
        for policy in (first, other)
    )
    codes = [np.full(len(first.action), code, dtype=np.int16) for code in range(-1, n_actions)]
    gaps = sum(np.abs(first.chance_of(code) - other.chance_of(code)) for code in codes)
    return float(np.mean(gaps) / 2.0)
