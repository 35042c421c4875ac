"""Promotion sensitivity: made-up customers of each class, thin evidence, and measured effects."""

from typing import Any

import numpy as np
import pytest

from features.coupon_history import CouponHistory
from features.life_cycle import ACTIVE, AT_RISK, COOLING, DORMANT, LIFE_CYCLES, LOST
from models.action_value import expected_gains
from models.contact_effect import ContactEffect
from models.effect_design import EffectBasis, EffectDesign
from scoring.effects import ActionEffects, assumed_effects
from scoring.gain import Actions, list_actions, log_odds
from scoring.policy import Channel, Offer
from scoring.promotion import (
    BASES,
    CLEAR,
    ENTHUSIAST,
    INDIFFERENT,
    NEUTRAL,
    PROMOTIONS,
    SENSITIVE,
    Promotion,
    actions_by_promotion,
    measured_actions,
    offers_by_promotion,
    promotion_by_effects,
    promotion_by_history,
)

OFFERS = {"none": Offer("no offer"), "coupon": Offer("coupon", discount=0.1)}
CHANNELS = {"sms": Channel("SMS", cost=0.06), "mail": Channel("e-mail", cost=0.001)}
ACTIONS = list_actions(CHANNELS, OFFERS)
MARGIN = 0.4


def coupons(*customers: tuple[int, int, int, int]) -> CouponHistory:
    """Customers by plain, alone and prompted orders, and offers."""
    return CouponHistory(*np.array(customers, dtype=np.int16).T.copy())


def told(*customers: tuple[int, int, int, int]) -> list[str]:
    """Class and basis of customers among many usual ones: one order in ten is discounted."""
    usual = [(18, 1, 1, 10)] * 200
    found = promotion_by_history(coupons(*customers, *usual))
    pairs = zip(found.code, found.basis, strict=True)
    return [f"{PROMOTIONS[code]} {BASES[basis]}" for code, basis in pairs][: len(customers)]


def test_who_finds_coupons_alone_is_an_enthusiast() -> None:
    assert told((0, 8, 0, 0), (2, 6, 0, 5), (1, 7, 2, 5)) == ["enthusiast history"] * 3


def test_who_orders_after_offers_is_sensitive() -> None:
    assert told((2, 0, 4, 6), (5, 1, 6, 9)) == ["sensitive history"] * 2


def test_who_uses_offers_is_sensitive_however_often_they_order() -> None:
    assert told((20, 1, 3, 6), (12, 2, 1, 6)) == ["sensitive history", "neutral history"]


def test_who_pays_the_full_price_though_offered_less_is_indifferent() -> None:
    assert told((10, 0, 0, 6), (20, 1, 1, 3)) == ["indifferent history"] * 2


def test_without_offers_nobody_is_indifferent() -> None:
    assert told((30, 0, 0, 0), (30, 0, 0, 2)) == ["neutral history"] * 2


def test_in_between_is_neutral() -> None:
    assert told((6, 2, 2, 4)) == ["neutral history"]


def test_few_orders_are_thin_evidence() -> None:
    assert told((0, 2, 0, 9), (0, 0, 2, 9), (2, 0, 0, 9), (0, 0, 0, 0)) == ["neutral thin"] * 4


def test_few_orders_are_drawn_towards_everybodys() -> None:
    # Two of three discounts found alone are not yet a habit; three of three are.
    assert told((1, 2, 0, 0), (0, 3, 0, 0)) == ["neutral history", "enthusiast history"]


def test_where_discounts_are_not_recorded_everybody_is_neutral() -> None:
    found = promotion_by_history(coupons(*[(20, 0, 0, 9)] * 5))
    assert set(found.code) == {NEUTRAL}
    assert set(found.basis) == {BASES.index("thin")}
    assert len(promotion_by_history(CouponHistory.empty(0)).code) == 0


def test_offers_follow_from_the_class_and_the_life_cycle() -> None:
    pairs = [(code, state) for code in range(len(PROMOTIONS)) for state in range(len(LIFE_CYCLES))]
    code, state = np.array(pairs, dtype=np.int8).T
    mask = offers_by_promotion(code, state, offers=("coupon", "none", "gift"))
    assert mask[:, 1].all()
    assert (mask[:, 0] == mask[:, 2]).all()
    open_to = {pair for pair, is_open in zip(pairs, mask[:, 0], strict=True) if is_open}
    assert open_to == {(SENSITIVE, state) for state in range(len(LIFE_CYCLES))} | {
        (NEUTRAL, AT_RISK),
        (NEUTRAL, DORMANT),
    }
    assert not {ACTIVE, COOLING, LOST} & {s for c, s in open_to if c == NEUTRAL}


def test_without_offers_there_is_nothing_to_mask() -> None:
    none = offers_by_promotion(np.zeros(3, np.int8), np.zeros(3, np.int8), offers=())
    assert none.shape == (3, 0)
    empty = list_actions(CHANNELS, {})
    assert actions_by_promotion(none, (), empty).shape == (3, 0)


def test_an_offer_is_measured_with_its_channel_alone() -> None:
    evidence = ("uplift", "uplift", "response", "uplift")
    assert measured_actions(evidence, ACTIONS).tolist() == [False, True, False, False]
    mask = offers_by_promotion(
        np.array([ENTHUSIAST, SENSITIVE], np.int8), np.array([DORMANT] * 2, np.int8), offers=OFFERS
    )
    open_to = actions_by_promotion(mask, evidence, ACTIONS)
    assert open_to.tolist() == [[True, True, True, False], [True] * 4]
    assumed = actions_by_promotion(mask, ("rules",) * 4, ACTIONS)
    assert assumed.tolist() == [[True, False, True, False], [True] * 4]


def measured(shift: float, *, sd: float, evidence: str = "uplift", basis: Any = None) -> Any:
    """An effect whose coupon adds `shift`, unsure by `sd`; channels are surely of effect 0.2."""
    width = 0 if basis is None else basis.width
    sds = np.array([0.1, 0.1]), np.array([0.0, 1.0])
    design = EffectDesign(tuple(CHANNELS), tuple(OFFERS), *sds, width)
    mean, covariance = np.zeros(design.size), np.zeros((design.size, design.size))
    mean[:2] = 2.0
    mean[2], covariance[2, 2] = shift, sd**2
    return ContactEffect(
        design=design,
        rung="ridge",
        evidence=(evidence,) * 4,  # type: ignore[arg-type]
        prior_mean=np.zeros(4),
        basis=basis,
        mean=mean,
        covariance=covariance,
    )


def weighed(effect: ContactEffect, p: list[float]) -> ActionEffects:
    odds = log_odds(np.array(p))
    x = np.zeros((len(p), 0))
    return ActionEffects(effect, odds, x, effect.means(odds, x), np.zeros((len(p), 4)))


def by_effects(effects: ActionEffects, codes: list[int], actions: Actions = ACTIONS) -> list[str]:
    n = len(codes)
    history = Promotion(np.array(codes, np.int8), np.full(n, 1, np.int8))
    found = promotion_by_effects(
        history,
        effects,
        order_value=np.full(n, 50.0),
        actions=actions,
        terms=actions.terms(MARGIN),
    )
    pairs = zip(found.code, found.basis, strict=True)
    return [f"{PROMOTIONS[code]} {BASES[basis]}" for code, basis in pairs]


def test_a_coupon_pays_where_few_would_come_anyway() -> None:
    # A shift of 0.6 nearly doubles 2 % but adds less to 60 % than a tenth off all orders costs.
    effects = weighed(measured(0.6, sd=0.02), [0.02, 0.6, 0.6])
    codes = [INDIFFERENT, SENSITIVE, ENTHUSIAST]
    assert by_effects(effects, codes) == [
        "sensitive effects",
        "indifferent effects",
        "enthusiast effects",
    ]


def test_an_unsure_effect_leaves_customers_neutral() -> None:
    assert by_effects(weighed(measured(0.6, sd=1.0), [0.02]), [SENSITIVE]) == ["neutral effects"]


def test_assumptions_leave_the_history_as_it_is() -> None:
    effects = weighed(measured(0.6, sd=0.02, evidence="rules"), [0.02])
    assert by_effects(effects, [ENTHUSIAST]) == ["enthusiast history"]
    actions = list_actions(CHANNELS, {})
    nothing = assumed_effects(CHANNELS, {}).weigh(
        np.array([0.1]), np.zeros((1, 0)), names=(), actions=actions
    )
    assert by_effects(nothing, [NEUTRAL], actions) == ["neutral history"]


@pytest.mark.parametrize("seed", range(3))
def test_the_error_of_an_offers_gain_is_that_of_drawn_worlds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = ("a", "b")
    basis = EffectBasis(names, np.zeros(3), np.ones(3))
    template = measured(0.3, sd=0.1, basis=basis)
    root = rng.normal(0, 0.01, (template.design.size,) * 2)
    effect = ContactEffect(
        design=template.design,
        rung="ridge",
        evidence=template.evidence,
        prior_mean=rng.normal(0, 0.1, 4),
        basis=basis,
        mean=rng.normal(0, 0.05, template.design.size),
        covariance=root @ root.T,
    )
    n = 5
    odds, x = rng.normal(-2, 1, n), rng.normal(0, 1, (n, 2))
    effects = ActionEffects(effect, odds, x, effect.means(odds, x), np.zeros((n, 4)))
    terms, value = ACTIONS.terms(MARGIN), np.full(n, 50.0)
    kept = MARGIN * 50.0 - terms.discount * 50.0
    chance = effects.contacted()
    slope = chance * (1 - chance) * kept
    sd = effect.difference_sd(odds, x, pair=(1, 0), weights=slope[:, [1, 0]])
    drawn = effect.draw(rng, odds, x, draws=4000)
    worlds = 1 / (1 + np.exp(-(odds[None, :, None] + drawn)))
    gains = [
        expected_gains(
            effects.natural, one, order_value=value, attrition_cost=np.zeros((n, 4)), terms=terms
        )
        for one in worlds
    ]
    spread = np.std([gain[:, 1] - gain[:, 0] for gain in gains], axis=0)
    np.testing.assert_allclose(sd, spread, rtol=0.12)
    assert CLEAR > 1.0
