"""Actions with their prices, and what gains are made of."""

import numpy as np
import pytest

from models.action_value import expected_gains
from models.order_value import ORDERS_BEHIND_PRIOR, shrink_order_value
from scoring.gain import gain_terms, list_actions, shifted_probability
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
    assert actions.channel_value == pytest.approx([2, 2, 0, 0])


def test_terms_are_the_configured_prices() -> None:
    terms = list_actions(CHANNELS, OFFERS).terms(0.4)
    assert terms.discount == pytest.approx([0, 0.1, 0, 0.1])
    assert terms.cost_on_return == pytest.approx([0, 1.5, 0, 1.5])
    assert terms.contact_cost == pytest.approx([0.06, 0.06, 0.001, 0.001])
    assert terms.gross_margin == 0.4


def test_gain_terms_put_together_are_the_gain() -> None:
    rng = np.random.default_rng(3)
    natural, order_value = rng.uniform(0.01, 0.9, 20), rng.uniform(5, 90, 20)
    contacted, attrition = rng.uniform(0.01, 0.9, (20, 4)), rng.uniform(0, 0.1, (20, 4))
    terms = list_actions(CHANNELS, OFFERS).terms(0.4)
    kept, lost = gain_terms(natural, order_value=order_value, attrition_cost=attrition, terms=terms)
    gains = expected_gains(
        natural, contacted, order_value=order_value, attrition_cost=attrition, terms=terms
    )
    assert contacted * kept - lost == pytest.approx(gains)


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
