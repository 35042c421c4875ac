"""Expected profit of actions against the formula written out by hand."""

import math

import numpy as np
import pytest

from models.action_value import ActionTerms, expected_gains

TERMS = ActionTerms(
    discount=np.array([0.0, 0.1]),
    cost_on_return=np.array([0.0, 1.5]),
    contact_cost=np.array([0.06, 0.06]),
    gross_margin=0.4,
)


def test_gain_is_the_formula() -> None:
    p0, basket = 0.08, 50.0
    pa = 1 / (1 + math.exp(-(math.log(p0 / (1 - p0)) + 0.5)))
    gains = expected_gains(
        np.array([p0]),
        np.array([[pa, pa]]),
        order_value=np.array([basket]),
        attrition_cost=np.array([0.02, 0.02]),
        terms=TERMS,
    )
    margin = 0.4 * basket
    bare = pa * margin - 0.06 - 0.02 - p0 * margin
    offered = pa * margin - pa * (0.1 * basket + 1.5) - 0.06 - 0.02 - p0 * margin
    assert gains == pytest.approx(np.array([[bare, offered]]))


def test_an_offer_to_a_likely_returner_burns_margin() -> None:
    natural = np.array([0.05, 0.9])
    contacted = np.array([[0.06, 0.08], [0.91, 0.93]])
    gains = expected_gains(
        natural,
        contacted,
        order_value=np.array([100.0, 100.0]),
        attrition_cost=np.zeros(2),
        terms=TERMS,
    )
    assert gains[1, 1] < gains[1, 0]
    assert gains[1, 1] < 0


def test_a_contact_that_changes_nothing_costs_what_it_costs() -> None:
    natural = np.array([0.2])
    gains = expected_gains(
        natural,
        np.array([[0.2, 0.2]]),
        order_value=np.array([30.0]),
        attrition_cost=np.array([[0.0, 0.5]]),
        terms=TERMS,
    )
    assert gains == pytest.approx(np.array([[-0.06, -0.06 - 0.5 - 0.2 * (3.0 + 1.5)]]))
