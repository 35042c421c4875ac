"""What a night believes of contacts: probabilities, intervals, draws, and what they earn."""

import numpy as np
import pytest
from scipy.special import expit
from test_models_contact_effect import CHANNELS, OFFERS, customers, learnt_effect

from features.errors import ArtifactError
from models.attrition import configured_attrition
from scoring.effects import ActionEffects, NightEffects, assumed_effects, configured_priors
from scoring.exploration import POSTERIOR_DRAWS
from scoring.gain import Actions, list_actions
from scoring.policy import Channel, Offer

POLICY = {
    "push": Channel(label="push", cost=0.01, effect_prior=0.1, effect_prior_sd=0.1),
    "sms": Channel(
        label="text",
        cost=0.06,
        effect_prior=0.2,
        effect_prior_sd=0.2,
        unsubscribe_share=0.01,
        channel_value=3.0,
    ),
}
PROMISES = {
    "none": Offer(label="no offer", effect_prior_sd=0.0),
    "coupon": Offer(label="coupon", discount=0.1, effect_prior=0.3, effect_prior_sd=0.3),
}
NAMES = ("a", "b", "c")


def actions() -> Actions:
    return list_actions(POLICY, PROMISES)


def weighed(n: int = 12) -> ActionEffects:
    odds, x = customers(n)
    effects = NightEffects(learnt_effect(), configured_attrition(CHANNELS, [0.0, 0.01]))
    return effects.weigh(expit(odds), x, names=NAMES, actions=actions())


def test_the_configuration_is_what_is_assumed() -> None:
    priors = configured_priors(POLICY, PROMISES)
    assert priors.mean == pytest.approx([0.1, 0.4, 0.2, 0.5])
    assert priors.sd == pytest.approx([0.1, np.hypot(0.1, 0.3), 0.2, np.hypot(0.2, 0.3)])
    assumed = assumed_effects(POLICY, PROMISES)
    assert assumed.effect.rung == "priors"
    assert assumed.effect.evidence == ("rules",) * 4
    assert (assumed.effect.design.channels, assumed.effect.design.offers) == (CHANNELS, OFFERS)
    shares = assumed.attrition.probability(np.zeros((1, 0)), ())
    assert shares[0, 1] == pytest.approx(0.01)


def test_gains_are_worked_out_from_probabilities_and_lost_channels() -> None:
    effects = weighed()
    order_value, terms = np.full(12, 40.0), actions().terms(0.4)
    gains = effects.gains(order_value=order_value, terms=terms)
    p, p0 = effects.contacted(), expit(effects.log_odds0)
    assert effects.attrition_cost[0] == pytest.approx([0.0, 0.0, 0.03, 0.03], abs=1e-5)
    by_hand = p[:, 3] * (16.0 - 4.0) - 0.06 - 0.03 - p0 * 16.0
    assert gains[:, 3] == pytest.approx(by_hand)


def test_an_interval_holds_its_middle_and_is_that_of_the_shift() -> None:
    effects = weighed()
    places = np.array([3, 7], dtype=np.int64)
    action = np.array([0, 3], dtype=np.int64)
    middle, low, high = effects.likelihoods(places, action)
    odds, x = effects.log_odds0[places], effects.x[places]
    found = effects.effect.shifts(odds, x)
    for row in range(2):
        mean, sd = found.mean[row, action[row]], found.sd[row, action[row]]
        assert middle[row] == pytest.approx(expit(odds[row] + mean))
        assert low[row] == pytest.approx(expit(odds[row] + mean - 1.96 * sd))
        assert high[row] == pytest.approx(expit(odds[row] + mean + 1.96 * sd))
    assert (low < middle).all() and (middle < high).all()


def test_draws_are_the_same_worlds_for_every_block() -> None:
    effects = weighed()
    whole = effects.draws(np.random.default_rng(4))(slice(0, 12))
    blocks = effects.draws(np.random.default_rng(4))
    assert whole.shape == (POSTERIOR_DRAWS, 12, 4)
    parts = np.concatenate([blocks(slice(0, 5)), blocks(slice(5, 12))], axis=1)
    assert parts == pytest.approx(whole, abs=1e-9)
    assert effects.draws(np.random.default_rng(5))(slice(0, 1))[0, 0, 0] != whole[0, 0, 0]


def test_effects_of_other_features_are_refused() -> None:
    odds, x = customers(3)
    effects = NightEffects(learnt_effect(), configured_attrition(CHANNELS, [0.0, 0.01]))
    with pytest.raises(ArtifactError, match="other features than those of this winback"):
        effects.weigh(expit(odds), x, names=("a", "c", "b"), actions=actions())
