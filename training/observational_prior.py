"""What logs that nobody randomised may say about effects: a prior, at a discount."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from features.errors import UsageError, describe

Float64Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

Verdict = Literal[
    "usable", "confounded", "unbalanced", "untested", "no overlap", "too few", "nothing to study"
]
"""What a study of past contacts came to; only "usable" ones have weight."""

OBSERVATIONAL_WEIGHT = 0.2
"""How much an observed contact counts of a randomised one, unless configured otherwise."""


@dataclass(frozen=True, slots=True)
class ObservationalPrior:
    """Effects that past contacts suggest, as shifts of the return's log-odds.

    Attributes
    ----------
    actions : names in configured order.
    mean : shift by action, 0 where there is no estimate, shape (A,).
    sd : its standard error, infinite where there is no estimate, shape (A,).
    weight : power of the likelihood, 0 to 1; 0 unless the verdict is "usable".
    verdict : what the study came to.
    reasons : why, in sentences.
    """

    actions: tuple[str, ...]
    mean: Float64Array
    sd: Float64Array
    weight: float
    verdict: Verdict
    reasons: tuple[str, ...]

    @property
    def moved(self) -> BoolArray:
        """Actions whose prior is moved by it, shape (A,): their evidence is "response"."""
        return np.asarray((self.weight > 0) & np.isfinite(self.sd))

    def to_json(self) -> dict[str, Any]:
        """Plain values; null where there is no estimate."""
        known = np.isfinite(self.sd)
        return {
            "verdict": self.verdict,
            "weight": self.weight,
            "reasons": list(self.reasons),
            "actions": {
                name: {"mean": float(mean), "sd": float(sd)} if has else None
                for name, mean, sd, has in zip(self.actions, self.mean, self.sd, known, strict=True)
            },
        }


class HasMeanAndSd(Protocol):
    """Priors of all actions: mean and sd of the shift, each of shape (A,)."""

    @property
    def mean(self) -> Float64Array:
        """Shape (A,)."""
        ...

    @property
    def sd(self) -> Float64Array:
        """Shape (A,)."""
        ...


@dataclass(frozen=True, slots=True)
class DiscountedPrior:
    """Configured priors after the discounted study; mean, sd and moved have shape (A,)."""

    mean: Float64Array
    sd: Float64Array
    moved: BoolArray


def discount_prior(
    configured: HasMeanAndSd, observed: ObservationalPrior, weight: float | None = None
) -> DiscountedPrior:
    """Combine configured priors with a study as a power prior.

    Precisions add up, the study's times the weight: 1/sd^2 = 1/sd_c^2 + w/sd_o^2, and the mean
    is the precision-weighted one. A configured sd of 0 is certainty, which nothing moves.

    Parameters
    ----------
    configured : priors of the configuration, by action.
    observed : the study, of the same actions; one without weight changes nothing.
    weight : power of the study, 0 to 1; None: the study's own. A study that is not usable
        keeps weight 0 whatever is asked for.

    Raises
    ------
    UsageError : the weight is outside [0, 1], or the actions differ in number.

    References
    ----------
    Ibrahim and Chen 2000. METHODS.md section 2, point 5.
    """
    power = observed.weight if weight is None else weight
    check_weight(power)
    mean = np.asarray(configured.mean, dtype=np.float64)
    sd = np.asarray(configured.sd, dtype=np.float64)
    if mean.shape != observed.mean.shape:
        raise UsageError(
            describe(
                "priors of effects",
                f"{len(mean)} configured actions and {len(observed.mean)} studied ones",
                expected="the same actions in the same order",
                fix="study the contacts with the present configuration",
            )
        )
    if observed.verdict != "usable":
        power = 0.0
    gained = np.where(np.isfinite(observed.sd), power / observed.sd**2, 0.0)
    moved = (gained > 0) & (sd > 0)
    own = np.where(sd > 0, 1.0 / np.where(sd > 0, sd, 1.0) ** 2, np.inf)
    precision = np.where(moved, own + gained, own)
    combined = (np.where(moved, own, 0.0) * mean + gained * observed.mean) / np.where(
        moved, precision, 1.0
    )
    return DiscountedPrior(
        mean=np.where(moved, combined, mean),
        sd=np.where(moved, 1.0 / np.sqrt(precision), sd),
        moved=moved,
    )


def check_weight(weight: float) -> None:
    """Refuse what is no power of a likelihood.

    Raises
    ------
    UsageError : the weight is outside [0, 1].
    """
    if not 0.0 <= weight <= 1.0:
        raise UsageError(
            describe(
                "weight of past contacts",
                f"{weight:g} is no weight",
                expected="a number from 0 (past contacts are ignored) to 1 (as if randomised)",
                fix="choose 0.1 to 0.3",
            )
        )
