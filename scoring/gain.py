"""What an action is worth: win-back likelihood, uplift and expected profit."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    shift, shift_sd : assumed shift of the return's log-odds, and how unsure it is.
    discount : share of the order given away on return.
    cost_on_return : money given away on return.
    contact_cost : money per contact.
    attrition_cost : money lost per contact because the channel may be lost.
    """

    channels: tuple[str, ...]
    offers: tuple[str, ...]
    shift: Float64Array
    shift_sd: Float64Array
    discount: Float64Array
    cost_on_return: Float64Array
    contact_cost: Float64Array
    attrition_cost: Float64Array

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
        shift_sd=column([float(np.hypot(c.effect_prior_sd, o.effect_prior_sd)) for c, o in pairs]),
        discount=column([o.discount for _, o in pairs]),
        cost_on_return=column([o.cost_on_return for _, o in pairs]),
        contact_cost=column([c.cost for c, _ in pairs]),
        attrition_cost=column([c.unsubscribe_share * c.channel_value for c, _ in pairs]),
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
    gross_margin: float,
    actions: Actions,
) -> tuple[Float64Array, Float64Array]:
    """What `expected_gains` is made of: gain = p_a * kept - lost; both (n, n_actions).

    `kept` is the money that a return under the action brings, `lost` the action's certain
    costs and the money that a return without contact would have brought.
    """
    margin = (gross_margin * order_value)[:, None]
    kept = margin - (order_value[:, None] * actions.discount + actions.cost_on_return)
    lost = actions.contact_cost + actions.attrition_cost + p_natural[:, None] * margin
    return kept, lost


def expected_gains(
    p_natural: Float64Array,
    *,
    order_value: Float64Array,
    gross_margin: float,
    actions: Actions,
) -> Float64Array:
    """Expected incremental profit of every action, in money.

    gain = p_a m - p_a (discount * order_value + cost_on_return) - contact_cost
    - attrition_cost - p_0 m with m = gross_margin * order_value and
    p_a = sigmoid(logit p_0 + shift). METHODS section 2, stage D.

    Parameters
    ----------
    p_natural : shape (n,), probability of a return without contact.
    order_value : shape (n,), money a return is worth before margin.

    Returns
    -------
    Shape (n, n_actions).
    """
    natural = np.clip(p_natural, _SMALLEST, 1.0 - _SMALLEST)
    gains = np.empty((len(natural), len(actions.shift)), dtype=np.float64)
    margin = gross_margin * order_value
    for action in range(gains.shape[1]):
        contacted = shifted_probability(natural, float(actions.shift[action]))
        given = actions.discount[action] * order_value + actions.cost_on_return[action]
        fixed = actions.contact_cost[action] + actions.attrition_cost[action]
        gains[:, action] = (contacted - natural) * margin - contacted * given - fixed
    return gains
