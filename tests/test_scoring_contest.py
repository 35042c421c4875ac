"""What actions cost, and how cautious gains are, against the formulae written out."""

import numpy as np
import pytest

from models.action_value import ActionTerms
from scoring.contest import cautious_gains, expected_spending, night_limits
from scoring.effects import ActionEffects, assumed_effects
from scoring.gain import list_actions
from scoring.policy import Channel, ListRules, NightLimits, Offer
from scoring.segment_limits import group_customers

CHANNEL = {"sms": Channel(label="text", cost=0.5, effect_prior=0.4, effect_prior_sd=0.3)}
OFFERS = {
    "none": Offer(label="none"),
    "coupon": Offer(label="10 %", discount=0.1, effect_prior=0.2, effect_prior_sd=0.4),
}
P_NATURAL = np.array([0.1, 0.3])
ORDER_VALUE = np.array([50.0, 20.0])
MARGIN = 0.4


def weighed() -> tuple[ActionEffects, ActionTerms]:
    actions = list_actions(CHANNEL, OFFERS)
    effects = assumed_effects(CHANNEL, OFFERS).weigh(
        P_NATURAL, np.zeros((2, 0)), names=(), actions=actions
    )
    return effects, actions.terms(MARGIN)


def test_spending_is_the_contact_and_what_returns_are_given() -> None:
    effects, terms = weighed()
    p = effects.contacted()
    spending = expected_spending(effects, order_value=ORDER_VALUE, terms=terms)
    assert spending.cost[:, 0] == pytest.approx([0.5, 0.5])
    assert spending.cost[:, 1] == pytest.approx(0.5 + p[:, 1] * 0.1 * ORDER_VALUE)
    assert spending.variance[:, 0] == pytest.approx([0.0, 0.0])
    assert spending.variance[:, 1] == pytest.approx(
        p[:, 1] * (1 - p[:, 1]) * (0.1 * ORDER_VALUE) ** 2
    )


def test_caution_takes_standard_errors_off() -> None:
    effects, terms = weighed()
    gains = effects.gains(order_value=ORDER_VALUE, terms=terms)

    def cautious(by: float) -> np.ndarray:
        return cautious_gains(gains, effects, order_value=ORDER_VALUE, terms=terms, caution=by)

    assert cautious(0.0).tolist() == gains.tolist()
    # The error by a small change of the effect, not by the formula's own derivative.
    sd = effects.effect.shifts(effects.log_odds0, effects.x).sd
    step = 1e-5
    odds = effects.log_odds0[:, None] + effects.shift
    slope = (1 / (1 + np.exp(-(odds + step))) - 1 / (1 + np.exp(-odds))) / step
    kept = np.stack([MARGIN * ORDER_VALUE, (MARGIN - 0.1) * ORDER_VALUE], axis=1)
    assert gains - cautious(2.0) == pytest.approx(2.0 * sd * slope * kept, rel=1e-3)


def test_limits_are_those_of_the_configuration() -> None:
    nobody = group_customers([], np.zeros((0, 3), dtype=bool))
    free = night_limits(NightLimits(), ListRules(), capacity=np.array([-1]), segments=nobody)
    assert (free.budget, free.max_rows) == (np.inf, -1)
    bound = night_limits(
        NightLimits(budget=10.0, budget_quantile=0.9),
        ListRules(max_rows=7, min_gain=0.2),
        capacity=np.array([5]),
        segments=nobody,
    )
    assert (bound.budget, bound.max_rows, bound.min_gain) == (10.0, 7, 0.2)
    assert bound.sigmas == pytest.approx(1.2816, abs=1e-4)
