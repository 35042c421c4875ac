"""Sixty nights of lists in a shop with known effects: what exploring costs and earns.

Every night new customers of four kinds, four channels with limited seats, two offers. The
product draws arms, learns effects from matured outcomes, and chooses. A contact shifts
everybody's log-odds of returning alike; how likely customers return by themselves is known.
Policies that are compared meet the same customers, the same controls and the same luck.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from threadpoolctl import threadpool_limits

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
from scoring.arms import CONTACT, GHOST, HOLDOUT, ArmDraws, assignment_propensity, draw_arms
from scoring.choice import Choices, seat_limits
from scoring.contest import contest_for_seats, sent_share
from scoring.exploration import (
    POSTERIOR_DRAWS,
    Exploration,
    best_action_shares,
    experiment_in_force,
    night_generator,
)
from scoring.night_plan import choose_within_limits, plan_contacts, turns_of
from scoring.outcomes import LISTED, NO_ACTION
from scoring.policy import Experiment
from training.clustered_mean import clustered_mean
from training.effect_rungs import fit_rung
from training.effect_sample import NO_CONTACT, EffectSample, concat_samples

Floats = NDArray[np.float64]

NIGHTS, CUSTOMERS, MATURES_AFTER = 60, 1000, 5
LIMITS = seat_limits(np.array([250, 100, 250, 5], dtype=np.int64))
P0 = np.array([0.05, 0.10, 0.16, 0.25])
"""Natural return of the four kinds of customers."""

TYPICAL = np.array([0.10, 0.25, 0.15, 0.45])
"""Shift of the log-odds by channel around which shops differ; text messages earn most."""

ASSUMED = {
    "right": TYPICAL,
    "wrong": np.array([0.45, 0.0, 0.0, 0.2]),
    "gloomy": np.full(4, -0.05),
}
"""Assumed by channel. In the wrong world push messages are believed best by far, text messages
and e-mail useless; in the gloomy one no contact is believed to pay."""

OFFER_SHIFT = np.array([0.0, 0.25])
CHANNEL_SD, OFFER_SD = np.full(4, 0.15), np.array([0.0, 0.10])
"""How much shops differ; the assumptions say so too."""

GREEDY = Experiment(explore_share=0.0, cold_explore_share=0.0)
"""The same controls, and the best known action for everybody else."""


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
    """Assignments of one night, and doubly robust scores of its best actions."""

    sample: EffectSample
    oracle: float
    value: float
    scores: Floats
    truths: Floats


def play(assumed: str, seed: int, experiment: Experiment) -> Played:
    """Sixty nights of one policy; what happens depends on the seed and the choices alone."""
    # Shops run side by side; threads of the small products inside would only wait for each other.
    with threadpool_limits(1, user_api="blas"):
        return _play(assumed, seed, experiment)


def _play(assumed: str, seed: int, experiment: Experiment) -> Played:
    effect = assumed_effect(_priors(assumed), channels=CHANNELS, offers=OFFERS)
    shift = draw_shift(seed)
    nights: list[Night] = []
    covered = judged = 0
    for number in range(NIGHTS):
        matured = [night for night in nights[: max(number - MATURES_AFTER, 0)] if len(night.sample)]
        if matured:
            known = concat_samples([night.sample for night in matured])
            effect = fit_rung(known, "arm_means", priors=_priors(assumed)).effect
        world = draw_customers(shift, seed=seed, night=number)
        nights.append(_night(world, effect, experiment, seed=seed, night=number))
        scores = np.concatenate([night.scores for night in matured]) if matured else np.empty(0)
        if len(scores):
            truth = np.concatenate([night.truths for night in matured]).mean()
            value = clustered_mean(scores, np.arange(len(scores)).astype(np.uint64))
            covered += value.low <= truth <= value.high
            judged += 1
    return Played(
        oracle=sum(night.oracle for night in nights),
        regret=sum(night.oracle - night.value for night in nights),
        covered=covered,
        judged=judged,
    )


def _priors(assumed: str) -> EffectPriors:
    mean = (ASSUMED[assumed][:, None] + OFFER_SHIFT).ravel()
    return EffectPriors(mean, CHANNEL_SD, OFFER_SD, np.zeros(len(mean), dtype=np.bool_))


def draw_shift(seed: int) -> Floats:
    """What contacts really do in one shop: log-odds by action."""
    rng = np.random.default_rng([seed, NIGHTS])
    channel, offer = rng.normal(TYPICAL, CHANNEL_SD), rng.normal(OFFER_SHIFT, OFFER_SD)
    return np.asarray((channel[:, None] + offer).ravel())


def draw_customers(shift: Floats, *, seed: int, night: int) -> World:
    """Tonight's customers with every potential outcome's probability."""
    rng = np.random.default_rng([seed, night])
    p0 = rng.choice(P0, CUSTOMERS)
    order_value = np.exp(3.4 + 0.5 * rng.normal(size=CUSTOMERS))
    p = expit(logit(p0)[:, None] + shift)
    return World(np.empty((CUSTOMERS, 0)), p0, p, order_value)


def _night(
    world: World, effect: ContactEffect, experiment: Experiment, *, seed: int, night: int
) -> Night:
    experiment = replace(
        experiment_in_force(experiment, evidence=effect.evidence), salt=f"seed-{seed}"
    )
    ids = [f"{night}-{customer}" for customer in range(CUSTOMERS)]
    draws = draw_arms(ids, experiment=experiment, as_of_us=night)
    log_odds0 = logit(world.p0)
    believed = expit(log_odds0[:, None] + effect.means(log_odds0, world.x))
    weights = None
    if experiment.exploration == "thompson" and experiment.explore_share > 0.0:
        weights = _weights(effect, world, experiment, night)
    choices = _choose(
        incremental_profit(world.p0, believed, world.order_value),
        draws,
        weights=weights,
        experiment=experiment,
    )
    sure = replace(draws, arm=np.where(draws.arm >= GHOST, draws.arm, CONTACT).astype(np.int8))
    oracle = _choose(world.gain, sure, weights=None, experiment=GREEDY)
    luck = np.random.default_rng([seed, night, 1]).random(CUSTOMERS)
    sample = _log(world, choices, draws, experiment=experiment, luck=luck)
    scores, truths = _judge(world, choices, sample, believed=believed)
    return Night(sample, _value(world, oracle, sure), _value(world, choices, draws), scores, truths)


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


def _choose(
    gains: Floats, draws: ArmDraws, *, weights: Floats | None, experiment: Experiment
) -> Choices:
    contest = contest_for_seats(
        gains,
        allowed=np.ones(gains.shape, dtype=np.bool_),
        tie=draws.tie,
        limits=LIMITS,
        sent_share=sent_share(experiment),
    )
    plan = plan_contacts(contest)
    return choose_within_limits(
        contest,
        plan,
        turns_of(contest, plan),
        arm=draws.arm,
        exploration=Exploration(
            draw=draws.action,
            on_trial=draws.on_trial,
            weights=weights,
            share=experiment.explore_share,
            floor=experiment.propensity_floor,
        ),
    )


def _value(world: World, choices: Choices, draws: ArmDraws) -> float:
    sent = np.flatnonzero((choices.outcome == LISTED) & (draws.arm < GHOST))
    return float(world.gain[sent, choices.action[sent]].sum())


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
