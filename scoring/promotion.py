"""Promotion sensitivity: who finds offers alone, needs them, or does not mind them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.coupon_history import CouponHistory
from features.life_cycle import AT_RISK, DORMANT
from models.action_value import ActionTerms
from models.contact_effect import Evidence
from models.effect_design import NO_OFFER
from scoring.effects import ActionEffects
from scoring.gain import Actions, gain_terms

BoolArray = NDArray[np.bool_]
Float64Array = NDArray[np.float64]
Int8Array = NDArray[np.int8]

PROMOTIONS = ("neutral", "enthusiast", "sensitive", "indifferent")
NEUTRAL, ENTHUSIAST, SENSITIVE, INDIFFERENT = range(len(PROMOTIONS))

BASES = ("thin", "history", "effects")
THIN, HISTORY, EFFECTS = range(len(BASES))

MIN_ORDERS = 3
"""Fewer orders than this say nothing of a habit."""

MIN_OFFERS = 3
"""How offers are used, or not minded, shows only in customers who had so many."""

PRIOR_ORDERS = 3.0
"""So many orders, and offers, of everybody's kind are put beside a customer's own."""

ALONE_SHARE = 0.5
PROMPTED_SHARE = 1.0 / 3.0
PLAIN_SHARE = 0.9
"""Shares of orders, after shrinkage, from which on a habit counts as one."""

CLEAR = 1.2816
"""Standard errors by which an offer's gain must differ from 0: one chance in ten to be wrong."""

_BLOCK = 1 << 15
"""Customers weighed at once: what all actions do to more of them takes much memory."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """The promotion sensitivity of n customers; both of shape (n,).

    Attributes
    ----------
    code : place in `PROMOTIONS`.
    basis : place in `BASES`: "thin" evidence, coupon "history", or measured "effects".
    """

    code: Int8Array
    basis: Int8Array

    def select(self, rows: NDArray[np.int64]) -> "Promotion":
        """The given rows, in the order given."""
        return Promotion(self.code[rows], self.basis[rows])


def promotion_by_history(coupons: CouponHistory) -> Promotion:
    """Tell sensitivity from how discounts came about.

    A share of orders is (own + k * everybody's share) / (orders + k), k = `PRIOR_ORDERS`.
    Enthusiasts place at least half of their orders with discounts found alone; the sensitive
    place a third after an offer of ours, or use a third of our offers; the indifferent pay
    the full price nine times in ten, though they had offers. Fewer than `MIN_ORDERS` orders
    are thin evidence, and so is everybody's where no discount was ever seen: then discounts
    are not recorded.

    Parameters
    ----------
    coupons : of all customers, as everybody's shares are theirs.
    """
    orders = coupons.orders
    code = np.full(len(orders), NEUTRAL, dtype=np.int8)
    basis = np.full(len(orders), THIN, dtype=np.int8)
    everybody = float(orders.sum())
    if not coupons.alone.any() and not coupons.prompted.any():
        return Promotion(code, basis)

    def share(own: NDArray[np.int16]) -> Float64Array:
        usual = float(own.sum()) / everybody
        return np.asarray((own + PRIOR_ORDERS * usual) / (orders + PRIOR_ORDERS))

    code[(share(coupons.plain) >= PLAIN_SHARE) & (coupons.offers >= MIN_OFFERS)] = INDIFFERENT
    # Offers can be used often by customers who order much more often than they get any.
    used = float(coupons.prompted.sum()) / max(float(coupons.offers.sum()), 1.0)
    of_offers = (coupons.prompted + PRIOR_ORDERS * used) / (coupons.offers + PRIOR_ORDERS)
    uses = (of_offers >= PROMPTED_SHARE) & (coupons.offers >= MIN_OFFERS)
    code[(share(coupons.prompted) >= PROMPTED_SHARE) | uses] = SENSITIVE
    code[share(coupons.alone) >= ALONE_SHARE] = ENTHUSIAST
    told = orders >= MIN_ORDERS
    code[~told] = NEUTRAL
    basis[told] = HISTORY
    return Promotion(code, basis)


def measured_actions(evidence: Sequence[Evidence], actions: Actions) -> BoolArray:
    """Actions whose offer's own effect is measured; shape (n_actions,).

    Both the action and its channel without offer were measured against a control.
    """
    known = np.array([one == "uplift" for one in evidence], dtype=np.bool_)
    if NO_OFFER not in actions.offers:
        return np.zeros(len(known), dtype=np.bool_)
    alone = _alone(actions)
    both: BoolArray = known & known[alone] & (alone != np.arange(len(known)))
    return both


def promotion_by_effects(
    promotion: Promotion,
    effects: ActionEffects,
    *,
    order_value: Float64Array,
    actions: Actions,
    terms: ActionTerms,
) -> Promotion:
    """Tell sensitivity from what offers were measured to earn, where they were.

    An offer's gain over the same channel without offer is what it adds to the expected
    return less its cost on all returns, those included that would have come anyway. Of a
    customer's measured offers the one of the largest gain counts: clearly above 0 is
    sensitive, clearly below indifferent (an enthusiast stays one), else neutral.

    Parameters
    ----------
    promotion : of the same m customers by history; returned where nothing is measured.
    effects : what every action changes for them.
    order_value : money a return is worth before margin, shape (m,).
    actions, terms : of the configuration.
    """
    offers = np.flatnonzero(measured_actions(effects.effect.evidence, actions))
    if not len(offers) or not len(order_value):
        return promotion
    alone = _alone(actions)
    code = np.empty(len(order_value), dtype=np.int8)
    for first in range(0, len(code), _BLOCK):
        rows = np.arange(first, min(first + _BLOCK, len(code)))
        gain, error = _best_offer(
            effects.take(rows), (offers, alone[offers]), order_value=order_value[rows], terms=terms
        )
        found = np.full(len(rows), NEUTRAL, dtype=np.int8)
        found[gain - CLEAR * error > 0.0] = SENSITIVE
        poor = gain + CLEAR * error < 0.0
        is_fan = promotion.code[rows] == ENTHUSIAST
        found[poor] = np.where(is_fan[poor], ENTHUSIAST, INDIFFERENT)
        code[rows] = found
    return Promotion(code, np.full(len(code), EFFECTS, dtype=np.int8))


def _best_offer(
    effects: ActionEffects,
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
    *,
    order_value: Float64Array,
    terms: ActionTerms,
) -> tuple[Float64Array, Float64Array]:
    """The largest gain of an offer over its channel alone, and its standard error; (n,) each.

    `pairs` are the actions with an offer and the same channels without.
    """
    chance = effects.contacted()
    kept, _ = gain_terms(
        effects.natural,
        order_value=order_value,
        attrition_cost=effects.attrition_cost,
        terms=terms,
    )
    offers, alone = pairs
    gain = chance[:, offers] * kept[:, offers] - chance[:, alone] * kept[:, alone]
    best = gain.argmax(axis=1)
    # First-order error of p_offer * kept_offer - p_alone * kept_alone.
    slope = chance * (1.0 - chance) * kept
    error = np.empty(len(best))
    for place in np.unique(best):
        mine = np.flatnonzero(best == place)
        pair = (int(offers[place]), int(alone[place]))
        error[mine] = effects.effect.difference_sd(
            effects.log_odds0[mine], effects.x[mine], pair=pair, weights=slope[mine][:, pair]
        )
    return gain.max(axis=1), error


def _alone(actions: Actions) -> NDArray[np.int64]:
    """Each action's channel without offer, as an action; shape (n_actions,)."""
    first = actions.channel_of.astype(np.int64) * len(actions.offers)
    return first + actions.offers.index(NO_OFFER)


def offers_by_promotion(
    promotion: Int8Array, life_cycle: Int8Array, *, offers: Sequence[str]
) -> BoolArray:
    """Which offers may be made to whom; shape (m, n_offers).

    "none" may always. The sensitive get all others; the neutral do when about to leave: at
    risk or dormant, lost no more; enthusiasts and the indifferent do not.

    Parameters
    ----------
    promotion, life_cycle : places in `PROMOTIONS` and `features.life_cycle.LIFE_CYCLES`,
        shape (m,).
    offers : names in configured order.
    """
    leaving = (life_cycle == AT_RISK) | (life_cycle == DORMANT)
    wanted = (promotion == SENSITIVE) | ((promotion == NEUTRAL) & leaving)
    is_none = np.array([name == NO_OFFER for name in offers], dtype=np.bool_)
    mask: BoolArray = wanted[:, None] | is_none[None, :]
    return mask


def actions_by_promotion(
    offer_mask: BoolArray, evidence: Sequence[Evidence], actions: Actions
) -> BoolArray:
    """The same for actions, shape (m, n_actions); measured ones are open to all.

    Where an offer's effect is measured, its gain decides: its cost is charged on all
    returns, so that who would have come anyway makes it dear.

    Parameters
    ----------
    offer_mask : see `offers_by_promotion`.
    evidence : per action.
    """
    by_action = np.tile(offer_mask, (1, len(actions.channels)))
    return np.asarray(by_action | measured_actions(evidence, actions))
