"""The learners the benchmarks compare with must themselves be able to find an effect."""

import numpy as np
import pytest

from benchmarks.meta_learners import (
    LEARNERS,
    LearnerName,
    predict_effects,
    predict_outcomes,
    trial_of,
)
from training.effect_sample import EffectSample

ACTIONS = ("push/none", "push/coupon", "sms/none", "sms/coupon")
HELPS, HURTS = 1, 2


@pytest.fixture(scope="module")
def sample() -> EffectSample:
    """A trial in which one action helps those with x0 > 0 only, and one hurts everybody."""
    rng = np.random.default_rng(1)
    n = 8000
    x = rng.normal(size=(n, 3))
    action = rng.choice(5, n, p=[0.4, 0.15, 0.15, 0.15, 0.15]).astype(np.int16) - 1
    chance = 0.3 + 0.4 * ((action == HELPS) & (x[:, 0] > 0.0)) - 0.25 * (action == HURTS)
    returned = (rng.random(n) < chance).astype(np.int8)
    return EffectSample(
        x=x,
        feature_names=("a", "b", "c"),
        log_odds0=np.full(n, np.log(0.3 / 0.7)),
        order_value=np.ones(n),
        action=action.astype(np.int16),
        propensity=np.where(action < 0, 0.4, 0.15),
        returned=returned,
        profit=20.0 * returned - 1.0,
        left=np.zeros(n, dtype=np.int8),
        cluster=rng.integers(1, 2**63, n).astype(np.uint64),
        as_of_us=np.zeros(n, dtype=np.int64),
        actions=ACTIONS,
    )


@pytest.mark.parametrize("name", LEARNERS)
def test_a_learner_finds_whom_an_action_helps_and_what_hurts(
    name: LearnerName, sample: EffectSample
) -> None:
    x = np.random.default_rng(2).normal(size=(500, 3))
    found = predict_effects(name, sample, x, np.full(500, np.log(0.3 / 0.7)))
    assert found.shape == (500, 5)
    assert np.all((found > 0.0) & (found < 1.0))
    effects = found[:, 1:] - found[:, :1]
    helped = x[:, 0] > 0.0
    assert effects[helped, HELPS].mean() > 0.25
    assert abs(effects[~helped, HELPS].mean()) < 0.1
    assert effects[:, HURTS].mean() < -0.1
    assert abs(found[:, 0].mean() - 0.3) < 0.05


@pytest.mark.parametrize("name", LEARNERS)
def test_a_learner_predicts_amounts_on_their_own_scale(
    name: LearnerName, sample: EffectSample
) -> None:
    trial = trial_of(sample, sample.profit, binary=False)
    found = predict_outcomes(name, trial, trial.rows[:400])
    assert found.shape == (400, 5)
    assert np.isfinite(found).all()
    assert abs(found[:, 0].mean() - 5.0) < 1.0


@pytest.mark.parametrize("name", LEARNERS)
def test_a_learner_says_the_same_twice(name: LearnerName, sample: EffectSample) -> None:
    few = sample.take(np.arange(3000))
    first, again = (predict_effects(name, few, few.x, few.log_odds0) for _ in range(2))
    assert np.array_equal(first, again)
