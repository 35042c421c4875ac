"""Actions with their prices, and what gains are made of."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.action_value import ActionTerms
from scoring.policy import Channel, Offer

Float64Array = NDArray[np.float64]
Int16Array = NDArray[np.int16]

NORMAL_95 = 1.96
_SMALLEST = 1e-6


@dataclass(frozen=True, slots=True)
class Actions:
    """All (channel, offer) pairs; the arrays have shape (n_actions,).

    Actions of one channel stand together, channels and offers in configured order:
    action = channel * n_offers + offer.

    Attributes
    ----------
    shift : assumed shift of the return's log-odds.
    discount : share of the order given away on return.
    cost_on_return : money given away on return.
    contact_cost : money per contact.
    channel_value : money lost with the channel.
    """

    channels: tuple[str, ...]
    offers: tuple[str, ...]
    shift: Float64Array
    discount: Float64Array
    cost_on_return: Float64Array
    contact_cost: Float64Array
    channel_value: Float64Array

    def terms(self, gross_margin: float) -> ActionTerms:
        """What actions cost and earn at this margin."""
        return ActionTerms(
            discount=self.discount,
            cost_on_return=self.cost_on_return,
            contact_cost=self.contact_cost,
            gross_margin=gross_margin,
        )

    @property
    def channel_of(self) -> Int16Array:
        """Channel code of each action."""
        codes = np.arange(len(self.channels), dtype=np.int16)
        return np.repeat(codes, len(self.offers))


def list_actions(channels: Mapping[str, Channel], offers: Mapping[str, Offer]) -> Actions:
    """Every (channel, offer) pair of the configuration."""
    pairs = [(channel, offer) for channel in channels.values() for offer in offers.values()]

    def column(values: list[float]) -> Float64Array:
        return np.array(values, dtype=np.float64)

    return Actions(
        channels=tuple(channels),
        offers=tuple(offers),
        shift=column([c.effect_prior + o.effect_prior for c, o in pairs]),
        discount=column([o.discount for _, o in pairs]),
        cost_on_return=column([o.cost_on_return for _, o in pairs]),
        contact_cost=column([c.cost for c, _ in pairs]),
        channel_value=column([c.channel_value for c, _ in pairs]),
    )


def log_odds(probability: Float64Array) -> Float64Array:
    """Logit, finite for 0 and 1 too."""
    inside = np.clip(probability, _SMALLEST, 1.0 - _SMALLEST)
    return np.asarray(np.log(inside / (1.0 - inside)))


def shifted_probability(probability: Float64Array, shift: Float64Array | float) -> Float64Array:
    """The probability after a shift of its log-odds; the inputs broadcast."""
    inside = np.clip(probability, _SMALLEST, 1.0 - _SMALLEST)
    shifted: Float64Array = 1.0 / (1.0 + (1.0 - inside) / inside * np.exp(-np.asarray(shift)))
    return shifted


def gain_terms(
    p_natural: Float64Array,
    *,
    order_value: Float64Array,
    attrition_cost: Float64Array,
    terms: ActionTerms,
) -> tuple[Float64Array, Float64Array]:
    """What expected gains are made of: gain = p_a * kept - lost; both (n, n_actions).

    `kept` is the money that a return under the action brings, `lost` the action's certain
    costs and the money that a return without contact would have brought.
    """
    margin = (terms.gross_margin * order_value)[:, None]
    kept = margin - (order_value[:, None] * terms.discount + terms.cost_on_return)
    lost = terms.contact_cost + attrition_cost + p_natural[:, None] * margin
    return kept, lost
