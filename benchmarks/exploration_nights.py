"""Sixty nights of lists in a shop with known effects: what exploring costs and earns.

The product draws arms, plans and chooses every night, and learns effects from matured outcomes
once a week. How likely customers return by themselves is known. Policies that are compared meet
the same customers, the same controls and the same luck.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from threadpoolctl import threadpool_limits

from benchmarks.exploration_shop import (
    CHANNEL_SD,
    CUSTOMERS,
    LIMITS,
    OFFER_SD,
    OFFER_SHIFT,
    TYPICAL,
    Shop,
    true_profit,
)
from benchmarks.uplift_world import (
    ACTIONS,
    CHANNELS,
    COST,
    DISCOUNT,
    MARGIN,
    OFFERS,
    World,
    incremental_profit,
)
from models.contact_effect import ContactEffect, EffectPriors, assumed_effect
from scoring.arms import GHOST, HOLDOUT, ArmDraws, assignment_propensity
from scoring.choice import Choices
from scoring.exploration import (
    POSTERIOR_DRAWS,
    best_action_shares,
    experiment_in_force,
    night_generator,
)
from scoring.outcomes import LISTED, NO_ACTION
from scoring.policy import Experiment
from training.clustered_mean import clustered_mean
from training.effect_rungs import fit_rung
from training.effect_sample import NO_CONTACT, EffectSample, concat_samples

Floats = NDArray[np.float64]

MATURES_AFTER = 5
"""Nights until outcomes are known."""

ASSUMED = {
    "right": TYPICAL,
    "wrong": np.array([0.45, 0.0, 0.0, 0.2]),
    "gloomy": np.full(4, -0.05),
}
"""Assumed by channel. In the wrong world push messages are believed best by far, text messages
and e-mail useless; in the gloomy one no contact is believed to pay."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is believed at first, one of `ASSUMED`, and what is tried."""

    assumed: str
    experiment: Experiment


@dataclass(frozen=True, slots=True)
class Played:
    """One policy's 60 nights.

    Attributes
    ----------
    oracle, regret : true profit of the oracle, and what it lost against it; money.
    covered : nights on which the interval of the value so far held the truth.
    judged : nights with an interval.
    """

    oracle: float
    regret: float
    covered: int
    judged: int


@dataclass(frozen=True, slots=True)
class Night:
    """Assignments of one night, its true profit, and doubly robust scores of its best actions."""

    sample: EffectSample
    value: float
    scores: Floats
    truths: Floats


def play(seed: int, cases: Sequence[Case]) -> dict[Case, Played]:
    """One shop's nights for each case; what happens depends on the seed and the choices alone."""
    # Shops run side by side; threads of the small products inside would only wait for each other.
    with threadpool_limits(1, user_api="blas"):
        shop = Shop(seed)
        return {case: _play(shop, case) for case in cases}


def _play(shop: Shop, case: Case) -> Played:
    priors = _priors(case.assumed)
    effect = assumed_effect(priors, channels=CHANNELS, offers=OFFERS)
    nights: list[Night] = []
    covered = judged = 0
    for number in range(len(shop.oracle)):
        matured = [night for night in nights[: max(number - MATURES_AFTER, 0)] if len(night.sample)]
        if matured and shop.trains(number):
            known = concat_samples([night.sample for night in matured])
            effect = fit_rung(known, "arm_means", priors=priors).effect
        nights.append(_night(shop, effect, case.experiment, night=number))
        scores = np.concatenate([night.scores for night in matured]) if matured else np.empty(0)
        if len(scores):
            truth = np.concatenate([night.truths for night in matured]).mean()
            value = clustered_mean(scores, np.arange(len(scores)).astype(np.uint64))
            covered += int(value.low <= truth <= value.high)
            judged += 1
    return Played(
        oracle=sum(shop.oracle),
        regret=sum(shop.oracle) - sum(night.value for night in nights),
        covered=covered,
        judged=judged,
    )


def _priors(assumed: str) -> EffectPriors:
    mean = (ASSUMED[assumed][:, None] + OFFER_SHIFT).ravel()
    return EffectPriors(mean, CHANNEL_SD, OFFER_SD, np.zeros(len(mean), dtype=np.bool_))


def _night(shop: Shop, effect: ContactEffect, experiment: Experiment, *, night: int) -> Night:
    world = shop.world(night)
    experiment = shop.salted(experiment_in_force(experiment, evidence=effect.evidence))
    draws = shop.draws(experiment, night)
    log_odds0 = logit(world.p0)
    believed = expit(log_odds0[:, None] + effect.means(log_odds0, world.x))
    weights = None
    if experiment.exploration == "thompson" and experiment.explore_share > 0.0:
        weights = _weights(effect, world, experiment, night)
    gains = incremental_profit(world.p0, believed, world.order_value)
    choices = shop.choose(gains, draws, weights=weights, experiment=experiment)
    luck = np.random.default_rng([shop.seed, night, 1]).random(CUSTOMERS)
    sample = _log(world, choices, draws, experiment=experiment, luck=luck)
    scores, truths = _judge(world, choices, sample, believed=believed)
    return Night(sample, true_profit(world, choices, draws), scores, truths)


def _weights(effect: ContactEffect, world: World, experiment: Experiment, night: int) -> Floats:
    log_odds0 = logit(world.p0)
    margin = MARGIN * world.order_value[:, None]

    def shifts(rows: slice) -> Floats:
        rng = night_generator(experiment, as_of_us=night)
        return effect.draw(rng, log_odds0[rows], world.x[rows], draws=POSTERIOR_DRAWS)

    return best_action_shares(
        shifts,
        log_odds0=log_odds0,
        kept=margin - DISCOUNT * world.order_value[:, None],
        lost=COST + world.p0[:, None] * margin,
        allowed=np.ones(world.p.shape, dtype=np.bool_),
        min_gain=LIMITS.min_gain,
    )


def _log(
    world: World, choices: Choices, draws: ArmDraws, *, experiment: Experiment, luck: Floats
) -> EffectSample:
    """The listed, holdout left out, with what they did; `cluster` is the place tonight."""
    rows = np.flatnonzero((choices.outcome == LISTED) & (draws.arm != HOLDOUT))
    arm, best = draws.arm[rows], choices.best_action[rows]
    action = np.where(arm == GHOST, NO_CONTACT, choices.action[rows]).astype(np.int16)
    propensity = assignment_propensity(
        arm,
        is_best=action == best,
        has_best=best != NO_ACTION,
        chance=choices.chance[rows],
        experiment=experiment,
    )
    contacted = action != NO_CONTACT
    returned = luck[rows] < np.where(contacted, world.p[rows, action], world.p0[rows])
    kept = (MARGIN - np.where(contacted, DISCOUNT[action], 0.0)) * world.order_value[rows]
    return EffectSample(
        x=world.x[rows],
        feature_names=(),
        log_odds0=logit(world.p0[rows]),
        order_value=world.order_value[rows],
        action=action,
        propensity=propensity.action,
        returned=returned.astype(np.int8),
        profit=returned * kept - np.where(contacted, COST[action], 0.0),
        left=np.zeros(len(rows), dtype=np.int8),
        cluster=rows.astype(np.uint64),
        as_of_us=np.zeros(len(rows), dtype=np.int64),
        actions=ACTIONS,
    )


def _judge(
    world: World, choices: Choices, sample: EffectSample, *, believed: Floats
) -> tuple[Floats, Floats]:
    """Doubly robust gain of the best actions over no contact, and the true one, by row."""
    rows = sample.cluster.astype(np.int64)
    best = choices.best_action[rows]
    inside = np.flatnonzero(best != NO_ACTION)
    rows, best, log = rows[inside], best[inside], sample.take(inside)
    margin = MARGIN * world.order_value[rows]
    kept = margin - DISCOUNT[best] * world.order_value[rows]
    expected = believed[rows, best] * kept - COST[best], world.p0[rows] * margin
    scores = expected[0] - expected[1]
    scores += np.where(log.action == best, log.profit - expected[0], 0.0) / log.propensity
    scores -= np.where(log.treated, 0.0, log.profit - expected[1]) / log.propensity
    return scores, world.gain[rows, best]
