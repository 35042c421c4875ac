"""One rung of the ladder of effects, fitted on a sample: arm means, ridge, or stack."""

from dataclasses import dataclass, replace

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.contact_effect import (
    MEASURED_SHARE,
    ContactEffect,
    EffectPriors,
    Evidence,
    Rung,
    assumed_effect,
)
from models.effect_design import EffectBasis, EffectDesign, learn_basis
from models.effect_trees import EffectTrees, tree_rows
from models.evidence_ridge import Groups, Part, Posterior, fit_evidence_ridge
from models.forest import Forest, read_forest
from training.effect_sample import NO_CONTACT, EffectSample

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]

_WEAKEST, _STRONGEST = 1e-3, 1e6
_FIRST_ACTION, _LEAST_ACTION = 100.0, 4.0
_FIRST_SLOPE, _BEHIND_SLOPE = 400.0, 1.0
"""A slope is guessed to be of size 0.05 per standard deviation, as one other slope would
tell: most are nothing, a few are large (a prior with the tails of Student's t)."""

_FIRST_CORRECTION = 100.0

_BEHIND_ASSUMED = 2.0
"""Shifts of the assumed size that stand beside those seen: few channels and offers tell little of
how wrong assumptions are, and one lucky return must not undo the only offer's."""

_LEVEL = 1.0
"""Precision of the shift that corrects the natural return's level in the sample."""

_TREES = {
    "objective": "regression",
    "learning_rate": 0.05,
    "num_leaves": 6,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 30.0,
    "deterministic": True,
    "force_col_wise": True,
    "verbosity": -1,
}
_TREE_ROUNDS = 120
_TREE_LEAVES, _SMALLEST_LEAF = 60, 50


@dataclass(frozen=True, slots=True)
class RungFit:
    """An estimator's effect, and what it corrects of the natural return in its sample.

    The correction depends on the customer and holds for controls as for the treated. Without
    it, what the natural-return model misses would be taken for effects that differ.

    Attributes
    ----------
    basis, correction : coefficients of (1, basis), shape (1 + width,); None for none.
    """

    effect: ContactEffect
    basis: EffectBasis | None = None
    correction: Float64Array | None = None

    def natural(self, log_odds0: Float64Array, x: Float64Array) -> Float64Array:
        """Corrected log-odds of the natural return, shape (n,)."""
        if self.basis is None or self.correction is None:
            return log_odds0
        columns = self.basis.matrix(log_odds0, x)
        return np.asarray(log_odds0 + self.correction[0] + columns @ self.correction[1:])


def fit_rung(sample: EffectSample, rung: Rung, *, priors: EffectPriors) -> RungFit:
    """The effect of contact by one linear estimator.

    Parameters
    ----------
    sample : assignments, controls among them.
    rung : "priors" returns the assumptions, "stack" its linear part.
    priors : assumptions that the measured effects are drawn to.

    References
    ----------
    METHODS.md section 2.2.
    """
    channels, offers = split_actions(sample.actions)
    assumed = assumed_effect(priors, channels=channels, offers=offers)
    if rung == "priors":
        return RungFit(assumed)
    basis = learn_basis(sample.log_odds0, sample.x, features=sample.feature_names)
    columns = basis.matrix(sample.log_odds0, sample.x)
    design = replace(assumed.design, width=0 if rung == "arm_means" else basis.width)
    posterior, correction = _fit(sample, design, columns, priors)
    effect = replace(
        assumed,
        design=design,
        rung=rung,
        basis=basis if design.width else None,
        mean=posterior.mean,
        covariance=posterior.covariance,
    )
    inside = columns[:, : design.width]
    tried = np.bincount(sample.action[sample.treated], minlength=len(sample.actions)) > 0
    believed = _widen(priors, posterior.precision)
    effect = replace(effect, evidence=_weigh_evidence(effect, inside, believed, tried))
    return RungFit(effect, basis, correction)


def add_trees(fit: RungFit, sample: EffectSample, *, weight: float, seed: int) -> RungFit:
    """The stack: an estimator's effect mixed with trees that start from its natural return."""
    natural = fit.natural(sample.log_odds0, sample.x)
    n_offers = len(fit.effect.design.offers)
    trees = EffectTrees(fit_trees(sample, natural, n_offers=n_offers, seed=seed), weight)
    return replace(fit, effect=replace(fit.effect, rung="stack", trees=trees))


def draw_to_means(fit: RungFit, means: RungFit, *, slope: float) -> RungFit:
    """Believe only a share of the differences between customers: METHODS.md 2.2, stage C.

    The covariance stays: what is not believed is not better known.
    """
    inner = np.zeros_like(fit.effect.mean)
    inner[: len(means.effect.mean)] = means.effect.mean
    mean = inner + slope * (fit.effect.mean - inner)
    return replace(fit, effect=replace(fit.effect, mean=mean))


def split_actions(actions: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Channels and offers of actions that are all pairs of them, channel by channel."""
    pairs = [action.split("/") for action in actions]
    return tuple(dict.fromkeys(c for c, _ in pairs)), tuple(dict.fromkeys(o for _, o in pairs))


def _fit(
    sample: EffectSample, design: EffectDesign, columns: Float64Array, priors: EffectPriors
) -> tuple[Posterior, Float64Array]:
    """Coefficients of the design, and of the correction that is fitted beside it."""
    everybody = np.c_[np.ones(len(sample)), columns]
    parts = []
    for action in np.unique(sample.action):
        rows = np.flatnonzero(sample.action == action)
        mixing = np.zeros((everybody.shape[1], design.size + everybody.shape[1]))
        mixing[:, design.size :] = np.eye(everybody.shape[1])
        if action != NO_CONTACT:
            mixing[: 1 + design.width, : design.size] = design.adder(int(action))
        assumed = priors.mean[action] if action != NO_CONTACT else 0.0
        parts.append(
            Part(
                columns=everybody[rows],
                mixing=mixing,
                labels=sample.returned[rows].astype(np.float64),
                offset=sample.log_odds0[rows] + assumed,
            )
        )
    found = fit_evidence_ridge(parts, groups=_groups(design, columns.shape[1]))
    kept = slice(0, design.size)
    posterior = Posterior(found.mean[kept], found.covariance[kept, kept], found.precision)
    return posterior, found.mean[design.size :]


def _groups(design: EffectDesign, width: int) -> Groups:
    """Channels, offers, actions; every slope by itself; the level; the correction's slopes."""
    slopes = design.size - design.constants
    sizes = [len(design.channels), len(design.promised), len(design.actions)]
    of = np.repeat(np.arange(slopes + 5), [*sizes, *[1] * slopes, 1, width])

    def values(means: list[float], slope: float, level: float, correction: float) -> Float64Array:
        return np.array([*means, *[slope] * slopes, level, correction])

    # Assumptions may prove too narrow, never too wide: precision at most as configured.
    return Groups(
        of=of.astype(np.int64),
        precision=values([1.0, 1.0, _FIRST_ACTION], _FIRST_SLOPE, _LEVEL, _FIRST_CORRECTION),
        least=values([_WEAKEST, _WEAKEST, _LEAST_ACTION], _LEAST_ACTION, _LEVEL, _LEAST_ACTION),
        most=values([1.0, 1.0, _STRONGEST], _STRONGEST, _LEVEL, _STRONGEST),
        behind=values([_BEHIND_ASSUMED, _BEHIND_ASSUMED, 0.0], _BEHIND_SLOPE, 0.0, 1.0),
    )


def _widen(priors: EffectPriors, precision: Float64Array) -> EffectPriors:
    """The assumptions as unsure as they proved to be: wrong ones were too narrow."""
    channels, offers = 1.0 / np.sqrt(precision[:2])
    return replace(
        priors, channel_sd=priors.channel_sd * channels, offer_sd=priors.offer_sd * offers
    )


def _weigh_evidence(
    effect: ContactEffect,
    columns: Float64Array,
    priors: EffectPriors,
    tried: NDArray[np.bool_],
) -> tuple[Evidence, ...]:
    """An action is measured when it was tried and most of its assumption's variance is gone.

    What is seen of its channel and of its offer moves an action that was never tried; that
    the two add up is not measured, though.
    """
    typical = np.r_[1.0, columns.mean(axis=0)]
    assumed = assumed_effect(
        priors, channels=effect.design.channels, offers=effect.design.offers
    ).evidence
    words: list[Evidence] = []
    for action, word in enumerate(assumed):
        covariance = effect.design.combine_covariance(effect.covariance, action)
        left = float(typical @ covariance @ typical)
        is_narrow = left <= (1.0 - MEASURED_SHARE) * float(priors.sd[action]) ** 2
        measured = bool(tried[action]) and is_narrow
        words.append("uplift" if measured else word)
    return tuple(words)


def fit_trees(sample: EffectSample, natural: Float64Array, *, n_offers: int, seed: int) -> Forest:
    """Second stage of the X-learner, pooled over actions: what contacts added to p_0.

    Regression of returned - p_0 on features and action, over the treated.

    Parameters
    ----------
    natural : log-odds of p_0 for all rows of the sample, shape (n,).
    """
    treated = sample.take(sample.treated)
    rows = tree_rows(treated.log_odds0, treated.x, treated.action, n_offers=n_offers)
    imputed = treated.returned - expit(natural[sample.treated])
    parameters = {
        **_TREES,
        "min_data_in_leaf": max(_SMALLEST_LEAF, len(treated) // _TREE_LEAVES),
        "num_threads": 1,
        "seed": seed,
    }
    booster = lgb.train(parameters, lgb.Dataset(rows, imputed), num_boost_round=_TREE_ROUNDS)
    return read_forest(booster.model_to_string())


def cross_fit_folds(cluster: NDArray[np.uint64], *, folds: int) -> Int64Array:
    """Fold of each row, by customer, shape (n,): no customer stands on both sides."""
    scattered = (cluster ^ (cluster >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray((scattered >> np.uint64(33)) % np.uint64(folds)).astype(np.int64)
