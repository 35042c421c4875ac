"""One seed of one world: a log of assignments, the estimators, and what their choices earn."""

from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from benchmarks.meta_learners import LEARNERS, predict_effects
from benchmarks.uplift_world import (
    ACTIONS,
    CHANNELS,
    COST,
    DISCOUNT,
    HETEROGENEOUS,
    MARGIN,
    WORLDS,
    Log,
    World,
    draw_log,
    draw_world,
    incremental_profit,
    value_of,
)
from models.action_value import ActionTerms
from models.contact_effect import ContactEffect, EffectPriors
from training.effect_fit import fit_contact_effect
from training.effect_plan import EffectPlan
from training.effect_rungs import fit_rung
from training.effect_sample import EffectSample

Floats = NDArray[np.float64]

JUDGED_CUSTOMERS = 20_000

PRIORS = EffectPriors(
    mean=np.zeros(len(ACTIONS)),
    channel_sd=np.full(len(CHANNELS), 0.3),
    offer_sd=np.array([0.0, 0.3]),
    moved=np.zeros(len(ACTIONS), dtype=np.bool_),
)
TERMS = ActionTerms(
    discount=DISCOUNT, cost_on_return=np.zeros(len(ACTIONS)), contact_cost=COST, gross_margin=MARGIN
)
OURS, MEANS, RIDGE = "winback", "arm means", "ridge, ungated"
_FOLDS = 3
_NEVER = 1e-4


@dataclass(frozen=True, slots=True)
class Outcome:
    """One seed of one cell: profit over the oracle's by estimator, and what served.

    Where an oracle contacts nobody, values are profit per customer. `above_zero` is the share
    of our 95 % intervals of uplift that lie above zero.
    """

    values: dict[str, float]
    rung: str
    above_zero: float


def run_seed(name: str, size: int, seed: int) -> Outcome:
    """Learn from a log of one world, judge on other customers of it."""
    rng = np.random.default_rng([seed, size, WORLDS.index(name)])
    world, judged = draw_world(name, size, rng), draw_world(name, JUDGED_CUSTOMERS, rng)
    log = draw_log(world, rng)
    odds, judged_odds = natural_log_odds(world, log, judged)
    sample = as_sample(world, log, odds)
    fit = fit_contact_effect(sample, priors=PRIORS, terms=TERMS, plan=EffectPlan())
    effects = {
        OURS: fit.model,
        MEANS: fit_rung(sample, "arm_means", priors=PRIORS).effect,
        RIDGE: fit_rung(sample, "ridge", priors=PRIORS).effect,
    }
    values = {
        who: _share(judged, expit(judged_odds), _contacted(effect, judged, judged_odds))
        for who, effect in effects.items()
    }
    for learner in LEARNERS if name in HETEROGENEOUS else ():
        p = predict_effects(learner, sample, judged.x, judged_odds)
        values[learner] = _share(judged, p[:, 0], p[:, 1:])
    shifts = fit.model.shifts(judged_odds, judged.x)
    above = float((shifts.mean - 1.96 * shifts.sd > 0.0).mean())
    return Outcome(values, fit.model.rung, above)


def natural_log_odds(world: World, log: Log, judged: World) -> tuple[Floats, Floats]:
    """Log-odds of a return without contact, learnt from the controls, for both worlds.

    Controls get those of models that have not seen them.
    """
    controls = np.flatnonzero(log.action < 0)
    model = _fit_natural(world.x[controls], log.returned[controls])
    natural = np.asarray(model.predict(world.x))
    fold = np.arange(len(controls)) % _FOLDS
    for part in range(_FOLDS):
        inside, outside = controls[fold == part], controls[fold != part]
        natural[inside] = _fit_natural(world.x[outside], log.returned[outside]).predict(
            world.x[inside]
        )
    both = [np.clip(one, _NEVER, 1.0 - _NEVER) for one in (natural, model.predict(judged.x))]
    return np.asarray(logit(both[0])), np.asarray(logit(both[1]))


def _fit_natural(x: Floats, returned: Floats) -> Any:
    parameters = {
        "objective": "binary",
        "learning_rate": 0.05,
        "num_leaves": 8,
        "min_data_in_leaf": max(30, min(100, len(x) // 40)),
        "feature_fraction": 0.8,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 10.0,
        "num_threads": 1,
        "seed": 1,
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }
    return lgb.train(parameters, lgb.Dataset(x, returned), num_boost_round=100)


def as_sample(world: World, log: Log, log_odds0: Floats) -> EffectSample:
    """A log as the product's estimators take it; every row is another customer."""
    n = len(log.action)
    return EffectSample(
        x=world.x,
        feature_names=tuple(f"x{number}" for number in range(world.x.shape[1])),
        log_odds0=log_odds0,
        order_value=world.order_value,
        action=log.action,
        propensity=log.propensity,
        returned=log.returned.astype(np.int8),
        profit=np.zeros(n),
        left=np.zeros(n, dtype=np.int8),
        cluster=np.arange(n, dtype=np.uint64),
        as_of_us=np.zeros(n, dtype=np.int64),
        actions=ACTIONS,
    )


def _contacted(effect: ContactEffect, judged: World, log_odds0: Floats) -> Floats:
    return np.asarray(expit(log_odds0[:, None] + effect.means(log_odds0, judged.x)))


def _share(judged: World, natural: Floats, contacted: Floats) -> float:
    """True profit of contacting by these probabilities, over the oracle's if that has any."""
    value = value_of(judged, incremental_profit(natural, contacted, judged.order_value))
    oracle = value_of(judged, judged.gain)
    return value / oracle if oracle > 0.0 else value
