"""Worlds of one decision with known effects: who returns under which action, and its profit.

Four channels with two offers each. "additive" builds effects on the log-odds scale, which
suits estimators that work there; "regions" builds them on the probability scale in
rectangles of the features, which suits trees; in "constant" a contact shifts everybody's
log-odds alike; in "none" it changes nothing and only costs. METHODS.md section 2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int16]

CHANNELS = ("push", "sms", "email", "phone")
OFFERS = ("none", "coupon")
ACTIONS = tuple(f"{channel}/{offer}" for channel in CHANNELS for offer in OFFERS)
WORLDS = ("additive", "regions", "constant", "none")
HETEROGENEOUS = ("additive", "regions")
N_FEATURES = 10
MARGIN = 0.35
DISCOUNT = np.tile([0.0, 0.12], len(CHANNELS))
"""Share of the order given away on return, by action."""

COST = np.repeat([0.002, 0.03, 0.004, 1.2], len(OFFERS))
"""Money per contact, by action."""

_CHANNEL_SHIFT = np.array([0.10, 0.22, 0.12, 0.45])
_CHANNEL_POINTS = np.array([0.008, 0.016, 0.010, 0.035])
_OFFER_SHIFT = 0.30
_LEAST, _MOST = 0.001, 0.95


@dataclass(frozen=True, slots=True)
class World:
    """n customers with every potential outcome.

    Attributes
    ----------
    x : what is known of them, shape (n, N_FEATURES + 1); the last is the log order value.
    p0 : true probability of a return without contact, shape (n,).
    p : true probability under each action, shape (n, 8).
    order_value : money per return before margin, shape (n,).
    """

    x: Floats
    p0: Floats
    p: Floats
    order_value: Floats

    @property
    def gain(self) -> Floats:
        """True expected profit of each action over no contact, shape (n, 8)."""
        return incremental_profit(self.p0, self.p, self.order_value)


@dataclass(frozen=True, slots=True)
class Log:
    """What a randomised campaign in a world leaves behind: action -1 is no contact."""

    action: Ints
    propensity: Floats
    returned: Floats


def incremental_profit(p0: Floats, p: Floats, order_value: Floats) -> Floats:
    """Expected profit of actions over no contact: discounts are paid on all returns."""
    kept = (MARGIN - DISCOUNT) * order_value[:, None]
    return np.asarray(p * kept - COST - (p0 * MARGIN * order_value)[:, None])


def draw_world(name: str, n: int, rng: np.random.Generator) -> World:
    """Customers of one of `WORLDS`."""
    z = rng.normal(size=(n, N_FEATURES))
    order_value = np.exp(3.4 + 0.5 * z[:, 3] + 0.2 * rng.normal(size=n))
    p0, p = (_regions if name == "regions" else _shifts)(name, z)
    return World(np.c_[z, np.log(order_value)], p0, p, order_value)


def draw_log(world: World, rng: np.random.Generator, *, control: float = 0.5) -> Log:
    """Assign everybody at random, the share `control` to no contact, and see who returns."""
    n, n_actions = world.p.shape
    share = (1.0 - control) / n_actions
    action = rng.choice(n_actions + 1, n, p=[control, *[share] * n_actions]) - 1
    chance = np.where(action < 0, world.p0, world.p[np.arange(n), action])
    return Log(
        action=action.astype(np.int16),
        propensity=np.where(action < 0, control, share),
        returned=(rng.random(n) < chance).astype(np.float64),
    )


def value_of(world: World, score: Floats, *, share: float = 0.3) -> float:
    """True profit per customer of contacting the best-scored share, where the score is > 0.

    Parameters
    ----------
    score : estimated gain of each action, shape (n, 8); the best action is taken.
    """
    best = score.argmax(axis=1)
    top = score[np.arange(len(best)), best]
    chosen = np.argsort(-top, kind="stable")[: int(share * len(best))]
    chosen = chosen[top[chosen] > 0.0]
    return float(world.gain[chosen, best[chosen]].sum() / len(best))


def _sigmoid(z: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-z)))


def _shifts(name: str, z: Floats) -> tuple[Floats, Floats]:
    log_odds = -3.2 + 0.9 * z[:, 0] - 0.6 * np.abs(z[:, 1]) + 0.4 * z[:, 2]
    shift = np.zeros((len(z), len(ACTIONS)))
    varies = float(name == "additive")
    for action in range(len(ACTIONS) if name != "none" else 0):
        channel, with_offer = divmod(action, len(OFFERS))
        taste = 0.35 * np.tanh(z[:, 4 + channel]) - 0.25 * (z[:, 1] > 1.2) - 0.6 * (z[:, 9] > 1.0)
        deal = with_offer * (_OFFER_SHIFT + 0.45 * varies * np.tanh(z[:, 8]))
        shift[:, action] = _CHANNEL_SHIFT[channel] + varies * taste + deal
    return _sigmoid(log_odds), _sigmoid(log_odds[:, None] + shift)


def _regions(name: str, z: Floats) -> tuple[Floats, Floats]:
    del name
    p0 = _sigmoid(-3.4 + z[:, 0] - 0.6 * np.abs(z[:, 1]) + 0.8 * (z[:, 2] > 0.5))
    p = np.empty((len(z), len(ACTIONS)))
    for action in range(len(ACTIONS)):
        channel, with_offer = divmod(action, len(OFFERS))
        persuadable = (z[:, 4 + channel] > 0.3) & (z[:, 0] > -0.5)
        points = _CHANNEL_POINTS[channel] * (0.25 + 2.0 * persuadable)
        points = points + with_offer * (0.004 + 0.03 * ((z[:, 8] > 0.6) & (p0 < 0.05)))
        points = points - 0.02 * ((z[:, 9] > 1.1) & (z[:, 1] > -1.0))
        p[:, action] = np.clip(p0 + points, _LEAST, _MOST)
    return p0, p
