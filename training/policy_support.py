"""How much of a log speaks about a policy, and when it is too little to state a value."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features.errors import describe
from training.clustered_mean import clustered_mean
from training.effect_sample import NO_CONTACT, EffectSample

Float64Array = NDArray[np.float64]

LEAST_EFFECTIVE_ROWS = 100.0
LEAST_POSITIVES = 30
"""Below either, no value is stated (METHODS.md section 2)."""

_TOLERANCE, _STANDARD_ERRORS = 0.05, 3.0
"""Weights must average 1; further off than this, beyond chance, their log does not fit."""

Reason = Literal[
    "nothing_matured",
    "no_control",
    "unknown_propensities",
    "action_never_tried",
    "action_without_a_chance",
    "wrong_propensities",
    "too_few_rows",
]


@dataclass(frozen=True, slots=True)
class Policy:
    """What would have been done with each row of a sample.

    Attributes
    ----------
    name : how reports call it.
    action : the action of each row, `NO_CONTACT` or a place in the sample's actions, (n,).
    chances : probability of no contact and of each action, shape (n, A + 1), rows sum to
        1; None when each row's action is certain.
    as_logged : the policy is the one that made the log, with its own chances.
    """

    name: str
    action: NDArray[np.int16]
    chances: Float64Array | None = None
    as_logged: bool = False

    def chance_of(self, action: NDArray[np.int16]) -> Float64Array:
        """Probability with which the policy takes an action in each row, shape (n,)."""
        if self.chances is None:
            return np.asarray(self.action == action, dtype=np.float64)
        return np.asarray(self.chances[np.arange(len(action)), action + 1])

    def shares(self, n_actions: int) -> Float64Array:
        """Share of rows that get no contact, and each action, shape (n_actions + 1,)."""
        if self.chances is not None:
            return np.asarray(self.chances.mean(axis=0))
        counts = np.bincount(self.action + 1, minlength=n_actions + 1)
        return np.asarray(counts / max(len(self.action), 1))


def no_contact(n_rows: int) -> Policy:
    """The policy that contacts nobody."""
    return Policy("none", np.full(n_rows, NO_CONTACT, dtype=np.int16))


def logged_policy(sample: EffectSample) -> Policy:
    """The policy that made the log: its value is the mean of what happened."""
    return Policy("logged", sample.action, as_logged=True)


def mixed_policy(name: str, chances: Float64Array) -> Policy:
    """A policy that draws: probability of no contact and of each action, shape (n, A + 1).

    Raises
    ------
    ValueError : a row is no distribution.
    """
    if (chances < 0.0).any() or not np.allclose(chances.sum(axis=1), 1.0, atol=1e-6):
        raise ValueError(f"policy {name}: probabilities of a row must be >= 0 and sum to 1")
    return Policy(name, (chances.argmax(axis=1) - 1).astype(np.int16), chances)


@dataclass(frozen=True, slots=True)
class Support:
    """What the log holds on a policy.

    Attributes
    ----------
    rows, customers : of the sample.
    followed : rows whose assigned action the policy might have taken, which alone carry
        weight: weight = policy's chance of the action / chance it was assigned with.
    positives : returns among them.
    effective_rows : (sum of weights)^2 / sum of squared weights.
    mean_weight : 1 but for chance, where every action of the policy had a chance.
    largest_weight : the heaviest row's.
    """

    rows: int
    customers: int
    followed: int
    positives: int
    effective_rows: float
    mean_weight: float
    largest_weight: float


@dataclass(frozen=True, slots=True)
class Refused:
    """Why no value is stated.

    Attributes
    ----------
    name : the policy, or two of them with "minus" between.
    reason : what kind of lack it is.
    text : the whole explanation: what is there, what is needed, what to do.
    missing_rows : how many more rows of this kind would carry a value; None if more rows
        would not help, or nothing tells how many.
    """

    name: str
    reason: Reason
    text: str
    missing_rows: int | None = None


def weights_of(policy: Policy, sample: EffectSample) -> Float64Array:
    """Importance weight of each row: the policy's chance of the action over the log's."""
    if policy.as_logged:
        return np.ones(len(sample))
    return np.asarray(policy.chance_of(sample.action) / sample.propensity)


def measure_support(sample: EffectSample, weights: Float64Array) -> Support:
    """What carries the value of a policy with these weights."""
    carried = weights != 0.0
    return Support(
        rows=len(sample),
        customers=len(np.unique(sample.cluster)),
        followed=int(np.count_nonzero(carried)),
        positives=int(np.count_nonzero(carried & (sample.returned == 1))),
        effective_rows=effective_rows(weights),
        mean_weight=float(weights.mean()) if len(weights) else 0.0,
        largest_weight=float(np.abs(weights).max()) if len(weights) else 0.0,
    )


def effective_rows(weights: Float64Array) -> float:
    """Rows of equal weight that say as much: (sum of |w|)^2 / sum of w^2."""
    squares = float(np.sum(weights**2))
    return float(np.sum(np.abs(weights))) ** 2 / squares if squares > 0.0 else 0.0


def refuse_sample(sample: EffectSample, *, matures_on: str | None = None) -> Refused | None:
    """Why no policy can be judged on this log, if so.

    Parameters
    ----------
    matures_on : local date when the first outcome window is over, for an empty log.
    """
    place = "assignment log"
    if len(sample) == 0:
        fix = f"wait until {matures_on}" if matures_on else "wait, or ingest later events"
        return Refused(
            place,
            "nothing_matured",
            describe(
                place,
                "no assignment whose outcome window is over",
                expected="assignments with gap and horizon behind them",
                fix=fix,
            ),
        )
    known = np.isfinite(sample.propensity) & (sample.propensity > 0.0) & (sample.propensity <= 1.0)
    if not known.all():
        return Refused(
            place,
            "unknown_propensities",
            describe(
                place,
                f"{np.count_nonzero(~known):,} of {len(sample):,} rows have no propensity in "
                "(0, 1]",
                expected="the probability with which each action was assigned",
                fix="log propensities, or leave these assignments out",
            ),
        )
    if sample.treated.all():
        return Refused(
            place,
            "no_control",
            describe(
                place,
                f"none of {len(sample):,} rows was assigned to no contact",
                expected="a control group drawn at random, such as experiment.ghost_share",
                fix="set experiment.ghost_share above 0 and wait for outcomes",
            ),
        )
    return None


def refuse_policy(
    policy: Policy, sample: EffectSample, weights: Float64Array, *, label: str
) -> Refused | None:
    """Why this log cannot carry the policy's value, if so."""
    shares = policy.shares(len(sample.actions))
    tried = np.bincount(sample.action + 1, minlength=len(shares)) > 0
    untried = [
        (("none", *sample.actions)[code], share)
        for code, share in enumerate(shares)
        if share > 0.0 and not tried[code]
    ]
    if untried:
        listing = [f"{name} in {share:.1%} of the rows" for name, share in untried]
        return Refused(
            label,
            "action_never_tried",
            describe(
                label,
                f"{len(untried)} of its actions never occur in the log",
                examples=listing,
                expected="actions that were tried on some customers drawn at random",
                fix="leave them out of the policy, or let experiment.explore_share try them",
            ),
        )
    return _refuse_average(sample, weights, label=label) or refuse_support(
        measure_support(sample, weights), label=label
    )


def _refuse_average(sample: EffectSample, weights: Float64Array, *, label: str) -> Refused | None:
    mean = clustered_mean(weights, sample.cluster)
    margin = _STANDARD_ERRORS * mean.se
    if mean.value + margin < 1.0 - _TOLERANCE and weights.any():
        return Refused(
            label,
            "action_without_a_chance",
            describe(
                label,
                f"its action had no chance of being assigned in about {1.0 - mean.value:.0%} of "
                f"{len(sample):,} rows",
                expected="only actions that each customer might have got",
                fix="narrow the policy to customers for whom its actions were open",
            ),
        )
    if mean.value - margin > 1.0 + _TOLERANCE:
        return Refused(
            label,
            "wrong_propensities",
            describe(
                label,
                f"its weights average {mean.value:.2f} where 1 is due",
                expected="propensities with which the actions were really drawn",
                fix="correct the propensities of imported assignments, or leave those out",
            ),
        )
    return None


def refuse_support(support: Support, *, label: str) -> Refused | None:
    """Refuse when less than 100 effective rows or 30 returns carry weight."""
    lacks = [
        (support.effective_rows, LEAST_EFFECTIVE_ROWS),
        (float(support.positives), float(LEAST_POSITIVES)),
    ]
    if all(found >= needed for found, needed in lacks):
        return None
    missing = _missing_rows(support.rows, lacks)
    more = f"about {missing:,} more rows" if missing is not None else "more rows"
    return Refused(
        label,
        "too_few_rows",
        describe(
            label,
            f"{support.followed:,} of {support.rows:,} rows followed it, worth "
            f"{support.effective_rows:,.0f} rows of equal weight, with {support.positives:,} "
            f"returns; that carries no value",
            expected=f"at least {LEAST_EFFECTIVE_ROWS:.0f} and {LEAST_POSITIVES}, "
            f"which takes {more}",
            fix="wait for more outcomes, or widen the dates",
        ),
        missing,
    )


def _missing_rows(rows: int, lacks: Sequence[tuple[float, float]]) -> int | None:
    """Further rows until every figure, growing in proportion to the rows, reaches its limit."""
    if any(found <= 0.0 for found, _ in lacks):
        return None
    return max(ceil(rows * (needed - found) / found) for found, needed in lacks)
