"""What logs that nobody randomised may say about effects: a prior, at a discount."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from features.errors import UsageError, describe
from models.contact_effect import EffectPriors

Float64Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

Verdict = Literal[
    "usable", "confounded", "unbalanced", "untested", "no overlap", "too few", "nothing to study"
]
"""What a study of past contacts came to; only "usable" ones have weight."""

OBSERVATIONAL_WEIGHT = 0.2
"""How much an observed contact counts of a randomised one, unless configured otherwise."""


_UNMOVED = 1e-12


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
    def used(self) -> BoolArray:
        """Actions whose estimate enters the priors, shape (A,)."""
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


def discount_prior(
    configured: EffectPriors, observed: ObservationalPrior, weight: float | None = None
) -> EffectPriors:
    """Combine configured priors with a study as a power prior.

    An action's shift is its configured mean plus an unknown of its channel and one of its
    offer. A study's estimates count as observations of these sums with variance sd^2 / weight,
    so precisions add up and an action that was never used learns from others of its channel.
    A configured sd of 0 is certainty, which nothing moves. The sds given back are those of
    each unknown alone: that two of them are then known better together is left aside, which
    makes no action look surer than it is.

    Parameters
    ----------
    configured : priors of the configuration.
    observed : the study, of the same actions; one without weight changes nothing.
    weight : power of the study, 0 to 1; None: the study's own. A study that is not usable
        keeps weight 0 whatever is asked for.

    Returns
    -------
    EffectPriors : `moved` also marks the actions whose mean or sd the study has changed.

    Raises
    ------
    UsageError : the weight is outside [0, 1], or the actions differ in number.

    References
    ----------
    Ibrahim and Chen 2000. METHODS.md section 2, point 5.
    """
    power = observed.weight if weight is None else weight
    check_weight(power)
    if configured.mean.shape != observed.mean.shape:
        raise UsageError(
            describe(
                "priors of effects",
                f"{len(configured.mean)} configured actions and {len(observed.mean)} studied ones",
                expected="the same actions in the same order",
                fix="study the contacts with the present configuration",
            )
        )
    known = np.flatnonzero(np.isfinite(observed.sd))
    if observed.verdict != "usable" or power == 0.0 or not len(known):
        return configured
    n_channels, n_offers = len(configured.channel_sd), len(configured.offer_sd)
    design = np.hstack(
        [
            np.repeat(np.eye(n_channels), n_offers, axis=0),
            np.tile(np.eye(n_offers), (n_channels, 1)),
        ]
    )
    before = np.concatenate([configured.channel_sd, configured.offer_sd]) ** 2
    seen = design[known]
    spread = (seen * before) @ seen.T + np.diag(observed.sd[known] ** 2 / power)
    gain = np.linalg.solve(spread, seen * before).T
    after = before - np.einsum("ij,ji->i", gain, seen * before)
    shift = design @ (gain @ (observed.mean[known] - configured.mean[known]))
    reduced = design @ (before - after)
    sds = np.sqrt(np.maximum(after, 0.0))
    return EffectPriors(
        mean=configured.mean + shift,
        channel_sd=sds[:n_channels],
        offer_sd=sds[n_channels:],
        moved=configured.moved | (reduced > _UNMOVED),
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
