"""Gains against the formula written out by hand."""

import math

import numpy as np
import pytest

from models.order_value import ORDERS_BEHIND_PRIOR, shrink_order_value
from scoring.gain import (
    expected_gains,
    list_actions,
    shifted_probability,
)
from scoring.policy import Channel, Offer

CHANNELS = {
    "sms": Channel(
        label="text", cost=0.06, effect_prior=0.2, unsubscribe_share=0.01, channel_value=2
    ),
    "mail": Channel(label="mail", cost=0.001, effect_prior=0.05),
}
OFFERS = {
    "none": Offer(label="no offer"),
    "coupon": Offer(label="coupon", discount=0.1, cost_on_return=1.5, effect_prior=0.3),
}


def test_actions_stand_by_channel_in_configured_order() -> None:
    actions = list_actions(CHANNELS, OFFERS)
    channels = [actions.channels[code] for code in actions.channel_of]
    assert channels == ["sms", "sms", "mail", "mail"]
    assert actions.shift == pytest.approx([0.2, 0.5, 0.05, 0.35])
    assert actions.attrition_cost == pytest.approx([0.02, 0.02, 0, 0])


def test_gain_is_the_formula() -> None:
    p0, basket, margin = 0.08, 50.0, 0.4
    gains = expected_gains(
        np.array([p0]),
        order_value=np.array([basket]),
        gross_margin=margin,
        actions=list_actions(CHANNELS, OFFERS),
    )
    pa = 1 / (1 + math.exp(-(math.log(p0 / (1 - p0)) + 0.5)))
    m = margin * basket
    expected = pa * m - pa * (0.1 * basket + 1.5) - 0.06 - 0.01 * 2 - p0 * m
    assert gains.shape == (1, 4)
    assert gains[0, 1] == pytest.approx(expected)


def test_an_offer_to_a_likely_returner_burns_margin() -> None:
    gains = expected_gains(
        np.array([0.05, 0.9]),
        order_value=np.array([100.0, 100.0]),
        gross_margin=0.4,
        actions=list_actions(CHANNELS, OFFERS),
    )
    assert gains[1, 1] < gains[1, 0]
    assert gains[1, 1] < 0


def test_shift_of_certain_probabilities_stays_inside() -> None:
    shifted = shifted_probability(np.array([0.0, 1.0]), 5.0)
    assert (shifted > 0).all()
    assert (shifted < 1).all()


def test_order_value_is_shrunk_towards_everybody() -> None:
    value = shrink_order_value(np.array([10.0, 30.0, np.nan]), np.array([1.0, 9.0, 0.0]))
    prior, weight = 20.0, ORDERS_BEHIND_PRIOR
    expected = [
        (10 + weight * prior) / (1 + weight),
        (270 + weight * prior) / (9 + weight),
        prior,
    ]
    assert value == pytest.approx(expected)


def test_nobody_has_ordered() -> None:
    value = shrink_order_value(np.array([np.nan, np.nan]), np.array([0.0, np.nan]))
    assert value.tolist() == [0.0, 0.0]
